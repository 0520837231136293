"""The waiting under both clients: performs what `exchange` decides, over httpx. Sync and async side by side."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from geekai_core.logs import secrets_of_call
from geekai_core.transport.calls import Action, Call, Head, Read, Send, head
from geekai_core.transport.decoding import async_unpacked, unpacked
from geekai_core.transport.watch import NO_LIMIT, Limit, Watch, closed_error
from geekai_core.transport.watchdog import LARGE, Watchdog, WriteTimeout, pieces
from geekai_core.transport.watched import holds_more

if TYPE_CHECKING:
    import httpx

S = TypeVar("S")
T = TypeVar("T")

SETTLE = 0.05
"""Seconds that the end of a body may take to follow `[DONE]`; a connection whose body has ended is used again."""


def _request(
    http: httpx.Client | httpx.AsyncClient, call: Call, send: Send, content: bytes | AsyncIterator[bytes] | None
) -> httpx.Request:
    secrets_of_call.set(call.secrets)
    in_pieces = call.body is not None and content.__class__ is not bytes  # whose length httpx does not know
    limits = {name: Limit(seconds, send.watch) for name, seconds in send.timeouts.items()}
    return http.build_request(
        call.method,
        call.url,
        headers={**call.headers, "Content-Length": str(len(call.body or b""))} if in_pieces else call.headers,
        content=content,
        params=call.params or None,
        extensions={"timeout": limits, "watch": send.watch},
    )


def _is_alone(response: httpx.Response) -> bool:
    """Whether this response has a connection of httpcore's to itself, as none has in HTTP/2."""
    return "network_stream" in response.extensions and response.extensions.get("http_version") != b"HTTP/2"


class Channel:
    """The requests of one call, one after the other, each with its response."""

    def __init__(self, http: httpx.Client, call: Call, under_way: MutableMapping[int, Channel]) -> None:
        self._http = http
        self._call = call
        self._response: httpx.Response | None = None
        self.watch = Watch()
        self._pause = threading.Event()
        self.chunks: Iterator[bytes] = iter(())
        under_way[id(self)] = self

    def perform(self, action: Action) -> Head | bytes | None:
        """Do what an exchange asks for; what httpx raises goes to the exchange."""
        if isinstance(action, Read):
            return self.read()
        self.close()
        if not isinstance(action, Send):
            if self._pause.wait(action.seconds):
                raise closed_error()
            return None
        self.watch = watch = action.watch
        if self._pause.is_set():
            raise closed_error()
        request = _request(self._http, self._call, action, self._call.body)
        response = self._response = self._http.send(request, stream=True, follow_redirects=False)
        # httpcore looks at the limits again when the body begins.
        request.extensions["timeout"]["read"] = Limit(action.body_read, watch)
        answered = head(response.status_code, response.headers)
        self.chunks = self._body(answered, response)
        return answered

    def _body(self, answered: Head, response: httpx.Response) -> Iterator[bytes]:
        if response.is_stream_consumed:  # by a hook of an injected client
            return response.iter_bytes()
        # httpx's own layers over the bytes take 3 % of a stream's time, and 4 of a whole call's.
        body = iter(response.stream)  # type: ignore[arg-type]
        coding = answered.headers.get("content-encoding")
        return unpacked(coding, body) if coding else body

    def read(self) -> bytes | None:
        """The next bytes of the answer, or None at its end."""
        self.watch.next_wait()
        return next(self.chunks, None)

    def settle(self) -> None:
        """Wait a moment for the end of the body, so that the connection can be used again."""
        if self.watch.seen:  # no other, such as one of HTTP/2, lets this call limit its reads
            self.watch.next_wait()
            self.watch.left(SETTLE)
            next(self.chunks, None)

    def close(self) -> None:
        """Close the response; the connection goes with it unless the body has ended, and nothing came behind it."""
        response, self._response = self._response, None
        self.watch.released()
        if response is not None:
            if holds_more(response):
                response.extensions["network_stream"].close()
            response.close()
            del response.stream  # it holds the response: 37 objects and the body would wait for the garbage collector

    def abort(self) -> None:
        """End what another thread waits for here, and refuse any further request."""
        self._pause.set()
        self.watch.close()


