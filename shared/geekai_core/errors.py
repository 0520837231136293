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
and a secret that the server echoes is replaced by `***`. No message holds a control character.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geekai_core.harmless import harmless

EXCERPT = 500
"""Characters of an unreadable answer that an error shows."""


class GeekAIError(Exception):
    """The base of every error raised here. `str()` is the message; it pickles without its cause."""

    def __init__(self, message: str, **details: object) -> None:
        message = harmless(message)  # it will be printed, and a server's words may be in it
        super().__init__(message)
        self.message = message
        self.__dict__.update(details)


class ConfigurationError(GeekAIError):
    """The client cannot work as it was set up. Raised by a constructor or before a request; nothing was sent."""


class RequestError(GeekAIError):
    """What the errors of one request share.

    `request_id`: the server's id for it, where it sent one. `retry_count`: how often it was sent again before this.
    `partial`: the `ChatCompletion` of what a stream had brought before it failed, or None. `retryable`: a fault on the
    way, before anything was answered, that may be gone the next time.
    """

    request_id: str | None = None
    retry_count: int = 0
    partial: Any = None
    retryable: bool = False


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
    own code; `type` and `param`: its word for the error, and the field at fault. `body`: the parsed body, or its text.
    `headers`: of the response, lower case.
    """

    status_code: int
    code: str | int | None = None
    type: str | None = None
    param: str | None = None
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


class InvalidResponseError(RequestError, ValueError):
    """An answer that cannot be read; a `ValueError` too, since frameworks pass over what raises one.

    `excerpt` is its beginning, `status_code` and `headers` came with it.
    """

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


INPUT_ERRORS = (BadRequestError, RequestTooLargeError, InvalidResponseError, ConfigurationError)
"""What may go wrong with one part of a batch and not with the others."""


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
