"""httpx's client over aiohttp (the extra `fast`), with what aiohttp's connections lack for this package.

aiohttp does not say whether a byte of an answer came before a failure; it loses bytes that came before a break, and an
answer with something behind it; it gives a second answer to the next request; it refuses large heads.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage
from httpx_aiohttp.transport import AiohttpTransport, map_aiohttp_exceptions

from geekai_core.transport.watch import Watch

HEAD_MOST = 100 * 1024
"""Bytes of a head, as many as httpcore takes."""
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_LENGTHS = re.compile(rb"(?im)^content-length:[ \t]*([^\r\n]*)\r?\n")

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)
"""The attempt that a connection is looked for, in the task that looks for it."""


class Protocol(ResponseHandler):
    """One connection. A head is handed on when it is whole, and nothing that comes behind an answer's end."""

    def __init__(self, loop: Any) -> None:
        super().__init__(loop=loop)
        self._watch = Watch()
        self._requests = 0
        self._head: bytes | None = b""
        self._answered = False
        self._length: int | None = None

    def begin(self, watch: Watch | None) -> None:
        """A request goes out."""
        self._watch = watch or Watch()
        self._requests += 1
        if self._requests == 1:
            self._watch.connected()
        self._watch.taken(None)
        self._head, self._answered, self._length = b"", False, None

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer, or behind one."""
        if self._head is None:
            self._body_received(data)
            return
        self._watch.begun = True
        start = max(len(self._head) - 3, 0)
        head = self._head + data
        while end := _HEAD_ENDS.search(head, start):
            whole, head, start = head[: end.end()].lstrip(b"\r\n"), head[end.end() :], 0
            if re.match(rb"HTTP/1\.[01] 1(?!01)", whole) or not whole:
                continue  # interim, or blank lines: the answer is still to come
            self._head = None
            super().data_received(self._sound(whole))
            if head and self.exception() is None:
                self._body_received(head)
            return
        self._head = head.lstrip(b"\r\n")
        if len(head) > HEAD_MOST:
            self._refuse(BadHttpMessage("the head of the answer is too large"))

    def _sound(self, head: bytes) -> bytes:
        """The head with one `content-length`, where all that it has are equal."""
        values = {one.strip() for found in _LENGTHS.findall(head) for one in found.split(b",")}
        if len(values) != 1 or b"chunked" in head.lower():
            return head
        value = values.pop()
        self._length = int(value) if value.isdigit() else None
        if len(_LENGTHS.findall(head)) == 1 and b"," not in head:
            return head
        first, _, rest = _LENGTHS.sub(b"", head).partition(b"\n")
        return b"%b\ncontent-length: %b\r\n%b" % (first, value, rest)

    def _body_received(self, data: bytes) -> None:
        if data and self._payload is not None and self._payload.is_eof():
            self._leave()  # what comes behind an answer must not become the next one
            return
        behind = False
        if self._length is not None:
            behind = len(data) > self._length
            data = data[: self._length]
            self._length -= len(data)
        super().data_received(data)
        payload = self._payload
        if payload is not None and payload.is_eof() and self._length is None:
            behind = data not in b"\r\n\r\n" and not data.endswith(b"\r\n\r\n")
        if behind:
            self._leave()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A message was read; only the first is an answer to this request."""
        if self._answered:
            self._leave()
        else:
            self._answered = True
            super().feed_data(data, size)

    def set_exception(self, exc: BaseException, *cause: Any) -> None:
        """Fail the request, and the body that is being read: aiohttp leaves its reader waiting for ever."""
        super().set_exception(exc, *cause)
        if self._payload is not None and not self._payload.is_eof() and self._payload.exception() is None:
            self._payload.set_exception(aiohttp.ClientPayloadError(str(exc)), exc)

    def _leave(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.close()

    def _refuse(self, error: Exception) -> None:
        self.set_exception(error)
        self._leave()


class _Connector(aiohttp.TCPConnector):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._factory = functools.partial(Protocol, loop=self._loop)  # type: ignore[assignment]

    async def connect(self, *args: Any, **options: Any) -> Any:
        connection = await super().connect(*args, **options)
        if isinstance(connection.protocol, Protocol):
            connection.protocol.begin(_watch.get())
        return connection


class _Body(httpx.AsyncByteStream):
    """The bytes of an answer, all those too that came before a break."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        with map_aiohttp_exceptions():
            try:
                while data := await content.readany():
                    yield data
            except aiohttp.ClientError:
                if (error := content.exception()) is None:
                    raise
                content._exception = None  # which would keep the rest back
                if rest := content.read_nowait():
                    yield rest
                raise error from None

    async def aclose(self) -> None:
        with map_aiohttp_exceptions():
            await self._response.__aexit__(None, None, None)


class Transport(AiohttpTransport):
    """httpx's transport over such connections."""

    def get_client(self) -> aiohttp.ClientSession:
        """A session of aiohttp's, made with the first request."""
        connector = _Connector(limit=0, keepalive_timeout=self.limits.keepalive_expiry, ssl=self.ssl_context)
        sizes: dict[str, Any] = {"max_line_size": HEAD_MOST, "max_field_size": HEAD_MOST, "max_headers": HEAD_MOST}
        known = inspect.signature(aiohttp.ClientSession).parameters
        session = aiohttp.ClientSession(
            connector=connector, **{name: size for name, size in sizes.items() if name in known}
        )
        session._retry_connection = False  # what is sent again is decided in one place
        return session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        token = _watch.set(request.extensions.get("watch"))
        try:
            response = await super().handle_async_request(request)
        except aiohttp.ClientResponseError as exc:  # which holds the request, and shows its URL
            raise httpx.RemoteProtocolError(exc.message) from exc
        finally:
            _watch.reset(token)
        stream: Any = response.stream
        response.stream = _Body(stream._aiohttp_response)
        return response
