"""A stream's deltas to LangChain's chunks. Pure.

A validated chunk costs more than everything else that happens to a token here, so chunks are built by hand, in one
place, wherever the result is the validated object field by field; a test and `_shortcut_holds` see to that.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from geekai_core import ChatCompletion, Delta, ToolCallPiece
from langchain_geekai._blocks import end_blocks
from langchain_geekai._messages import PROVIDER, Answered
from langchain_geekai._structured import Unfencing, wants_json


class Chunks:
    """The chunks of one stream. `begun` tells whether any delta has come.

    `v1`: LangChain turns each chunk into blocks, and so does its v3 bridge (`bridged`), which keeps the last value
    of each piece of metadata. Answers beyond the first (`n`) have no chunks; they come as `other_choices` at the end.
    """

    __slots__ = ("_as_blocks", "_json", "_logprobs", "begun")

    def __init__(self, body: Mapping[str, Any], *, v1: bool, bridged: bool) -> None:
        self.begun = False
        self._as_blocks = v1 or bridged
        self._logprobs = not bridged
        self._json = Unfencing() if wants_json(body) else None

    def add(self, delta: Delta) -> ChatGenerationChunk | None:
        """What a delta adds, as a chunk; None where that is nothing that can be told before the end.

        Audio, a refusal, sources, usage and everything that is said of the whole answer come with the last chunk, once.
        """
        self.begun = True
        if delta.index:
            return None
        metadata: dict[str, Any] = {"model_provider": PROVIDER}
        if delta.logprobs is not None and self._logprobs:
            metadata["logprobs"] = delta.logprobs
        content, reasoning, pieces = delta.content, delta.reasoning_content, delta.tool_calls
        if content is not None and self._json is not None:
            content = self._json.feed(content)
        if not content and reasoning is None and pieces is None and len(metadata) == 1:
            return None
        kwargs = {} if reasoning is None else {"reasoning_content": reasoning}
        return build_chunk(content or "", kwargs, metadata, pieces)

    def end(self, answer: ChatCompletion) -> ChatGenerationChunk:
        """What is left to say at the end, each thing once."""
        told = Answered(answer)
        kwargs, metadata = told.additional_kwargs, told.response_metadata
        kwargs.pop("reasoning_content", None)  # it was streamed
        others = [choice.model_dump(exclude_unset=True) for choice in answer.choices[1:]]
        if others:
            metadata["other_choices"] = others
        if self._logprobs:
            metadata.pop("logprobs", None)
        content: Any = self._json.finish() if self._json is not None else ""
        if self._as_blocks:
            # Sources are mapped to spans of the whole text, which no other chunk holds.
            content = end_blocks(content, told.content, kwargs)
            metadata["output_version"] = "v1"
        message = AIMessageChunk(
            content=content,
            additional_kwargs=kwargs,
            response_metadata=metadata,
            usage_metadata=told.usage,
            chunk_position="last",
        )
        reason = metadata.get("finish_reason")
        return ChatGenerationChunk(message=message, generation_info={"finish_reason": reason} if reason else None)


def build_chunk(
    content: str, kwargs: dict[str, Any], metadata: dict[str, Any], pieces: list[ToolCallPiece] | None
) -> ChatGenerationChunk:
    """A chunk that equals the validated one, made the cheap way wherever that is possible."""
    if _shortcut_holds():
        if pieces is None:
            return _built(content, kwargs, metadata, [], [], [])
        if all(not piece.arguments or piece.arguments.lstrip()[:1] not in ("", "{") for piece in pieces):
            return _built_with_pieces(content, kwargs, metadata, pieces)
    return validated_chunk(content, kwargs, metadata, pieces)


def validated_chunk(
    content: str, kwargs: dict[str, Any], metadata: dict[str, Any], pieces: list[ToolCallPiece] | None
) -> ChatGenerationChunk:
    """A chunk as LangChain builds it."""
    given = {"additional_kwargs": kwargs} if kwargs else {}
    calls = {"tool_call_chunks": _call_chunks(pieces)} if pieces else {}
    message = AIMessageChunk(content=content, response_metadata=metadata, **given, **calls)
    return ChatGenerationChunk(message=message)


def _call_chunks(pieces: list[ToolCallPiece]) -> list[Any]:
    return [tool_call_chunk(name=p.name, args=p.arguments, id=p.id, index=p.slot) for p in pieces]


def _built_with_pieces(
    content: str, kwargs: dict[str, Any], metadata: dict[str, Any], pieces: list[ToolCallPiece]
) -> ChatGenerationChunk:
    """Pieces that cannot begin an object: LangChain would parse each, to the result that is known already."""
    calls = [tool_call(name=p.name or "", args={}, id=p.id) for p in pieces if not p.arguments]
    broken = [invalid_tool_call(name=p.name, args=p.arguments, id=p.id, error=None) for p in pieces if p.arguments]
    return _built(content, kwargs, metadata, _call_chunks(pieces), calls, broken)


def _built(
    content: str,
    kwargs: dict[str, Any],
    metadata: dict[str, Any],
    pieces: list[Any],
    calls: list[Any],
    broken: list[Any],
) -> ChatGenerationChunk:
    message: AIMessageChunk = _new(AIMessageChunk)
    given = {"content", "response_metadata"}
    if kwargs:
        given.add("additional_kwargs")
    if pieces:
        given.update(("tool_call_chunks", "tool_calls", "invalid_tool_calls"))
    fields = {
        "content": content,
        "additional_kwargs": kwargs,
        "response_metadata": metadata,
        "type": "AIMessageChunk",
        "name": None,
        "id": None,
        "tool_calls": calls,
        "invalid_tool_calls": broken,
        "usage_metadata": None,
        "tool_call_chunks": pieces,
        "chunk_position": None,
    }
    _set(message, "__dict__", fields)
    _set(message, "__pydantic_fields_set__", given)
    _set(message, "__pydantic_extra__", {})
    _set(message, "__pydantic_private__", None)
    chunk: ChatGenerationChunk = _new(ChatGenerationChunk)
    _set(
        chunk,
        "__dict__",
        {"text": content, "generation_info": None, "type": "ChatGenerationChunk", "message": message},
    )
    _set(chunk, "__pydantic_fields_set__", {"message", "text"})
    _set(chunk, "__pydantic_extra__", None)
    _set(chunk, "__pydantic_private__", None)
    return chunk


_new = object.__new__
_set = object.__setattr__


@functools.cache
def _shortcut_holds() -> bool:
    """Whether the objects built here have the fields of this langchain-core's own; asked once."""
    built, validated = _built("a", {}, {}, [], [], []), validated_chunk("a", {}, {}, None)
    return all(
        mine.__dict__.keys() == theirs.__dict__.keys()
        and mine.__pydantic_extra__ == theirs.__pydantic_extra__
        and mine.__pydantic_private__ == theirs.__pydantic_private__
        for mine, theirs in ((built, validated), (built.message, validated.message))
    )
