"""A stream's deltas to LlamaIndex's responses. Pure."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.llms import types as li

from geekai_core.response.deltas import Delta
from geekai_core.response.tool_calls import ToolCallPiece
from geekai_core.wire import FunctionCall
from llama_index_geekai._response import build, call_block, from_wire_logprobs, wire_call
from llama_index_geekai._tools import GrowingJson, WireToolCall


class _GrowingCall:
    """One tool call of a stream."""

    __slots__ = ("arguments", "block", "id", "name", "parsed", "wire")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments = ""
        self.parsed = GrowingJson()
        self.wire: WireToolCall
        self.block: li.ToolCallBlock

    def add(self, piece: ToolCallPiece) -> None:
        self.id += piece.id or ""
        self.name += piece.name or ""
        self.arguments += piece.arguments
        self.wire = wire_call(self.id, FunctionCall(name=self.name, arguments=self.arguments))
        self.wire._growing = self.parsed
        self.block = call_block(self.wire)


class StreamedAnswer:
    """The pieces of a stream as responses: each holds the message so far, and none changes once it was given out."""

    __slots__ = ("_answer", "_calls", "_text", "_thinking", "_thought")

    def __init__(self) -> None:
        self._text = ""
        self._answer: li.TextBlock | None = None
        self._thought = ""
        self._thinking: li.ThinkingBlock | None = None
        self._calls: list[_GrowingCall] = []

    def add(self, delta: Delta) -> li.ChatResponse | None:
        """The response for one delta; None for one that tells only what the last response tells.

        The pieces of further choices (`n` > 1) are such: their messages are the last response's `alternatives`.
        """
        if delta.index:
            return None
        content = delta.content
        extra: dict[str, Any] = {}
        if delta.audio is not None:
            extra["audio_delta"] = delta.audio
            content = content or str(delta.audio.get("transcript") or "")
        if content:
            self._text += content
            self._answer = build(li.TextBlock, {"text"}, block_type="text", text=self._text)
        if delta.reasoning_content:
            extra["thinking_delta"] = delta.reasoning_content
            self._thought += delta.reasoning_content
            self._thinking = li.ThinkingBlock(content=self._thought)
        if delta.tool_calls:
            self._add_calls(delta.tool_calls)
        elif not (content or extra or delta.logprobs):
            return None
        return build(
            li.ChatResponse,
            message=self._message(),
            raw=delta.raw,
            delta=content or "",
            logprobs=from_wire_logprobs(delta.logprobs) if delta.logprobs else None,
            additional_kwargs=extra,
        )

    def _add_calls(self, pieces: list[ToolCallPiece]) -> None:
        for piece in pieces:
            while piece.slot >= len(self._calls):
                self._calls.append(_GrowingCall())
            self._calls[piece.slot].add(piece)

    def _message(self) -> li.ChatMessage:
        blocks: list[li.ContentBlock] = [block for block in (self._thinking, self._answer) if block is not None]
        extra: dict[str, Any] = {}
        if self._calls:
            blocks += [call.block for call in self._calls]
            extra["tool_calls"] = [call.wire for call in self._calls]
        return build(li.ChatMessage, role=li.MessageRole.ASSISTANT, additional_kwargs=extra, blocks=blocks)
