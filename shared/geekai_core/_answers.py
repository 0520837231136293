"""Bytes to answers: whole bodies and streams, read and judged. Pure: bytes go in, answers and errors come out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from geekai_core._sse import SSEDecoder
from geekai_core.errors import (
    EXCERPT,
    WEB_PAGE,
    APIStatusError,
    InvalidResponseError,
    RequestError,
    StreamInterruptedError,
    error_from_body,
    error_words,
    is_page,
    plain_text,
    redact,
    request_id,
)
from geekai_core.stream import Accumulator, Delta, join
from geekai_core.wire import Answer, ChatCompletion

A = TypeVar("A", bound=Answer)

BOM = b"\xef\xbb\xbf"
SERVER_LIMIT = 300.0
"""Seconds after which GeekAI closes a connection whose answer is not finished (documented)."""


class Context:
    """What the reading of one response needs to know of it."""

    __slots__ = ("headers", "max_bytes", "secret", "status")

    def __init__(self, status: int, headers: Mapping[str, str], secret: str | None, max_bytes: int) -> None:
        self.status = status
        self.headers = headers
        self.secret = secret
        self.max_bytes = max_bytes

    def unreadable(self, why: str, content: bytes) -> InvalidResponseError:
        """The error for an answer that cannot be read, with its beginning; of a page, its words."""
        excerpt = plain_text(redact(content[: 4 * EXCERPT].decode("utf-8", errors="replace"), self.secret))
        return InvalidResponseError(
            redact(f"{why}: {excerpt!r}" if excerpt else why, self.secret),
            excerpt=excerpt,
            status_code=self.status,
            headers=dict(self.headers),
            request_id=request_id(self.headers),
        )

    def unknown_shape(self, exc: Exception, content: bytes) -> InvalidResponseError:
        """The error for JSON of a shape that nothing here expects."""
        return self.unreadable(f"the answer has an unknown shape ({exc})", content)

    def error(self, content: bytes) -> APIStatusError:
        """The error that stands in a good answer's place."""
        return error_from_body(self.status, self.headers, load_json(content, self), secret=self.secret)

    def too_large(self) -> InvalidResponseError:
        """The error for an answer over `max_response_bytes`."""
        return self.unreadable(f"the answer is larger than max_response_bytes ({self.max_bytes})", b"")


_ESCAPE = (
    rb'(?s)\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u(?P<first>[dD][89abAB]..)(?P<end>")?|u(?P<second>[dD][c-fC-F]..)|.)'
)
"""One escape of a JSON string: a whole surrogate pair, either half alone, or any other."""


class Surrogates:
    r"""Mends JSON that holds half a surrogate pair, which no text may: servers send it when they cut a stream there.

    A first half that ends a string waits for its second half, which begins a later one; any other becomes U+FFFD.

    >>> pairs = Surrogates()
    >>> pairs.mend(rb'{"content": "so \ud83d"}'), pairs.mend(rb'{"content": "\ude00!"}')
    (b'{"content": "so "}', b'{"content": "\\ud83d\\ude00!"}')
    """

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = b""

    def mend(self, content: bytes) -> bytes:
        """`content` with whole pairs only."""
        return re.sub(_ESCAPE, self._escape, content)

    def _escape(self, found: re.Match[bytes]) -> bytes:
        first, end, second = found.groups()
        if first and end:
            self._half = rb"\u" + first
            return bytes(end)
        if second and self._half:
            half, self._half = self._half, b""
            return half + found[0]
        return rb"\ufffd" if first or second else found[0]


