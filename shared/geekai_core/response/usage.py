"""Usage, under whatever names and in whatever pieces servers send it, as one dict; of several answers, summed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PROMPT, _COMPLETION = "prompt_tokens_details", "completion_tokens_details"
_ALIASES: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    ("prompt_tokens",): tuple(
        (name,) for name in ("input_tokens", "promptTokens", "inputTokens", "promptTokenCount", "prompt_eval_count")
    ),
    ("completion_tokens",): tuple(
        (name,) for name in ("output_tokens", "completionTokens", "outputTokens", "candidatesTokenCount", "eval_count")
    ),
    ("total_tokens",): (("totalTokens",), ("totalTokenCount",)),
    (_PROMPT, "cached_tokens"): (
        ("prompt_cache_hit_tokens",),
        ("cached_tokens",),
        ("cache_read_input_tokens",),
        ("cache_hit_tokens",),
        ("cache_read_tokens",),
        ("cachedContentTokenCount",),
        (_PROMPT, "cache_read_tokens"),
        (_PROMPT, "cache_read_input_tokens"),
        ("input_tokens_details", "cached_tokens"),
    ),
    (_PROMPT, "cache_write_tokens"): (
        ("cache_write_tokens",),
        ("cache_creation_input_tokens",),
        (_PROMPT, "cache_creation_tokens"),
        (_PROMPT, "cache_creation_input_tokens"),
        ("input_tokens_details", "cache_write_tokens"),
    ),
    (_COMPLETION, "reasoning_tokens"): (("reasoning_tokens",), ("output_tokens_details", "reasoning_tokens")),
}
"""Where a number belongs, and where else it has been seen: at DeepSeek, Kimi, Anthropic, Gemini, Ollama, OpenRouter,
OpenAI's other API and others."""


def merge_usage(known: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Add a further piece of usage: key by key; a zero, a null or what is no number never replaces a number.

    >>> known = {"prompt_tokens": 3}
    >>> merge_usage(known, {"prompt_tokens": 0, "completion_tokens": 2})
    >>> known
    {'prompt_tokens': 3, 'completion_tokens': 2}
    """
    for name, value in given.items():
        old = known.get(name)
        if isinstance(old, dict) and isinstance(value, Mapping):
            merge_usage(old, value)
        elif isinstance(value, Mapping):
            if not _is_number(old):
                known[name] = {**value}
        elif not old or (value and _is_number(value)):
            known[name] = value if old is None or value is not None else old


def normal_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Usage as it came, with each number that it gives under another name under OpenAI's name, too.

    >>> normal_usage({"input_tokens": 3, "output_tokens": 2})["total_tokens"]
    5
    """
    whole = {name: {**value} if isinstance(value, Mapping) else value for name, value in usage.items()}
    for path, others in _ALIASES.items():
        if not _at(whole, path) and (len(path) > 1 or not whole.get(path[0])):
            found = next((value for other in others if (value := _at(whole, other))), None)
            if found is not None:
                *above, name = path
                holder = whole
                for step in above:
                    if not isinstance(holder.get(step), dict):
                        holder[step] = {}
                    holder = holder[step]
                holder[name] = found
    if not whole.get("total_tokens"):
        parts = [_at(whole, (name,)) for name in ("prompt_tokens", "completion_tokens")]
        if any(parts):
            whole["total_tokens"] = sum(part or 0 for part in parts)
    return whole


def _at(usage: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The number at a path; None where none is."""
    value: Any = usage
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def sum_into(total: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Add a usage to a total, number by number, at every depth; what does not add up is left out.

    >>> total = {"total_tokens": 1}
    >>> sum_into(total, {"total_tokens": 2, "details": {"text": 1}, "note": "x"})
    >>> total
    {'total_tokens': 3, 'details': {'text': 1}}
    """
    for name, value in usage.items():
        known = total.get(name)
        if isinstance(value, Mapping):
            if known is None or isinstance(known, dict):
                sum_into(total.setdefault(name, {}), value)
        elif _counts(value) and not isinstance(known, dict):
            total[name] = (known or 0) + value


def _counts(value: Any) -> bool:
    """Whether a value is a number that can be summed: neither NaN, nor one that no float holds."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63
