"""A pytest plugin that puts ChatGeekAI and GeekAI in the place of the fake models of others' tests, over the wire.

What a fake model would answer is played by a scripted server as GeekAI would send it, and our model asks for it. So a
test sees its own answers, and all that is ours on their way: messages, tools, streams, errors.
Environment: `UPSTREAM_RESULTS`, a file for what came of each test; `UPSTREAM_OURS`, without which nothing is replaced.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import types
from collections.abc import Iterator
from itertools import count
from typing import Any, ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
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
    """The keyword of a call that makes the server answer with these fields of a message, in these pieces."""
    number = next(numbers)
    if streaming:
        deltas = [delta(piece["text"], **_kept(piece, index=True)) for piece in pieces]
        answers[number] = sse(*deltas, delta(finish_reason="stop", usage=usage()))
    else:
        (piece,) = pieces
        answers[number] = json_reply(completion(piece["text"], **_kept(piece)))
    return {"extra_body": {KEY: number}}


def _kept(piece: dict[str, Any], index: bool = False) -> dict[str, Any]:
    calls = [
        tool_call(name, args if isinstance(args, str) else dict(args), id=call_id, index=at if index else None)
        for at, (call_id, name, args) in enumerate(piece["calls"])
    ]
    thought = {"reasoning_content": piece["thought"]} if piece.get("thought") else {}
    return thought | ({"tool_calls": calls} if calls else {})


def _langchain_piece(message: Any) -> dict[str, Any]:
    calls = [(c["id"], c["name"], c["args"] or "{}") for c in (*message.tool_calls, *message.invalid_tool_calls)]
    if not calls:  # pieces of calls, in a stream
        calls = [(c["id"], c["name"], c["args"] or "") for c in getattr(message, "tool_call_chunks", ())]
    return {"text": message.text, "calls": calls}


class LangChainFake(ChatGeekAI):
    """A `ChatGeekAI` that answers as a fake model would."""

    _fake_class: ClassVar[type[Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fake = self._fake_class(*args, **kwargs)
        known = {name: value for name, value in kwargs.items() if name in BaseChatModel.model_fields}
        known = {"profile": {}, **known, "model": "upstream", "api_key": "k", "base_url": server.base_url}
        super().__init__(**known, max_retries=0)
        self.__dict__["_fake"] = fake

    def __getattr__(self, name: str) -> Any:
        fake = self.__dict__.get("_fake")
        return super().__getattr__(name) if fake is None or name == "profile" else getattr(fake, name)

    def __setattr__(self, name: str, value: Any) -> None:
        ours = name in ChatGeekAI.model_fields or "_fake" not in self.__dict__
        super().__setattr__(name, value) if ours else setattr(self._fake, name, value)

    def _scripted(self, messages: Any, stop: Any, streaming: bool, kwargs: Any) -> dict[str, Any]:
        if streaming and self._fake_class._stream is not BaseChatModel._stream:
            messages = [chunk.message for chunk in self._fake._stream(messages, stop=stop, **kwargs)]
        else:
            messages = [self._fake._generate(messages, stop=stop, **kwargs).generations[0].message]
        return kwargs | wanted([*map(_langchain_piece, messages)], streaming)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        return super()._generate(messages, stop, run_manager, **self._scripted(messages, stop, False, kwargs))

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        kwargs = await asyncio.to_thread(self._scripted, messages, stop, False, kwargs)
        return await super()._agenerate(messages, stop, run_manager, **kwargs)

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        yield from super()._stream(messages, stop, run_manager, **self._scripted(messages, stop, True, kwargs))

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        kwargs = await asyncio.to_thread(self._scripted, messages, stop, True, kwargs)
        async for chunk in super()._astream(messages, stop, run_manager, **kwargs):
            yield chunk


def _llama_index_piece(response: Any) -> dict[str, Any]:
    message = response.message
    calls = [(c.tool_id, c.tool_name, c.tool_kwargs) for c in message.additional_kwargs.get("tool_calls") or ()]
    calls += [(b.tool_call_id, b.tool_name, b.tool_kwargs) for b in message.blocks if b.block_type == "tool_call"]
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
    made: Any = types.new_class(fake_class.__name__, (base,), exec_body=lambda names: names.update(place))
    made._fake_class = fake_class
    return made  # type: ignore[no-any-return]


OWN = {
    *(
        "invoke",
        "ainvoke",
        "stream",
        "astream",
        "profile",
        "model",
        "model_name",
        "_get_ls_params",
        "_get_invocation_params",
    ),
    *("metadata", "astream_chat_with_tools"),
}
"""A fake model that defines one of these stands for more than its answers, and stays."""


def only_answers(fake_class: type[Any], base: type[Any]) -> bool:
    """Whether a fake model is no more than a source of answers."""
    own = [
        vars(one) for one in fake_class.__mro__[: fake_class.__mro__.index(base)] if one.__module__.startswith("tests")
    ]
    return not any(OWN & (space.keys() | space.get("__annotations__", {}).keys()) for space in own)


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
    with open(os.environ["UPSTREAM_RESULTS"], "a", encoding="utf-8") as file:
        print(json.dumps({"id": item.nodeid, "requests": len(server.requests) - before}), file=file)
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed or report.when == "call":
        with open(os.environ["UPSTREAM_RESULTS"], "a", encoding="utf-8") as file:
            why = str(report.longrepr).strip().splitlines()[-1] if report.failed else ""
            print(json.dumps({"id": report.nodeid, "outcome": report.outcome, "why": why}), file=file)
