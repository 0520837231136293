"""What LangChain's chat models keep of GeekAI's answers. `python -m benchmarks.compare.langchain_peers NAME …`

Prints JSON: of each class, of each field and each way of asking, what became of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage

from benchmarks.compare.answers import (
    ANSWERS,
    CALLS,
    COUNTS,
    KEY,
    MODEL,
    PLAIN,
    URLS,
    holds,
    listed,
    merged,
    print_fates,
)
from geekai_testing.scripted import ScriptedServer

WAYS = ("whole", "streamed", "whole v1", "streamed v1", "v3")
Make = Callable[..., Any]


def chat_openai(url: str, **options: Any) -> Any:
    """The class that most people point at an OpenAI-compatible endpoint, as it comes."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=MODEL, api_key=KEY, base_url=url, **options)


def chat_openai_with_usage(url: str, **options: Any) -> Any:
    """The same, told to ask for usage while streaming."""
    return chat_openai(url, stream_usage=True, **options)


def chat_deepseek(url: str, **options: Any) -> Any:
    """DeepSeek's."""
    from langchain_deepseek import ChatDeepSeek

    return ChatDeepSeek(model=MODEL, api_key=KEY, base_url=url, stream_usage=True, **options)


def chat_xai(url: str, **options: Any) -> Any:
    """xAI's."""
    from langchain_xai import ChatXAI

    return ChatXAI(model=MODEL, api_key=KEY, base_url=url, **options)


def chat_perplexity(url: str, **options: Any) -> Any:
    """Perplexity's, which takes another host only by way of its clients."""
    from langchain_perplexity import ChatPerplexity
    from perplexity import Perplexity

    return ChatPerplexity(model=MODEL, api_key=KEY, client=Perplexity(api_key=KEY, base_url=url), **options)


def chat_openrouter(url: str, **options: Any) -> Any:
    """OpenRouter's."""
    from langchain_openrouter import ChatOpenRouter

    return ChatOpenRouter(model=MODEL, api_key=KEY, base_url=url, **options)


def dev_utils(url: str, **options: Any) -> Any:
    """The class that langchain-dev-utils makes for an OpenAI-compatible provider."""
    from langchain_dev_utils.chat_models.adapters import create_openai_compatible_model

    os.environ["COMPARED_API_KEY"] = KEY  # as an argument it raises
    return create_openai_compatible_model("compared", base_url=url)(model=MODEL, **options)


def chat_litellm(url: str, **options: Any) -> Any:
    """LiteLLM's, with its provider for OpenAI-compatible endpoints."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import fetches a table
    from langchain_litellm import ChatLiteLLM

    return ChatLiteLLM(model=f"openai/{MODEL}", api_key=KEY, api_base=url, **options)


def chat_geekai(url: str, **options: Any) -> Any:
    """Ours."""
    from langchain_geekai import ChatGeekAI

    return ChatGeekAI(model=MODEL, api_key=KEY, base_url=url, **options)


PEERS: dict[str, Make] = {
    "ChatOpenAI": chat_openai,
    "ChatOpenAI, `stream_usage=True`": chat_openai_with_usage,
    "ChatDeepSeek, `stream_usage=True`": chat_deepseek,
    "ChatXAI": chat_xai,
    "ChatPerplexity": chat_perplexity,
    "ChatOpenRouter": chat_openrouter,
    "langchain-dev-utils": dev_utils,
    "ChatLiteLLM": chat_litellm,
    "ChatGeekAI": chat_geekai,
}


def _as_blocks(message: AIMessage) -> list[Any]:
    return [block for block in message.content_blocks if isinstance(block, dict)]


def cited(message: AIMessage) -> bool:
    """Each source as a standard `Citation` of a text block."""
    notes = [note for block in _as_blocks(message) for note in block.get("annotations") or ()]
    urls = [note.get("url") for note in notes if note.get("type") == "citation"]
    return sorted(set(urls)) == sorted(URLS)


def counted(message: AIMessage) -> bool | None:
    """Standard usage; None where its numbers are others than the server's."""
    found = message.usage_metadata
    if not found:
        return False
    return (found["input_tokens"], found["output_tokens"], found["total_tokens"]) == (*COUNTS, sum(COUNTS)) or None


def called(message: AIMessage) -> bool | None:
    """Both calls, and nothing but them; None where others came of them."""
    found = [(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    return (found == CALLS and not message.invalid_tool_calls) or (None if found else False)


def called_in_blocks(message: AIMessage) -> bool | None:
    """Both calls among the standard blocks, beside the reasoning, and no block that is two things at once."""
    blocks = [block for block in _as_blocks(message) if block["type"] == "tool_call"]
    mixed = any(block["type"] == "reasoning" and block.get("name") for block in _as_blocks(message))
    found = [(block.get("id"), block.get("name"), block.get("args")) for block in blocks]
    return (found == CALLS and not mixed) or (None if found or mixed else False)


CHECKS: dict[str, tuple[str, Callable[[AIMessage], bool | None]]] = {
    "`citations`": ("text", lambda message: listed(message)),
    "citations as standard `Citation`s": ("text", cited),
    **{name: (answer, lambda message, wanted=wanted: holds([message, _as_blocks(message)], wanted))
       for name, (answer, wanted) in PLAIN.items()},
    "`usage_metadata`": ("text", counted),
    "`model_provider`": ("text", lambda message: bool(message.response_metadata.get("model_provider"))),
    "tool calls": ("calls", called),
    "tool calls as content blocks": ("calls", called_in_blocks),
    "tool calls without `index`": ("calls without index", called),
    "tool calls whose id and name repeat": ("calls that repeat", called),
    "tool calls in one delta": ("calls in one delta", called),
}  # fmt: skip


def ask(make: Make, url: str, way: str) -> AIMessage:
    """One answer, got in one way."""
    model = make(url, **({"output_version": "v1"} if way.endswith("v1") else {}))
    if way == "v3":
        message: AIMessage = model.stream_events("Hi", version="v3").output
    elif way.startswith("streamed"):
        first, *more = model.stream("Hi")
        message = sum(more, first)
    else:
        message = model.invoke("Hi")
    return message


def fate(check: Callable[[AIMessage], bool | None], message: AIMessage | Exception) -> str:
    """What became of one field in one message."""
    if isinstance(message, Exception):
        return f"raises {type(message).__name__}"
    try:
        return {True: "kept", False: "lost", None: "wrong"}[check(message)]
    except Exception as error:
        return f"raises {type(error).__name__}"


def examine(make: Make, server: ScriptedServer) -> dict[str, dict[str, str]]:
    """Of each field, what became of it in each way."""
    fates: dict[str, dict[str, list[str]]] = {name: {way: [] for way in WAYS} for name in CHECKS}
    for name, answer in ANSWERS.items():
        for way in WAYS:
            for late in (False, True)[: 1 if way.startswith("whole") else 2]:
                server.play(answer.reply(late))
                message: AIMessage | Exception
                try:
                    message = ask(make, server.base_url, way)
                except Exception as error:
                    message = error
                for field, (of, check) in CHECKS.items():
                    if of == name:
                        fates[field][way].append(fate(check, message))
    return {field: {way: merged(states) for way, states in ways.items()} for field, ways in fates.items()}


if __name__ == "__main__":
    print_fates(PEERS, examine)
