"""ChatGeekAI beside ChatOpenAI, ChatDeepSeek and ChatMistralAI. Run by `scripts/bench` in its own environment."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import httpx
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.tools import StructuredTool

from benchmarks import floors, usual
from benchmarks.langchain_sides import (
    ASKED,
    LONG,
    CoreAlone,
    adrain,
    agent_step,
    deepseek,
    drain,
    drain_own,
    geekai,
    mistral,
    openai,
    openai_aiohttp,
    tools,
)
from benchmarks.measure import Case, Options, Work, child_cpu, child_memory, linux, run_group, without_aiohttp


def streams(options: Options) -> list[Case]:
    """Streams of text and reasoning."""
    url, found = options.url, []
    for size, rounds in ((2000, 9), (20000, 4)):
        for frame, kind in ((1, "text"), (16, "text"), (1, "think")):

            def sides(work: str = f"{kind}-{size}-{frame}", size: int = size, frame: int = frame) -> dict[str, Work]:
                base, http = f"{url}/{work}", httpx.Client(timeout=60)
                makers = {"ChatGeekAI": geekai, "ChatOpenAI": openai, "ChatDeepSeek": deepseek}
                if work.startswith("text"):
                    makers["ChatMistralAI"] = mistral
                made: dict[str, Work] = {n: functools.partial(drain, make(base)) for n, make in makers.items()}
                made["httpx, bytes only"] = functools.partial(floors.read_bytes, http, base)
                if frame == 1:
                    made["httpx + httpx-sse + json"] = functools.partial(floors.read_sse, http, base)
                    made["httpx + own SSE + from_json"] = functools.partial(floors.read_own_sse, http, base)
                made["langchain-core alone"] = functools.partial(drain, CoreAlone(chunks=size))
                return made

            name = (
                f"stream {size}"
                + (f", {frame} events a read" if frame > 1 else "")
                + (", half reasoning" if kind == "think" else "")
            )
            found.append(Case(name, "chunk", size, sides, rounds, quick=size == 2000 and frame == 1 and kind == "text"))
        found.append(
            Case(
                f"astream {size}",
                "chunk",
                size,
                functools.partial(async_sides, url, f"text-{size}-1"),
                rounds,
                quick=size == 2000,
            )
        )
    return found


def async_sides(url: str, work: str) -> dict[str, Work]:
    """The sides of an async stream, on both transports."""
    base = f"{url}/{work}"
    plain = geekai(base)

    async def drain_plain() -> None:
        with without_aiohttp():  # looked at when the client is made: in the warm-up
            await adrain(plain)

    from httpx_aiohttp import HttpxAiohttpClient

    made: dict[str, Work] = {"ChatGeekAI, httpx": drain_plain}
    makers = {
        "ChatGeekAI, fast": geekai,
        "ChatOpenAI": openai,
        "ChatOpenAI, aiohttp": openai_aiohttp,
        "ChatMistralAI": mistral,
    }
    made.update({name: functools.partial(adrain, make(base)) for name, make in makers.items()})
    made["httpx, bytes only"] = functools.partial(floors.aread_bytes, httpx.AsyncClient(timeout=60), base)
    made["aiohttp transport, bytes only"] = functools.partial(floors.aread_bytes, HttpxAiohttpClient(timeout=60), base)
    return made


def long_streams(options: Options) -> list[Case]:
    """Ours only: what grows with the length of a stream."""

    def sides(size: int, frame: int) -> Callable[[], dict[str, Work]]:
        def make() -> dict[str, Work]:
            base = f"{options.url}/text-{size}-{frame}"
            model = geekai(base)
            return {
                "our part": functools.partial(drain_own, model),
                "ChatGeekAI": functools.partial(drain, model),
                "ChatGeekAI, async": functools.partial(adrain, geekai(base)),
                "httpx, bytes only": functools.partial(floors.read_bytes, httpx.Client(timeout=60), base),
            }

        return make

    return [
        Case(f"linear {size}" + (f", {frame} events a read" if frame > 1 else ""), "chunk", size, sides(size, frame), 7)
        for size in (2000, 50000)
        for frame in (1, 16)
    ]


def tool_arguments(options: Options) -> list[Case]:
    """Tool arguments in pieces of eight bytes."""
    found = []
    for size in (5, 20, 100):

        def sides(base: str = f"{options.url}/tool-{size * 1024}-8", size: int = size) -> dict[str, Work]:
            makers = {"ChatGeekAI": geekai}
            if size < 100:
                makers |= {"ChatOpenAI": openai, "ChatMistralAI": mistral}
            made: dict[str, Work] = {}
            for name, make in makers.items():
                model = make(base)
                made[name] = functools.partial(drain, model)
                if make is mistral:  # it gives each piece an id of its own, so that they make no call
                    continue
                made[f"{name}, merged at the end"] = functools.partial(agent_step, model)
                if size == 5:
                    made[f"{name}, merged one by one"] = functools.partial(agent_step, model, one_by_one=True)
            return made

        found.append(Case(f"tool arguments {size} KB", "call", 1, sides, 5, quick=size == 5))
    return found


def whole(options: Options) -> list[Case]:
    """Whole answers, one after another."""
    found = []
    for name, work, given, calls in (
        ("invoke 1 KB", "whole-1024-0", ASKED, 100),
        ("invoke 20 KB", "whole-20480-0", ASKED, 100),
        ("invoke 200 messages", "whole-1024-0", LONG, 20),
    ):

        def sides(base: str = f"{options.url}/{work}", given: Any = given, calls: int = calls) -> dict[str, Work]:
            def many(call: Callable[[], Any]) -> Work:
                return lambda: [call() for _ in range(calls)] and None

            makers = {"ChatGeekAI": geekai, "ChatOpenAI": openai, "ChatMistralAI": mistral}
            made = {n: many(functools.partial(make(base).invoke, given)) for n, make in makers.items()}
            http, body = httpx.Client(timeout=60), {**floors.BODY}
            if given is LONG:
                body["messages"] = floors.messages()
            made["httpx + json"] = many(lambda: http.post(f"{base}/chat/completions", json=body).json())
            made["langchain-core alone"] = many(functools.partial(CoreAlone().invoke, given))
            return made

        found.append(Case(name, "call", calls, sides, 7, quick=True))
    return found


def many_in_flight(options: Options) -> list[Case]:
    """Answers of 1 KB after 200 ms, so that the requests really overlap."""

    def sides(workers: int) -> dict[str, Work]:
        from httpx_aiohttp import HttpxAiohttpClient

        base, total = f"{options.url}/whole-1024-200", workers * (3 if workers < 1000 else 2)
        plain = geekai(base)

        async def plain_calls() -> None:
            with without_aiohttp():
                await floors.in_flight(lambda: plain.ainvoke(ASKED), workers, total)

        made: dict[str, Work] = {"ChatGeekAI, httpx": plain_calls}
        makers = {"ChatGeekAI, fast": geekai, "ChatOpenAI": openai, "ChatOpenAI, aiohttp": openai_aiohttp}
        if workers <= 200:  # at 1,000 it fails with PoolTimeout, and tries again until it gives up
            makers["ChatMistralAI"] = mistral
        for name, make in makers.items():
            model = make(base)
            made[name] = functools.partial(floors.in_flight, functools.partial(model.ainvoke, ASKED), workers, total)
        raw = HttpxAiohttpClient(timeout=60, limits=httpx.Limits(max_connections=0))
        made["aiohttp transport + json"] = functools.partial(
            floors.in_flight, functools.partial(floors.post, raw, base), workers, total
        )
        return made

    return [
        Case(f"{n} in flight", "call", n * (3 if n < 1000 else 2), functools.partial(sides, n), 5 if n < 1000 else 4)
        for n in (50, 200, 1000)
    ]


def calls(options: Options) -> list[Case]:
    """What is paid once per model, per binding and per first token."""

    def constructions() -> dict[str, Work]:
        makers = {"ChatGeekAI": geekai, "ChatOpenAI": openai, "ChatMistralAI": mistral}
        return {
            n: functools.partial(lambda m: [m(options.url) for _ in range(200)] and None, m) for n, m in makers.items()
        }

    def bindings() -> dict[str, Work]:
        def steps(model: BaseChatModel, given: list[StructuredTool]) -> None:
            for _ in range(20):
                model.bind_tools(given).invoke(ASKED)

        base = f"{options.url}/whole-1024-0"
        return {
            "ChatGeekAI": functools.partial(steps, geekai(base), tools()),
            "ChatOpenAI": functools.partial(steps, openai(base), tools()),
        }

    def first(given: Any, wire: list[dict[str, str]], times: int) -> dict[str, Work]:
        base = f"{options.url}/text-3-1"
        made: dict[str, Work] = {
            name: functools.partial(floors.first_token, functools.partial(make(base).stream, given), times)
            for name, make in {"ChatGeekAI": geekai, "ChatOpenAI": openai, "ChatMistralAI": mistral}.items()
        }
        made["httpx"] = functools.partial(floors.first_bytes, httpx.Client(timeout=60), base, wire, times)
        return made

    one = [{"role": "user", "content": "Hi"}]
    return [
        Case("construction", "model", 200, constructions, 7, quick=True),
        Case("bind 20 tools and call", "step", 20, bindings, 7, quick=True),
        Case("first token, 1 message", "call", 50, lambda: first(ASKED, one, 50), 7, quick=True),
        Case("first token, 200 messages", "call", 20, lambda: first(LONG, floors.messages(), 20), 7, quick=True),
    ]


IMPORTS = {
    "langchain-core alone": "from langchain_core.language_models.chat_models import BaseChatModel",
    "ChatGeekAI": "from langchain_geekai import ChatGeekAI",
    "ChatOpenAI": "from langchain_openai import ChatOpenAI",
    "ChatMistralAI": "from langchain_mistralai import ChatMistralAI",
}
MODELS = {
    "ChatGeekAI": "ChatGeekAI(model='bench', api_key='k', base_url=url)",
    "ChatOpenAI": "ChatOpenAI(model='bench', api_key='k', base_url=url, stream_usage=True)",
}
OPEN = """
import asyncio, sys, resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
url = sys.argv[1]
{prepare}
model = {model}
async def opened():
    chunks = model.astream("Hi")
    await anext(chunks)
    return chunks
