"""httpcore's connections, made to report to the `Watch` of a request and to keep its limits. Sync and async.

httpcore starts its limit anew with each read of the socket, so that a head which drips never ends; and it does not
say whether a byte of the answer came before a failure, nor whether the connection was a reused one.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from geekai_core.transport.watch import BEGUN_WAIT, NEVER, NO_WAIT, Limit, Watch

PIECE = 2**16
"""Bytes that are written under one limit."""


def watch_connections(http: object) -> None:
    """Watch the connections that an httpx client makes from now on, where they are HTTP/1.1's and httpcore's."""
    for transport in (getattr(http, "_transport", None), *getattr(http, "_mounts", {}).values()):
        watch_pool(getattr(transport, "_pool", None))


def watch_pool(pool: Any) -> None:
    """Watch the connections that a pool makes from now on, if it is one of httpcore's.

    A connection of HTTP/2 serves many requests at once: none of them may limit its reads.
    """
    backend = getattr(pool, "_network_backend", None)
    if backend is not None and not pool._http2 and not isinstance(backend, _Backend):
        pool._network_backend = (AsyncBackend if hasattr(pool, "aclose") else Backend)(backend)


def holds_more(response: Any) -> bool:
    """Whether bytes came behind the answer of this response: httpcore would read them as the next one's."""
    body = response.stream
    while body is not None:
        if state := getattr(body, "_h11_state", None):
            return bool(state.trailing_data[0])
        inner = ("_stream", "_body", "_httpcore_stream", "_connection")
        body = next((getattr(body, name) for name in inner if hasattr(body, name)), None)
    return False


class _Delegate:
    """Hands on to what it wraps whatever it does not do itself."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Backend(_Delegate):
    """Either kind of backend."""


def _watch(limit: float | None) -> Watch | None:
    return limit.watch if isinstance(limit, Limit) else None


def _wait(limit: float | None) -> float | None:
    """Seconds for a new wait within a limit."""
    if not isinstance(limit, Limit):
        return limit
    limit.watch.next_wait()
    return limit.watch.left(limit)


def _pieces(
    buffer: bytes, limit: float | None, interrupt: Callable[[], None] | None
) -> Iterator[tuple[bytes, float | None]]:
    """What to write of a request, each piece with its seconds; `interrupt` wakes the thread that waits after it."""
    if watch := _watch(limit):
        watch.taken(interrupt)
    for start in range(0, len(buffer), PIECE):
        yield buffer[start : start + PIECE], _wait(limit)
    if watch:
        watch.next_wait()


@contextmanager
def _connecting(limit: float | None, *, tls: bool = False) -> Iterator[float | None]:
    """Within such a block, which gets its seconds, a connection is made, or put under TLS."""
    yield _wait(limit)
    if watch := _watch(limit):
        watch.connected()
        if tls:  # what came until now was a proxy's
            watch.begun = False


class Backend(_Backend):
    """A network backend of httpcore's whose streams are watched."""

    def connect_tcp(self, *args: object, timeout: float | None = None, **options: object) -> Stream:
        """A watched TCP connection."""
        with _connecting(timeout) as limit:
            return Stream(self._inner.connect_tcp(*args, timeout=limit, **options))

    def connect_unix_socket(self, *args: object, timeout: float | None = None, **options: object) -> Stream:
        """A watched connection to a Unix socket."""
        with _connecting(timeout) as limit:
            return Stream(self._inner.connect_unix_socket(*args, timeout=limit, **options))


class Stream(_Delegate):
    """A connection of httpcore's that reports to the `Watch` of whoever reads or writes."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes."""
        if timeout.__class__ is not Limit:
            return self._inner.read(max_bytes, timeout)  # type: ignore[no-any-return]
        watch: Watch = timeout.watch
        if watch.begun and watch.until == NO_WAIT and watch.end == NEVER:
            # Nearly every read of a stream: the clock is looked at from the second one on that brings nothing.
            watch.until = BEGUN_WAIT
            return self._inner.read(max_bytes, timeout)  # type: ignore[no-any-return]
        data: bytes = self._inner.read(max_bytes, watch.left(timeout))
        watch.begun |= bool(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write it all."""
        for piece, limit in _pieces(buffer, timeout, self._shut_down):
            self._inner.write(piece, limit)

    def start_tls(
        self, ssl_context: object, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """The same connection under TLS."""
        with _connecting(timeout, tls=True) as limit:
            return Stream(self._inner.start_tls(ssl_context, server_hostname, limit))

    def _shut_down(self) -> None:
        """Wake the thread that reads: closing a socket does not."""
        # Not SSLSocket's own, which would first throw the TLS state away that the other thread is using.
        socket.socket.shutdown(self._inner.get_extra_info("socket"), socket.SHUT_RDWR)


class AsyncBackend(_Backend):
    """`Backend`, awaiting."""

    async def connect_tcp(self, *args: object, timeout: float | None = None, **options: object) -> AsyncStream:
        """A watched TCP connection."""
        with _connecting(timeout) as limit:
            return AsyncStream(await self._inner.connect_tcp(*args, timeout=limit, **options))

    async def connect_unix_socket(self, *args: object, timeout: float | None = None, **options: object) -> AsyncStream:
        """A watched connection to a Unix socket."""
        with _connecting(timeout) as limit:
            return AsyncStream(await self._inner.connect_unix_socket(*args, timeout=limit, **options))


class AsyncStream(_Delegate):
    """`Stream`, awaiting. A task that waits is woken by its own cancellation."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes."""
        watch = _watch(timeout)
        if watch is None:
            return await self._inner.read(max_bytes, timeout)  # type: ignore[no-any-return]
        data: bytes = await self._inner.read(max_bytes, watch.left(timeout))  # type: ignore[arg-type]
        watch.begun |= bool(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write it all."""
        for piece, limit in _pieces(buffer, timeout, None):
            await self._inner.write(piece, limit)

    async def start_tls(
        self, ssl_context: object, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncStream:
        """The same connection under TLS."""
        with _connecting(timeout, tls=True) as limit:
            return AsyncStream(await self._inner.start_tls(ssl_context, server_hostname, limit))
