"""One way to write a client test that runs sync, async over httpx, and async over aiohttp (the extra `fast`)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from geekai_core import AsyncClient, ChatCompletion, Client, Delta, Stream
from geekai_core.memory import forget
from geekai_testing.scripted import ScriptedServer

KEY = "sk-test-5f2c9a71e0"
HELLO = [{"role": "user", "content": "你好"}]
ASK = {"model": "geekai-test", "messages": HELLO}


class Blocking:
    """An `AsyncClient` whose methods are called and whose streams are entered like a `Client`'s."""

    def __init__(self, client: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self.config = client.config

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._loop.run_until_complete(method(*args, **kwargs))

        return call

    def close(self) -> None:
        self.aclose()

    def stream(self, *args: Any, **kwargs: Any) -> BlockingStream:
        return BlockingStream(self._client.stream(*args, **kwargs), self._loop)


class BlockingStream:
    """An `AsyncStream`, entered and iterated like a `Stream`."""

    def __init__(self, stream: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._stream = stream
        self._loop = loop

    def __enter__(self) -> BlockingStream:
        self._loop.run_until_complete(self._stream.__aenter__())
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.run_until_complete(self._stream.__aexit__(*exc))

    def __iter__(self) -> Iterator[Delta]:
        deltas = self._stream.__aiter__()
        while (delta := self._loop.run_until_complete(anext(deltas, None))) is not None:
            yield delta

    @property
    def answer(self) -> ChatCompletion:
        answer: ChatCompletion = self._stream.answer
        return answer


class Clients:
    """Makes clients of one kind for one server."""

    def __init__(self, mode: str, server: ScriptedServer, loop: asyncio.AbstractEventLoop) -> None:
        self.mode = mode
        self.server = server
        self._loop = loop
        self._made: list[Any] = []

    def __call__(self, **settings: Any) -> Any:
        settings = {"api_key": KEY, "base_url": self.server.base_url, **settings}
        if self.mode == "sync":
            client: Any = Client(**settings)
        else:
            client = Blocking(AsyncClient(**settings), self._loop)
        self._made.append(client)
        return client

    def close(self) -> None:
        for client in self._made:
            client.close()


def collect(client: Any, body: Any = None, **fields: Any) -> tuple[list[Delta], ChatCompletion]:
    """A stream read to its end: its deltas, and its answer."""
    if body is None and not fields:
        fields = ASK
    with client.stream(body, **fields) if body is not None else client.stream(**fields) as stream:
        return list(stream), stream.answer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    forget()  # of a server that once had the same port
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is closed as `asyncio.run` closes its own."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture(params=["sync", "httpx", "aiohttp"])
def clients(
    request: pytest.FixtureRequest,
    server: ScriptedServer,
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Clients]:
    """Makes clients, one way after the other: sync, async over httpx, async over aiohttp."""
    if request.param == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)  # as if the extra `fast` were not installed
    clients = Clients(request.param, server, loop)
    yield clients
    clients.close()


@pytest.fixture
def client(clients: Clients) -> Any:
    """A client with the default settings, but for the pauses between retries."""
    return clients()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and looks at tasks follow at once."""
    monkeypatch.setattr("geekai_core.transport.exchange.BACKOFF_FIRST", 0.0)
    monkeypatch.setattr("geekai_core.endpoints.FIRST_LOOK", 0.0)


__all__ = ["ASK", "HELLO", "KEY", "Client", "Clients", "Stream", "collect"]
