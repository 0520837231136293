"""Limits on waiting that the async transports do not have themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

LARGE = 2**16
"""Bytes of a request that fit into the buffers on the way, so that writing them cannot block."""


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """A large body, as aiohttp asks for it: at once it would block the event loop."""
    for start in range(0, len(body), LARGE):
        yield body[start : start + LARGE]


class Watchdog:
    """Cancels a wait that lasts too long, or that is given up: one timer for all the reads of a stream.

    The transports' own limits will not do: aiohttp's is fixed when the request is sent, and none knows a comment from
    an event, nor bytes that bring an answer on from others.
    """

    def __init__(self) -> None:
        self._end = float("inf")
        self._left: Callable[[], float] = self._until_end
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[Any] | None = None
        self._fired = False
        self._error: Exception | None = None

    def limit(self, left: Callable[[], float] | float) -> None:
        """Limit the waits to come: by seconds from now, or by what `left` says each time it is asked."""
        if callable(left):
            self._left = left
        else:
            self._end = time.monotonic() + left
            self._left = self._until_end
        self.stop()

    async def wait(self, waited_for: Awaitable[object]) -> Any:
        """Await; raises TimeoutError when it lasted too long, and the error of `abort`."""
        if self._error is not None:
            waited_for.close()  # type: ignore[attr-defined]  # a coroutine, or what anext() gives
            raise self._error
        task: Any = asyncio.current_task(self._loop)
        self._waiting = task
        if self._timer is None:
            self._set()
        try:
            return await waited_for
        except asyncio.CancelledError:
            if (self._fired or self._error) and task.uncancel() == 0:  # else others have cancelled it, too
                self._fired = False
                raise self._error or TimeoutError from None
            raise
        finally:
            self._waiting = None

    def abort(self, error: Exception) -> None:
        """End the present wait, and every later one, with this error."""
        self._error = error
        if self._waiting is not None:
            self._waiting.cancel()

    def _until_end(self) -> float:
        return self._end - time.monotonic()

    def _set(self) -> None:
        left = self._left()
        if left != float("inf"):
            self._timer = self._loop.call_later(max(left, 0.001), self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None:
            return  # the next wait sets it: without one it would come again and again
        if self._left() > 0:
            self._set()
        else:
            self._fired = True
            self._waiting.cancel()

    def stop(self) -> None:
        """No more looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class WriteTimeout(Exception):  # noqa: N818 - httpx's name, by which it is judged
    """No httpx exception: an injected client may be of httpx2."""
