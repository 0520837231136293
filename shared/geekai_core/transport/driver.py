"""The waiting under both clients: performs what `exchange` decides, over httpx. Sync and async side by side."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from geekai_core.transport.calls import Action, Call, Head, Read, Send, head
from geekai_core.transport.exchange import Exchange, Reply
from geekai_core.transport.watchdog import LARGE, _limited, _pieces, _written

if TYPE_CHECKING:
    import httpx

SETTLE = 0.05
"""Seconds that the end of a body may take to follow `[DONE]`; a connection whose body has ended is used again."""


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
