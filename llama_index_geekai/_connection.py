"""Key and host, as LlamaIndex names them: what everything here shares that talks to GeekAI."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import AliasChoices, Field, SecretStr

from geekai_core import AsyncClient, Client
from geekai_core.adapters.component import Component, Names
from geekai_core.options import Timeout

if TYPE_CHECKING:
    import httpx

    Key = str | SecretStr | Callable[[], str] | None
    HttpClient = httpx.Client | None
    HttpAsyncClient = httpx.AsyncClient | None
else:
    Key = HttpClient = HttpAsyncClient = Any  # httpx is imported with the first request


def other_name(field: str) -> Any:
    """A property that is another name of a field."""
    return property(attrgetter(field), lambda self, value: setattr(self, field, value))


class GeekAIConnection(Component):
    """The fields and clients of an object that talks to GeekAI."""

    _names: ClassVar[Names] = Names("api_key", "api_base", "http_client", "async_http_client")

    api_key: Key = Field(default=None, exclude=True, repr=False)
    """The key, or a function that gives it. Default: `GEEKAI_API_KEY`."""
    api_base: str | None = Field(default=None, validation_alias=AliasChoices("api_base", "base_url"))
    """The base URL. Default: `GEEKAI_BASE_URL`, else GeekAI's mainland host."""
    if TYPE_CHECKING:  # editors and type checkers know nothing of pydantic's aliases
        base_url: str | None = None
        """Another name of `api_base`."""
        request_timeout: Timeout = None
        """Another name of `timeout`."""
    else:
        base_url, request_timeout = other_name("api_base"), other_name("timeout")
    reuse_client: bool = True
    """False makes an HTTP client for each call and closes it."""
    http_client: HttpClient = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own, which you close."""
    async_http_client: HttpAsyncClient = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own, which you close."""

    def _client(self) -> AbstractContextManager[Client]:
        client = self._clients()[0]
        return nullcontext(client) if self.reuse_client or self.http_client is not None else Client(client.config)

    def _async_client(self) -> AbstractAsyncContextManager[AsyncClient]:
        client = self._clients()[1]
        kept = self.reuse_client or self.async_http_client is not None
        return nullcontext(client) if kept else AsyncClient(client.config)
