"""The httpx clients under ours: the only file that knows how they are made."""

from __future__ import annotations

import asyncio
import encodings.idna  # noqa: F401  # else it is imported when a host is looked up: a fork at that moment never ends
import functools
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from geekai_core.errors import ConfigurationError
from geekai_core.transport.proxies import proxy_for
from geekai_core.transport.watched import watch_connections, watch_pool

if TYPE_CHECKING:
    from geekai_core.config import Config


C = TypeVar("C")


def ssl_context() -> ssl.SSLContext:
    """One context for all clients: making it takes 20 ms, nearly all of what a client costs.

    Raises `ConfigurationError` for a `SSL_CERT_FILE` that cannot be read.
    """
    return _ssl_context(*(os.environ.get(name) for name in _CERTIFICATES))


_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@functools.lru_cache(maxsize=8)
def _ssl_context(file: str | None, folder: str | None) -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as exc:  # ssl.SSLError is one
        raise ConfigurationError(
            f"the certificates of SSL_CERT_FILE={file!r} cannot be read: {exc.strerror or exc}"
        ) from None


def sharing_key(config: Config) -> tuple[Hashable, ...]:
    """What two clients must have in common to share their connections."""
    parts = urlsplit(config.base_url)
    certificates = [os.environ.get(name) for name in _CERTIFICATES]
    return parts.scheme, parts.netloc, config.api_key, _proxy(config), *certificates, _aiohttp_client() is None


def _proxy(config: Config) -> str | None:
    return config.proxy or proxy_for(config.base_url, getproxies())


def _aiohttp_client() -> type[httpx.AsyncClient] | None:
    """The client over aiohttp, where the extra `fast` is installed."""
    try:
        from httpx_aiohttp import HttpxAiohttpClient
    except ImportError:
        return None
    return HttpxAiohttpClient


KEEPALIVE = 30.0
"""Seconds that an idle connection is kept for the next request."""


class _Jar(httpx.Cookies):
    """Cookies that are looked for only in answers that set some: looking takes 6 % of a whole call."""

    def extract_cookies(self, response: httpx.Response) -> None:
        if "set-cookie" in response.headers:
            super().extract_cookies(response)


class _Lean:
    """Mixed into httpx's clients: the same requests, but URL and headers are merged once, not at each (8 % of a call).

    All requests with a body go to a handful of URLs, with the same headers as long as the key stays the same.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._jar = _Jar()
        self._ready: dict[str, tuple[Mapping[str, str], httpx.Request]] = {}

    @property
    def cookies(self) -> httpx.Cookies:
        return self._jar

    def build_request(
        self, method: str, url: Any, *, headers: Any = None, content: Any = None, params: Any = None, **other: Any
    ) -> httpx.Request:
        """httpx's own, but for a body in one piece without parameters."""
        if params or not content or content.__class__ is not bytes or self._jar:
            given = {"headers": headers, "content": content, "params": params, **other}
            return super().build_request(method, url, **given)  # type: ignore[misc, no-any-return]
        known, ready = self._ready.get(url, (None, None))
        if ready is None or known != headers:
            ready = super().build_request(method, url, headers=headers)  # type: ignore[misc]
            del ready.headers["content-length"]
            self._ready[url] = headers, ready
        request = httpx.Request(method, ready.url, headers=ready.headers, stream=httpx.ByteStream(content), **other)
        request.headers["Content-Length"] = str(len(content))
        request.read()
        return request


def _lean(cls: type[C]) -> type[C]:
    return type(cls.__name__, (_Lean, cls), {})


def new_client(config: Config) -> httpx.Client:
    """A client for one process."""
    with _proxy_errors():
        settings = _settings(config, None)
        http = _lean(httpx.Client)(**settings)
    watch_connections(http)
    return http


