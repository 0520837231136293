"""A pytest plugin that puts ChatGeekAI and GeekAI in the place of the fake models of others' tests, over the wire.

What a fake model would answer is played by a scripted server as GeekAI would send it, and our model asks for it. So a
test sees its own answers, and all that is ours on their way: messages, tools, streams, errors. A test whose fake model
answers what no server of this kind sends (pictures, another vendor's blocks, a stream of nothing) is skipped.
Environment: `UPSTREAM_RESULTS`, a file for what came of each test; `UPSTREAM_OURS`, without which nothing is replaced.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import types
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar

import pytest
from _upstream_wire import REASONS, langchain_pieces, llama_index_piece, server, wanted
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from llama_index.core.llms import LLM

from langchain_geekai import ChatGeekAI
from llama_index_geekai import GeekAI


class Plain:
    """Our answer without what each answer of a server has and no fake model's, for tests compare whole messages.

    That is the name of the model, how the answer ended and the like where the fake model's message has none, and the
    chunk of its own that ends a stream. `blocks`: nothing is taken off, for LangChain makes blocks of what is there.
    `error`: what the fake model's stream breaks off with.
    """

    def __init__(self, generations: Sequence[Any], *, blocks: bool, error: Exception | None) -> None:
        self.blocks, self.error = blocks, error
        self.kept = {name for generation in generations for name in generation.message.response_metadata}
        if self.kept & {*REASONS}:
            self.kept |= {"finish_reason", "normalized_finish_reason"}
        self.id, self.held = generations[0].message.id, None

    def result(self, ours: Any) -> Any:
        """A whole answer."""
        ours.generations[0], ours.llm_output = self._stripped(ours.generations[0]), None
        return ours

    def chunks(self, chunk: Any) -> Iterator[Any]:
        """The chunks of a stream that are ready now, given the next one; None for its end."""
        if chunk is not None and self.error is not None and chunk.message.chunk_position == "last":
            return
        held, self.held = (chunk, None) if self.blocks else (self.held, chunk)
        if held is not None and self.held is not None and self.held.message.chunk_position == "last":
            held, self.held = held + self.held, None
        if held is not None:
            yield self._stripped(held)
        if chunk is None and self.error is not None:
            raise self.error

    def _stripped(self, ours: Any) -> Any:
        message = ours.message
        kept = self.kept | ({"model_provider"} if message.additional_kwargs else set())  # says how those are read
        if not self.blocks:
            metadata = message.response_metadata
            message.response_metadata = {name: metadata[name] for name in kept & metadata.keys()}
            message.id, ours.generation_info = self.id, None
            if isinstance(message, AIMessageChunk) and not message.tool_call_chunks:  # tests compare classes, too
                ours.message = AIMessageChunk(**{name: getattr(message, name) for name in message.model_fields_set})
        return ours


class FakeClass(type(ChatGeekAI)):  # type: ignore[misc]
    """Of a class of ours: what the class of the fake model has beside its fields."""

    def __getattr__(cls, name: str) -> Any:
        fake = None if name.startswith("_") else cls.__dict__.get("_fake_class")
        return super().__getattr__(name) if fake is None else getattr(fake, name)


class LangChainFake(ChatGeekAI, metaclass=FakeClass):
    """A `ChatGeekAI` that answers as a fake model would."""

    _fake_class: ClassVar[type[Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fake = self._fake_class(*args, **kwargs)
        given = {name: kwargs[name] for name in kwargs.keys() & {*BaseChatModel.model_fields, "streaming"}}
        given |= {"model": kwargs.get("model_name", "upstream"), "base_url": server.base_url}
        super().__init__(**given, api_key="k", max_retries=0)
        self.__dict__["_fake"] = fake

    def __getattr__(self, name: str) -> Any:
        fake = self.__dict__.get("_fake")
        return super().__getattr__(name) if fake is None or name == "profile" else getattr(fake, name)

    def __setattr__(self, name: str, value: Any) -> None:
        ours = name in ChatGeekAI.model_fields or "_fake" not in self.__dict__
        super().__setattr__(name, value) if ours else setattr(self._fake, name, value)

    def _says(self, messages: Any, stop: Any, streaming: bool, kwargs: Any) -> list[Any]:
        """The fake model's answer: generations, several where it streams by itself, and the error that ends them."""
        if not streaming or self._fake_class._stream is BaseChatModel._stream:
            return self._fake._generate(messages, stop=stop, **kwargs).generations[:1]  # type: ignore[no-any-return]
        said: list[Any] = []
        try:
            for generation in self._fake._stream(messages, stop=stop, **kwargs):
                said.append(generation)
        except Exception as error:
            if not said:
                raise
            said.append(error)
        return said

    async def _asays(self, messages: Any, stop: Any, streaming: bool, kwargs: Any) -> list[Any]:
        if not streaming or self._fake_class._astream is BaseChatModel._astream:
            return await asyncio.to_thread(self._says, messages, stop, streaming, kwargs)
        said: list[Any] = []
        try:
            async for generation in self._fake._astream(messages, stop=stop, **kwargs):
                said.append(generation)
        except Exception as error:
            if not said:
                raise
            said.append(error)
        return said

    def _plays(self, said: list[Any], streaming: bool, kwargs: Any, run_manager: Any = None) -> tuple[Any, Plain]:
        """The keywords of a call that is answered so, and what makes our answer plain."""
        blocks = self.output_version == "v1" or run_manager is not None
        error = said.pop() if said and isinstance(said[-1], Exception) else None
        kwargs = kwargs | wanted(langchain_pieces(said), streaming, getattr(self._fake, "sleep", None) or 0)
        return kwargs, Plain(said, blocks=blocks, error=error)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        kwargs, plain = self._plays(self._says(messages, stop, False, kwargs), False, kwargs)
        return plain.result(super()._generate(messages, stop, run_manager, **kwargs))

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        kwargs, plain = self._plays(await self._asays(messages, stop, False, kwargs), False, kwargs)
        return plain.result(await super()._agenerate(messages, stop, run_manager, **kwargs))

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        kwargs, plain = self._plays(self._says(messages, stop, True, kwargs), True, kwargs, run_manager)
        for chunk in chain(super()._stream(messages, stop, run_manager, **kwargs), (None,)):
            yield from plain.chunks(chunk)

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        kwargs, plain = self._plays(await self._asays(messages, stop, True, kwargs), True, kwargs, run_manager)
        async for chunk in super()._astream(messages, stop, run_manager, **kwargs):
            for ready in plain.chunks(chunk):
                yield ready
        for ready in plain.chunks(None):
            yield ready


