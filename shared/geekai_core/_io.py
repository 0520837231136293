"""The waiting under both clients: performs what `_exchange` decides, over httpx. Sync and async side by side."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from geekai_core._answers import StreamReader
from geekai_core._exchange import Action, Call, Exchange, Head, Read, Reply, Send, exchange, head
from geekai_core._silence import Silence
from geekai_core.config import Config
from geekai_core.errors import RequestError
from geekai_core.stream import Delta

if TYPE_CHECKING:
    import httpx

SETTLE = 0.05
"""Seconds that the end of a body may take to follow `[DONE]`; a connection whose body has ended is used again."""

LARGE = 2**16
"""Bytes of a request that fit into the buffers on the way, so that writing them cannot block."""


def _request(http: httpx.Client | httpx.AsyncClient, call: Call, send: Send, content: Any) -> httpx.Request:
    pieces = call.body is not None and content.__class__ is not bytes  # whose length httpx does not know
    return http.build_request(
        call.method,
        call.url,
        headers={**call.headers, "Content-Length": str(len(call.body or b""))} if pieces else call.headers,
        content=content,
        params=call.params or None,
        extensions={"timeout": dict(send.timeouts)},
    )


def _body(answered: Head, response: httpx.Response, decoded: Any) -> Any:
    """The bytes of an answer, as they come where nothing is compressed, nor was read by an injected client's hook:
    httpx's two layers for the rest take 3 % of a stream's time, and 4 of a whole call's."""
    return decoded() if "content-encoding" in answered.headers or response.is_stream_consumed else response.stream


class Line:
    """One call's way over the network: one response at a time."""

    def __init__(self, http: httpx.Client, call: Call) -> None:
        self._http = http
        self._call = call
        self._response: httpx.Response | None = None
        self.chunks: Iterator[bytes] = iter(())

    def perform(self, action: Action) -> Any:
        """Do what an exchange asks for; what httpx raises goes to the exchange."""
        if isinstance(action, Read):
            return next(self.chunks, None)
        self.close()
        if isinstance(action, Send):
            request = _request(self._http, self._call, action, self._call.body)
            response = self._response = self._http.send(request, stream=True, follow_redirects=False)
            # httpcore looks at the limits again when the body begins.
            request.extensions["timeout"]["read"] = action.body_read
            answered = head(response.status_code, response.headers)
            self.chunks = iter(_body(answered, response, response.iter_bytes))
            return answered
        time.sleep(action.seconds)
        return None

    def settle(self) -> None:
        """Wait a moment for the end of the body, so that the connection can be used again."""
        assert self._response is not None
        stream = self._response.extensions["network_stream"]
        read, here = stream.read, threading.get_ident()
        # httpcore has fixed the limit of its reads by now. Another thread may have the connection before we let go.
        stream.read = lambda size, timeout=None: read(size, SETTLE if threading.get_ident() == here else timeout)
        try:
            next(self.chunks, None)
        finally:
            del stream.read

    def close(self) -> None:
        """Close the response; the connection goes with it unless the body has ended."""
        response, self._response = self._response, None
        if response is not None:
            response.close()
            del response.stream  # it holds the response: 37 objects and the body would wait for the garbage collector


def drive(steps: Exchange, line: Line) -> Reply:
    """Perform an exchange to its end. The response stays open for a stream, and is closed when this raises."""
    try:
        action = next(steps)
        while True:
            try:
                outcome = line.perform(action)
            except Exception as exc:
                action = steps.throw(exc)
            else:
                action = steps.send(outcome)
    except StopIteration as stop:
        reply: Reply = stop.value
        return reply
    except BaseException:
        line.close()
        raise


class OpenStream:
    """An open stream. `deltas` runs once; leaving it, or forgetting it, closes the connection."""

    def __init__(self, http: httpx.Client, call: Call, config: Config) -> None:
        self._line = Line(http, call)
        self.reply = drive(exchange(call, stream=True), self._line)
        self.reader = StreamReader(self.reply.context, **config.reading())
        self.deltas = _deltas(self._line, self.reply, self.reader, Silence(call, self.reply.deadline))

    def close(self) -> None:
        """Close the connection, unless the body has ended."""
        self._line.close()


