"""A stream's deltas to LangChain's chunks. Pure.

A validated chunk costs more than everything else that happens to a token here, so chunks are built by hand, in one
place, wherever the result is the validated object field by field; a test and `_shortcut_holds` see to that.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core import messages
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from geekai_core import ChatCompletion, Delta, ToolCallPiece
from geekai_core.adapters.unvalidated import construct_unvalidated
from geekai_core.conversation import Outcome
from langchain_geekai._blocks import end_blocks
from langchain_geekai._response import PROVIDER, ParsedAnswer, read_calls


class AIMessageChunk(messages.AIMessageChunk, defer_build=True):
    """LangChain's chunk, whose sum up to the end holds the calls of a whole answer: strictly read ones.

    LangChain's own sum closes arguments that were cut, and so would run them. The whole sum is of LangChain's class.
    """

    def __add__(self, other: Any) -> Any:
        return _settled(messages.AIMessageChunk.__add__(_plain(self), other), self, other)

    def __radd__(self, other: Any) -> Any:
        if not isinstance(other, messages.AIMessageChunk):
            return NotImplemented
        return _settled(messages.AIMessageChunk.__add__(other, _plain(self)), other, self)


def _plain(chunk: AIMessageChunk) -> messages.AIMessageChunk:
    return construct_unvalidated(messages.AIMessageChunk, chunk.__dict__, chunk.model_fields_set, {})


def _settled(total: Any, first: Any, others: Any) -> Any:
    """A sum of chunks, with the name that LangChain leaves out; one that holds the end has its calls read strictly."""
    last = others[-1] if isinstance(others, (list, tuple)) and others else others
    total.name = first.name or getattr(last, "name", None)
    if total.chunk_position != "last":
        return _ours(total)
    given = ((piece["id"], piece["name"], piece["args"]) for piece in total.tool_call_chunks)
    total.tool_calls, broken = read_calls(given, total.response_metadata.get("finish_reason"))
    total.invalid_tool_calls = broken
    if broken:
        ids = {call["id"] for call in broken}
        for piece in total.tool_call_chunks:
            if piece["id"] in ids:
                piece["args"] = json.dumps(piece["args"])  # no validated copy of the sum takes a string for a call
        if isinstance(total.content, list):  # a whole answer has no blocks for them
            total.content = [b for b in total.content if not (isinstance(b, dict) and b.get("id") in ids)]
    return total


class Chunks:
    """The chunks of one stream.

    `v1`: LangChain turns each chunk into blocks, and so does its v3 bridge (`bridged`), which keeps the last value
    of each piece of metadata. Answers beyond the first (`n`) have no chunks; they come as `other_choices` at the end.
    `holds`: text is held back until it may be JSON, since an answer without any may be asked for again.
    """

    __slots__ = ("_as_blocks", "_logprobs", "held", "outcome")

    def __init__(self, *, v1: bool, bridged: bool, holds: bool) -> None:
        self._as_blocks = v1 or bridged
        self._logprobs = not bridged
        self.held: str | None = "" if holds else None
        self.outcome: Outcome | None = None

    def add(self, delta: Delta) -> ChatGenerationChunk | None:
        """What a delta adds, as a chunk; None where that is nothing that is certain before the end.

        Audio, a refusal, sources, usage and everything about the whole answer come with the last chunk, once.
        """
        if delta.index:
            return None
        metadata: dict[str, Any] = {"model_provider": PROVIDER}
        if delta.logprobs is not None and self._logprobs:
            metadata["logprobs"] = delta.logprobs
        content, reasoning, pieces = delta.content, delta.reasoning_content, delta.tool_calls
        if self.held is not None:
            content = self._released(content or "", pieces)
        if not content and reasoning is None and pieces is None and len(metadata) == 1:
            return None
        kwargs = {} if reasoning is None else {"reasoning_content": reasoning}
        return build_chunk(content or "", kwargs, metadata, pieces)

    def _released(self, content: str, pieces: Pieces) -> str:
        """The text that can go out now; behind the beginning of an object all of it can."""
        text = f"{self.held}{content}"
        self.held = text if not pieces and "{" not in content and text.lstrip()[:1] != "[" else None
        return "" if self.held is not None else text

    def ends(self, wanted: Mapping[str, Any]) -> Iterator[ChatGenerationChunk]:
        """The last chunks: what was held back of the answer that counts, and what is left to say of it."""
        assert self.outcome is not None, "the stream has ended"
        answer = self.outcome.answer
        if self.held is not None and answer.message.content:
            yield build_chunk(answer.message.content, {}, {"model_provider": PROVIDER}, None)
        yield self.end(answer, wanted)

    def end(self, answer: ChatCompletion, wanted: Mapping[str, Any]) -> ChatGenerationChunk:
        """What is left to say at the end, each thing once. `wanted`: keywords of `ParsedAnswer`."""
        parsed = ParsedAnswer(answer, **wanted)
        kwargs, metadata = parsed.additional_kwargs, parsed.response_metadata
        kwargs.pop("reasoning_content", None)  # it was streamed
        others = [choice.model_dump(exclude_unset=True) for choice in answer.choices[1:]]
        if others:
            metadata["other_choices"] = others
        if self._logprobs:
            metadata.pop("logprobs", None)
        content: Any = ""
        if self._as_blocks:
            # Sources are mapped to spans of the whole text, which no other chunk holds.
            content = end_blocks(parsed, bridged=not self._logprobs)
            metadata["output_version"] = "v1"
        message = messages.AIMessageChunk(
            content=content,
            additional_kwargs=kwargs,
            response_metadata=metadata,
            usage_metadata=parsed.usage,
            name=parsed.name,
            chunk_position="last",
        )
        reason = metadata.get("finish_reason")
        return ChatGenerationChunk(
            message=_ours(message), generation_info={"finish_reason": reason} if reason else None
        )


Pieces = list[ToolCallPiece] | None


def build_chunk(text: str, kwargs: dict[str, Any], metadata: dict[str, Any], pieces: Pieces) -> ChatGenerationChunk:
    """A chunk that equals the validated one, made the cheap way wherever that is possible."""
    if pieces is not None:
        # LangChain parses each piece of arguments; of one that cannot begin an object, the result is known.
        for piece in pieces:
            if piece.arguments and piece.arguments.lstrip()[:1] in ("", "{"):
                return validated_chunk(text, kwargs, metadata, pieces)
    return (_built if _shortcut_holds() else validated_chunk)(text, kwargs, metadata, pieces)


def validated_chunk(text: str, kwargs: dict[str, Any], metadata: dict[str, Any], pieces: Pieces) -> ChatGenerationChunk:
    """A chunk as LangChain builds it."""
    given: dict[str, Any] = {"additional_kwargs": kwargs} if kwargs else {}
    if pieces:
        given["tool_call_chunks"] = _call_chunks(pieces)
    return ChatGenerationChunk(
        message=_ours(messages.AIMessageChunk(content=text, response_metadata=metadata, **given))
    )


def _ours(made: messages.AIMessageChunk) -> AIMessageChunk:
    """LangChain's own chunk, of our class."""
    return construct_unvalidated(AIMessageChunk, made.__dict__, made.model_fields_set, {})


