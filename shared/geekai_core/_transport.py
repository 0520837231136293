"""The httpx clients under ours: the only file that knows how they are made."""

from __future__ import annotations

import contextlib
import functools
import ssl
from typing import TYPE_CHECKING
from urllib.request import getproxies

import httpx

from geekai_core.errors import ConfigurationError

if TYPE_CHECKING:
    from geekai_core.config import Config


@functools.lru_cache(maxsize=1)
def ssl_context() -> ssl.SSLContext:
    """One context for all clients: making it takes 20 ms, nearly all of what a client costs."""
    return httpx.create_ssl_context()


KEEPALIVE = 30.0
"""Seconds that an idle connection is kept for the next request."""


def new_client(config: Config) -> httpx.Client:
    """A client for one process."""
    with _proxy_errors():
        return httpx.Client(verify=ssl_context(), proxy=config.proxy, timeout=None, limits=_limits(None))


def new_async_client(config: Config) -> httpx.AsyncClient:
    """A client for one event loop: over aiohttp where the extra `fast` is installed, else httpx's own.

    httpx's own pool walks all its connections at each request, which is slow beyond some hundred; aiohttp's does not.
    """
    kind, unlimited = httpx.AsyncClient, None
    if not any(url.startswith("socks") for url in (config.proxy or "", *getproxies().values())):  # aiohttp has no SOCKS
        with contextlib.suppress(ImportError):
            from httpx_aiohttp import HttpxAiohttpClient

            kind, unlimited = HttpxAiohttpClient, 0
    with _proxy_errors():
        return kind(verify=ssl_context(), proxy=config.proxy, timeout=None, limits=_limits(unlimited))


def _limits(unlimited: int | None) -> httpx.Limits:
    return httpx.Limits(max_connections=unlimited, max_keepalive_connections=20, keepalive_expiry=KEEPALIVE)


class _proxy_errors:  # noqa: N801 - a context manager, used like a function
    """A proxy that cannot be used, from an argument or the environment, is a matter of configuration."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if isinstance(exc, (ValueError, ImportError, httpx.InvalidURL)):
            raise ConfigurationError(f"the proxy cannot be used: {exc}") from None