def _deltas(line: Line, reply: Reply, reader: StreamReader, silence: Silence) -> Iterator[Delta]:
    data: bytes | None = reply.content
    try:
        while data is not None:
            yield from reader.feed(data)
            if reader.done:
                break
            silence.heard(reader)
            try:
                data = next(line.chunks, None)
            except Exception as exc:
                if reader.complete:
                    break
                raise silence.fault(exc, reader) from exc
        yield from reader.end()
        with contextlib.suppress(Exception):  # the answer is whole; at most the connection is lost
            line.settle()
    except RequestError as error:
        reader.blame(error, reply.retry_count)
        raise
    finally:
        line.close()


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
            # Whether a task that we have cancelled was cancelled by others, too, is told from Python 3.11 on.
            if self._fired and (sys.version_info < (3, 11) or task.uncancel() == 0):
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


class AsyncLine:
    """`Line`, awaiting."""

    def __init__(self, http: httpx.AsyncClient, call: Call) -> None:
        self._http = http
        self._call = call
        self._response: httpx.Response | None = None
        self.chunks: AsyncIterator[bytes]

    async def perform(self, action: Action) -> Any:
        """Do what an exchange asks for; what httpx raises goes to the exchange."""
        if isinstance(action, Read):
            chunk = anext(self.chunks, None)
            return await (chunk if action.limit is None else _limited(chunk, action.limit))
        await self.close()
        if isinstance(action, Send):
            body = self._call.body or b""
            request = _request(self._http, self._call, action, body if len(body) < LARGE else _pieces(body))
            sending = self._http.send(request, stream=True, follow_redirects=False)
            response = self._response = await (sending if len(body) < LARGE else _written(sending, action.timeouts))
            request.extensions["timeout"]["read"] = action.body_read
            answered = head(response.status_code, response.headers)
            self.chunks = aiter(_body(answered, response, response.aiter_bytes))
            return answered
        return await asyncio.sleep(action.seconds)

    async def close(self) -> None:
        """Close the response; the connection goes with it unless the body has ended."""
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()
            del response.stream


async def drive_async(steps: Exchange, line: AsyncLine) -> Reply:
    """`drive`, awaiting."""
    try:
        action = next(steps)
        while True:
            try:
                outcome = await line.perform(action)
            except Exception as exc:
                action = steps.throw(exc)
            else:
                action = steps.send(outcome)
    except StopIteration as stop:
        reply: Reply = stop.value
        return reply
    except BaseException:
        await line.close()
        raise


class AsyncOpenStream:
    """`OpenStream`, awaiting; made by `open_stream`."""

    def __init__(self, line: AsyncLine, reply: Reply, call: Call, config: Config) -> None:
        self._line = line
        self.reply = reply
        self.reader = StreamReader(reply.context, **config.reading())
        self.deltas = _async_deltas(line, reply, self.reader, Silence(call, reply.deadline))

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


async def open_stream(http: httpx.AsyncClient, call: Call, config: Config) -> AsyncOpenStream:
    """Send a streaming call; returns once its first bytes have come."""
    line = AsyncLine(http, call)
    return AsyncOpenStream(line, await drive_async(exchange(call, stream=True), line), call, config)


async def _async_deltas(
    line: AsyncLine, reply: Reply, reader: StreamReader, silence: Silence
) -> AsyncGenerator[Delta, None]:
    data: bytes | None = reply.content
    watchdog = Watchdog(silence.left)
    try:
        while data is not None:
            for delta in reader.feed(data):
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
        for delta in reader.end():
            yield delta
        with contextlib.suppress(Exception):  # the answer is whole; at most the connection is lost
            await line.perform(Read(SETTLE))
    except RequestError as error:
        reader.blame(error, reply.retry_count)
        raise
    finally:
        watchdog.stop()
        await line.close()
