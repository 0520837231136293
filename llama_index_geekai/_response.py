"""Answers to LlamaIndex's responses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from llama_index.core.base.llms import types as li
from pydantic import BaseModel

from geekai_core import ChatCompletion
from geekai_core.adapters.unvalidated import construct_unvalidated
from geekai_core.citations import sources
from geekai_core.response.finish import normal_finish_reason
from geekai_core.wire import Choice, FunctionCall
from llama_index_geekai._content import from_wire_audio, from_wire_images
from llama_index_geekai._tools import WireToolCall, invalid_call

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


@dataclass
class Reading:
    """How the answer to one request is read.

    `audio_format`: as asked for. `citation_blocks`: add a `CitationBlock` for each source. `headers`: keep the
    response's.
    """

    audio_format: str | None = None
    citation_blocks: bool = False
    headers: bool = False


def from_wire_message(choice: Choice, reading: Reading, reasoning_tokens: int | None = None) -> li.ChatMessage:
    """An answer's message: thoughts, text, images, speech, tool calls as blocks, the rest in `additional_kwargs`.

    `invalid_tool_calls` there has the calls that cannot run, each with its `error`.
    """
    message = choice.message
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
    calls = [wire_call(call.id, call.function, call.model_extra) for call in message.tool_calls or ()]
    if calls:
        extra["tool_calls"] = calls
        blocks += [call_block(call) for call in calls]
        if invalid := [entry for call in calls if (entry := invalid_call(call, choice.finish_reason))]:
            extra["invalid_tool_calls"] = invalid
    return build(li.ChatMessage, role=li.MessageRole.ASSISTANT, additional_kwargs=extra, blocks=blocks)


def wire_call(id: str | None, function: FunctionCall | None, added: Mapping[str, Any] | None = None) -> WireToolCall:
    """A tool call with what its vendor `added` to it."""
    function = function or FunctionCall()
    further = function.model_extra or {}
    named = FunctionCall(name=function.name or "", arguments=function.arguments or "", **further)
    return WireToolCall(id=id or "", type="function", function=named, **(added or {}))


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


_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")


def from_wire_answer(answer: ChatCompletion, reading: Reading) -> li.ChatResponse:
    """The response to a whole answer; a stream's last response is the same, but for its `delta`."""
    details = answer.usage.completion_tokens_details if answer.usage else None
    first, *others = answer.choices or [Choice()]
    message = from_wire_message(first, reading, details.reasoning_tokens if details else None)
    if answer.citations:
        message.additional_kwargs["citations"] = answer.citations
    if reading.citation_blocks:
        message.blocks.extend(citation_blocks(answer))
    extra = _extra(answer) | ({"headers": dict(answer.headers)} if reading.headers else {})
    if first.finish_reason:
        extra["finish_reason"] = first.finish_reason
        extra["normalized_finish_reason"] = normal_finish_reason(first.finish_reason)
    if others:
        extra["alternatives"] = [from_wire_message(choice, reading) for choice in others]
    logprobs = first.logprobs.model_dump() if first.logprobs else None
    return build(
        li.ChatResponse,
        message=message,
        raw=_countable(answer),
        delta=None,
        logprobs=from_wire_logprobs(logprobs),
        additional_kwargs=extra,
    )


def _extra(answer: ChatCompletion) -> dict[str, Any]:
    """What GeekAI says beside the message: token counts as `OpenAI` names them, usage verbatim, sources."""
    extra: dict[str, Any] = {}
    if answer.usage:
        extra["usage"] = _usage(answer)
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


def _countable(answer: ChatCompletion) -> dict[str, Any]:
    """The raw answer as handlers need it: with the model, and with token counts that `TokenCountingHandler` can add."""
    raw, usage = answer.raw, answer.raw.get("usage")
    counted = _usage(answer)
    if counted is not None:
        counted = {**counted, **{name: getattr(answer.usage, name) or 0 for name in _TOKENS}}
    if counted != usage:
        raw = {**raw, "usage": counted}
    return raw if raw.get("model") else {**raw, "model": answer.model}


def _usage(answer: ChatCompletion) -> Mapping[str, Any] | None:
    """Usage as it came; where it came in another place, as it was read there."""
    usage = answer.raw.get("usage")
    read = answer.usage.model_dump(exclude_unset=True) if answer.usage else None
    return usage if read and isinstance(usage, Mapping) else read


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
