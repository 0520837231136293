"""Whole answers of a chat. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geekai_core.redaction import redact
from geekai_core.response.accumulate import Accumulator
from geekai_core.response.answers import Context, is_error, read_object, validated
from geekai_core.response.finish import normal_finish_reason
from geekai_core.response.stream_reader import StreamReader, broken_off
from geekai_core.wire import ChatCompletion

_EVENT_LINES = (b"data:", b"event:", b"id:", b":")


def read_chat(content: bytes, context: Context, reading: Mapping[str, Any] | None = None) -> ChatCompletion:
    """A whole chat answer, even one that comes as events. Raises `InvalidResponseError` when it has no choices.

    `reading`: keywords of `Accumulator`.
    """
    if content[:64].lstrip().startswith(_EVENT_LINES):
        reader = StreamReader(context, **(reading or {}))
        reader.feed(content)
        for _ in reader.end():
            pass
        return reader.answer()
    body = read_object(content, context)
    if is_error(body):
        raise context.error(content)
    if not body.get("choices"):
        raise context.unreadable("the answer has no choices", content)
    return _chat_from(body, context, content, reading)


def read_task(content: bytes, context: Context, reading: Mapping[str, Any] | None = None) -> ChatCompletion:
    """The object of a background task, which has no choices until it is done and an `error` when it failed."""
    body = read_object(content, context)
    if is_error(body) and not (body.get("status") and body.get("id")):
        raise context.error(content)
    if body.get("error") or not body.get("choices"):  # its words will be an error's
        body = {name: redact(value, context.secrets) for name, value in body.items()}
    return _chat_from(body, context, content, reading)


def _chat_from(
    body: dict[str, Any], context: Context, content: bytes, reading: Mapping[str, Any] | None
) -> ChatCompletion:
    state = Accumulator(several=context.several, **(reading or {}))
    try:
        state.feed(body)
    except (TypeError, AttributeError, ValueError) as exc:  # untrusted JSON: an unreadable answer, not a crash
        raise context.unknown_shape(exc, content) from None
    if body.get("choices") and not state.started:
        raise context.unknown_shape(TypeError("no choice can be read"), content)
    state.finish()
    answer = validated(ChatCompletion, state.wire(), context, content)
    if body.get("choices") and not answer.model:
        answer.model = context.model
    answer._raw = body
    if state.error or normal_finish_reason(state.finish_reason) == "error":
        raise broken_off(state, context, answer)
    return answer
