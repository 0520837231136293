"""A request for an OpenAI-compatible server: GeekAI's extras are worked in or taken out, all else goes on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from geekai_core.options import SearchConfig, Thinking
from geekai_core.wire import ChatRequest
from geekai_local.weights import Upstream

CITING = "Use the context where it helps to answer the question, and cite what you use by its number, as [1]."
OURS = {
    *("model", "messages", "enable_search", "search_config", "json_mode", "background", "retries", "sess_id"),
    *("stream", "stream_options"),
}
"""Fields of the request that are not passed on as they are."""


def upstream_body(request: ChatRequest, upstream: Upstream, results: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The request for the upstream, with `results` of a search in it."""
    given = request.model_dump(exclude_unset=True, exclude=OURS)
    body = {name: value for name, value in given.items() if value is not None}
    body |= {"model": upstream.model or request.model, "messages": request.messages}
    if results:
        config = SearchConfig.model_validate(dict(request.search_config or {}))
        body["messages"] = _informed(request.messages, results, config.prompt or CITING)
    if request.json_mode and "response_format" not in body:
        body["response_format"] = {"type": "json_object"}
    return {**_thinking(request), **body}


def cited(results: Sequence[Mapping[str, str]]) -> list[str]:
    """The pages of `results`, each once: what `[n]` means, counted from 1."""
    return list(dict.fromkeys(result["link"] for result in results))


def _informed(
    messages: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, str]], words: str
) -> list[Mapping[str, Any]]:
    """The messages, the last question with its context."""
    pages = cited(results)
    context = "\n\n".join(f"[{pages.index(each['link']) + 1}] {each['title']}: {each['content']}" for each in results)
    text = f"{words}\n\nContext:\n{context}\n\nQuestion:"
    at = max(i for i, message in enumerate(messages) if message.get("role") == "user")
    content = messages[at]["content"]
    content = f"{text} {content}" if isinstance(content, str) else [{"type": "text", "text": text}, *content]
    return [*messages[:at], {**messages[at], "content": content}, *messages[at + 1 :]]


def _thinking(request: ChatRequest) -> dict[str, Any]:
    """What servers call the same: vLLM's and llama.cpp's switch and llama.cpp's budget, Ollama's effort."""
    thinking = Thinking.model_validate(dict(request.thinking or {}))
    switch = {"enable_thinking": request.enable_thinking} if request.enable_thinking is not None else None
    named = {
        "chat_template_kwargs": switch,
        "thinking_budget_tokens": thinking.budget_tokens,
        "reasoning_effort": thinking.reasoning_effort,
    }
    return {name: value for name, value in named.items() if value is not None}
