"""An open stream: its deltas as they come, and its end. Sync and async side by side."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from geekai_core.errors import RequestError
from geekai_core.response.accumulate import Delta
from geekai_core.response.stream_reader import StreamReader
from geekai_core.transport.calls import Call, Read
from geekai_core.transport.driver import SETTLE, AsyncLine, Line, drive, drive_async
from geekai_core.transport.exchange import Reply, exchange
from geekai_core.transport.timeouts import StreamTimeouts
from geekai_core.transport.watchdog import Watchdog

if TYPE_CHECKING:
    import httpx


class OpenStream:
    """An open stream. `deltas` runs once; leaving it, or forgetting it, closes the connection."""

    def __init__(self, http: httpx.Client, call: Call, reading: Mapping[str, Any]) -> None:
        self._line = Line(http, call)
        self.reply = drive(exchange(call, stream=True), self._line)
        self.reader = StreamReader(self.reply.context, **reading)
        self.deltas = _deltas(self._line, self.reply, self.reader, StreamTimeouts(call, self.reply.deadline))
        next(self.deltas)

    def close(self) -> None:
        """Close the connection, unless the body has ended."""
        self._line.close()


def _deltas(line: Line, reply: Reply, reader: StreamReader, silence: StreamTimeouts) -> Iterator[Any]:
    """None once the first event has come, so that what stands in a stream's place is known; then the deltas."""
    data: bytes | None = reply.content
    begun = False
    try:
        while data is not None:
            deltas = reader.feed(data)
            if not begun and (deltas or reader.has_event):
                begun = True
                yield None
            yield from deltas
            if reader.done:
                break
            silence.heard(reader)
            try:
                data = next(line.chunks, None)
            except Exception as exc:
                if reader.complete:
                    break
                raise silence.fault(exc, reader) from exc
        last = reader.end() if begun else list(reader.end())
        if not begun:
            yield None
        yield from last
        with contextlib.suppress(Exception):  # the answer is whole; at most the connection is lost
            line.settle()
    except RequestError as error:
        reader.attach_partial(error, reply.retry_count)
        raise
    finally:
        line.close()


class AsyncOpenStream:
    """`OpenStream`, awaiting; made by `open_stream`."""

    def __init__(self, line: AsyncLine, reply: Reply, call: Call, reading: Mapping[str, Any]) -> None:
        self._line = line
        self.reply = reply
        self.reader = StreamReader(reply.context, **reading)
        self.deltas = _async_deltas(line, reply, self.reader, StreamTimeouts(call, reply.deadline))

    async def close(self) -> None:
        """Close the connection, unless the body has ended."""
        await self._line.close()
        with contextlib.suppress(RuntimeError):  # another task is reading it, and will find it closed
            await self.deltas.aclose()
            if not self.reader.complete:  # a closed generator would end as if all were well
                self.deltas = _left(self.reader)


async def _left(reader: StreamReader) -> AsyncGenerator[Delta, None]:
    raise reader.interrupted("it was left before its end")
    yield  # makes this a generator


async def open_stream(http: httpx.AsyncClient, call: Call, reading: Mapping[str, Any]) -> AsyncOpenStream:
    """Send a streaming call; returns once its first bytes have come."""
    line = AsyncLine(http, call)
    opened = AsyncOpenStream(line, await drive_async(exchange(call, stream=True), line), call, reading)
    await anext(opened.deltas)
    return opened


async def _async_deltas(
    line: AsyncLine, reply: Reply, reader: StreamReader, silence: StreamTimeouts
) -> AsyncGenerator[Any, None]:
    """`_deltas`, awaiting."""
    data: bytes | None = reply.content
    begun = False
    watchdog = Watchdog(silence.left)
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
            silence.heard(reader)
            try:
                data = await watchdog.wait(anext(line.chunks, None))
            except Exception as exc:
                if reader.complete:
                    break
                raise silence.fault(exc, reader) from exc
        last = reader.end() if begun else list(reader.end())
        if not begun:
            yield None
        for delta in last:
            yield delta
        with contextlib.suppress(Exception):  # the answer is whole; at most the connection is lost
            await line.perform(Read(SETTLE))
    except RequestError as error:
        reader.attach_partial(error, reply.retry_count)
        raise
    finally:
        watchdog.stop()
        await line.close()
