"""Key, host and clients: what everything here shares that talks to GeekAI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, model_validator

from geekai_core import AsyncClient, Client
from geekai_core.connect import Connected, Names, connected
from geekai_core.options import ConnectionOptions, refuse_unknown

if TYPE_CHECKING:
    import httpx

    Key = str | SecretStr | Callable[[], str] | None
    HttpClient = httpx.Client | None
    HttpAsyncClient = httpx.AsyncClient | None
else:
    Key = HttpClient = HttpAsyncClient = Any  # httpx is imported with the first request

_NAMES = Names("api_key", "api_base", "http_client", "async_http_client")


class GeekAIConnection(ConnectionOptions):
    """The fields and clients of an object that talks to GeekAI, and how it is copied and pickled."""

    _idle: ClassVar[frozenset[str]] = frozenset()
    """Keywords of the peers that are accepted and mean nothing here."""

    api_key: Key = Field(default=None, exclude=True, repr=False)
    """The key, or a function that gives it. Default: `GEEKAI_API_KEY`."""
    api_base: str | None = Field(default=None, validation_alias=AliasChoices("api_base", "base_url"))
    """The base URL. Default: `GEEKAI_BASE_URL`, else GeekAI's mainland host."""
    if TYPE_CHECKING:  # editors and type checkers know nothing of pydantic's aliases
        base_url: str | None = None
        """Another name of `api_base`."""
    else:
        base_url = property(attrgetter("api_base"))
    reuse_client: bool = True
    """False makes an HTTP client for each call and closes it."""
    http_client: HttpClient = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own, which you close."""
    async_http_client: HttpAsyncClient = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own, which you close."""

    _made: Connected | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, data: Any) -> Any:
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if name not in cls._idle}
            refuse_unknown(cls, data)
        return data

    def model_post_init(self, context: Any, /) -> None:
        """Make the clients, which open no connection yet. Raises `ConfigurationError` for settings that cannot work."""
        self._clients()

    def _clients(self) -> tuple[Client, AsyncClient]:
        """The clients for the settings as they are now: fields may be assigned, and a copy may differ in them."""
        made = self._made = connected(self.__dict__, _NAMES, self._made)
        return made.client, made.async_client

    @contextmanager
    def _client(self) -> Iterator[Client]:
        client = self._clients()[0]
        if self.reuse_client or self.http_client is not None:
            yield client
        else:
            with Client(client.config) as once:
                yield once

    @asynccontextmanager
    async def _async_client(self) -> AsyncIterator[AsyncClient]:
        client = self._clients()[1]
        if self.reuse_client or self.async_http_client is not None:
            yield client
        else:
            async with AsyncClient(client.config) as once:
                yield once

    def close(self) -> None:
        """Close the connections of the synchronous client. A later call opens new ones."""
        self._clients()[0].close()

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._clients()[1].aclose()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> GeekAIConnection:
        memo = {} if memo is None else memo
        for name in ("http_client", "async_http_client", "callback_manager", "rate_limiter", "embeddings_cache"):
            shared = getattr(self, name, None)
            memo[id(shared)] = shared  # a copy counts against the same limit, and fills the same cache
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        twin = self.model_copy()  # core's way deletes what does not pickle from the object itself
        twin._made = None
        return super(GeekAIConnection, twin).__getstate__()
