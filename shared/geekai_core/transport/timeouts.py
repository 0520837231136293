"""How long a stream may be silent, and what its failures are called. Pure but for the clock it is given."""

from __future__ import annotations

import time
from collections.abc import Callable

from geekai_core.errors import APITimeoutError, RequestError, StreamInterruptedError
from geekai_core.response.stream_reader import StreamReader
from geekai_core.transport.calls import Call
from geekai_core.transport.faults import map_transport_error


class StreamTimeouts:
    """The limits of one open stream.

    From event to event, `stream_chunk_timeout`: keep-alive comments do not count as events. Until the first event the
    read limit in its place, for a model may think for minutes while comments come. Either is a limit from byte to
    byte, too. Time the caller spends between reads does not count.
    """

    __slots__ = ("_begun", "_byte", "_call", "_clock", "_deadline", "_event", "_started")

    def __init__(self, call: Call, deadline: Deadline, clock: Callable[[], float] = time.monotonic) -> None:
        self._call = call
        self._deadline = deadline
        self._clock = clock
        self._started = self._event = self._byte = clock()
        self._begun = False

    def heard(self, reader: StreamReader) -> None:
        """To be called after each read that was handed on; raises `APITimeoutError` when a limit has run out."""
        self._byte = self._clock()
        if reader.heard:
            self._event, self._begun = self._byte, True
            if self._call.total_timeout is None:
                return
        if self.left() <= 0:
            raise self._error()

    def left(self) -> float:
        """Seconds until a limit runs out, should nothing be heard; infinite where there is no limit."""
        return self._next()[0] - self._clock()

    def _next(self) -> tuple[float, str, float | None]:
        """The limit that runs out first: when, its name, its size."""
        call, begun = self._call, self._begun
        read, chunk = call.timeouts.get("read"), call.stream_chunk_timeout
        found: tuple[float, str, float | None] = (float("inf"), "read", None)
        if read is not None:
            found = ((self._byte if begun else self._event) + read, "read", read)
        if chunk is not None:
            found = min(found, ((self._event if begun else self._byte) + chunk, "stream_chunk_timeout", chunk))
        if call.total_timeout is not None:
            found = min(found, (self._deadline.at, "total_timeout", call.total_timeout))
        return found

    def _error(self) -> APITimeoutError:
        _, limit, seconds = self._next()
        return timeout_error(limit, seconds)

    def fault(self, exc: Exception, reader: StreamReader) -> RequestError:
        """The error for a read that failed: a limit that ran out, or a stream cut short."""
        if isinstance(exc, StreamInterruptedError):
            return exc
        call = self._call
        error = map_transport_error(exc, call.timeouts, call.url, begun=True, secrets=call.secrets)
        if isinstance(error, APITimeoutError):
            return self._error()
        return reader.interrupted(error.message, self._clock() - self._started)


class Deadline:
    """When `total_timeout` runs out, if there is one. `at` is a time of its clock."""

    __slots__ = ("_clock", "_seconds", "at")

    def __init__(self, seconds: float | None, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self.at = float("inf") if seconds is None else clock() + seconds

    def left(self) -> float:
        """Seconds; infinite without a deadline."""
        return self.at - self._clock()

    def shorten(self, limit: float | None) -> float | None:
        """`limit`, or what is left."""
        return limit if self._seconds is None else least(limit, max(self.left(), 0.001))

    def error(self) -> APITimeoutError:
        """The error for having passed it."""
        return timeout_error("total_timeout", self._seconds)


def least(limit: float | None, other: float | None) -> float | None:
    """The shorter of two limits; None is no limit."""
    return min((value for value in (limit, other) if value is not None), default=None)


def timeout_error(limit: str, seconds: float | None) -> APITimeoutError:
    """The error for one of our own limits, within a stream or over a whole call."""
    what = "the call was not done within" if limit == "total_timeout" else "the stream was silent for"
    name = limit if limit.endswith("timeout") else f"{limit} timeout"
    return APITimeoutError(f"{name}: {what} {seconds:g} s", limit=limit, seconds=seconds)
