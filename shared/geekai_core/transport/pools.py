"""The httpx clients in use: one for a process, one for each event loop. Made when first needed.

All clients of ours that have the same host, key and proxy share one. A framework's objects are often made anew for
each call: the ones that they used last are kept beyond them, so that the next object opens no new connection.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections import OrderedDict
from collections.abc import AsyncGenerator, Hashable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from geekai_core.config import Config
from geekai_core.errors import ConfigurationError
from geekai_core.locks import lock_across_forks
from geekai_core.transport.driver import AsyncChannel, Channel
from geekai_core.transport.watched import watch_connections

if TYPE_CHECKING:
    import httpx

C = TypeVar("C", bound="httpx.Client | httpx.AsyncClient")

_making = lock_across_forks()
"""Held while a client is made, and while httpx is imported for it, which takes locks of its own."""


class Shared(Generic[C]):
    """An httpx client, and the pools that use it. Closed by the last of them, or when nobody holds it any more."""

    def __init__(self, key: Hashable, client: C, holder: AsyncGenerator[C, None] | None = None) -> None:
        self.key = key
        self.client = client
        self.holder = holder
        self.users: weakref.WeakSet[Pool | LoopPool] = weakref.WeakSet()

    def left_by(self, user: Pool | LoopPool) -> bool:
        """Whether nobody uses it any more, now that this one does not."""
        with _making:
            self.users.discard(user)
            if self.users:
                return False
            if _shared.get(self.key) is self:
                del _shared[self.key]
            if _kept.get(self.key) is self:
                del _kept[self.key]
            return True


_shared: weakref.WeakValueDictionary[Hashable, Shared[httpx.Client] | Shared[httpx.AsyncClient]]
_shared = weakref.WeakValueDictionary()
_kept: OrderedDict[Hashable, Shared[httpx.Client] | Shared[httpx.AsyncClient]] = OrderedDict()
"""Those that lasting pools took, the last `KEPT` of them."""
KEPT = 8


def _keep(used: Shared[Any]) -> None:
    """Hold a client beyond the pools that use it, in the place of those that are closed or were taken longest ago."""
    _kept[used.key] = used
    _kept.move_to_end(used.key)
    for key in [key for key, other in _kept.items() if other.client.is_closed] + list(_kept)[:-KEPT]:
        _kept.pop(key, None)


class Pool:
    """The httpx client of one process. `channels`: the calls under way.

    `lasting`: whether the client outlives a pool that is forgotten, and not closed.
    """

    lasting = False

    def __init__(self, config: Config, given: httpx.Client | None) -> None:
        self.config = config
        self.given = given
        self.channels: weakref.WeakValueDictionary[int, Channel] = weakref.WeakValueDictionary()
        self._used: Shared[httpx.Client] | None = None
        self._pid = 0

    def client(self) -> httpx.Client:
        """The client to use here and now: a forked child must not write into its parent's connections."""
        if self.given is not None:
            watch_connections(self.given)
            return self.given
        used = self._used
        if used is None or self._pid != os.getpid():
            used = self._used = self._take()
        return used.client

    def _take(self) -> Shared[httpx.Client]:
        with _making:
            from geekai_core.transport.httpx_clients import new_client, sharing_key

            self._pid = os.getpid()
            key = (self._pid, *sharing_key(self.config))
            used: Shared[httpx.Client] | None = _shared.get(key)  # type: ignore[assignment]
            if used is None or used.client.is_closed:
                _shared[key] = used = Shared(key, new_client(self.config))
                # A forgotten one closes too: users of the frameworks leave it so. `__del__` would not do: in a cycle
                # of garbage, Python may finalize a socket before its pool, and warn.
                weakref.finalize(used, _close_own, used.client, self._pid).atexit = False
            used.users.add(self)
            if self.lasting:
                _keep(used)
            return used

    def close(self) -> None:
        """End the calls under way, and close what was made here unless others use it; a given client stays open."""
        for reference in self.channels.valuerefs():  # other threads may add some at this moment
            if channel := reference():
                channel.abort()
        used, self._used = self._used, None
        if used is not None and used.left_by(self):
            _close_own(used.client, self._pid)


def _close_own(client: httpx.Client, pid: int) -> None:
    if pid == os.getpid():  # a parent's connections are its own
        client.close()


class LoopPool:
    """The httpx clients of the event loops, one each, made when first needed and closed with their loop.

    A client is held by an async generator, which `asyncio.run` closes at its end by itself; a weak dictionary would
    leak, since a client keeps its loop alive. The generator knows nothing of this pool, so that a forgotten pool is
    freed, and its clients closed, at once; unless it is `lasting`, as `Pool`.
    """

    lasting = False

    def __init__(self, config: Config, given: httpx.AsyncClient | None) -> None:
        self.config = config
        self.given = given
        self.channels: weakref.WeakValueDictionary[int, AsyncChannel] = weakref.WeakValueDictionary()
        self._held: dict[tuple[int, asyncio.AbstractEventLoop], Shared[httpx.AsyncClient]] = {}

    async def client(self) -> httpx.AsyncClient:
        """The client of the running loop, and of this process: a forked child must not share its parent's."""
        place = os.getpid(), _loop()
        if self.given is not None:
            watch_connections(self.given)
            return self.given
        held = self._held.get(place)
        if held is None or held.client.is_closed:
            for stale in [other for other in list(self._held) if other[1].is_closed()]:
                self._held.pop(stale, None)
            held = self._held[place] = await self._take(*place)
        return held.client

    async def _take(self, pid: int, loop: asyncio.AbstractEventLoop) -> Shared[httpx.AsyncClient]:
        with _making:
            from geekai_core.transport.httpx_clients import new_async_client, sharing_key

            key = (pid, id(loop), *sharing_key(self.config))
            held: Shared[httpx.AsyncClient] | None = _shared.get(key)  # type: ignore[assignment]
            if held is None or held.client.is_closed:
                holder = _hold(new_async_client(self.config))
                _shared[key] = held = Shared(key, await anext(holder), holder)
            held.users.add(self)
            if self.lasting:
                _keep(held)
            return held

    async def close(self) -> None:
        """End the running loop's calls under way, and close its client unless others use it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # not asyncio's, where nothing was opened
            return
        for reference in self.channels.valuerefs():
            if (channel := reference()) and channel.loop is loop:
                channel.abort()
        held = self._held.pop((os.getpid(), loop), None)
        if held is not None and held.left_by(self) and held.holder is not None:
            await held.holder.aclose()


def _loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "AsyncClient needs a running asyncio event loop; under trio, run a Client in a thread"
        ) from None


async def _hold(client: httpx.AsyncClient) -> AsyncGenerator[httpx.AsyncClient, None]:
    try:
        yield client
    finally:
        await client.aclose()
