"""Text and thoughts where they come as parts and not as text. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT_PARTS = ("text", "output_text", "input_text", "text-plain")
"""The types of parts of content that are text."""
THOUGHT_PARTS = ("thinking", "reasoning", "reasoning_text", "reasoning.text", "reasoning.summary", "reasoning_content")
"""The types of parts of content that are reasoning."""


def text_of(part: Any) -> str | None:
    """The text that a part of content is; None for a part of another kind.

    >>> text_of({"type": "text", "text": {"value": "so"}}), text_of({"type": "image"})
    ('so', None)
    """
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in TEXT_PARTS:
        return None
    text = part.get("text")
    text = text.get("value") if isinstance(text, Mapping) else text
    return text if isinstance(text, str) else ""


_HOLDERS = ("thinking", "reasoning", "reasoning_content", "text", "summary", "content")


def thoughts(parts: Any) -> str:
    """The readable text of reasoning in parts, at any depth.

    >>> thoughts([{"thinking": [{"type": "text", "text": "so "}]}, {"type": "reasoning.text", "text": "be it"}])
    'so be it'
    """
    if isinstance(parts, str):
        return parts
    if isinstance(parts, Mapping):
        return next((thoughts(parts[key]) for key in _HOLDERS if parts.get(key)), "")
    return "".join(map(thoughts, parts)) if isinstance(parts, list) else ""
