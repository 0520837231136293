"""GeekAI beside OpenAILike. Run by `scripts/bench` in its own environment."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.tools import FunctionTool

from benchmarks import floors, usual
from benchmarks.measure import Case, Options, Work, child_cpu, child_memory, linux, run_group, without_aiohttp

KEY = "sk-bench"
ASKED = [ChatMessage("Hi")]
LONG = [ChatMessage(floors.TEXT, role=role) for role in floors.HISTORY]


def geekai(url: str) -> Any:
    """Ours. `fast` is on, being installed."""
    from llama_index_geekai import GeekAI

    return GeekAI(model="bench", api_key=KEY, api_base=url)


def openai_like(url: str, **fields: Any) -> Any:
    """The peer. It asks for usage only when told to."""
    from llama_index.llms.openai_like import OpenAILike

    usage = {"stream_options": {"include_usage": True}} if "/whole" not in url else {}
    return OpenAILike(
        model="bench",
        api_key=KEY,
        api_base=url,
        is_chat_model=True,
        is_function_calling_model=True,
        additional_kwargs=usage,
        **fields,
    )


def openai_like_aiohttp(url: str) -> Any:
    """The openai SDK's aiohttp option on."""
    from openai import DefaultAioHttpClient

    return openai_like(url, async_http_client=DefaultAioHttpClient())


class CoreAlone(CustomLLM):
    """llama-index-core's own cost: a validated response for each delta, and no network."""

    chunks: int = 1

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="core-alone")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise NotImplementedError

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    @llm_chat_callback()
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage("tok ", role="assistant"))

    @llm_chat_callback()
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        def responses() -> Iterator[ChatResponse]:
            for _ in range(self.chunks):
                yield ChatResponse(message=ChatMessage("tok ", role="assistant"), delta="tok ")

        return responses()


def drain(model: Any, given: list[ChatMessage]) -> None:
    """Read a stream to its end."""
    for _ in model.stream_chat(given):
        pass


async def adrain(model: Any, given: list[ChatMessage]) -> None:
    """`drain`, awaiting."""
    async for _ in await model.astream_chat(given):
        pass


async def agent_step(model: Any, tools: list[FunctionTool]) -> None:
    """A stream of tool arguments, as `FunctionAgent` reads it: the calls are parsed at every chunk."""
    calls: list[Any] = []
    async for response in await model.astream_chat_with_tools(tools, chat_history=ASKED):
        calls = model.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    if len(calls) != 1 or "lines" not in calls[0].tool_kwargs:
        raise AssertionError("the arguments did not arrive")


def tools(count: int = 20) -> list[FunctionTool]:
    """The tools of an agent, made from functions."""

    def search(query: str, count: int = 10, domain: str | None = None) -> str:
        """Search the company's documents for a query and return the best passages."""
        return query

    return [FunctionTool.from_defaults(search, name=f"search_{i}") for i in range(count)]


def streams(options: Options) -> list[Case]:
    """Streams of text, reasoning, and behind a history."""
    found = []
    for size, rounds in ((2000, 9), (20000, 4)):
        for kind, given, note in (
            ("text", ASKED, ""),
            ("think", ASKED, ", half reasoning"),
            ("text", LONG, ", 200 messages before"),
        ):

            def sync_sides(
                base: str = f"{options.url}/{kind}-{size}-1", given: Any = given, size: int = size
            ) -> dict[str, Work]:
                makers = {"GeekAI": geekai, "OpenAILike": openai_like}
                made: dict[str, Work] = {n: functools.partial(drain, make(base), given) for n, make in makers.items()}
                made["httpx, bytes only"] = functools.partial(floors.read_bytes, httpx.Client(timeout=60), base)
                made["llama-index-core alone"] = functools.partial(drain, CoreAlone(chunks=size), given)
                return made

            def async_sides(base: str = f"{options.url}/{kind}-{size}-1", given: Any = given) -> dict[str, Work]:
                plain = geekai(base)

                async def drain_plain() -> None:
                    with without_aiohttp():
                        await adrain(plain, given)

                made: dict[str, Work] = {"GeekAI, httpx": drain_plain}
                makers = {"GeekAI, fast": geekai, "OpenAILike": openai_like, "OpenAILike, aiohttp": openai_like_aiohttp}
                made.update({n: functools.partial(adrain, make(base), given) for n, make in makers.items()})
                return made

            quick = size == 2000 and kind == "text"
            found.append(Case(f"stream_chat {size}{note}", "chunk", size, sync_sides, rounds, quick))
            if kind == "text":
                found.append(
                    Case(f"astream_chat {size}{note}", "chunk", size, async_sides, rounds, quick and given is ASKED)
                )
    return found


def long_streams(options: Options) -> list[Case]:
    """Ours only: what grows with the length of a stream."""

    def sides(size: int, frame: int) -> Callable[[], dict[str, Work]]:
        def make() -> dict[str, Work]:
            base = f"{options.url}/text-{size}-{frame}"
            return {
                "GeekAI": functools.partial(drain, geekai(base), ASKED),
                "GeekAI, async": functools.partial(adrain, geekai(base), ASKED),
            }

        return make

    return [
        Case(f"linear {size}" + (f", {frame} events a read" if frame > 1 else ""), "chunk", size, sides(size, frame), 7)
        for size in (2000, 50000)
        for frame in (1, 16)
    ]


