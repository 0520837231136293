"""What an object of an adapter has in common with all others: it knows its keywords, and has clients to ask with."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, NamedTuple

from pydantic import model_validator

from geekai_core.client import AsyncClient, Client
from geekai_core.config import Config, configure, no_key
from geekai_core.options import ConnectionOptions
from geekai_core.request.body import refuse_unknown

SETTINGS = tuple(
    name for name, kept in Config.__dataclass_fields__.items() if kept.init and name not in ("api_key", "base_url")
)
_MADE = "_clients_made"
"""Where an object keeps its clients: beside its fields, so that they take no part in comparing and serializing it."""

_SHARED = ("callback_manager", "rate_limiter", "embeddings_cache", "cache")
"""Fields of the frameworks that a deep copy shares: it counts against the same limit, and fills the same cache."""


class Connected(NamedTuple):
    """Both clients, and the settings that they were made for."""

    settings: list[Any]
    client: Client
    async_client: AsyncClient


class Names(NamedTuple):
    """What an adapter calls the key, the base URL, and the two httpx clients of the user's own."""

    api_key: str
    base_url: str
    http_client: str
    http_async_client: str


class Component(ConnectionOptions):
    """The keywords and clients of an object that talks to GeekAI, and how it is copied and pickled."""

    _names: ClassVar[Names]
    _errors: ClassVar[type[AbstractContextManager[None]]] = nullcontext
    """Within such a block, errors are those of the adapter."""

    @model_validator(mode="before")
    @classmethod
    def _know_keywords(cls, values: object) -> Any:
        if isinstance(values, dict):
            with cls._errors():
                refuse_unknown(cls, values)
        return values

    @model_validator(mode="after")
    def _set_geekai_up(self) -> Component:
        with self._errors():
            self._clients()
        return self

    def _clients(self) -> tuple[Client, AsyncClient]:
        """The clients, made anew when a copy or an assignment changed their settings. Making them opens no connection.

        From then on the fields hold the key and the host, in whatever process. Raises `ConfigurationError`.
        """
        values, names = self.__dict__, self._names
        wanted = (*names, *SETTINGS)
        made: Connected | None = values.get(_MADE)
        if made is None or made.settings != [values.get(name) for name in wanted]:
            settings = {name: values.get(name) for name in SETTINGS}
            config = configure(values[names.api_key], values[names.base_url], **settings)
            if config.api_key is no_key:  # a system key alone
                config.key()
            values[names.api_key], values[names.base_url] = config.api_key, config.base_url
            client = Client(config, http_client=values[names.http_client])
            async_client = AsyncClient(config, http_async_client=values[names.http_async_client])
            client._pool.lasting = async_client._pool.lasting = True
            made = values[_MADE] = Connected([values.get(name) for name in wanted], client, async_client)
        return made.client, made.async_client

    def close(self) -> None:
        """Close the connections of synchronous calls. A later call opens new ones."""
        self._clients()[0].close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop. A later call opens new ones."""
        await self._clients()[1].aclose()

    def __deepcopy__(self, memo: dict[int, object] | None = None) -> Component:
        memo = {} if memo is None else memo
        for name in (_MADE, self._names.http_client, self._names.http_async_client, *_SHARED):
            shared = self.__dict__.get(name)
            memo[id(shared)] = shared
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        twin = self.model_copy()  # LlamaIndex's own way deletes what does not pickle from the object itself
        for name in (_MADE, "_serialized"):  # the latter is LangChain's cache
            twin.__dict__.pop(name, None)
        state = super(Component, twin).__getstate__()
        state["__dict__"] |= {self._names.http_client: None, self._names.http_async_client: None}
        return state
