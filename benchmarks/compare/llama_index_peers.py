"""What LlamaIndex's LLMs keep of GeekAI's answers. `python -m benchmarks.compare.llama_index_peers NAME …`

Prints JSON: of each class, of each field and each way of asking, what became of it. A stream's last response counts,
for it is what agents, memory and callbacks keep; what only an earlier one had is told apart.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from llama_index.core.base.llms.types import ThinkingBlock, ToolCallBlock
from llama_index.core.llms import ChatMessage, ChatResponse

from benchmarks.compare.answers import ANSWERS, CALLS, KEY, MODEL, PLAIN, REASONING, holds, listed, merged, print_fates
from geekai_testing.scripted import ScriptedServer

WAYS = {"whole": "chat", "streamed": "stream_chat", "async": "achat", "async streamed": "astream_chat"}
COMMON: dict[str, Any] = {"model": MODEL, "api_key": KEY}
COUNTED = {"stream_options": {"include_usage": True}}
Make = Callable[[str], Any]


def openai_like(url: str, **options: Any) -> Any:
    """The class that most people point at an OpenAI-compatible endpoint, told what the endpoint can."""
    from llama_index.llms.openai_like import OpenAILike

    able = {"is_chat_model": True, "is_function_calling_model": True, "max_retries": 0}
    return OpenAILike(**{"api_base": url, **COMMON, **able, **options})


def openai_like_counted(url: str) -> Any:
    """The same, told to ask for usage while streaming."""
    return openai_like(url, additional_kwargs=COUNTED)


def deepseek(url: str) -> Any:
    """DeepSeek's."""
    from llama_index.llms.deepseek import DeepSeek

    return DeepSeek(api_base=url, **COMMON, is_function_calling_model=True, max_retries=0, additional_kwargs=COUNTED)


def openrouter(url: str) -> Any:
    """OpenRouter's."""
    from llama_index.llms.openrouter import OpenRouter

    return OpenRouter(api_base=url, **COMMON, is_function_calling_model=True, max_retries=0, additional_kwargs=COUNTED)


def perplexity(url: str) -> Any:
    """Perplexity's."""
    from llama_index.llms.perplexity import Perplexity

    return Perplexity(api_base=url, **COMMON, max_retries=1, additional_kwargs=COUNTED)


def geekai(url: str) -> Any:
    """Ours."""
    from llama_index_geekai import GeekAI

    return GeekAI(api_base=url, **COMMON)


PEERS: dict[str, Make] = {
    "OpenAILike": openai_like,
    "OpenAILike, usage asked for": openai_like_counted,
    "DeepSeek, usage asked for": deepseek,
    "OpenRouter, usage asked for": openrouter,
    "Perplexity, usage asked for": perplexity,
    "GeekAI": geekai,
}


def thought(response: ChatResponse) -> bool:
    """The reasoning as a standard block."""
    return any(isinstance(block, ThinkingBlock) and block.content == REASONING for block in response.message.blocks)


def called(response: ChatResponse) -> bool | None:
    """Both calls, and nothing but them, where agents look; None where others came of them."""
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    found = [(block.tool_call_id, block.tool_name, _read(block.tool_kwargs)) for block in blocks]
    return found == CALLS or (None if found else False)


def _read(arguments: Any) -> Any:
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


Check = Callable[[Any], bool | None]
ANYWHERE: dict[str, tuple[str, Check]] = {
    "`citations`": ("text", listed),
    **{name: (answer, lambda thing, wanted=wanted: holds(thing, wanted)) for name, (answer, wanted) in PLAIN.items()},
}
"""Looked for in the response but for `raw`, then in `raw`."""
STANDARD: dict[str, tuple[str, Check]] = {
    "reasoning as `ThinkingBlock`": ("text", thought),
    "tool calls": ("calls", called),
    "tool calls without `index`": ("calls without index", called),
    "tool calls whose id and name repeat": ("calls that repeat", called),
    "tool calls in one delta": ("calls in one delta", called),
}
NAMES = {True: "kept", False: "lost", None: "wrong"}


def fate(name: str, responses: list[ChatResponse] | Exception) -> str:
    """What became of one field in what one call gave."""
    if isinstance(responses, Exception):
        return f"raises {type(responses).__name__}"
    if not responses:
        return "lost"
    *earlier, last = responses
    if name in STANDARD:
        return NAMES[STANDARD[name][1](last)]
    check = ANYWHERE[name][1]
    found = check({**last.__dict__, "raw": None})
    if found is False and check(last.raw):
        return "raw"
    return "earlier" if found is False and any(check(response) for response in earlier) else NAMES[found]


async def ask(llm: Any, method: str) -> list[ChatResponse]:
    """All that one way of asking gives."""
    messages = [ChatMessage(role="user", content="Hi")]
    if method.startswith("a"):
        given = await getattr(llm, method)(messages)
        return [given] if method == "achat" else [response async for response in given]
    given = await asyncio.to_thread(getattr(llm, method), messages)
    return [given] if method == "chat" else await asyncio.to_thread(list, given)


def examine(make: Make, server: ScriptedServer) -> dict[str, dict[str, str]]:
    """Of each field, what became of it in each way."""
    checks = {**ANYWHERE, **STANDARD}
    fates: dict[str, dict[str, list[str]]] = {name: {way: [] for way in WAYS} for name in checks}
    for name, answer in ANSWERS.items():
        for way, method in WAYS.items():
            for late in (False, True)[: 2 if "stream" in method else 1]:
                server.play(answer.reply(late))
                responses: list[ChatResponse] | Exception
                try:
                    responses = asyncio.run(ask(make(server.base_url), method))
                except Exception as error:
                    responses = error
                for field, (of, _) in checks.items():
                    if of == name:
                        fates[field][way].append(fate(field, responses))
    return {field: {way: merged(states) for way, states in ways.items()} for field, ways in fates.items()}


if __name__ == "__main__":
    print_fates(PEERS, examine)
