"""What users meet beside streams and calls: v1 and v3, new models, the test kit, `collect()`, memory, instructions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.measure import Case, Options, Work, child_count, child_instructions, child_memory, linux, valgrind

CALLS = 100


def newer_streams(options: Options, makers: Mapping[str, Callable[..., Any]], asked: Any) -> list[Case]:
    """LangChain's v1 content, and its events of version 3."""
    base = f"{options.url}/text-2000-1"

    def v1() -> dict[str, Work]:
        return {
            name: functools.partial(_drain, make(base, output_version="v1").stream, asked)
            for name, make in makers.items()
        }

    def v3() -> dict[str, Work]:
        return {
            name: functools.partial(_drain, functools.partial(make(base).stream_events, version="v3"), asked)
            for name, make in makers.items()
        }

    return [
        Case("stream v1 2000", "chunk", 2000, v1, 7, quick=True),
        Case("stream v3 2000", "chunk", 2000, v3, 7, quick=True),
    ]


def _drain(stream: Callable[[Any], Any], asked: Any) -> None:
    for _ in stream(asked):
        pass


def kit(call: Callable[[str], Callable[[], Any]]) -> Case:
    """A call through the test kit: a model of ours and the scripted server in one process."""

    def sides() -> dict[str, Work]:
        import httpx

        from geekai_testing.replies import completion, json_reply
        from geekai_testing.scripted import ScriptedServer

        server = ScriptedServer(lambda request: json_reply(completion("Hi.")))
        server.__enter__()  # until the process ends
        ours, http = call(server.base_url), httpx.Client(timeout=60)
        body = {"model": "bench", "messages": [{"role": "user", "content": "Hi"}]}
        plain = functools.partial(http.post, f"{server.base_url}/chat/completions", json=body)
        return {
            "ours": functools.partial(_repeat, ours),
            "httpx + json": functools.partial(_repeat, lambda: plain().json()),
        }

    return Case("a call through the test kit", "call", CALLS, sides, 7, quick=True)


def _repeat(call: Callable[[], Any]) -> None:
    for _ in range(CALLS):
        call()


def collecting(options: Options, make: Callable[[str], Any], openai: Callable[[str], Any]) -> Case:
    """A chain of a prompt and a model, with what adds up its usage around it and without."""

    def sides() -> dict[str, Work]:
        from langchain_core.callbacks import get_usage_metadata_callback
        from langchain_core.prompts import ChatPromptTemplate

        from langchain_geekai import collect

        base = f"{options.url}/whole-1024-0"
        prompt = ChatPromptTemplate.from_messages([("user", "{question}")])

        def inside(chain: Any, context: Callable[[], Any]) -> None:
            with context():
                _repeat(lambda: chain.invoke({"question": "Hi"}))

        ours, theirs = prompt | make(base), prompt | openai(base)
        return {
            "ChatGeekAI": functools.partial(_repeat, lambda: ours.invoke({"question": "Hi"})),
            "ChatGeekAI, collect()": functools.partial(inside, ours, collect),
            "ChatOpenAI": functools.partial(_repeat, lambda: theirs.invoke({"question": "Hi"})),
            "ChatOpenAI, usage callback": functools.partial(inside, theirs, get_usage_metadata_callback),
        }

    return Case("a chain with collect() around it", "call", CALLS, sides, 7, quick=True)


def anew(*names: str) -> Case:
    """The connections, each with a TLS handshake, of 100 calls through models made anew."""
    sides: dict[str, Work] = {name: functools.partial(child_count, "benchmarks.anew", name) for name in names}
    return Case("connections of 100 models made anew", "process", 1, lambda: dict(sides), 1, quick=True)


def imports(code: Mapping[str, str]) -> list[Case]:
    """An import in instructions, which do not depend on the load, and what is resident after it."""
    found = []
    if linux():
        memory = {name: functools.partial(child_memory, text, "") for name, text in code.items()}
        found.append(Case("memory after import", "process", 1, lambda: dict(memory), 2, quick=True))
    if valgrind():
        counted = {name: functools.partial(child_instructions, text) for name, text in code.items()}
        found.append(Case("import in instructions", "process", 1, lambda: dict(counted), 1))
    return found
