"""One request, decided: send it, judge what came, wait, send it again. Generators that do no I/O.

Each yields `Send`, `Read` or `Sleep` and is sent what came of it, or thrown what went wrong; a client drives them in a
few lines, sync or async (httpx's `auth_flow` is the model). Every retry of this package is decided here.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from geekai_core.config import is_geekai, is_here
from geekai_core.errors import APIConnectionError, APIStatusError, APITimeoutError, RequestError
from geekai_core.harmless import shown_address
from geekai_core.redaction import clear_traces, redact
from geekai_core.request.hints import nearest
from geekai_core.response.answers import Context
from geekai_core.response.error_bodies import request_id, status_error
from geekai_core.transport.calls import Action, Call, Head, Read, Send, Sleep
from geekai_core.transport.faults import map_transport_error
from geekai_core.transport.timeouts import Deadline, least, timeout_error
from geekai_core.transport.watch import Watch, closed_error

logger = logging.getLogger("geekai_core")

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 529})
BACKOFF_FIRST = 0.5
BACKOFF_MOST = 8.0
RETRY_AFTER_MOST = 60.0


@dataclass(frozen=True)
class Reply:
    """What a call came to: a good answer's context, and its body, or the first bytes of its stream."""

    context: Context
    content: bytes = field(repr=False)
    retry_count: int
    deadline: Deadline


Exchange = Generator[Action, Any, Reply]


def exchange(call: Call, *, stream: bool = False, clock: Callable[[], float] = time.monotonic) -> Exchange:
    """Send `call` until it is answered or given up.

    Returns the whole body, or the first bytes of a stream. What fails after the first byte of an answer, be it of its
    head, is not sent again: it may have been billed. Raises the errors of the tree.
    """
    deadline = Deadline(call.total_timeout, clock)
    attempt = 0
    while True:
        started = clock()
        watch = Watch(deadline.at)
        try:
            context, content = yield from _attempt(call, stream, deadline, watch)
        except RequestError as error:
            error.retry_count = attempt
            clear_traces(error)
            _log(call, attempt, clock() - started, error=error)
            if watch.reused and _died_before_its_answer(error):
                continue  # each time it costs one idle connection of the pool, until a fresh one is made
            wait = _wait(error, attempt, call)
            if wait is None or deadline.left() <= wait:
                raise
            attempt += 1
        else:
            _log(call, attempt, clock() - started, context=context)
            return Reply(context, content, attempt, deadline)
        yield Sleep(wait)


def _attempt(
    call: Call, stream: bool, deadline: Deadline, watch: Watch
) -> Generator[Action, Any, tuple[Context, bytes]]:
    timeouts = {name: deadline.shorten(limit) for name, limit in call.timeouts.items()}
    send = Send(timeouts, least(timeouts["read"], call.stream_chunk_timeout) if stream else timeouts["read"], watch)
    try:
        answered: Head = yield send
    except Exception as exc:
        raise _fault(exc, call, send, deadline, begun=watch.begun if watch.seen else None) from exc
    headers = redact(answered.headers, call.secrets)
    context = Context(
        answered.status,
        headers,
        call.secrets,
        call.max_response_bytes,
        url=call.url,
        model=call.model,
        several=call.several,
    )
    if not 200 <= answered.status < 300:
        with contextlib.suppress(RequestError):  # the status says enough
            content = b""
            content = yield from _body(call, context, send, deadline, stream=False)
        raise status_error(answered.status, headers, content, secrets=call.secrets, hint=_hint(context, call))
    content = yield from _body(call, context, send, deadline, stream)
    if stream and not content:
        raise context.unreadable("an empty answer", b"")
    return context, content


def _body(call: Call, context: Context, send: Send, deadline: Deadline, stream: bool) -> Generator[Action, Any, bytes]:
    """The whole body, or the first bytes of a stream."""
    parts: list[bytes] = []
    size = 0
    while not (stream and parts):
        try:
            data: bytes | None = yield Read(send.body_read)
        except Exception as exc:
            error = _fault(exc, call, send, deadline, begun=True)
            if isinstance(error, APITimeoutError) and send.body_read != send.timeouts["read"]:
                error = timeout_error("stream_chunk_timeout", send.body_read)
            raise _timed(error, deadline) from exc
        if data is None:
            break
        if data:
            parts.append(data)
            size += len(data)
        if size > call.max_response_bytes:
            raise context.too_large()
        if deadline.left() <= 0:
            raise deadline.error()
    return b"".join(parts)


