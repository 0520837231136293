"""Bytes to answers: whole bodies and streams, read and judged. Pure: bytes go in, answers and errors come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from geekai_core.errors import EXCERPT, APIStatusError, InvalidResponseError
from geekai_core.redaction import Secrets, redact
from geekai_core.response.error_bodies import (
    WEB_PAGE,
    error_from_body,
    error_words,
    is_page,
    plain_text,
    request_id,
)
from geekai_core.response.json_text import Surrogates
from geekai_core.wire import Answer

A = TypeVar("A", bound=Answer)

BOM = b"\xef\xbb\xbf"
SERVER_LIMIT = 300.0
"""Seconds after which GeekAI closes a connection whose answer is not finished (documented)."""


class Context:
    """What the reading of one response needs to know of it."""

    __slots__ = ("headers", "max_bytes", "model", "secrets", "several", "status", "url")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        secrets: Secrets | None,
        max_bytes: int,
        *,
        url: str = "",
        model: str | None = None,
        several: bool = False,
    ) -> None:
        """`url` and `model`: who was asked. `several`: whether more than one choice was asked for."""
        self.url = url
        self.model = model
        self.several = several
        self.status = status
        self.headers = headers
        self.secrets = secrets
        self.max_bytes = max_bytes

    def unreadable(self, why: str, content: bytes) -> InvalidResponseError:
        """The error for an answer that cannot be read, with its beginning; of a page, its words."""
        text = redact(
            content.decode("utf-8", errors="replace"), self.secrets
        )  # before any cut: none may leave half a key
        excerpt = plain_text(text[: 4 * EXCERPT])
        return InvalidResponseError(
            redact(f"{why}: {excerpt!r}" if excerpt else why, self.secrets),
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
        return self.error_of(load_json(content, self))

    def error_of(self, body: Any) -> APIStatusError:
        """The error that a parsed body stands for."""
        return error_from_body(self.status, self.headers, body, secrets=self.secrets)

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


_WELL = frozenset({"0", "200", "success", "ok", "none", "null", ""})


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether a body or an event says that something went wrong, in any of the shapes seen or imagined."""
    status = body.get("base_resp")
    if isinstance(status, Mapping) and str(status.get("status_code") or 0) != "0":
        return True
    if body.get("choices") or body.get("data") or body.get("results"):
        error = body.get("error")
        code = error.get("code") if isinstance(error, Mapping) else error
        is_well = code is not None and str(code).lower() in _WELL
        return bool(error) and not is_well and error_words({"error": error})[0] is not None
    if body.get("error"):
        return error_words(body)[0] is not None or not isinstance(body["error"], Mapping)
    is_well = "code" in body and str(body["code"]).lower() in _WELL
    return not is_well and isinstance(body.get("message") or body.get("msg") or body.get("detail"), (str, Mapping))


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


def validated(cls: type[A], body: dict[str, Any], context: Context, content: bytes) -> A:
    """`body` as an answer object, validated once."""
    try:
        answer = cls.read(body)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise context.unreadable(f"the answer's {where} has an unknown shape ({first['msg']})", content) from None
    answer._raw = body
    answer._request_id = request_id(context.headers)
    answer._headers = context.headers
    return answer