async def all_opened():
    return await asyncio.gather(*(opened() for _ in range({count})))
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(all_opened())
"""


def processes(options: Options) -> list[Case]:
    """Import and memory, each in a fresh process."""

    def memory(count: int) -> dict[str, Work]:
        made: dict[str, Work] = {}
        for name, model in {**MODELS, "ChatGeekAI, httpx": MODELS["ChatGeekAI"]}.items():
            prepare = IMPORTS[name.partition(",")[0]]
            if name.endswith("httpx"):
                prepare += "\nsys.modules.update(httpx_aiohttp=None, aiohttp=None)"
            code = OPEN.format(prepare=prepare, model=model, count=count)
            made[name] = functools.partial(child_memory, code, f"{options.url}/hold-5")
        return made

    imports = {name: functools.partial(child_cpu, code) for name, code in IMPORTS.items()}
    found = [Case("import", "process", 1, lambda: dict(imports), 9, quick=True)]
    if linux():
        found.append(Case("memory at rest", "process", 1, lambda: memory(0), 2))
        found.append(Case("memory, 1,000 streams open", "process", 1, lambda: memory(1000), 2))
    return found


def usual_work(options: Options) -> list[Case]:
    """What users meet beside these."""
    return [
        *usual.newer_streams(options, {"ChatGeekAI": geekai, "ChatOpenAI": openai}, ASKED),
        usual.kit(lambda url: functools.partial(geekai(url).invoke, ASKED)),
        usual.collecting(options, geekai, openai),
        usual.anew("ChatGeekAI", "ChatOpenAI"),
        *usual.imports(IMPORTS),
    ]


def cases(options: Options) -> list[Case]:
    """Everything that this group measures."""
    parts = (streams, long_streams, tool_arguments, whole, many_in_flight, calls, processes, usual_work)
    return [case for part in parts for case in part(options)]


if __name__ == "__main__":
    run_group(cases)
