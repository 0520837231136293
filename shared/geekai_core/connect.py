"""The clients of an adapter's object, for the settings that it has now. Making them opens no connection."""

from __future__ import annotations

from typing import Any, NamedTuple

from geekai_core.client import AsyncClient, Client
from geekai_core.config import Config, configure

SETTINGS = tuple(
    name for name, kept in Config.__dataclass_fields__.items() if kept.init and name not in ("api_key", "base_url")
)


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


def connected(values: dict[str, Any], names: Names, known: Connected | None) -> Connected:
    """`known`, or new clients where a copy or an assignment changed the settings. Raises `ConfigurationError`.

    `values`: the object's fields. From now on they hold the key and the host, in whatever process.
    """
    wanted = (*names, *SETTINGS)
    if known is not None and known.settings == [values.get(name) for name in wanted]:
        return known
    key, url = values[names.api_key], values[names.base_url]
    config = configure(key, url, **{name: values.get(name) for name in SETTINGS})
    values[names.api_key], values[names.base_url] = config.api_key, config.base_url
    client = Client(config, http_client=values[names.http_client])
    async_client = AsyncClient(config, http_async_client=values[names.http_async_client])
    return Connected([values.get(name) for name in wanted], client, async_client)
