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
from geekai_core.transport.exchange import Exchange, exchange
from geekai_core.transport.timeouts import StreamTimeouts
from geekai_core.transport.watch import NO_WAIT

_LEFT = "it was left before its end"


class OpenStream:
    """A stream. The first of its `deltas` sends the request, and is None; leaving it closes the connection.

    They run once; forgetting the stream closes the connection, too.
    """

    def __init__(self, channel: Channel, call: Call, reading: Mapping[str, object]) -> None:
        self._channel = channel
        self.reading = Reading(call, reading)
        self.deltas = _deltas(channel, self.reading)

    def close(self) -> None:
        """Close the connection, unless the body has ended."""
        self._channel.abort()  # another thread may be waiting
        self._channel.close()


class Reading:
    """What both kinds of stream decide alike: what is sent, what a read brings, and whether there is another.

    `data` is the last read, None at the body's end. It stands here, for a traceback shows a generator's variables.
    """

    retry_count: int | None = None
    """How often the request was sent again, once it is answered."""
    reader: StreamReader
    limits: StreamTimeouts

    def __init__(self, call: Call, reading: Mapping[str, Any]) -> None:
        self._call = call
        self._reading = reading
        self._begun = False
        self.data: bytes | None = None

    def request(self) -> Exchange:
        """How the stream is asked for; ends once its first bytes have come."""
        reply = yield from exchange(self._call, stream=True)
        self.data, self.retry_count = reply.content, reply.retry_count
        self.reader = StreamReader(reply.context, **self._reading)
        self.limits = StreamTimeouts(self._call, reply.deadline)
        return reply

    def take(self, data: bytes) -> list[Any]:
        """The deltas of a read; ahead of the first, None once an event has come: it is known what the stream is."""
        deltas: list[Any] = self.reader.feed(data)
        if not self._begun and (deltas or self.reader.has_event):
            self._begun = True
            return [None, *deltas]
        return deltas

    def goes_on(self) -> bool:
        """Whether to read again; the time until then is measured from here."""
        if self.reader.done:
            return False
        self.limits.heard(self.reader)
        return True

    def failed(self, exc: Exception) -> None:
        """Raise the error for a read that failed, unless the answer was whole by then."""
        if not self.reader.complete:
            raise self.limits.fault(exc, self.reader) from exc

    def end(self) -> Iterable[Any]:
        """The deltas that were left. Raises unless this is a good end."""
        return self.reader.end() if self._begun else [None, *self.reader.end()]

    @contextlib.contextmanager
    def partial(self) -> Iterator[None]:
        """Within it, an error gets what had arrived."""
        try:
            yield
        except RequestError as error:
            if self.retry_count is not None:
                self.reader.attach_partial(error, self.retry_count)
            raise


def _deltas(channel: Channel, reading: Reading) -> Iterator[Any]:
    with contextlib.closing(channel), reading.partial():
        drive(reading.request(), channel.perform)
        chunks, watch = channel.chunks, channel.watch
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
    """`OpenStream`, awaiting."""

    def __init__(self, channel: AsyncChannel, call: Call, reading: Mapping[str, object]) -> None:
        self._channel = channel
        self.reading = Reading(call, reading)
        self.deltas = _async_deltas(channel, self.reading)

    async def close(self) -> None:
        """Close the connection, unless the body has ended."""
        reader = self.reading.reader
        self._channel.watchdog.abort(reader.interrupted(_LEFT))  # another task may be waiting
        await self._channel.aclose()
        with contextlib.suppress(RuntimeError):  # another task is reading it, and will find it closed
            await self.deltas.aclose()
            if not reader.complete:  # a closed generator would end as if all were well
                self.deltas = _left(reader)


async def _left(reader: StreamReader) -> AsyncGenerator[Delta, None]:
    raise reader.interrupted(_LEFT)
    yield  # makes this a generator


async def _async_deltas(channel: AsyncChannel, reading: Reading) -> AsyncGenerator[Any, None]:
    async with contextlib.aclosing(channel):
        with reading.partial():
            await drive_async(reading.request(), channel.perform)
            watchdog, chunks = channel.watchdog, channel.chunks
            watchdog.limit(reading.limits.left)
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
