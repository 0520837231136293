"""LlamaIndex's messages to GeekAI's, and an answer's message back. Pure, but for local files that blocks name."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from llama_index.core.base.llms import types as li
from pydantic import BaseModel

from geekai_core import ChatCompletion, Message
from geekai_core.adapters.unvalidated import construct_unvalidated
from geekai_core.citations import sources
from geekai_core.options import ReasoningHistory
from geekai_core.wire import FunctionCall
from llama_index_geekai._blocks import from_wire_audio, from_wire_images, to_wire_content
from llama_index_geekai._tools import WireToolCall, alias, tool_call_blocks

M = TypeVar("M", bound=BaseModel)

_FIELDS: dict[type[BaseModel], set[str]] = {
    li.ChatMessage: {"role", "additional_kwargs", "blocks"},
    li.TextBlock: {"block_type", "text"},
    li.ChatResponse: {"message", "raw", "delta", "logprobs", "additional_kwargs"},
}
_UNCHANGED = {
    cls for cls, names in _FIELDS.items() if set(cls.model_fields) == names and not cls.__private_attributes__
}


def build(cls: type[M], given: set[str] | None = None, /, **fields: Any) -> M:
    """`cls(**fields)`, with all its fields in their order and of the right types, without validation: a fifth of the
    price, for every piece of a stream. `given`: the fields that are no defaults, if not all. The object is the same (a
    test compares them); a class that core has changed is validated."""
    if cls not in _UNCHANGED:
        return cls(**{name: fields[name] for name in given or fields})
    return construct_unvalidated(cls, fields, given or set(fields))


_ROLES = {"chatbot": "assistant", "model": "assistant", "function": "tool", "developer": "system"}


@dataclass
class Reading:
    """How the answer to one request is read.

    `names`: tools that travelled under another name. `one_call`: the request allowed one tool call. `audio_format`: as
    asked for. `citation_blocks`: add a `CitationBlock` for each source.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    one_call: bool = False
    audio_format: str | None = None
    citation_blocks: bool = False


def to_wire_messages(messages: Sequence[li.ChatMessage], reasoning_history: ReasoningHistory) -> list[dict[str, Any]]:
    """The messages in wire form. Nothing of the caller's is changed.

    Raises `ConfigurationError` for a block that cannot be sent.
    """
    running = -1
    if reasoning_history == "current":
        running = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].role == li.MessageRole.USER), -1)
    wire = []
    for at, message in enumerate(messages):
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
            echoed = reasoning_history == "all" or (reasoning_history == "current" and at > running)
            wire.append(_to_wire_message(message, role, echoed))
    return wire


def _to_wire_message(message: li.ChatMessage, role: str, echoed: bool) -> dict[str, Any]:
    """One message. `echoed`: its reasoning goes back to the server."""
    extra = message.additional_kwargs
    blocks: Sequence[Any] = message.blocks
    wire: dict[str, Any] = {"role": role}
    speech = extra.get("audio")
    if role == "assistant" and isinstance(speech, Mapping) and speech.get("id") and _is_kept(speech):
        wire["audio"] = {"id": speech["id"]}
        blocks = [block for block in blocks if block.block_type != "audio"]
    wire["content"] = to_wire_content(blocks)
    if isinstance(extra.get("name"), str):
        wire["name"] = extra["name"]
    if role == "tool":
        wire["tool_call_id"] = extra.get("tool_call_id") or ""
    if role == "assistant":
        calls = [_to_wire_call(block) for block in tool_call_blocks(message)]
        if calls:
            wire["tool_calls"] = calls
            wire["content"] = wire["content"] or None
        thoughts = "\n".join(block.content or "" for block in blocks if isinstance(block, li.ThinkingBlock))
        if thoughts and echoed:
            wire["reasoning_content"] = thoughts
    return wire


def _is_kept(speech: Mapping[str, Any]) -> bool:
    """Whether the server still has the speech that it once gave; it refuses an id whose time is over."""
    until = speech.get("expires_at")
    return not isinstance(until, (int, float)) or until > time.time()


def _to_wire_call(block: li.ToolCallBlock) -> dict[str, Any]:
    arguments = block.tool_kwargs
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    function = {"name": alias(block.tool_name), "arguments": arguments or "{}"}
    return {"id": block.tool_call_id or "", "type": "function", "function": function}


def from_wire_message(message: Message, reading: Reading, reasoning_tokens: int | None = None) -> li.ChatMessage:
    """An answer's message: thoughts, text, images, speech, tool calls as blocks, the rest in `additional_kwargs`."""
    blocks: list[li.ContentBlock] = []
    extra = dict(message.model_extra or {})
    if message.reasoning_content:
        blocks.append(li.ThinkingBlock(content=message.reasoning_content, num_tokens=reasoning_tokens))
    text = message.content or (message.audio and message.audio.transcript)
    if text:
        blocks.append(li.TextBlock(text=text))
    if "images" in extra:  # LlamaIndex takes that name for its own
        extra["output_images"] = extra.pop("images")
    blocks += [*from_wire_images(extra.get("content_parts")), *from_wire_images(extra.get("output_images"))]
    if message.audio is not None:
        extra["audio"] = message.audio.model_dump(exclude_unset=True)
        blocks += from_wire_audio(message.audio.data, reading.audio_format)
    if message.refusal:
        extra["refusal"] = message.refusal
    calls = [wire_call(call.id, call.function, reading) for call in message.tool_calls or ()]
    if calls:
        calls = calls[:1] if reading.one_call else calls
        extra["tool_calls"] = calls
        blocks += [call_block(call) for call in calls]
    return build(li.ChatMessage, role=li.MessageRole.ASSISTANT, additional_kwargs=extra, blocks=blocks)


def wire_call(id: str | None, function: FunctionCall | None, reading: Reading) -> WireToolCall:
    """A tool call under the tool's own name."""
    name, arguments = (function.name or "", function.arguments or "") if function else ("", "")
    named = FunctionCall(name=reading.names.get(name, name), arguments=arguments)
    return WireToolCall(id=id or "", type="function", function=named)


def call_block(call: WireToolCall) -> li.ToolCallBlock:
    """The same call as a block; its arguments stay the text that the model wrote."""
    function = call.function or FunctionCall()
    return li.ToolCallBlock(tool_call_id=call.id, tool_name=function.name or "", tool_kwargs=function.arguments or {})


def citation_blocks(answer: ChatCompletion) -> list[li.CitationBlock]:
    """A block for each source of an answer; other integrations raise on one that they find in a memory."""
    return [
        li.CitationBlock(
            cited_content=li.TextBlock(text=source.content or source.url or source.title or ""),
            source=source.url or "",
            title=source.title or source.url or "",
            additional_location_info={"index": source.number},
        )
        for source in sources(answer.citations, answer.search_results)
    ]