class LlamaIndexFake(GeekAI):
    """A `GeekAI` that answers as a fake model would."""

    _fake_class: ClassVar[type[Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fake = self._fake_class(*args, **kwargs)
        super().__init__(model="upstream", api_key="k", api_base=server.base_url, max_retries=0, context_window=99_999)
        self.__dict__["_fake"] = fake

    def __getattr__(self, name: str) -> Any:
        fake = self.__dict__.get("_fake")
        return super().__getattr__(name) if fake is None else getattr(fake, name)

    def _asks_for(self, messages: Any, kwargs: Any) -> dict[str, Any]:
        return kwargs | wanted([llama_index_piece(self._fake.chat(messages, **kwargs))], streaming=False)

    def chat(self, messages: Any, **kwargs: Any) -> Any:
        return super().chat(messages, **self._asks_for(messages, kwargs))

    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        return await super().achat(messages, **self._asks_for(messages, kwargs))

    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        pieces = [llama_index_piece(r) for r in self._fake.stream_chat(messages, **kwargs)]
        return super().stream_chat(messages, **kwargs, **wanted(pieces, streaming=True))

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        pieces = [llama_index_piece(r) async for r in await self._fake.astream_chat(messages, **kwargs)]
        return await super().astream_chat(messages, **kwargs, **wanted(pieces, streaming=True))


def in_place_of(fake_class: type[Any], base: type[Any]) -> type[Any]:
    """A class of ours, `base`, that answers as this fake model would, under its name."""
    place = {"__module__": fake_class.__module__, "__qualname__": fake_class.__qualname__}
    for name in {"batch", "abatch"} & {*dir(fake_class)}:  # of a fake model that answers in the order of the prompts
        if getattr(fake_class, name) is not getattr(base, name):
            place[name] = getattr(fake_class, name)
    made: Any = types.new_class(fake_class.__name__, (base,), exec_body=lambda names: names.update(place))
    made._fake_class = fake_class
    return made  # type: ignore[no-any-return]


OWN = {"invoke", "ainvoke", "stream", "astream", "astream_chat_with_tools", "with_structured_output"}
OWN |= {"profile", "metadata", "model", "model_name", "model_post_init", "is_lc_serializable"}
OWN |= {"_get_ls_params", "_get_invocation_params", "_identifying_params"}
"""A fake model that defines one of these stands for more than its answers, and stays."""


def only_answers(fake_class: type[Any], base: type[Any]) -> bool:
    """Whether a fake model is no more than a source of answers, and not tied to the event loop that asks it."""
    classes = fake_class.__mro__[: fake_class.__mro__.index(base)]
    tied = any("_astream" in vars(one) for one in classes) and not any("_stream" in vars(one) for one in classes)
    own = [vars(one) for one in classes if one.__module__.startswith("tests")]
    return not tied and not any(OWN & (space.keys() | space.get("__annotations__", {}).keys()) for space in own)


def replacements(module: Any) -> Iterator[tuple[str, type[Any]]]:
    """The names in a module that stand for a fake model."""
    for name, value in list(vars(module).items()):
        if not inspect.isclass(value) or inspect.isabstract(value) or not value.__module__.startswith(HOMES):
            continue
        for base, own, replacement in BASES:
            if issubclass(value, base) and not issubclass(value, own) and only_answers(value, base):
                yield name, in_place_of(value, replacement)


HOMES = ("tests", "test_", "langchain_core.language_models.fake", "llama_index.core.llms.mock")
"""Modules of fake models; others hold real ones."""
BASES = [(BaseChatModel, ChatGeekAI, LangChainFake), (LLM, GeekAI, LlamaIndexFake)]


def pytest_configure() -> None:
    server.__enter__()


def pytest_unconfigure() -> None:
    server.__exit__(None, None, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Replace the fake models that the collected tests' modules name."""
    if not os.environ.get("UPSTREAM_OURS"):
        return
    if blockbuster := sys.modules.get("blockbuster"):  # a test may ask our model, which waits, within an event loop
        blockbuster.BlockBuster.activate = lambda self: None
    made: dict[type[Any], type[Any]] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("tests") or any(getattr(item, "module", None) is module for item in items):
            for bound, ours in replacements(module):
                setattr(module, bound, made.setdefault(vars(module)[bound], ours))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Note how many requests a test made."""
    before = len(server.requests)
    result = yield
    _note(id=item.nodeid, requests=len(server.requests) - before)
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed or report.when == "call":
        why = str(report.longrepr).strip().splitlines()[-1] if report.failed else ""
        _note(id=report.nodeid, outcome=report.outcome, why=why)


def _note(**row: Any) -> None:
    with open(os.environ["UPSTREAM_RESULTS"], "a", encoding="utf-8") as file:
        print(json.dumps(row), file=file)
