"""Key, host and clients: what everything here shares that talks to GeekAI."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, Field, SecretStr, model_validator

from geekai_core import AsyncClient, Client
from geekai_core.connect import Connected, Names, connected
from geekai_core.options import ConnectionOptions, Timeout, refuse_unknown
from langchain_geekai._errors import langchain_errors

_NAMES = Names("geekai_api_key", "geekai_api_base", "http_client", "http_async_client")
_MADE = "_clients_made"
"""Where an object keeps its clients: beside its fields, so that they take no part in comparing and serializing it."""


class GeekAIConnection(ConnectionOptions):
    """The fields and clients of an object that talks to GeekAI, and how it is copied and pickled."""

    geekai_api_key: SecretStr | Callable[[], str] | None = Field(
        default=None, validation_alias=AliasChoices("geekai_api_key", "api_key")
    )
    """The key, or a function that returns it, asked before each request. Default: `GEEKAI_API_KEY`."""
    geekai_api_base: str | None = Field(default=None, validation_alias=AliasChoices("geekai_api_base", "base_url"))
    """The base URL. Default: `GEEKAI_BASE_URL`, else GeekAI's mainland host."""
    timeout: Timeout = Field(
        default=None, exclude=True, repr=False, validation_alias=AliasChoices("timeout", "request_timeout")
    )
    """Seconds, or an `httpx.Timeout`. Default: 10 to connect, 300 between two bytes (the server's own limit)."""
    if TYPE_CHECKING:  # editors and type checkers know nothing of pydantic's aliases
        api_key: str | SecretStr | Callable[[], str] | None = None
        """The key, or a function that returns it, asked before each request. Default: `GEEKAI_API_KEY`."""
        base_url: str | None = None
        """The base URL. Default: `GEEKAI_BASE_URL`, else GeekAI's mainland host."""
        request_timeout: Timeout = None
        """Another name of `timeout`."""
    else:
        api_key = property(attrgetter("geekai_api_key"))
        base_url = property(attrgetter("geekai_api_base"))
        request_timeout = property(attrgetter("timeout"))
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own, which you close. It does not pickle: another process makes its own."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own, for one event loop."""

    @model_validator(mode="before")
    @classmethod
    def _know_keywords(cls, values: Any) -> Any:
        if isinstance(values, dict):
            with langchain_errors():
                refuse_unknown(cls, values)
        return values

    @model_validator(mode="after")
    def _set_geekai_up(self) -> GeekAIConnection:
        with langchain_errors():
            self._clients()
        return self

    def _clients(self) -> tuple[Client, AsyncClient]:
        """The clients, made anew when a copy or an assignment changed their settings."""
        values = self.__dict__
        known: Connected | None = values.get(_MADE)
        made = values[_MADE] = connected(values, _NAMES, known)
        return made.client, made.async_client

    def close(self) -> None:
        """Close the connections of synchronous calls. A later call opens new ones."""
        self._clients()[0].close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop. A later call opens new ones."""
        await self._clients()[1].aclose()

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        kept = {key: value for key, value in state["__dict__"].items() if key not in (_MADE, "_serialized")}
        return {**state, "__dict__": {**kept, "http_client": None, "http_async_client": None}}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> GeekAIConnection:
        memo = {} if memo is None else memo
        for name in (_MADE, "http_client", "http_async_client", "rate_limiter", "cache"):  # these are to be shared
            shared = self.__dict__.get(name)
            memo[id(shared)] = shared
        return super().__deepcopy__(memo)