def _call_chunks(pieces: list[ToolCallPiece]) -> list[Any]:
    return [tool_call_chunk(name=p.name, args=p.arguments, id=p.id, index=p.slot) for p in pieces]


def _built(text: str, kwargs: dict[str, Any], metadata: dict[str, Any], pieces: Pieces) -> ChatGenerationChunk:
    given = {"content", "response_metadata"}
    if kwargs:
        given.add("additional_kwargs")
    fields: dict[str, Any] = {
        "content": text, "additional_kwargs": kwargs, "response_metadata": metadata, "type": "AIMessageChunk",
        "name": None, "id": None, "tool_calls": [], "invalid_tool_calls": [], "usage_metadata": None,
        "tool_call_chunks": [], "chunk_position": None,
    }  # fmt: skip
    if pieces:
        given.update(_CALLS)
        fields["tool_call_chunks"] = _call_chunks(pieces)
        fields["tool_calls"] = [tool_call(name=p.name or "", args={}, id=p.id) for p in pieces if not p.arguments]
        broken = [p for p in pieces if p.arguments]
        fields["invalid_tool_calls"] = [
            invalid_tool_call(name=p.name, args=p.arguments, id=p.id, error=None) for p in broken
        ]
    message = construct_unvalidated(AIMessageChunk, fields, given, {})
    generation = {"text": text, "generation_info": None, "type": "ChatGenerationChunk", "message": message}
    return construct_unvalidated(ChatGenerationChunk, generation, {"message", "text"})


_CALLS = ("tool_call_chunks", "tool_calls", "invalid_tool_calls")


@functools.cache
def _shortcut_holds() -> bool:
    """Whether the objects built here have the fields of this langchain-core's own; asked once."""
    built, validated = _built("a", {}, {}, None), validated_chunk("a", {}, {}, None)
    return all(
        [mine.__dict__.keys(), mine.__pydantic_extra__, mine.__pydantic_private__]
        == [theirs.__dict__.keys(), theirs.__pydantic_extra__, theirs.__pydantic_private__]
        for mine, theirs in ((built, validated), (built.message, validated.message))
    )
