"""Error bodies of every shape to the errors of the tree, with secrets taken out. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from geekai_core.errors import (
    EXCERPT,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContextOverflowError,
    InsufficientBalanceError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    ServerError,
)
from geekai_core.redaction import Secrets, redact

_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientBalanceError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: RequestTooLargeError,
    422: BadRequestError,
    429: RateLimitError,
}


_HINTS = {
    401: "check api_key or GEEKAI_API_KEY, and the host: geekai.co and geekai.dev have keys of their own",
    402: "top up the account that the key belongs to",
    403: "the key may not use this model or feature",
    407: "a proxy wants a user and a password: GEEKAI_PROXY=http://user:password@host:port",
    413: "send less at once, or files by URL",
    429: "too many requests or tokens a minute for this model: ask more slowly",
}
"""What to do about a status, where the server's words may not say it."""


_OVERFLOW_HINT = "shorten the messages or max_tokens, or take a model with a larger context"


WEB_PAGE = "a web page and no JSON: a proxy or a sign-in page answered, or the base URL lacks /api/v1"


_OVERFLOW_CODES = {"context_length_exceeded", "exceed_context_size_error", "context_window_exceeded", "1261"}


_OVERFLOW_WORDS = (
    r"(?i)context[ _]?(length|window|size)|maximum context|prompt is too long|input is too long"
    r"|too many (input )?tokens|reduce the length"
    r"|上下文.{0,12}(超|长度|限制|过长)|(超出|超过|大于).{0,12}(上下文|最大长度|token|输入长度)"
    r"|(输入|提示词?|prompt|消息|内容).{0,8}(过长|太长|超长|超出)"
)
"""Compiled when first needed, like every pattern here that most programs never use: it takes a while."""


def parse_body(content: bytes) -> Any:
    """A body as JSON, or as text where it is none."""
    text = content.decode("utf-8", errors="replace")
    try:
        return from_json(text)
    except ValueError:
        return text


def error_words(body: Any) -> tuple[str | None, str | int | None]:
    """The message and the code of an error body, in any of the shapes seen or documented.

    >>> error_words({"message": "服务端异常，请重试"})
    ('服务端异常，请重试', None)
    >>> error_words({"error": {"message": "no such model", "code": 404}})
    ('no such model', 404)
    """
    if isinstance(body, str):
        return plain_text(body) or None, None
    if isinstance(body, list) and body:
        return error_words(body[0])
    if not isinstance(body, Mapping):
        return None, None
    source = _source(body)
    message = next((words for key in _WORD_KEYS if (words := _words(source.get(key)))), None)
    if message is None:
        message = next((words for key in ("error", *_WORD_KEYS) if (words := _words(body.get(key)))), None)
    further = source.get("metadata")  # OpenRouter's, for whom every upstream's error is "Provider returned error"
    if isinstance(further, Mapping) and isinstance(further.get("raw"), str):
        words = error_words(parse_body(further["raw"].encode()))[0]
        message = ": ".join(filter(None, (message, words)))
    codes = (source.get("code"), source.get("status_code"), body.get("code"), body.get("Code"), source.get("type"))
    code = next((code for code in codes if code not in (None, "")), None)
    return message, code if isinstance(code, (str, int)) else None


_WORD_KEYS = (
    *("message", "msg", "detail", "details", "status_msg", "error_msg", "reason", "fail_reason"),
    *("error_description", "Message", "title"),
)


def _source(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object within an error body that describes the error: itself, or what it holds under a name."""
    for name in ("error", "detail", "base_resp"):
        inner = body.get(name)
        if isinstance(inner, Mapping):
            deeper = inner.get("error")
            return deeper if isinstance(deeper, Mapping) else inner
    return body


def _words(value: Any) -> str | None:
    """What a server says at some place of an error: a text, or FastAPI's list of what is wrong where."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words, value))) or None
    if not isinstance(value, Mapping):
        return None if value in (None, False) else str(value)
    for key in (*_WORD_KEYS, "text", "error"):
        if words := _words(value.get(key)):
            place = value.get("loc")
            where = ".".join(map(str, place)) if isinstance(place, (list, tuple)) else place
            return f"{where}: {words}" if where else words
    return json.dumps(value, ensure_ascii=False, default=str) if any(value.values()) else None


def _named(body: Any, name: str) -> str | None:
    """The server's own `type` or `param` of an error."""
    value = _source(body).get(name) if isinstance(body, Mapping) else None
    return value if isinstance(value, str) and value else None


def is_page(body: Any) -> bool:
    """Whether a body is a web page, which no server of an API sends."""
    return isinstance(body, str) and body.lstrip()[:1] == "<"


def plain_text(body: str) -> str:
    """The readable part of a body that is no JSON: a proxy's HTML page says its reason in its title and headings.

    >>> plain_text("<html><style>p {}</style><h1>502 Bad Gateway</h1>")
    '502 Bad Gateway'
    """
    text = body[:20_000].strip()
    if text.startswith("<"):
        text = re.sub(r"(?is)<(script|style)\b.*?(</\1>|$)|<[^>]*>?", " ", text)
    return re.sub(r"\s+", " ", text).strip()[:EXCERPT]


def status_error(
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    *,
    secrets: Secrets | None = None,
    hint: str | None = None,
) -> APIStatusError:
    """The error for an answer with an error status. Pure.

    `content`: the body, of whatever kind. `secrets`: to be blotted out. `hint`: our own words, added last.
    """
    return error_from_body(status, headers, parse_body(content), secrets=secrets, hint=hint)


def error_from_body(
    status: int, headers: Mapping[str, str], body: Any, *, secrets: Secrets | None = None, hint: str | None = None
) -> APIStatusError:
    """The error that a parsed body stands for; `status` 200 takes its class from a code within 400 to 599.

    It is judged by the server's words as they came, and shows them without `secrets`.
    """
    message, code = error_words(body)
    effective = status
    if status < 400 and code is not None and str(code).isdecimal() and 400 <= int(code) <= 599:
        effective = int(code)
    cls = _BY_STATUS.get(effective) or (ServerError if effective >= 500 else APIStatusError)
    words = message or ""
    if issubclass(cls, (BadRequestError, RequestTooLargeError)) and (
        str(code) in _OVERFLOW_CODES or re.search(_OVERFLOW_WORDS, words)
    ):
        cls = ContextOverflowError
    code = redact(code, secrets)
    if isinstance(body, str):  # whose words are an excerpt: no cut may leave half a key
        words = error_words(redact(body, secrets))[0] or ""
    shown = "" if code is None or str(code) == str(status) else f" ({code})"
    text = f"HTTP {status}{shown}: {redact(words, secrets) or 'the server gave no reason'}"
    if cls is ContextOverflowError:
        hint = hint or _OVERFLOW_HINT
    elif effective < 500 and effective != 407 and is_page(body):
        hint = hint or WEB_PAGE
    if hint := hint or _HINTS.get(effective):
        text += f" [{hint}]"
    return cls(
        text,
        status_code=status,
        code=code,
        type=redact(_named(body, "type"), secrets),
        param=redact(_named(body, "param"), secrets),
        body=redact(body, secrets),
        headers=headers,
        request_id=redact(request_id(headers, body), secrets),
    )


def request_id(headers: Mapping[str, str], body: Any = None) -> str | None:
    """The server's id for a request, from the usual headers or the body."""
    for name in ("x-request-id", "request-id", "x-trace-id"):
        if headers.get(name):
            return headers[name]
    if isinstance(body, Mapping):
        for source in (body, body.get("error")):
            value = source.get("request_id") if isinstance(source, Mapping) else None
            if isinstance(value, str):
                return value
    return None