def tool_arguments(options: Options) -> list[Case]:
    """Tool arguments in pieces of eight bytes, through the per-chunk parsing of `FunctionAgent`."""
    found = []
    for size in (5, 20, 100):

        def sides(base: str = f"{options.url}/tool-{size * 1024}-8", size: int = size) -> dict[str, Work]:
            makers = {"GeekAI": geekai} if size == 100 else {"GeekAI": geekai, "OpenAILike": openai_like}
            return {n: functools.partial(agent_step, make(base), tools(2)) for n, make in makers.items()}

        found.append(Case(f"tool arguments {size} KB", "call", 1, sides, 3, quick=size == 5))
    return found


def whole(options: Options) -> list[Case]:
    """Whole answers, one after another."""
    found = []
    for name, work, given, calls in (
        ("chat 1 KB", "whole-1024-0", ASKED, 100),
        ("chat 20 KB", "whole-20480-0", ASKED, 100),
        ("chat 200 messages", "whole-1024-0", LONG, 20),
    ):

        def sides(base: str = f"{options.url}/{work}", given: Any = given, calls: int = calls) -> dict[str, Work]:
            def many(call: Callable[[], Any]) -> Work:
                return lambda: [call() for _ in range(calls)] and None

            makers = {"GeekAI": geekai, "OpenAILike": openai_like}
            made = {n: many(functools.partial(make(base).chat, given)) for n, make in makers.items()}
            http, body = httpx.Client(timeout=60), {**floors.BODY}
            if given is LONG:
                body["messages"] = floors.messages()
            made["httpx + json"] = many(lambda: http.post(f"{base}/chat/completions", json=body).json())
            made["llama-index-core alone"] = many(functools.partial(CoreAlone().chat, given))
            return made

        found.append(Case(name, "call", calls, sides, 7, quick=True))
    return found


IMPORTS = {
    "llama-index-core alone": "from llama_index.core.llms.function_calling import FunctionCallingLLM",
    "GeekAI": "from llama_index_geekai import GeekAI",
    "OpenAILike": "from llama_index.llms.openai_like import OpenAILike",
}
MODELS = {
    "GeekAI": "GeekAI(model='bench', api_key='k', api_base=url)",
    "OpenAILike": "OpenAILike(model='bench', api_key='k', api_base=url, is_chat_model=True)",
}
OPEN = """
import asyncio, sys, resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
url = sys.argv[1]
{prepare}
from llama_index.core.llms import ChatMessage
model = {model}
async def opened():
    responses = await model.astream_chat([ChatMessage("Hi")])
    await anext(responses)
    return responses
async def all_opened():
    return await asyncio.gather(*(opened() for _ in range({count})))
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(all_opened())
"""


def usual_work(options: Options) -> list[Case]:
    """What users meet beside these."""

    def memory() -> dict[str, Work]:
        code = {name: OPEN.format(prepare=IMPORTS[name], model=model, count=1000) for name, model in MODELS.items()}
        return {name: functools.partial(child_memory, text, f"{options.url}/hold-5") for name, text in code.items()}

    found = [
        usual.kit(lambda url: functools.partial(geekai(url).chat, ASKED)),
        usual.anew("GeekAI", "OpenAILike"),
        *usual.imports(IMPORTS),
    ]
    return [*found, *([Case("memory, 1,000 streams open", "process", 1, memory, 2)] if linux() else ())]


def calls(options: Options) -> list[Case]:
    """What is paid once per model and per call with tools."""

    def constructions() -> dict[str, Work]:
        makers = {"GeekAI": geekai, "OpenAILike": openai_like}
        return {
            n: functools.partial(lambda m: [m(options.url) for _ in range(200)] and None, m) for n, m in makers.items()
        }

    def with_tools() -> dict[str, Work]:
        def steps(model: Any, given: list[FunctionTool]) -> None:
            for _ in range(20):
                model.chat_with_tools(given, user_msg="Hi")

        base = f"{options.url}/whole-1024-0"
        return {
            "GeekAI": functools.partial(steps, geekai(base), tools()),
            "OpenAILike": functools.partial(steps, openai_like(base), tools()),
        }

    fresh = {name: functools.partial(child_cpu, code) for name, code in IMPORTS.items()}
    return [
        Case("construction", "model", 200, constructions, 7, quick=True),
        Case("chat with 20 tools", "call", 20, with_tools, 7, quick=True),
        Case("import", "process", 1, lambda: dict(fresh), 7, quick=True),
    ]


def cases(options: Options) -> list[Case]:
    """Everything that this group measures."""
    parts = (streams, long_streams, tool_arguments, whole, calls, usual_work)
    return [case for part in parts for case in part(options)]


if __name__ == "__main__":
    run_group(cases)
