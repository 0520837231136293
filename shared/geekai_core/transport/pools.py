"""The httpx clients in use: one for a process, one for each event loop. Made when first needed."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geekai_core.config import Config

if TYPE_CHECKING:
    import httpx


class Pool:
    """The httpx client of one process."""

    def __init__(self, config: Config, given: httpx.Client | None) -> None:
        self.config = config
        self.given = given
        self._lock = threading.Lock()
        self._made: httpx.Client | None = None
        self._pid = os.getpid()

    def client(self) -> httpx.Client:
        """The client to use here and now: a forked child must not write into its parent's connections."""
        if self.given is not None:
            return self.given
        if self._pid != os.getpid():
            self.__init__(self.config, None)  # type: ignore[misc]
        with self._lock:
            if self._made is None:
                from geekai_core.transport.httpx_clients import new_client

                self._made = new_client(self.config)
                # A forgotten pool closes too: users of the frameworks leave it so. `__del__` would not do: in a cycle
                # of garbage, Python may finalize a socket before its pool, and warn.
                weakref.finalize(self, _close_own, self._made, self._pid).atexit = False
            return self._made

    def close(self) -> None:
        """Close what was made here; a given client is its owner's to close."""
        made, self._made = self._made, None
        if made is not None:
            made.close()


def _close_own(client: httpx.Client, pid: int) -> None:
    if pid == os.getpid():  # a parent's connections are its own
        client.close()


class LoopPool:
    """The httpx clients of the event loops, one each, made when first needed and closed with their loop.

    A client is held by an async generator, which `asyncio.run` closes at its end by itself; a weak dictionary would
    leak, since a client keeps its loop alive. The generator knows nothing of this pool, so that a forgotten pool is
    freed, and its clients closed, at once.
    """

    def __init__(self, config: Config, given: httpx.AsyncClient | None) -> None:
        self.config = config
        self.given = given
        self._held: dict[tuple[int, asyncio.AbstractEventLoop], _Held] = {}

    async def client(self) -> httpx.AsyncClient:
        """The client of the running loop, and of this process: a forked child must not share its parent's."""
        if self.given is not None:
            return self.given
        key = os.getpid(), asyncio.get_running_loop()
        held = self._held.get(key)
        if held is None or held.client.is_closed:
            for stale in [other for other in list(self._held) if other[1].is_closed()]:
                self._held.pop(stale, None)
            holder = _hold(self.config)
            held = self._held[key] = _Held(await anext(holder), holder)
        return held.client

    async def close(self) -> None:
        """Close the running loop's client; the others go with their loops."""
        held = self._held.get((os.getpid(), asyncio.get_running_loop()))
        if held is not None:
            await held.holder.aclose()


@dataclass
class _Held:
    client: httpx.AsyncClient
    holder: AsyncGenerator[httpx.AsyncClient, None]


async def _hold(config: Config) -> AsyncGenerator[httpx.AsyncClient, None]:
    from geekai_core.transport.httpx_clients import new_async_client

    client = new_async_client(config)
    try:
        yield client
    finally:
        await client.aclose()
