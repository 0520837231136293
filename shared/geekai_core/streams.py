"""An answer that arrives in pieces: what `Client.stream` and `AsyncClient.stream` give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from geekai_core import endpoints as ops
from geekai_core.conversation import Outcome
from geekai_core.counting import Blocks, count, running
from geekai_core.errors import ConfigurationError, GeekAIError, InvalidResponseError
from geekai_core.response.deltas import Delta
from geekai_core.transport.driver import AsyncChannel, Channel, Walk
from geekai_core.transport.open_stream import AsyncOpenStream, OpenStream
from geekai_core.transport.pools import LoopPool, Pool
from geekai_core.wire import ChatCompletion

Opened = TypeVar("Opened", OpenStream, AsyncOpenStream)


class _Streaming(Generic[Opened]):
    """What both kinds of stream share."""

    _open: Opened | None = None
    _counted: Opened | None = None

    def __init__(self, pool: Pool | LoopPool, steps: ops.Steps[Outcome | None], blocks: Blocks | None = None) -> None:
        self._pool = pool
        self._walk = Walk(steps, GeekAIError)
        self._requests = iter(self._walk)
        self._blocks = running.get() if blocks is None else blocks

    def _count(self) -> None:
        """Add the answer to the `collect()` blocks that run where the stream was asked for, once and if it ended."""
        opened = self._open
        if self._blocks and opened is not None and opened is not self._counted and opened.reading.reader.complete:
            self._counted = opened
            with suppress(InvalidResponseError):
                if (answer := self.answer).choices:
                    count(answer, blocks=self._blocks)

    @property
    def _opened(self) -> Opened:
        if self._open is None:
            raise ConfigurationError("a stream is opened by a with block: with client.stream(…) as stream")
        return self._open

    @property
    def answer(self) -> ChatCompletion:
        """The whole answer once the stream was read to its end; until then, what has arrived."""
        reading = self._opened.reading
        return ops.with_retry_count(reading.reader.answer(), reading.retry_count)


class Stream(_Streaming[OpenStream]):
    """A stream, opened by `with`: iterate it for its deltas, then take `answer`.

    Leaving the block, by whatever way, closes the connection at once. Iterating raises every error of a whole answer,
    and `StreamInterruptedError` for a stream that ended before its end. A second loop goes on where the first stopped.
    """

    _pool: Pool

    def __enter__(self) -> Stream:
        self._advance()
        return self

    def _advance(self) -> Outcome | None:
        """Open the stream of the next request, or of one that follows its error; how it ended, where none follows."""
        http, config = self._pool.client(), self._pool.config
        for operation in self._requests:
            with self._walk:
                call, reading = ops.call(config, operation, http), ops.stream_reading(config, operation)
                opened = OpenStream(Channel(http, call, self._pool.channels), call, reading)
                next(opened.deltas)
                self._open = opened
                return None
        return self._walk.result

    def outcome(self) -> Outcome | None:
        """How the conversation ended, after the stream was read; None: a further answer was asked for, and is read by
        another loop."""
        self._walk.outcome = self.answer
        self.close()
        return self._advance()

    def read(self) -> None:
        """Read the stream to its end; `answer` is then the whole."""
        for _ in self:
            pass

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection at once, from whatever thread; reading on raises `StreamInterruptedError`."""
        self._count()
        self._opened.close()

    def __iter__(self) -> Iterator[Delta]:
        return self._opened.deltas


class AsyncStream(_Streaming[AsyncOpenStream]):
    """`Stream`, opened by `async with` and iterated by `async for`."""

    _pool: LoopPool

    async def __aenter__(self) -> AsyncStream:
        await self._advance()
        return self

    async def _advance(self) -> Outcome | None:
        http, config = await self._pool.client(), self._pool.config
        for operation in self._requests:
            with self._walk:
                call, reading = ops.call(config, operation, http), ops.stream_reading(config, operation)
                opened = AsyncOpenStream(AsyncChannel(http, call, self._pool.channels), call, reading)
                await anext(opened.deltas)
                self._open = opened
                return None
        return self._walk.result

    async def outcome(self) -> Outcome | None:
        """`Stream.outcome`, awaiting."""
        self._walk.outcome = self.answer
        await self.aclose()
        return await self._advance()

    async def read(self) -> None:
        """`Stream.read`, awaiting."""
        async for _ in self:
            pass

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection at once, from whatever task; reading on raises `StreamInterruptedError`."""
        self._count()
        await self._opened.close()

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self._opened.deltas
