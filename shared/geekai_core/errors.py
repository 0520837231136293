"""The error tree. Everything that geekai_core raises is a `GeekAIError`.

    GeekAIError
    ├── ConfigurationError          no key, a bad base URL, an unknown field: raised before any request
    ├── APIConnectionError          the server could not be reached, or went away
    ├── APITimeoutError             one of the limits ran out; the message says which
    ├── APIStatusError              the server answered with an error: status_code, code, body, headers, request_id
    │   ├── BadRequestError         400, 422
    │   │   └── ContextOverflowError    the prompt is longer than the model's context
    │   ├── AuthenticationError     401
    │   ├── InsufficientBalanceError 402
    │   ├── PermissionDeniedError   403
    │   ├── NotFoundError           404
    │   ├── RequestTooLargeError    413
    │   ├── RateLimitError          429
    │   └── ServerError             5xx
    ├── InvalidResponseError        an answer that cannot be read; carries an excerpt
    ├── StreamInterruptedError      a stream that ended before its end; carries what had arrived
    ├── TaskFailedError             a background task that failed or expired
    └── PartialBatchError           some inputs of a batch failed; carries the results of the others

Messages keep the server's own words, whatever their language. Errors never hold the request, hence never the key,
and a key that the server echoes is replaced by `***`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

EXCERPT = 500
"""Characters of an unreadable answer that an error shows."""


class GeekAIError(Exception):
    """The base of every error raised here. `str()` is the message; it pickles without its cause."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.__dict__.update(details)


class ConfigurationError(GeekAIError):
    """The client cannot work as it was set up. Raised by a constructor or before a request; nothing was sent."""


class RequestError(GeekAIError):
    """What the errors of one request share.

    `request_id`: the server's id for it, where it sent one. `retry_count`: how often it was sent again before this.
    `partial`: the `ChatCompletion` of what a stream had brought before it failed, or None. `passing`: a fault on the
    way, before anything was answered, that may be gone the next time.
    """

    request_id: str | None = None
    retry_count: int = 0
    partial: Any = None
    passing: bool = False


class APIConnectionError(RequestError):
    """The server could not be reached, refused, or went away. `__cause__` is the transport's own error."""


class APITimeoutError(RequestError):
    """A limit ran out. `limit` names it (`connect`, `read`, `write`, `pool`, `stream_chunk_timeout`,
    `total_timeout`), `seconds` is its size. A request whose read limit ran out may have been billed."""

    limit: str = ""
    seconds: float | None = None


class APIStatusError(RequestError):
    """The server answered with an error.

    `status_code`: the HTTP status, which is 200 where an error came in a good answer's place. `code`: the server's
    own code. `body`: the parsed body, or its text. `headers`: of the response, lower case.
    """

    status_code: int
    code: str | int | None = None
    body: Any = None
    headers: Mapping[str, str] = {}


class BadRequestError(APIStatusError):
    """400 or 422: a parameter is wrong. The message is the server's."""


class ContextOverflowError(BadRequestError):
    """The prompt and the answer asked for do not fit into the model's context."""


class AuthenticationError(APIStatusError):
    """401: the key is wrong, or belongs to the other host (geekai.co and geekai.dev have keys of their own)."""


class InsufficientBalanceError(APIStatusError):
    """402: the account's balance is used up."""


class PermissionDeniedError(APIStatusError):
    """403: the key may not use this model or feature."""


class NotFoundError(APIStatusError):
    """404: no such model, task or path."""


class RequestTooLargeError(APIStatusError):
    """413: the request body is too large."""


class RateLimitError(APIStatusError):
    """429: too many requests or tokens per minute for this model."""


class ServerError(APIStatusError):
    """5xx: the server, or the vendor behind it, failed."""


class InvalidResponseError(RequestError):
    """An answer that cannot be read. `excerpt` is its beginning, `status_code` and `headers` came with it."""

    excerpt: str = ""
    status_code: int | None = None
    headers: Mapping[str, str] = {}


class StreamInterruptedError(RequestError):
    """A stream that ended before its end: neither `[DONE]` nor a finish reason came. `partial` is what had arrived."""


