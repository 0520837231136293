"""The bytes of one stream to deltas, and whether it ended well. Pure."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from geekai_core.errors import APIStatusError, InvalidResponseError, RequestError, StreamInterruptedError
from geekai_core.memory import remember, remembered
from geekai_core.redaction import clear_traces
from geekai_core.response.accumulate import Accumulator
from geekai_core.response.answers import BOM, SERVER_LIMIT, Context, is_error, load_json, read_object, validated
from geekai_core.response.deltas import Delta, join
from geekai_core.response.error_bodies import error_words, request_id
from geekai_core.response.finish import normal_finish_reason
from geekai_core.response.json_text import Surrogates
from geekai_core.response.sse import SSEDecoder
from geekai_core.wire import ChatCompletion

_ENDS = "ends with a finish reason"
_OPENS = "opens its thoughts, or has none"
"""Of a model that was seen to do so, the text of an answer need not wait for a closing tag."""


def broken_off(state: Accumulator, context: Context, partial: ChatCompletion) -> APIStatusError:
    """The error for an answer that the server says it broke off, with what had come in `.partial`."""
    words = error_words({"error": state.error})[0] if state.error else None
    reason = state.finish_reason or "error"
    body = state.error if words else {"message": f"the server broke off its answer ({reason})", "code": reason}
    error = context.error_of({"error": body})
    error.partial = partial
    return error


class StreamReader:
    """The bytes of one stream to deltas; judges whether it ended well.

    `feed` each network read, then, at the end of the body, `end`. `done` says that nothing more is to be read, `heard`
    that the last read held more than comments. `end` raises the errors that the server put into the stream,
    `InvalidResponseError`, `StreamInterruptedError`.
    """

    def __init__(self, context: Context, *, join_deltas: bool = False, **reading: Any) -> None:
        self._context = context
        self._decoder = SSEDecoder()
        hold = _OPENS not in remembered(context.url, context.model or "")
        self._state = Accumulator(several=context.several, hold_text=hold, **reading)
        self._pairs = Surrogates()
        self._join = join_deltas
        self._events: bool | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._last: dict[str, Any] = {}
        self._failure: RequestError | None = None
        self.done = False
        self.heard = False

    def feed(self, data: bytes) -> list[Delta]:
        """The deltas of one network read. An empty list where it held none: comments, or part of an event."""
        self._size += len(data)
        if self._size > self._context.max_bytes:
            raise self._context.too_large()
        self.heard = False
        if not self._events:
            data = self._begin(data)
        deltas: list[Delta] = []
        try:
            for payload in self._decoder.feed(data):
                self.heard = True
                deltas += self._payload(payload)
                if self.done:
                    break
        except RequestError as error:  # what came ahead of it in the same read is handed on first
            self._failure = error
            self.done = True
        return join(deltas) if self._join and len(deltas) > 1 else deltas

    def _begin(self, data: bytes) -> bytes:
        """Tell a stream from a body by its first byte: blank lines come ahead of either. Returns what is stream."""
        if self._events is None:
            data = data.lstrip(BOM + b" \t\r\n")
            if not data:
                return data
            self._events = data[0] not in b'{[<"'
        if self._events:
            return data
        self._body.append(data)
        self.heard = True
        return b""

    def end(self) -> Iterator[Delta]:
        """The body has ended: the deltas that were left. Raises unless this is a good end."""
        if self._failure:
            raise self._failure
        deltas: list[Delta] = []
        if self._events is False:
            deltas = self._whole(b"".join(self._body))
        elif not self.done:
            try:
                for payload in self._decoder.flush():
                    deltas += self._payload(payload)
            except InvalidResponseError as error:
                if not self.complete:
                    raise self.interrupted("the last event is cut") from error
        yield from deltas
        if not self._state.started and self._decoder.junk:
            raise self._context.unreadable("the answer is no stream", self._decoder.junk)
        if not self.complete:
            raise self.interrupted("neither [DONE] nor a finish reason came")
        if not self._state.started:
            raise self._context.unreadable("the stream held no answer", b"")
        yield from self._state.finish(self._last)
        self._judge_end()

    def _judge_end(self) -> None:
        """Raise where the end that came is no good one."""
        state, context = self._state, self._context
        if state.error or normal_finish_reason(state.finish_reason) == "error":
            raise broken_off(state, context, self.answer())
        if self._events is False:
            return
        if state.finished:
            for what in (_ENDS, *([_OPENS] if state.opens else [])):
                if context.url:
                    remember(context.url, context.model or "", what)
        elif not state.has_content:
            raise context.unreadable("the stream said nothing", b"")
        elif _ENDS in remembered(context.url, context.model or ""):
            raise self.interrupted("no finish reason came, which this model is known to send")
        else:
            warnings.warn("the stream ended without a finish reason: the answer is perhaps cut", stacklevel=2)

    @property
    def has_event(self) -> bool:
        """Whether the last read held an event of a stream that goes on."""
        return self.heard and not self.done and bool(self._events)

    @property
    def complete(self) -> bool:
        """Whether the stream could end here: `[DONE]` or the finish reasons came."""
        return self.done or self._state.finished

    def answer(self) -> ChatCompletion:
        """The whole answer, or what has arrived of it, validated."""
        wire = self._state.wire()
        if not wire.get("model") and self._context.model:
            wire["model"] = self._context.model
        return validated(ChatCompletion, wire, self._context, b"")

    def attach_partial(self, error: RequestError, retry_count: int) -> None:
        """Tell an error of this stream what had arrived, if that can be read, and how often it was sent again."""
        clear_traces(error)
        error.retry_count = retry_count
        if self._state.started:
            with contextlib.suppress(InvalidResponseError):
                error.partial = self.answer()

    def interrupted(self, why: str, seconds: float = 0.0) -> StreamInterruptedError:
        """The error for a stream that ended early. `seconds`: how long it had run."""
        hint = "what had arrived is in .partial" if self._state.started else "before any part of an answer came"
        if seconds > SERVER_LIMIT - 10:
            hint += (
                f"; GeekAI closes a connection after {SERVER_LIMIT:.0f} seconds: use background=True for long answers"
            )
        return StreamInterruptedError(
            f"the stream was cut short: {why}; {hint}", request_id=request_id(self._context.headers)
        )

    def _whole(self, content: bytes) -> list[Delta]:
        """An answer that is no stream, to a stream request: an error, or a whole answer given at once."""
        body = read_object(content, self._context)
        deltas = self._payload(content)
        if not self._state.started:
            if body.get("choices"):
                raise self._context.unknown_shape(TypeError("no choice can be read"), content)
            raise self._context.unreadable("the answer has no choices", content)
        self.done = True
        return deltas

    def _payload(self, payload: bytes) -> list[Delta]:
        try:
            chunk = from_json(payload)
        except ValueError:
            text = payload.strip()
            if text == b"[DONE]":
                self.done = True
            if self.done or not text:
                return []
            chunk = load_json(payload, self._context, self._pairs)
        if chunk.__class__ is list or chunk is None:
            return [delta for one in chunk or () if isinstance(one, dict) for delta in self._chunk(one, payload)]
        if chunk.__class__ is not dict:
            raise self._context.unreadable("an event of the stream is no JSON object", payload)
        return self._chunk(chunk, payload)

    def _chunk(self, chunk: dict[str, Any], payload: bytes) -> list[Delta]:
        if ("error" in chunk or "base_resp" in chunk or not chunk.get("choices")) and is_error(chunk):
            raise self._context.error_of(chunk)
        if not chunk.get("choices") and chunk.get("type") == "ping":
            return []
        self._last = chunk
        try:
            return self._state.feed(chunk)
        except (TypeError, AttributeError, ValueError) as exc:
            raise self._context.unknown_shape(exc, payload) from None
