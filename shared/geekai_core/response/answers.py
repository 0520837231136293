"""Bytes to answers: whole bodies and streams, read and judged. Pure: bytes go in, answers and errors come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from geekai_core.errors import EXCERPT, APIStatusError, InvalidResponseError
from geekai_core.response.accumulate import Accumulator
from geekai_core.response.error_bodies import (
    WEB_PAGE,
    error_from_body,
    error_words,
    is_page,
    plain_text,
    redact,
    request_id,
)
from geekai_core.response.json_text import Surrogates
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


def read_chat(content: bytes, context: Context, reading: Mapping[str, Any] | None = None) -> ChatCompletion:
    """A whole chat answer. `reading`: keywords of `Accumulator`. Raises `InvalidResponseError` without choices."""
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
    if body.get("error"):  # its words will be an error's
        body = {name: redact(value, context.secret) for name, value in body.items()}
    return _chat_from(body, context, content, reading)


def _chat_from(
    body: dict[str, Any], context: Context, content: bytes, reading: Mapping[str, Any] | None
) -> ChatCompletion:
    state = Accumulator(**(reading or {}))
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
