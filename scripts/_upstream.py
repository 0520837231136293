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
from functools import reduce
from itertools import chain, count
from typing import Any, ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import add_usage
from llama_index.core.llms import LLM

from geekai_testing.replies import Reply, Request, answer, completion, delta, json_reply, sse, tool_call, usage
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from llama_index_geekai import GeekAI

KEY = "upstream"
"""The field of a request that says which answer is wanted."""
answers: dict[int, Reply] = {}
numbers = count()


def _answer(request: Request) -> Reply:
    return answers.pop(request.json.get(KEY), None) or answer("?")(request)


server = ScriptedServer(_answer)


def wanted(pieces: list[dict[str, Any]], streaming: bool) -> dict[str, Any]:
    """The keyword of a call that makes the server answer with these fields of a message, in these pieces.

    Of a piece: `text`, `thought`, `calls` as (index, id, name, arguments), `extra`: fields of the message; of the last
    one, `ending`: the finish reason, usage and further fields of the answer.
    """
    number = next(numbers)
    reason = "tool_calls" if any(piece["calls"] for piece in pieces) else "stop"
    ending = {"finish_reason": reason, "usage": usage(), **pieces[-1].get("ending", {})}
    if streaming:
        deltas = [delta(piece["text"], **_kept(piece, index=True)) for piece in pieces]
        answers[number] = sse(*deltas, delta(**ending))
    else:
        (piece,) = pieces
        answers[number] = json_reply(completion(piece["text"], **_kept(piece), **ending))
    return {"extra_body": {KEY: number}}


def _kept(piece: dict[str, Any], index: bool = False) -> dict[str, Any]:
    calls = [tool_call(name, args, id=key, index=at if index else None) for at, key, name, args in piece["calls"]]
    kept = {"reasoning_content": piece.get("thought"), "tool_calls": calls, "extra": piece.get("extra")}
    return {name: value for name, value in kept.items() if value}


COUNTS = {"audio": "audio", "cache_read": "cached", "cache_creation": "cache_write", "reasoning": "reasoning"}
"""Details of usage as LangChain names them, and as the wire does, ahead of `_tokens`."""
REASONS = ("finish_reason", "stop_reason", "stopReason")
"""Names of why an answer ended, in a message's metadata."""
UNSENT = {*REASONS, "model_provider", "output_version", "token_usage", "id", "logprobs"}
"""Of that metadata, what no server sends under that name."""
BLOCKS = {"text", "reasoning", "refusal", "tool_use", "tool_call", "tool_call_chunk"}
"""Blocks of a message's content for which the wire has another place; for others it has none."""
UNPLAYED = "the fake model answers what no server of this kind sends"


def _usage(counted: Any) -> dict[str, Any]:
    """LangChain's usage, as the wire has it."""
    sent = {"total_tokens": counted["total_tokens"]}
    for theirs, ours in (("input", "prompt"), ("output", "completion")):
        details = counted.get(f"{theirs}_token_details", {})
        sent[f"{ours}_tokens"] = counted[f"{theirs}_tokens"]
        sent[f"{ours}_tokens_details"] = {f"{COUNTS[name]}_tokens": details[name] for name in COUNTS.keys() & details}
    return sent


def _langchain_pieces(generations: Sequence[Any]) -> list[dict[str, Any]]:
    """What the generations of one answer hold, as `wanted` takes it."""
    if not generations or any("lc_gateway_metadata" in (one.generation_info or {}) for one in generations):
        pytest.skip(UNPLAYED)
    messages = [generation.message for generation in generations]
    pieces = [_langchain_piece(message) for message in messages]
    sent = {name: value for generation in generations for name, value in (generation.generation_info or {}).items()}
    sent |= {name: value for message in messages for name, value in message.response_metadata.items()}
    further = {name: sent[name] for name in sent.keys() - UNSENT if isinstance(sent[name], str | int | float)}
    ending = {"model" if name == "model_name" else name: value for name, value in further.items()} | {"usage": None}
    if used := [message.usage_metadata for message in messages if getattr(message, "usage_metadata", None)]:
        ending["usage"] = _usage(reduce(add_usage, used))
    if reasons := [sent[name] for name in REASONS if sent.get(name)]:
        ending["finish_reason"] = reasons[0]
    pieces[-1]["ending"] = ending
    return pieces


