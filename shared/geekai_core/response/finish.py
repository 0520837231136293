"""How an answer ended: vendors' words for it in one vocabulary. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "error"]
"""OpenAI's words, and `error` for an answer that the server itself broke off."""

_WORDS: dict[FinishReason, str] = {
    "stop": "end_turn eos eos_token stop_sequence stop_token complete completed finished finish normal done end",
    "length": "max_tokens max_token max_output_tokens max_completion_tokens max_length model_length token_limit"
    " model_context_window_exceeded context_length_exceeded length_limit incomplete",
    "tool_calls": "tool_call tool_use function_call function_calls",
    "content_filter": "content_filtered sensitive safety refusal refused recitation blocklist prohibited_content spii"
    " image_safety language model_armor guardrail_intervened blocked risk",
    "error": "error_finish network_error insufficient_system_resource failed failure fail abort aborted cancelled"
    " canceled timeout internal_error server_error overloaded malformed_function_call malformed_response"
    " unexpected_tool_call malformed_tool_use malformed_model_output",
}
"""Of DeepSeek, Zhipu, MiniMax, Qwen, Mistral, Anthropic, Bedrock, Gemini, Cohere, vLLM, OpenRouter."""

_NORMAL: dict[str, FinishReason] = {
    word: reason for reason, words in _WORDS.items() for word in (reason, *words.split())
}

_BROKEN = ("error", "overload", "unavailable", "exception", "failed")
"""What unknown words hold that are no good end."""


def refusal_words(words: str | None, finish_reason: str | None) -> str | None:
    """Why there is no answer, where the model refused or a filter withheld it; None where neither is so.

    `words`: the model's own words for it.

    >>> refusal_words(None, "sensitive"), refusal_words(None, "stop")
    ('the model refused: its answer was withheld by a content filter', None)
    """
    if not words and normal_finish_reason(finish_reason) != "content_filter":
        return None
    return f"the model refused: {words or 'its answer was withheld by a content filter'}"


def normal_finish_reason(word: str | None) -> FinishReason | None:
    """A vendor's word for how an answer ended, in OpenAI's; None for none, and for one that is unknown.

    >>> normal_finish_reason("MAX_TOKENS"), normal_finish_reason("insufficient_system_resource")
    ('length', 'error')
    """
    if not word:
        return None
    plain = word.strip().lower().replace("-", "_")
    return _NORMAL.get(plain) or ("error" if any(part in plain for part in _BROKEN) else None)