_OF_ACCOUNT = {
    401: "check system_key or GEEKAI_SYSTEM_KEY: bills and balances take a system key, which is not the API key",
    404: "no bill of this id: it is ready one to three seconds after its answer",
}


def _hint(context: Context, call: Call) -> str | None:
    """A hint at why it was refused, from the request itself."""
    target = context.headers.get("location")
    if 300 <= context.status < 400 and target:
        return f"a redirect to {target}, not followed so that the key stays here: check the base URL"
    if call.of_account:
        return _OF_ACCOUNT.get(context.status)
    ours, path = is_geekai(call.url), urlsplit(call.url).path
    if context.status == 404 and "/api/v1/" not in path and (ours or (is_here(call.url) and "/v1/" not in path)):
        return "the base URL lacks /api/v1 at its end"
    if context.status == 401 and not ours:
        return "check api_key or GEEKAI_API_KEY: the key must be one of this host"
    if context.status not in (400, 404) or call.model is None:
        return None
    if call.known_models and call.model not in call.known_models:
        return f"/models does not list {call.model!r}{nearest(call.model, call.known_models)}"
    return "the ids of all models: Client().models(), or 'geekai models'" if context.status == 404 else None


def _fault(exc: Exception, call: Call, send: Send, deadline: Deadline, begun: bool | None) -> RequestError:
    """The error for what the transport raised. `begun`: whether a byte of the answer had come, None where unknown."""
    if send.watch.closed:
        return closed_error()
    return _timed(map_transport_error(exc, send.timeouts, call.url, begun=begun, secrets=call.secrets), deadline)


def _died_before_its_answer(error: RequestError) -> bool:
    return error.retryable and isinstance(error, APIConnectionError)


def _timed(error: RequestError, deadline: Deadline) -> RequestError:
    """The error, or the deadline's when that is what cut a limit short."""
    return deadline.error() if isinstance(error, APITimeoutError) and deadline.left() <= 0.002 else error


def _wait(error: RequestError, attempt: int, call: Call) -> float | None:
    """Seconds until the next attempt, or None: give up."""
    status, headers = (error.status_code, error.headers) if isinstance(error, APIStatusError) else (None, {})
    if attempt >= call.max_retries or not (error.retryable if status is None else status in RETRIED_STATUSES):
        return None
    if call.is_refusal is not None and call.is_refusal(error):
        return None
    # The second is how LiteLLM's proxy relays that of the server behind it.
    after = retry_after(headers.get("retry-after") or headers.get("llm_provider-retry-after"), time.time())
    return backoff(attempt) if after is None else after


def backoff(attempt: int, draw: Callable[[], float] = random.random) -> float:
    """Seconds before retry number `attempt`: from half a step to the whole; the steps double from 0.5 s up to 8 s.

    >>> backoff(2, draw=lambda: 0.0), backoff(2, draw=lambda: 0.5)
    (1.0, 1.5)
    """
    return float((0.5 + draw() / 2) * min(BACKOFF_MOST, BACKOFF_FIRST * 2**attempt))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a `Retry-After` header asks for: a number or a date, at most sixty; None where it says nothing.

    >>> retry_after("7", now=0), retry_after("86400", now=0), retry_after("-1", now=0), retry_after("soon", now=0)
    (7.0, 60.0, None, None)
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = max(seconds, 0.0)
    return min(seconds, RETRY_AFTER_MOST) if seconds >= 0 else None


def _log(
    call: Call, attempt: int, seconds: float, *, context: Context | None = None, error: RequestError | None = None
) -> None:
    if not logger.isEnabledFor(logging.DEBUG):
        return
    if context is not None:
        outcome, rid = str(context.status), request_id(context.headers)
    else:
        outcome = f"{type(error).__name__} {getattr(error, 'status_code', '')}".strip()
        rid = error.request_id if error else None
    logger.debug(
        "%s %s: %s in %.0f ms, attempt %d, request id %s",
        call.method, shown_address(call.url), outcome, seconds * 1000, attempt + 1, rid,
    )  # fmt: skip
