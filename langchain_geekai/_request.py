"""LangChain's messages, as they are in an app's memory, to the wire's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolMessage,
)

from geekai_core import ConfigurationError
from geekai_core.request.messages import NOT_RUN_BECAUSE
from geekai_core.response.arguments import InvalidArguments, read_arguments
from geekai_core.response.text_parts import TEXT_PARTS, THOUGHT_PARTS, thoughts
from geekai_core.response.tool_calls import openai_form
from langchain_geekai._content import cache_mark, to_wire_parts

Wire = dict[str, Any]


def to_wire_messages(messages: Sequence[BaseMessage]) -> list[Wire]:
    """The messages of a history, with all that GeekAI has a form for; `sendable` then makes them a request's.

    Raises `ConfigurationError` for what it has no form for.
    """
    wire: list[Wire] = []
    for message in messages:
        if isinstance(message, AIMessage):
            wire.append(_assistant(message))
        elif isinstance(message, ToolMessage):
            wire.append(_tool_result(message.tool_call_id, message.content))
        else:
            _add_plain(message, wire)
    return wire


_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}


def _add_plain(message: BaseMessage, wire: list[Wire]) -> None:
    """A message of the user, the system, or a role of its own; Anthropic's tool results become messages."""
    if isinstance(message, HumanMessage):
        role = "user"
    elif isinstance(message, SystemMessage):
        role = "system"
    elif isinstance(message, ChatMessage):
        role = _ROLES.get(message.role, message.role)
    elif isinstance(message, FunctionMessage):
        role = "function"
    else:
        raise ConfigurationError(f"a message of type {message.type!r} cannot be sent to a model")
    role = message.additional_kwargs.get("__openai_role__") or role
    content: Any = message.content
    if not isinstance(content, str):
        results = [p for p in content if isinstance(p, dict) and p.get("type") == "tool_result"]
        wire.extend(_tool_result(p.get("tool_use_id"), p.get("content") or "") for p in results)
        content = to_wire_parts(content)
        if results and not content:
            return
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            content = content[0]["text"]
    wire.append({"role": role, "content": content, **({"name": message.name} if message.name else {})})


def _tool_result(call_id: str | None, content: Any) -> Wire:
    content = content if isinstance(content, str) else to_wire_parts(content, of_tool=True)
    return {"role": "tool", "tool_call_id": call_id, "content": content}


_KEPT = ("reasoning_content", "reasoning_details", "audio", "function_call")
"""What of an answer's `additional_kwargs` may go back to the model; searches and sources were for the reader."""


def _assistant(message: AIMessage) -> Wire:
    """What the model said: its text, its tool calls, its reasoning, its speech."""
    content, kwargs = message.content, message.additional_kwargs
    text = content if isinstance(content, str) else _text(content)
    wire: Wire = {"role": "assistant", "content": text or kwargs.get("refusal") or ""}
    wire |= {key: kwargs[key] for key in _KEPT if kwargs.get(key)}
    if calls := _wire_calls(message):
        wire |= {"tool_calls": calls, "content": text or None}
    if message.name:
        wire["name"] = message.name
    if reasoning := thoughts([kwargs.get("reasoning_content") or kwargs.get("reasoning") or _thought_blocks(content)]):
        wire["reasoning_content"] = reasoning
    return wire


def _text(blocks: list[Any]) -> str | list[Wire]:
    """The text of blocks; as parts where one of them is marked with `cache_control`."""
    parts: list[Wire] = [{"type": "text", "text": _block_text(block), **cache_mark(block)} for block in blocks]
    joined = "".join(part["text"] for part in parts)
    return [part for part in parts if part["text"]] if any(len(part) > 2 for part in parts) else joined


def _block_text(block: Any) -> str:
    if isinstance(block, str):
        return block
    kind = block.get("type") or "text"
    return (block.get("text") if kind in TEXT_PARTS else block.get("refusal")) or ""


def _thought_blocks(content: Any) -> list[Any]:
    return [block for block in content if isinstance(block, dict) and block.get("type") in THOUGHT_PARTS]


_CALL_BLOCKS = ("tool_call", "tool_use", "function_call")


def _wire_calls(message: AIMessage) -> list[Wire]:
    calls = [(c["id"], c["name"], c["args"]) for c in (*message.tool_calls, *message.invalid_tool_calls)]
    if not calls and message.content.__class__ is list:
        # of other integrations, where nobody has read the calls from the content yet
        used = (b for b in message.content if isinstance(b, dict) and b.get("type") in _CALL_BLOCKS)
        functions = ((b.get("call_id") or b.get("id"), openai_form(b)["function"]) for b in used)
        calls = [(id, function.get("name"), function.get("arguments")) for id, function in functions]
    if not calls:
        return [call for call in message.additional_kwargs.get("tool_calls") or () if isinstance(call, dict)]
    extras = message.additional_kwargs.get("tool_call_extras") or {}
    reasons = {c["id"]: {NOT_RUN_BECAUSE: _reason(c, message)} for c in message.invalid_tool_calls}
    return [_wire_call(extras.get(id, {}) | reasons.get(id, {}), id, name, args) for id, name, args in calls]


def _reason(call: InvalidToolCall, message: AIMessage) -> str | None:
    """Why a call is invalid: LangChain's JSON of a stream's message loses it."""
    read = read_arguments(call["args"], message.response_metadata.get("finish_reason"))
    return call["error"] or (read.reason if isinstance(read, InvalidArguments) else None)


def _wire_call(extra: Wire, id: str | None, name: str | None, arguments: Any) -> Wire:
    function = {**extra.get("function", {}), "name": name, "arguments": arguments}
    return {**extra, "id": id, "type": "function", "function": function}