def new_async_client(config: Config) -> httpx.AsyncClient:
    """A client for one event loop: over aiohttp where the extra `fast` is installed, else over httpx's own pools.

    aiohttp's pool stays fast with hundreds of requests in flight, one of httpx's does not: see `Shards`.
    """
    with _proxy_errors():
        proxy = _proxy(config)
        over_aiohttp = None if (proxy or "").startswith("socks") else _aiohttp_client()  # aiohttp has no SOCKS
        if over_aiohttp is not None:
            from geekai_core.transport.aiohttp_client import Transport

            settings = _settings(config, 0)
            through = httpx.Proxy(proxy) if proxy else None
            own = Transport(verify=settings["verify"], limits=settings["limits"], proxy=through)
            return _lean(over_aiohttp)(**settings | {"proxy": None}, transport=own)
        http = _lean(httpx.AsyncClient)(**_settings(config, None), transport=None if proxy else Shards())
    watch_connections(http)
    return http


def _settings(config: Config, unlimited: int | None) -> dict[str, Any]:
    """What all clients are made with. The environment has been looked at here: httpx misreads IPv6 in `NO_PROXY`."""
    limits = _limits(unlimited)
    return {"verify": ssl_context(), "proxy": _proxy(config), "trust_env": False, "timeout": None, "limits": limits}


def _limits(unlimited: int | None) -> httpx.Limits:
    return httpx.Limits(max_connections=unlimited, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE)


SHARD = 4
"""Requests in flight in one pool. 2 costs as much at 1,000 in flight; 8 a third more at 200, 16 twice as much."""


class _Shard(httpx.AsyncHTTPTransport):
    """One pool, the number of its requests in flight, and when it was last used."""

    def __init__(self) -> None:
        super().__init__(verify=ssl_context(), limits=_limits(None))
        watch_pool(self._pool)
        self.busy = 0
        self.used = 0.0
        self.retired = False

    async def left(self) -> None:
        """One request less is in flight."""
        self.busy -= 1
        if self.retired and not self.busy:
            await self.aclose()


class _Counted(httpx.AsyncByteStream):
    """A body; its shard has one request less in flight once it is closed."""

    def __init__(self, body: httpx.AsyncByteStream, shard: _Shard) -> None:
        self._body = body
        self._shard: _Shard | None = shard

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._body.__aiter__()

    async def aclose(self) -> None:
        shard, self._shard = self._shard, None
        try:
            await self._body.aclose()
        finally:
            if shard is not None:
                await shard.left()


class Shards(httpx.AsyncBaseTransport):
    """Small pools, filled one after the other, in place of a large one.

    httpcore walks all connections of a pool at each request: with 200 in flight, one pool took
    four times the CPU of these, and a third of the requests per second.
    """

    def __init__(self) -> None:
        self._shards: list[_Shard] = []
        self._swept = time.monotonic()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request through the first pool that has room."""
        now = time.monotonic()
        if now - self._swept > KEEPALIVE:
            await self._sweep(now)
        shard = next((shard for shard in self._shards if shard.busy < SHARD and not shard.retired), None)
        if shard is None:
            shard = _Shard()
            self._shards.append(shard)
        shard.busy, shard.used = shard.busy + 1, now
        try:
            response = await shard.handle_async_request(request)
        except BaseException as exc:
            # httpcore loses a connection that is cancelled just when it was made: its pool goes as soon as it can.
            shard.retired = shard.retired or isinstance(exc, asyncio.CancelledError)
            await shard.left()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Counted(response.stream, shard)
        return response

    async def _sweep(self, now: float) -> None:
        """Close the pools that a burst has left behind, with their idle connections."""
        self._swept = now
        idle = [shard for shard in self._shards if not shard.busy and now - shard.used > KEEPALIVE]
        self._shards = [shard for shard in self._shards if shard not in idle]
        for shard in idle:
            await shard.aclose()

    async def aclose(self) -> None:
        """Close every pool."""
        for shard in self._shards:
            await shard.aclose()


class _proxy_errors:  # noqa: N801 - a context manager, used like a function
    """A proxy that cannot be used, from an argument or the environment, is a matter of configuration."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if isinstance(exc, (ValueError, ImportError, httpx.InvalidURL)):
            # What is quoted may be the proxy's address with its password, or a part of it.
            words = str(exc) if isinstance(exc, ImportError) else re.sub(r"(?s)['\"].*['\"]", "***", str(exc))
            raise ConfigurationError(f"the proxy cannot be used: {words}") from None
