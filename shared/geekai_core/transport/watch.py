"""What an attempt has seen of its connection, and how long each of its waits may last. No I/O."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from geekai_core.errors import APIConnectionError
from geekai_core.locks import lock_across_forks

NO_LIMIT = 1e6
"""Seconds that stand for "no limit": a round number that every system's sockets take."""


_interrupting = lock_across_forks()
"""Held while a connection is shut down, so that it is not given back, and taken by another call, meanwhile."""


NEVER = float("inf")
NO_WAIT, BEGUN_WAIT = -1.0, 0.0
"""What `until` is before a wait, and in one whose beginning was not worth a look at the clock."""


class Watch:
    """One attempt at a call: its connection reports here, and learns here how long it may wait.

    `begun`: a byte of the answer came. `reused`: the connection has served another request before. `seen`: there is a
    connection that reports, so that these two mean something. `closed`: the client was closed meanwhile.
    """

    __slots__ = ("_fresh", "_interrupt", "begun", "closed", "end", "reused", "seen", "until")

    def __init__(self, end: float = NEVER) -> None:
        self.end = end  # when `total_timeout` runs out
        self.until = NO_WAIT
        self._interrupt: Callable[[], None] | None = None
        self._fresh = self.begun = self.reused = self.seen = self.closed = False

    def next_wait(self) -> None:
        """What is waited for from now on is something new: the next `left` starts a limit of its own."""
        self.until = NO_WAIT

    def left(self, limit: float) -> float:
        """Seconds that a wait may still take; `limit` counts from the first call after `next_wait`.

        Raises TimeoutError where nothing is left, and `APIConnectionError` once the client was closed.
        """
        if self.closed:
            raise closed_error()
        now = time.monotonic()
        if self.until <= BEGUN_WAIT:
            self.until = now + limit
        left = min(self.until, self.end) - now
        if left <= 0:
            raise TimeoutError
        return left

    def bound(self, limit: float | None) -> float:
        """Seconds for the next wait: `limit`, or what is left of the call's time."""
        return min(float("inf") if limit is None else limit, self.end - time.monotonic())

    def connected(self) -> None:
        """A connection was made for this attempt."""
        self._fresh = True

    def taken(self, interrupt: Callable[[], None] | None) -> None:
        """The request goes out on a connection. `interrupt` wakes the thread that waits for the answer."""
        self._interrupt = interrupt
        self.seen = True
        self.reused = not self._fresh

    def released(self) -> None:
        """The connection is not this attempt's any more."""
        with _interrupting:
            self._interrupt = None

    def close(self) -> None:
        """End the present wait, and refuse any other."""
        self.closed = True
        with _interrupting, contextlib.suppress(OSError):  # the connection may be gone by itself
            if self._interrupt is not None:
                self._interrupt()


class Limit(float):
    """Seconds, and the `Watch` that they belong to: transports hand a request's limits on to its connection as is."""

    watch: Watch

    def __new__(cls, seconds: float | None, watch: Watch) -> Limit:
        """A limit; None is no limit."""
        limit = super().__new__(cls, NO_LIMIT if seconds is None else seconds)
        limit.watch = watch
        return limit


def closed_error() -> APIConnectionError:
    """The error of a call whose client, or whose stream, was closed meanwhile."""
    return APIConnectionError("closed on this side before the call was done")