def _langchain_piece(message: BaseMessage) -> dict[str, Any]:
    blocks = [block for block in message.content if isinstance(block, dict)]
    if isinstance(message, AIMessage) and any(block.get("type") not in BLOCKS for block in blocks):
        pytest.skip(UNPLAYED)
    whole = [*getattr(message, "tool_calls", ()), *getattr(message, "invalid_tool_calls", ())]
    calls = [(at, call["id"], call["name"], call["args"] or "{}") for at, call in enumerate(whole)]
    if pieces := getattr(message, "tool_call_chunks", None):
        places = [at if call["index"] is None else call["index"] for at, call in enumerate(pieces)]
        calls = [(at, call["id"], call["name"], call["args"] or "") for at, call in zip(places, pieces, strict=True)]
    beside = [message.additional_kwargs, *blocks]
    thought = "".join(one.get("reasoning_content") or one.get("reasoning") or "" for one in beside)
    extra = {name: one[name] for one in beside for name in ("refusal", "function_call") if one.get(name)}
    return {"text": message.text, "calls": calls, "thought": thought, "extra": extra}


class Plain:
    """Our answer without what each answer of a server has and no fake model's, for tests compare whole messages.

    That is the name of the model, how the answer ended and the like where the fake model's message has none, and the
    chunk of its own that ends a stream. `blocks`: nothing is taken off, for LangChain makes blocks of what is there.
    """

    def __init__(self, generations: Sequence[Any], *, blocks: bool) -> None:
        self.blocks = blocks
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
        held, self.held = (chunk, None) if self.blocks else (self.held, chunk)
        if held is not None and self.held is not None and self.held.message.chunk_position == "last":
            held, self.held = held + self.held, None
        if held is not None:
            yield self._stripped(held)

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
        """The fake model's answer: generations, several where it streams by itself."""
        if streaming and self._fake_class._stream is not BaseChatModel._stream:
            return [*self._fake._stream(messages, stop=stop, **kwargs)]
        return self._fake._generate(messages, stop=stop, **kwargs).generations[:1]  # type: ignore[no-any-return]

    async def _asays(self, messages: Any, stop: Any, streaming: bool, kwargs: Any) -> list[Any]:
        if streaming and self._fake_class._astream is not BaseChatModel._astream:
            return [generation async for generation in self._fake._astream(messages, stop=stop, **kwargs)]
        return await asyncio.to_thread(self._says, messages, stop, streaming, kwargs)

    def _plays(self, said: list[Any], streaming: bool, kwargs: Any, run_manager: Any = None) -> tuple[Any, Plain]:
        """The keywords of a call that is answered so, and what makes our answer plain."""
        blocks = self.output_version == "v1" or run_manager is not None
        return kwargs | wanted(_langchain_pieces(said), streaming), Plain(said, blocks=blocks)

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


def _llama_index_piece(response: Any) -> dict[str, Any]:
    message = response.message
    made = [(c.tool_id, c.tool_name, c.tool_kwargs) for c in message.additional_kwargs.get("tool_calls") or ()]
    made += [(b.tool_call_id, b.tool_name, b.tool_kwargs) for b in message.blocks if b.block_type == "tool_call"]
    calls = [(at, *call) for at, call in enumerate(made)]
    thought = (response.additional_kwargs or {}).get("thinking_delta")
    text = message.content if response.delta is None else response.delta
    return {"text": text or "", "calls": calls, "thought": thought}


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
        return kwargs | wanted([_llama_index_piece(self._fake.chat(messages, **kwargs))], streaming=False)

    def chat(self, messages: Any, **kwargs: Any) -> Any:
        return super().chat(messages, **self._asks_for(messages, kwargs))

    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        return await super().achat(messages, **self._asks_for(messages, kwargs))

    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        pieces = [_llama_index_piece(r) for r in self._fake.stream_chat(messages, **kwargs)]
        return super().stream_chat(messages, **kwargs, **wanted(pieces, streaming=True))

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        pieces = [_llama_index_piece(r) async for r in await self._fake.astream_chat(messages, **kwargs)]
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
