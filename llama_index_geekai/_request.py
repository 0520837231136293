"""LlamaIndex's messages, as they are in an app's memory, to the wire's. Pure, but for local files that blocks name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms import types as li

from llama_index_geekai._content import to_wire_content
from llama_index_geekai._tools import wire_calls

_ROLES = {"chatbot": "assistant", "model": "assistant", "function": "tool", "developer": "system"}


def to_wire_messages(messages: Sequence[li.ChatMessage]) -> list[dict[str, Any]]:
    """The messages of a history, with all that GeekAI has a form for; `sendable` then makes them a request's.

    Nothing of the caller's is changed. Raises `ConfigurationError` for a block that cannot be sent.
    """
    wire = []
    for message in messages:
        role, blocks = message.role.value, message.blocks
        role = _ROLES.get(role, role)
        if (
            len(blocks) == 1
            and blocks[0].__class__ is li.TextBlock
            and not message.additional_kwargs
            and role != "tool"
        ):
            wire.append({"role": role, "content": blocks[0].text})  # as nearly every message: a sixth of the time
        else:
            wire.append(_to_wire_message(message, role))
    return wire


_KEPT = ("audio", "reasoning_details", "function_call", "name")
"""What of a message's `additional_kwargs` may go to the model; searches and sources were for the reader."""


def _to_wire_message(message: li.ChatMessage, role: str) -> dict[str, Any]:
    extra = message.additional_kwargs
    blocks: Sequence[Any] = message.blocks
    wire: dict[str, Any] = {"role": role}
    if role == "tool":
        return {**wire, "tool_call_id": extra.get("tool_call_id"), "content": to_wire_content(blocks)}
    if role != "assistant":
        name = {"name": extra["name"]} if isinstance(extra.get("name"), str) else {}
        return {**wire, "content": to_wire_content(blocks), **name}
    if extra.get("audio"):
        blocks = [block for block in blocks if not isinstance(block, li.AudioBlock)]
    wire["content"] = to_wire_content(blocks) or extra.get("refusal") or ""
    wire |= {key: extra[key] for key in _KEPT if extra.get(key)}
    if calls := wire_calls(message):
        wire |= {"tool_calls": calls, "content": to_wire_content(blocks) or None}
    thoughts = "\n".join(block.content or "" for block in blocks if isinstance(block, li.ThinkingBlock))
    if thoughts or extra.get("reasoning_content"):
        wire["reasoning_content"] = thoughts or extra["reasoning_content"]
    return wire