def load_json(content: bytes, context: Context, pairs: Surrogates | None = None) -> Any:
    """A body or an event as JSON; raises `InvalidResponseError` with an excerpt."""
    try:
        return from_json(content)
    except ValueError as exc:
        problem = exc
    try:
        return from_json((pairs or Surrogates()).mend(content.removeprefix(BOM)))
    except ValueError:
        reason = f"the answer is no JSON ({problem})" if content.strip() else "an empty answer"
        if is_page(content.decode("utf-8", errors="replace")):
            reason = f"the answer is {WEB_PAGE}"
        raise context.unreadable(reason, content) from None


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether a body or an event says that something went wrong, in any of the shapes seen or imagined."""
    if body.get("choices") or body.get("data") or body.get("results"):
        return bool(body.get("error")) and error_words({"error": body["error"]})[0] is not None
    return bool(body.get("error")) or isinstance(body.get("message") or body.get("msg"), str)


def read_object(content: bytes, context: Context) -> dict[str, Any]:
    """A whole good answer as a dict; raises what an error body or an unreadable one stands for."""
    body = load_json(content, context)
    if isinstance(body, str):
        raise context.error(content)
    if not isinstance(body, dict):
        raise context.unreadable("the answer is no JSON object", content)
    return body


def read_answer(cls: type[A], content: bytes, context: Context) -> A:
    """A whole answer of any endpoint but chat."""
    body = read_object(content, context)
    if is_error(body):
        raise context.error(content)
    answer = validated(cls, {name: value for name, value in body.items() if value is not None}, context, content)
    answer._raw = body
    return answer


def read_chat(content: bytes, context: Context, *, split_think: bool = False) -> ChatCompletion:
    """A whole chat answer. Raises `InvalidResponseError` when it has no choices."""
    body = read_object(content, context)
    if is_error(body):
        raise context.error(content)
    if not body.get("choices"):
        raise context.unreadable("the answer has no choices", content)
    return _chat_from(body, context, content, split_think)


def read_task(content: bytes, context: Context, *, split_think: bool = False) -> ChatCompletion:
    """The object of a background task, which has no choices until it is done and an `error` when it failed."""
    body = read_object(content, context)
    if is_error(body) and not (body.get("status") and body.get("id")):
        raise context.error(content)
    if body.get("error"):  # its words will be an error's
        body = {name: redact(value, context.secret) for name, value in body.items()}
    return _chat_from(body, context, content, split_think)


def _chat_from(body: dict[str, Any], context: Context, content: bytes, split_think: bool) -> ChatCompletion:
    state = Accumulator(split_think=split_think)
    try:
        state.feed(body)
    except (TypeError, AttributeError, ValueError) as exc:  # untrusted JSON: an unreadable answer, not a crash
        raise context.unknown_shape(exc, content) from None
    state.finish()
    answer = validated(ChatCompletion, state.wire(), context, content)
    answer._raw = body
    return answer


def validated(cls: type[A], body: dict[str, Any], context: Context, content: bytes) -> A:
    """`body` as an answer object, validated once."""
    try:
        answer = cls.model_validate(body)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise context.unreadable(f"the answer's {where} has an unknown shape ({first['msg']})", content) from None
    answer._raw = body
    answer._request_id = request_id(context.headers)
    return answer


class StreamReader:
    """The bytes of one stream to deltas; judges whether it ended well.

    `feed` each network read, then, at the end of the body, `end`. `done` says that nothing more is to be read, `heard`
    that the last read held more than comments. `end` raises the errors that the server put into the stream,
    `InvalidResponseError`, `StreamInterruptedError`.
    """

    def __init__(self, context: Context, *, split_think: bool = False, join_deltas: bool = False) -> None:
        self._context = context
        self._decoder = SSEDecoder()
        self._state = Accumulator(split_think=split_think)
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

    @property
    def complete(self) -> bool:
        """Whether the stream could end here: `[DONE]` or the finish reasons came."""
        return self.done or self._state.finished

    def answer(self) -> ChatCompletion:
        """The whole answer, or what has arrived of it, validated."""
        return validated(ChatCompletion, self._state.wire(), self._context, b"")

    def blame(self, error: RequestError, retry_count: int) -> None:
        """Tell an error of this stream what had arrived, if that can be read, and how often it was sent again."""
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
        read_object(content, self._context)
        deltas = self._payload(content)
        if not self._state.started:
            raise self._context.unreadable("the answer has no choices", content)
        self.done = True
        return deltas

    def _payload(self, payload: bytes) -> list[Delta]:
        try:
            chunk = from_json(payload)
        except ValueError:
            told = payload.strip()
            if told == b"[DONE]":
                self.done = True
            if self.done or not told:
                return []
            chunk = load_json(payload, self._context, self._pairs)
        if chunk.__class__ is not dict:
            raise self._context.unreadable("an event of the stream is no JSON object", payload)
        if ("error" in chunk or not chunk.get("choices")) and is_error(chunk):
            raise self._context.error(payload)
        self._last = chunk
        try:
            return self._state.feed(chunk)
        except (TypeError, AttributeError, ValueError) as exc:
            raise self._context.unknown_shape(exc, payload) from None
