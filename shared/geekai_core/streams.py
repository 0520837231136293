"""An answer that arrives in pieces: what `Client.stream` and `AsyncClient.stream` give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Generic, TypeVar

from geekai_core import endpoints as ops
from geekai_core.errors import ConfigurationError
from geekai_core.response.accumulate import Delta
from geekai_core.transport.calls import Operation
from geekai_core.transport.open_stream import AsyncOpenStream, OpenStream, open_stream
from geekai_core.transport.pools import LoopPool, Pool
from geekai_core.wire import ChatCompletion

Opened = TypeVar("Opened", OpenStream, AsyncOpenStream)


class _Streaming(Generic[Opened]):
    """What both kinds of stream share."""

    _open: Opened | None = None

    @property
    def _opened(self) -> Opened:
        if self._open is None:
            raise ConfigurationError("a stream is opened by a with block: with client.stream(…) as stream")
        return self._open

    @property
    def answer(self) -> ChatCompletion:
        """The whole answer once the stream was read to its end; until then, what has arrived."""
        return ops.with_retry_count(self._opened.reader.answer(), self._opened.reply)


class Stream(_Streaming[OpenStream]):
    """A stream, opened by `with`: iterate it for its deltas, then take `answer`.

    Leaving the block, by whatever way, closes the connection at once. Iterating raises every error of a whole answer,
    and `StreamInterruptedError` for a stream that ended before its end. A second loop goes on where the first stopped.
    """

    def __init__(self, pool: Pool, operation: Operation[ChatCompletion]) -> None:
        self._pool = pool
        self._operation = operation

    def __enter__(self) -> Stream:
        http, config = self._pool.client(), self._pool.config
        self._open = OpenStream(http, ops.call(config, self._operation, http), config)
        return self

    def __exit__(self, *exc: object) -> None:
        self._opened.close()

    def __iter__(self) -> Iterator[Delta]:
        return self._opened.deltas


class AsyncStream(_Streaming[AsyncOpenStream]):
    """`Stream`, opened by `async with` and iterated by `async for`."""

    def __init__(self, pool: LoopPool, operation: Operation[ChatCompletion]) -> None:
        self._pool = pool
        self._operation = operation

    async def __aenter__(self) -> AsyncStream:
        http, config = await self._pool.client(), self._pool.config
        self._open = await open_stream(http, ops.call(config, self._operation, http), config)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._opened.close()

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self._opened.deltas
