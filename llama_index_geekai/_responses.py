"""Answers to LlamaIndex's responses, whole and piece by piece. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.base.llms import types as li

from geekai_core import ChatCompletion, Delta, ToolCallPiece
from geekai_core.wire import FunctionCall
from llama_index_geekai._messages import Reading, build, call_block, citation_blocks, from_wire_message, wire_call
from llama_index_geekai._tools import Arguments, WireToolCall

_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")


def from_wire_answer(answer: ChatCompletion, reading: Reading) -> li.ChatResponse:
    """The response to a whole answer; a stream's last response is the same, but for its `delta`."""
    details = answer.usage.completion_tokens_details if answer.usage else None
    message = from_wire_message(answer.message, reading, details.reasoning_tokens if details else None)
    if answer.citations:
        message.additional_kwargs["citations"] = answer.citations
    if reading.citation_blocks:
        message.blocks.extend(citation_blocks(answer))
    first = answer.choices[0] if answer.choices else None
    extra = _extra(answer)
    if first is not None and first.finish_reason:
        extra["finish_reason"] = first.finish_reason
    if len(answer.choices) > 1:
        extra["alternatives"] = [from_wire_message(choice.message, reading) for choice in answer.choices[1:]]
    logprobs = first.logprobs.model_dump() if first is not None and first.logprobs else None
    return build(
        li.ChatResponse,
        message=message,
        raw=_countable(answer.raw),
        delta=None,
        logprobs=from_wire_logprobs(logprobs),
        additional_kwargs=extra,
    )


def _extra(answer: ChatCompletion) -> dict[str, Any]:
    """What GeekAI says beside the message: token counts as `OpenAI` names them, usage verbatim, sources."""
    extra: dict[str, Any] = {}
    usage = answer.raw.get("usage")
    if isinstance(usage, Mapping) and answer.usage:
        extra["usage"] = usage
        extra.update((name, getattr(answer.usage, name) or 0) for name in _TOKENS)
        if answer.usage.billed_units is not None:
            extra["billed_units"] = answer.usage.billed_units
        prompt = answer.usage.prompt_tokens_details
        if prompt and prompt.citation_tokens is not None:
            extra["citation_tokens"] = prompt.citation_tokens
    if answer.citations:
        extra["citations"] = answer.citations
    if answer.search_results:
        extra["search_results"] = answer.search_results
    if answer.request_id:
        extra["request_id"] = answer.request_id
    return extra


def _countable(raw: dict[str, Any]) -> dict[str, Any]:
    """`raw` with numbers where its usage has null: `TokenCountingHandler` adds them up and would raise on None."""
    usage = raw.get("usage")
    if isinstance(usage, Mapping) and any(usage.get(name, 0) is None for name in _TOKENS):
        return {**raw, "usage": {**usage, **{name: usage.get(name) or 0 for name in _TOKENS}}}
    return raw


def from_wire_logprobs(logprobs: Mapping[str, Any] | None) -> list[list[li.LogProb]] | None:
    """One list for each token: the token itself, then the alternatives to it. None where they cannot be read."""
    try:
        tokens = (logprobs or {}).get("content") or ()
        return [[_logprob(entry) for entry in (token, *_others(token))] for token in tokens] or None
    except (TypeError, AttributeError, ValueError):  # a stream's end raises the right error
        return None


def _others(token: Mapping[str, Any]) -> list[Any]:
    return [top for top in token.get("top_logprobs") or () if top.get("token") != token.get("token")]


def _logprob(entry: Mapping[str, Any]) -> li.LogProb:
    value = entry.get("logprob")
    value = float("-inf") if value is None else value
    return li.LogProb(token=entry.get("token") or "", logprob=value, bytes=entry.get("bytes") or [])


class _GrowingCall:
    """One tool call of a stream."""

    __slots__ = ("arguments", "block", "id", "name", "parsed", "wire")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments = ""
        self.parsed = Arguments()
        self.wire: WireToolCall
        self.block: li.ToolCallBlock

    def add(self, piece: ToolCallPiece, reading: Reading) -> None:
        self.id += piece.id or ""
        self.name += piece.name or ""
        self.arguments += piece.arguments
        self.wire = wire_call(self.id, FunctionCall(name=self.name, arguments=self.arguments), reading)
        self.wire._arguments = self.parsed
        self.block = call_block(self.wire)


class StreamedAnswer:
    """The pieces of a stream as responses: each holds the message so far, and none changes once it was given out."""

    __slots__ = ("_calls", "_reading", "_said", "_text", "_thinking", "_thought")

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._text = ""
        self._said: li.TextBlock | None = None
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
            self._said = build(li.TextBlock, {"text"}, block_type="text", text=self._text)
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
            self._calls[piece.slot].add(piece, self._reading)

    def _message(self) -> li.ChatMessage:
        blocks: list[li.ContentBlock] = [block for block in (self._thinking, self._said) if block is not None]
        extra: dict[str, Any] = {}
        if self._calls:
            calls = self._calls[:1] if self._reading.one_call else self._calls
            blocks += [call.block for call in calls]
            extra["tool_calls"] = [call.wire for call in calls]
        return build(li.ChatMessage, role=li.MessageRole.ASSISTANT, additional_kwargs=extra, blocks=blocks)

    def last(self, answer: ChatCompletion) -> li.ChatResponse:
        """The last response: the whole message, usage, sources, finish reason, and the whole answer as `raw`."""
        response = from_wire_answer(answer, self._reading)
        response.delta = ""
        return response


def to_completion(response: li.ChatResponse) -> li.CompletionResponse:
    """A chat response as a completion; reasoning, which that has no place for, is in `additional_kwargs`."""
    message = response.message
    extra = {**message.additional_kwargs, **response.additional_kwargs}
    for block in message.blocks:
        if isinstance(block, li.ThinkingBlock):
            extra["reasoning_content"] = block.content
    return li.CompletionResponse(
        text=message.content or "",
        additional_kwargs=extra,
        raw=response.raw,
        logprobs=response.logprobs,
        delta=response.delta,
    )
