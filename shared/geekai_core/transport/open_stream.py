"""An open stream: its deltas as they come, and its end. Sync and async side by side."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from typing import Any

from geekai_core.errors import RequestError
from geekai_core.response.deltas import Delta
from geekai_core.response.stream_reader import StreamReader
from geekai_core.transport.calls import Call
from geekai_core.transport.driver import AsyncChannel, Channel, drive, drive_async
from geekai_core.transport.exchange import Reply, exchange
from geekai_core.transport.timeouts import StreamTimeouts
from geekai_core.transport.watch import NO_WAIT

_LEFT = "it was left before its end"


class OpenStream:
    """An open stream. `deltas` runs once; leaving it, or forgetting it, closes the connection."""

    def __init__(self, channel: Channel, call: Call, reading: Mapping[str, Any]) -> None:
        self._channel = channel
        self.reply = drive(exchange(call, stream=True), channel)
        self.reader = StreamReader(self.reply.context, **reading)
        limits = StreamTimeouts(call, self.reply.deadline)
        self.deltas = _deltas(channel, _Reading(self.reply, self.reader, limits))
        next(self.deltas)

    def close(self) -> None:
        """Close the connection, unless the body has ended."""
        self._channel.abort()  # another thread may be waiting
        self._channel.close()


class _Reading:
    """What both kinds of stream decide alike: what a read brings, and whether there is another.

    `data` is the last read, None at the body's end. It stands here, for a traceback shows a generator's variables.
    """

    def __init__(self, reply: Reply, reader: StreamReader, limits: StreamTimeouts) -> None:
        self._reply = reply
        self._reader = reader
        self._limits = limits
        self._begun = False
        self.data: bytes | None = reply.content

    def take(self, data: bytes) -> list[Any]:
        """The deltas of a read; ahead of the first, None once an event has come: it is known what the stream is."""
        deltas: list[Any] = self._reader.feed(data)
        if not self._begun and (deltas or self._reader.has_event):
            self._begun = True
            return [None, *deltas]
        return deltas

    def goes_on(self) -> bool:
        """Whether to read again; the time until then is measured from here."""
        if self._reader.done:
            return False
        self._limits.heard(self._reader)
        return True

    def failed(self, exc: Exception) -> None:
        """Raise the error for a read that failed, unless the answer was whole by then."""
        if not self._reader.complete:
            raise self._limits.fault(exc, self._reader) from exc

    def end(self) -> Iterable[Any]:
        """The deltas that were left. Raises unless this is a good end."""
        return self._reader.end() if self._begun else [None, *self._reader.end()]

    @contextlib.contextmanager
    def partial(self) -> Iterator[None]:
        """Within it, an error gets what had arrived."""
        try:
            yield
        except RequestError as error:
            self._reader.attach_partial(error, self._reply.retry_count)
            raise


def _deltas(channel: Channel, reading: _Reading) -> Iterator[Any]:
    chunks, watch = channel.chunks, channel.watch
    with contextlib.closing(channel), reading.partial():
        while reading.data is not None:
            yield from reading.take(reading.data)
            if not reading.goes_on():
                break
            try:
                watch.until = NO_WAIT
                reading.data = next(chunks, None)
            except Exception as exc:
                reading.failed(exc)
                break
        yield from reading.end()
        with contextlib.suppress(Exception):  # the answer is whole; at most the connection is lost
            channel.settle()


class AsyncOpenStream:
    """`OpenStream`, awaiting; made by `open_stream`."""

    def __init__(self, channel: AsyncChannel, reply: Reply, call: Call, reading: Mapping[str, Any]) -> None:
        self._channel = channel
        self.reply = reply
        self.reader = StreamReader(reply.context, **reading)
        limits = StreamTimeouts(call, reply.deadline)
        self.deltas = _async_deltas(channel, _Reading(reply, self.reader, limits), limits)

    async def close(self) -> None:
        """Close the connection, unless the body has ended."""
        self._channel.watchdog.abort(self.reader.interrupted(_LEFT))  # another task may be waiting
        await self._channel.close()
        with contextlib.suppress(RuntimeError):  # another task is reading it, and will find it closed
            await self.deltas.aclose()
            if not self.reader.complete:  # a closed generator would end as if all were well
                self.deltas = _left(self.reader)


async def _left(reader: StreamReader) -> AsyncGenerator[Delta, None]:
    raise reader.interrupted(_LEFT)
    yield  # makes this a generator


async def open_stream(channel: AsyncChannel, call: Call, reading: Mapping[str, Any]) -> AsyncOpenStream:
    """Send a streaming call; returns once its first bytes have come."""
    opened = AsyncOpenStream(channel, await drive_async(exchange(call, stream=True), channel), call, reading)
    await anext(opened.deltas)
    return opened


async def _async_deltas(channel: AsyncChannel, reading: _Reading, limits: StreamTimeouts) -> AsyncGenerator[Any, None]:
    watchdog, chunks = channel.watchdog, channel.chunks
    watchdog.limit(limits.left)
    try:
        with reading.partial():
            while reading.data is not None:
                for delta in reading.take(reading.data):
                    yield delta
                if not reading.goes_on():
                    break
                try:
                    reading.data = await watchdog.wait(anext(chunks, None))
                except Exception as exc:
                    reading.failed(exc)
                    break
            channel.ended = reading.data is None
            for delta in reading.end():
                yield delta
            with contextlib.suppress(Exception):
                await channel.settle()
    finally:
        watchdog.stop()
        await channel.close()