class Walk(Generic[T]):
    """Goes through the steps of a generator: iterate it, and in a `with` block set `outcome` to what came of a step.

    An error of the class `expected` that leaves the block is thrown into the generator. `result` is what the generator
    returns, once it has ended.
    """

    result: T

    def __init__(self, steps: Generator[Any, Any, T], expected: type[Exception]) -> None:
        self._steps = steps
        self._expected = expected
        self.outcome: object = None
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            step = next(self._steps)
            while True:
                self.outcome = None
                yield step
                step = self._steps.send(self.outcome) if self._error is None else self._steps.throw(self._taken())
        except StopIteration as stop:
            self.result = stop.value

    def _taken(self) -> Any:
        """The error, which is held here no longer: its traceback holds this object."""
        error, self._error = self._error, None
        return error

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, self._expected):
            self._error = error
        return self._error is not None


def drive(steps: Generator[S, Any, T], perform: Callable[[S], object], expected: type[Exception] = Exception) -> T:
    """Go through the steps of a generator, each performed; what it returns. Errors that are `expected` go to it."""
    walk = Walk(steps, expected)
    for step in walk:
        with walk:
            walk.outcome = perform(step)
    return walk.result


class AsyncChannel:
    """`Channel`, awaiting: its watchdog bounds every wait, whatever the transport does."""

    def __init__(self, http: httpx.AsyncClient, call: Call, under_way: MutableMapping[int, AsyncChannel]) -> None:
        self._http = http
        self._call = call
        self._response: httpx.Response | None = None
        self.watch = Watch()
        self.chunks: AsyncIterator[bytes]
        self.ended = False
        self.watchdog = Watchdog()
        self.loop = asyncio.get_running_loop()
        under_way[id(self)] = self

    async def perform(self, action: Action) -> Any:
        """Do what an exchange asks for; what httpx raises goes to the exchange."""
        if isinstance(action, Read):
            return await self.read(action.limit)
        await self.aclose()
        if not isinstance(action, Send):
            self.watchdog.limit(float("inf"))
            return await self.watchdog.wait(asyncio.sleep(action.seconds))
        self.watch = action.watch
        body = self._call.body or b""
        request = _request(self._http, self._call, action, body if len(body) < LARGE else pieces(body))
        seconds = sum(NO_LIMIT if limit is None else limit for limit in action.timeouts.values())
        self.watchdog.limit(action.watch.bound(seconds))
        sending = self._http.send(request, stream=True, follow_redirects=False)
        try:
            response = self._response = await self.watchdog.wait(sending)
        except TimeoutError as exc:
            if len(body) < LARGE:
                raise
            raise WriteTimeout from exc  # aiohttp has no limit on writing, and starts the one on reading after it
        request.extensions["timeout"]["read"] = action.body_read
        answered = head(response.status_code, response.headers)
        self.chunks, self.ended = self._body(answered, response), False
        return answered

    def _body(self, answered: Head, response: httpx.Response) -> AsyncIterator[bytes]:
        if response.is_stream_consumed:
            return response.aiter_bytes()
        body = aiter(response.stream)  # type: ignore[arg-type]
        coding = answered.headers.get("content-encoding")
        return async_unpacked(coding, body) if coding else body

    async def read(self, limit: float | None) -> bytes | None:
        """The next bytes of the answer, or None at its end; `limit`: seconds until some have come."""
        self.watchdog.limit(self.watch.bound(limit))
        data: bytes | None = await self.watchdog.wait(anext(self.chunks, None))
        self.ended = data is None
        return data

    async def settle(self) -> None:
        """`Channel.settle`, awaiting."""
        if self._response is not None and self._response.extensions.get("http_version") != b"HTTP/2":
            await self.read(SETTLE)

    async def aclose(self) -> None:
        """`Channel.close`, awaiting."""
        self.watchdog.stop()
        response, self._response = self._response, None
        if response is None:
            return
        try:
            # A second cancellation would break httpcore's own closing off, and leave the connection open for ever.
            if _is_alone(response) and (not self.ended or holds_more(response)):
                await response.extensions["network_stream"].aclose()
        finally:
            await response.aclose()
            del response.stream

    def abort(self) -> None:
        """End what a task waits for here, and refuse any further request."""
        self.watch.close()
        self.watchdog.abort(closed_error())


async def drive_async(
    steps: Generator[S, Any, T], perform: Callable[[S], Awaitable[object]], expected: type[Exception] = Exception
) -> T:
    """`drive`, awaiting."""
    walk = Walk(steps, expected)
    for step in walk:
        with walk:
            walk.outcome = await perform(step)
    return walk.result
