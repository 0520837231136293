"""An open stream: its deltas as they come, and its end. Sync and async side by side."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping
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
        self.deltas = _deltas(channel, self.reply, self.reader, StreamTimeouts(call, self.reply.deadline))
        next(self.deltas)

    def close(self) -> None:
        """Close the connection, unless the body has ended."""
        self._channel.abort()  # another thread may be waiting
        self._channel.close()


def _deltas(channel: Channel, reply: Reply, reader: StreamReader, limits: StreamTimeouts) -> Iterator[Any]:
    """None once the first event has come, so that what stands in a stream's place is known; then the deltas."""
    data: bytes | None = reply.content
    begun = False
    chunks, watch = channel.chunks, channel.watch
    try:
        while data is not None:
            deltas = reader.feed(data)
            if not begun and (deltas or reader.has_event):
                begun = True
                yield None
            yield from deltas
            if reader.done:
                break
            limits.heard(reader)
            try:
                watch.until = NO_WAIT
                data = next(chunks, None)
            except Exception as exc:
                if reader.complete:
                    break
                raise limits.fault(exc, reader) from exc
        last = reader.end() if begun else list(reader.end())
        if not begun:
            yield None
        yield from last
        with contextlib.suppress(Exception):  # the answer is whole; at most the connection is lost
            channel.settle()
    except RequestError as error:
        data, deltas = None, []  # the traceback shows them
        reader.attach_partial(error, reply.retry_count)
        raise
    finally:
        channel.close()


class AsyncOpenStream:
    """`OpenStream`, awaiting; made by `open_stream`."""

    def __init__(self, channel: AsyncChannel, reply: Reply, call: Call, reading: Mapping[str, Any]) -> None:
        self._channel = channel
        self.reply = reply
        self.reader = StreamReader(reply.context, **reading)
        self.deltas = _async_deltas(channel, reply, self.reader, StreamTimeouts(call, reply.deadline))

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


async def _async_deltas(
    channel: AsyncChannel, reply: Reply, reader: StreamReader, limits: StreamTimeouts
) -> AsyncGenerator[Any, None]:
    """`_deltas`, awaiting."""
    data: bytes | None = reply.content
    begun = False
    watchdog, chunks = channel.watchdog, channel.chunks
    watchdog.limit(limits.left)
    try:
        while data is not None:
            deltas = reader.feed(data)
            if not begun and (deltas or reader.has_event):
                begun = True
                yield None
            for delta in deltas:
                yield delta
            if reader.done:
                break
            limits.heard(reader)
            try:
                data = await watchdog.wait(anext(chunks, None))
            except Exception as exc:
                if reader.complete:
                    break
                raise limits.fault(exc, reader) from exc
        channel.ended = data is None
        last = reader.end() if begun else list(reader.end())
        if not begun:
            yield None
        for delta in last:
            yield delta
        with contextlib.suppress(Exception):  # the answer is whole; at most the connection is lost
            await channel.settle()
    except RequestError as error:
        data, deltas = None, []  # the traceback shows them
        reader.attach_partial(error, reply.retry_count)
        raise
    finally:
        watchdog.stop()
        await channel.close()
