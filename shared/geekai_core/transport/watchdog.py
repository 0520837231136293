"""Limits on waiting that the async transports do not have themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

LARGE = 2**16
"""Bytes of a request that fit into the buffers on the way, so that writing them cannot block."""


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """A large body, as aiohttp asks for it: at once it would block the event loop."""
    for start in range(0, len(body), LARGE):
        yield body[start : start + LARGE]


class Watchdog:
    """Cancels a wait that lasts too long: one timer for all the reads of a stream, nothing per token.

    The transports' own limits will not do: aiohttp's is fixed when the request is sent, and none knows a comment from
    an event. Nor will `asyncio.wait_for`, which before Python 3.12 loses a cancellation that comes with the result.
    `left`: seconds that the wait may still last.
    """

    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[Any] | None = None
        self._fired = False

    async def wait(self, waited_for: Awaitable[Any]) -> Any:
        """Await; raises TimeoutError when it lasted too long."""
        task: Any = asyncio.current_task(self._loop)
        self._waiting = task
        if self._timer is None:
            self._set()
        try:
            return await waited_for
        except asyncio.CancelledError:
            # A task that others have cancelled, too, stays cancelled.
            if self._fired and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None

    def _set(self) -> None:
        left = self._left()
        if left != float("inf"):
            self._timer = self._loop.call_later(max(left, 0.001), self._look)

    def _look(self) -> None:
        if self._waiting is not None and self._left() <= 0:
            self._fired = True
            self._waiting.cancel()
        else:
            self._set()

    def stop(self) -> None:
        """No more looking."""
        if self._timer is not None:
            self._timer.cancel()


async def _limited(waited_for: Awaitable[Any], seconds: float | None) -> Any:
    """Await for so long; raises TimeoutError."""
    end = time.monotonic() + (float("inf") if seconds is None else seconds)
    watchdog = Watchdog(lambda: end - time.monotonic())
    try:
        return await watchdog.wait(waited_for)
    finally:
        watchdog.stop()


async def _written(
    sending: Coroutine[Any, Any, httpx.Response], timeouts: Mapping[str, float | None]
) -> httpx.Response:
    """Limit the sending of a large body: aiohttp has no limit on writing, and starts the one on reading after it."""
    limits = [timeouts[name] for name in ("connect", "write", "read")]
    try:
        seconds = None if None in limits else sum(limit or 0.0 for limit in limits)
        response: httpx.Response = await _limited(sending, seconds)
        return response
    except TimeoutError as exc:
        raise WriteTimeout from exc


class WriteTimeout(Exception):  # noqa: N818 - httpx's name, by which it is judged
    """No httpx exception: an injected client may be of httpx2."""
