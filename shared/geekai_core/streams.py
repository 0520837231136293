"""An answer that arrives in pieces: what `Client.stream` and `AsyncClient.stream` give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from geekai_core import endpoints as ops
from geekai_core.conversation import Outcome
from geekai_core.counting import Blocks, count, running
from geekai_core.errors import ConfigurationError, GeekAIError, InvalidResponseError
from geekai_core.response.deltas import Delta
from geekai_core.transport.calls import Operation, Sleep
from geekai_core.transport.driver import AsyncChannel, Channel
from geekai_core.transport.open_stream import AsyncOpenStream, OpenStream, open_stream
from geekai_core.transport.pools import LoopPool, Pool
from geekai_core.wire import ChatCompletion

Opened = TypeVar("Opened", OpenStream, AsyncOpenStream)


class _Streaming(Generic[Opened]):
    """What both kinds of stream share."""

    _open: Opened | None = None
    _counted: Opened | None = None

    def __init__(self, pool: Pool | LoopPool, steps: ops.Steps[Any], blocks: Blocks | None = None) -> None:
        self._pool = pool
        self._steps = steps
        self._blocks = running.get() if blocks is None else blocks

    def _count(self) -> None:
        """Add the answer to the `collect()` blocks that run where the stream was asked for, once and if it ended."""
        opened = self._open
        if self._blocks and opened is not None and opened is not self._counted and opened.reader.complete:
            self._counted = opened
            with suppress(InvalidResponseError):
                if (answer := self.answer).choices:
                    count(answer, blocks=self._blocks)

    def _next(self, error: GeekAIError | None = None) -> Operation[Any]:
        """The request to open, or the one that follows an error; raises the error where none does."""
        try:
            return _operation(next(self._steps) if error is None else self._steps.throw(error))
        except StopIteration as stop:  # an earlier answer's error tells more
            raise stop.value.error from error

    def _after(self, answer: ChatCompletion) -> Operation[Any] | Outcome:
        """The request that follows an answer, or how the conversation ended."""
        self._count()
        try:
            return _operation(self._steps.send(answer))
        except StopIteration as stop:
            ended: Outcome = stop.value
            return ended

    @property
    def _opened(self) -> Opened:
        if self._open is None:
            raise ConfigurationError("a stream is opened by a with block: with client.stream(…) as stream")
        return self._open

    @property
    def answer(self) -> ChatCompletion:
        """The whole answer once the stream was read to its end; until then, what has arrived."""
        return ops.with_retry_count(self._opened.reader.answer(), self._opened.reply)


def _operation(step: Operation[Any] | Sleep) -> Operation[Any]:
    assert isinstance(step, Operation), "nothing is waited for before a stream"
    return step


class Stream(_Streaming[OpenStream]):
    """A stream, opened by `with`: iterate it for its deltas, then take `answer`.

    Leaving the block, by whatever way, closes the connection at once. Iterating raises every error of a whole answer,
    and `StreamInterruptedError` for a stream that ended before its end. A second loop goes on where the first stopped.
    """

    _pool: Pool

    def __enter__(self) -> Stream:
        self._begin(self._next())
        return self

    def _begin(self, operation: Operation[Any]) -> None:
        """Open the stream of this request, or of one that follows its error."""
        http, config = self._pool.client(), self._pool.config
        while True:
            try:
                call, reading = ops.call(config, operation, http), ops.stream_reading(config, operation)
                self._open = OpenStream(Channel(http, call, self._pool.channels), call, reading)
                return
            except GeekAIError as error:
                operation = self._next(error)

    def outcome(self) -> Outcome | None:
        """How the conversation ended, after the stream was read; None: a further answer was asked for, and is read by
        another loop."""
        operation = self._after(self.answer)
        if isinstance(operation, Outcome):
            return operation
        self._opened.close()
        self._begin(operation)
        return None

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
        await self._begin(self._next())
        return self

    async def _begin(self, operation: Operation[Any]) -> None:
        http, config = await self._pool.client(), self._pool.config
        while True:
            try:
                call, reading = ops.call(config, operation, http), ops.stream_reading(config, operation)
                self._open = await open_stream(AsyncChannel(http, call, self._pool.channels), call, reading)
                return
            except GeekAIError as error:
                operation = self._next(error)

    async def outcome(self) -> Outcome | None:
        """`Stream.outcome`, awaiting."""
        operation = self._after(self.answer)
        if isinstance(operation, Outcome):
            return operation
        await self._opened.close()
        await self._begin(operation)
        return None

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