class TaskFailedError(RequestError):
    """A background task that failed, was cancelled, or whose result is no longer kept.

    `task_id`, `status` (the server's word), `code`, and `body`, the task object as it came.
    """

    task_id: str | None = None
    status: str | None = None
    code: str | int | None = None
    body: Any = None


class PartialBatchError(RequestError):
    """Some inputs of a batch failed. `failed` maps an input's index to its error; `results` holds the others by
    index, so that no finished (and billed) work is lost. `__cause__` is the first failure."""

    failed: dict[int, GeekAIError]
    results: dict[int, Any]


OF_ITS_INPUT = (BadRequestError, RequestTooLargeError, InvalidResponseError, ConfigurationError)
"""What may go wrong with one part of a batch and not with the others."""

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


_LONG_KEY = 10
"""From so many characters on, a key is no word that a message may hold by chance."""
_ALONE = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))%s(?![A-Za-z0-9])"
"""A short key by itself, be it behind an escape of JSON; within a longer word it is none."""


def redact(value: Any, secret: str | None) -> Any:
    """`value`, a text or parsed JSON, with every occurrence of `secret` replaced by `***`.

    >>> redact({"message": "bad key: sk-1"}, "sk-1"), redact("Too many tokens", "any")
    ({'message': 'bad key: ***'}, 'Too many tokens')
    """
    if not secret:
        return value
    if isinstance(value, str):
        if len(secret) >= _LONG_KEY:
            return value.replace(secret, "***")
        return re.sub(_ALONE % re.escape(secret), "***", value) if secret in value else value
    if isinstance(value, list):
        return [redact(item, secret) for item in value]
    if isinstance(value, dict):
        return {redact(name, secret): redact(item, secret) for name, item in value.items()}
    return value


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
    if not isinstance(body, Mapping):
        return None, None
    inner = body.get("error")
    source = inner if isinstance(inner, Mapping) else body
    message = next((source[k] for k in ("message", "msg", "detail", "details") if source.get(k)), None)
    if message is None and inner and not isinstance(inner, Mapping):
        message = inner
    code = next((c for c in (source.get("code"), body.get("code"), source.get("type")) if c not in (None, "")), None)
    if message is not None and not isinstance(message, str):
        message = str(message)
    return message, code if isinstance(code, (str, int)) else None


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
    secret: str | None = None,
    hint: str | None = None,
) -> APIStatusError:
    """The error for an answer with an error status. Pure.

    `content`: the body, of whatever kind. `secret`: the key, to be blotted out. `hint`: our own words, added last.
    """
    return error_from_body(status, headers, parse_body(content), secret=secret, hint=hint)


def error_from_body(
    status: int, headers: Mapping[str, str], body: Any, *, secret: str | None = None, hint: str | None = None
) -> APIStatusError:
    """The error that a parsed body stands for; `status` 200 takes its class from a code within 400 to 599.

    It is judged by the server's words as they came, and shows them without `secret`, the key.
    """
    message, code = error_words(body)
    effective = status
    if status < 400 and code is not None and str(code).isdecimal() and 400 <= int(code) <= 599:
        effective = int(code)
    cls = _BY_STATUS.get(effective) or (ServerError if effective >= 500 else APIStatusError)
    words = message or "the server gave no reason"
    if issubclass(cls, (BadRequestError, RequestTooLargeError)) and (
        str(code) in _OVERFLOW_CODES or re.search(_OVERFLOW_WORDS, words)
    ):
        cls = ContextOverflowError
    code = redact(code, secret)
    text = f"HTTP {status}{f' ({code})' if code not in (None, status) else ''}: {redact(words, secret)}"
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
        body=redact(body, secret),
        headers=headers,
        request_id=redact(request_id(headers, body), secret),
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


def partial_batch(failed: dict[int, GeekAIError], results: dict[int, Any], inputs: int) -> PartialBatchError:
    """The error that names which of so many inputs of a batch failed and keeps what was finished."""
    first = failed[min(failed)]
    names = ", ".join(str(i) for i in sorted(failed)[:10]) + (", …" if len(failed) > 10 else "")
    error = PartialBatchError(
        f"{len(failed)} of {inputs} inputs failed (index {names}); the first: {first}",
        failed=failed,
        results=results,
    )
    error.__cause__ = first
    return error
