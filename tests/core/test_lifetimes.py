"""One client through several event loops, threads, processes, pickles and copies."""

import asyncio
import concurrent.futures
import copy
import gc
import os
import pickle
import sys
import threading
import weakref

import httpx
import pytest

from geekai_core import AsyncClient, BadRequestError, Client
from geekai_core.config import configure
from geekai_core.transport.httpx_clients import new_async_client
from geekai_testing.replies import completion, delta, error, json_reply, sse
from tests.core.conftest import ASK, KEY


def answer(request):
    if request.json.get("stream"):
        return sse(delta("好"), delta(finish_reason="stop"))
    return json_reply(completion("好"))


@pytest.fixture(params=["httpx", "aiohttp"])
def transport(request, monkeypatch):
    if request.param == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    return request.param


async def use(client):
    first = (await client.chat(**ASK)).message.content
    async with client.stream(**ASK) as stream:
        return first + "".join([piece.content or "" async for piece in stream])


def test_a_second_asyncio_run_works_and_the_first_leaves_nothing(server, transport):
    server.default = answer
    client = AsyncClient(api_key=KEY, base_url=server.base_url)
    for _ in range(3):
        assert asyncio.run(use(client)) == "好好"
        assert server.wait_for(lambda s: s.open_connections == 0)
    assert len(client._pool._held) <= 1


def test_loops_in_several_threads_share_one_client(server, transport):
    server.default = answer
    client = AsyncClient(api_key=KEY, base_url=server.base_url)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(lambda: asyncio.run(use(client))) for _ in range(16)]
        assert [future.result() for future in futures] == ["好好"] * 16
    assert server.wait_for(lambda s: s.open_connections == 0)


def test_a_closed_loop_is_freed(server, transport):
    server.default = answer
    client = AsyncClient(api_key=KEY, base_url=server.base_url)
    loops = []

    async def call():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await use(client)

    for _ in range(3):
        asyncio.run(call())
    gc.collect()
    assert sum(loop() is not None for loop in loops) <= 1


class RememberingLoop(asyncio.SelectorEventLoop):
    """An event loop that remembers every timer."""

    def __init__(self):
        super().__init__()
        self.timers = []

    def call_at(self, *args, **options):
        self.timers.append(super().call_at(*args, **options))
        return self.timers[-1]


def test_calls_that_are_done_leave_no_timer_behind(server, transport):
    server.play("好", sse(delta("好"), delta(finish_reason="stop")), error(400, "no"), error(400, "no"))

    async def call():
        async with AsyncClient(api_key=KEY, base_url=server.base_url, total_timeout=60) as client:
            await use(client)
            with pytest.raises(BadRequestError):
                await client.chat(**ASK)
            with pytest.raises(BadRequestError):
                async with client.stream(**ASK):
                    pass

    loop = RememberingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(call())
        assert loop.timers
        assert [timer for timer in loop.timers if timer.when() > loop.time() and not timer.cancelled()] == []


def test_many_threads_share_one_client(server):
    server.default = answer
    with Client(api_key=KEY, base_url=server.base_url) as client:

        def work():
            for _ in range(3):
                assert client.chat(**ASK).message.content == "好"
                with client.stream(**ASK) as stream:
                    assert "".join(piece.content or "" for piece in stream) == "好"
            return True

        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            assert all(pool.map(lambda _: work(), range(64)))
    assert len(server.requests) == 64 * 6
    assert server.connections < 100
    assert server.wait_for(lambda s: s.open_connections == 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python warns of threads; the server is one
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_forked_child_makes_connections_of_its_own(server, kind, transport):
    server.default = answer
    made = Client if kind == "sync" else AsyncClient
    client = made(api_key=KEY, base_url=server.base_url)
    loop = asyncio.new_event_loop()

    def ask(on):
        return client.chat(**ASK) if kind == "sync" else on.run_until_complete(client.chat(**ASK))

    ask(loop)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if ask(asyncio.new_event_loop()).message.content == "好" else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert ask(loop).message.content == "好"
    used = [request.connection for request in server.requests]
    assert used[0] == used[2] != used[1]
    client.close() if kind == "sync" else loop.run_until_complete(client.aclose())
    loop.close()


def test_a_child_never_touches_its_parents_connections(server, monkeypatch):
    """What the child above does, seen from within: it makes a client, and closes none of its parent's."""
    server.default = answer
    client = Client(api_key=KEY, base_url=server.base_url)
    parents = client._pool.client()
    parents_pool = copy.copy(client._pool)
    monkeypatch.setattr("geekai_core.transport.pools.os.getpid", lambda: -1)
    assert client.chat(**ASK).message.content == "好"
    assert client._pool.client() is not parents
    del parents_pool
    gc.collect()
    assert not parents.is_closed
    client.close()
    parents.close()


def test_a_client_forgotten_in_a_cycle_is_closed_before_anything_of_the_cycle_is_finalized(server):
    """Else its sockets may go first, each with a `ResourceWarning`."""
    server.default = answer
    seen = []

    class Witness:
        def __del__(self):
            seen.append(made.is_closed)

    cycle = [Witness(), Client(api_key=KEY, base_url=server.base_url)]
    cycle.append(cycle)
    assert cycle[1].chat(**ASK).message.content == "好"
    made = cycle[1]._pool.client()
    del cycle
    gc.collect()
    assert seen == [True]


@pytest.mark.parametrize(
    "through", [lambda c: pickle.loads(pickle.dumps(c)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"]
)
def test_a_client_pickles_and_copies_with_its_settings(server, clients, through):
    server.default = answer
    given = clients(max_retries=7, default_headers={"x-team": "t"}, timeout=httpx.Timeout(5, read=9))
    client = getattr(given, "_client", given)
    back = through(client)
    assert type(back) is type(client)
    assert back.config == client.config
    if isinstance(back, Client):
        assert back.chat(**ASK).message.content == "好"
        back.close()
    else:
        assert asyncio.run(use(back)) == "好好"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_deep_copy_keeps_the_users_own_http_client():
    with httpx.Client() as http:
        client = Client(api_key=KEY, http_client=http)
        assert copy.deepcopy(client)._pool.client() is http
        assert pickle.loads(pickle.dumps(client))._pool.given is None


def test_importing_makes_no_client_and_loads_no_httpx():
    code = "import sys, geekai_core; sys.exit(any(name in sys.modules for name in ('httpx', 'aiohttp', 'anyio')))"
    paths = os.pathsep.join(path for path in sys.path if path)
    import subprocess

    assert (
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, check=False).returncode
        == 0
    )


async def test_the_fast_transport_is_used_where_it_is_installed(monkeypatch):
    """But not where a proxy speaks SOCKS, which aiohttp does not."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    fast = new_async_client(configure(api_key=KEY))
    assert type(fast).__name__ == "HttpxAiohttpClient"
    await fast.aclose()
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(Exception, match="socks"):
        new_async_client(configure(api_key=KEY))
    monkeypatch.delenv("ALL_PROXY")
    monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    plain = new_async_client(configure(api_key=KEY))
    assert isinstance(plain, httpx.AsyncClient)
    assert type(plain).__name__ == "AsyncClient"
    await plain.aclose()


def test_the_sync_client_opens_no_loop_and_no_thread(server):
    server.default = answer
    with Client(api_key=KEY, base_url=server.base_url) as client:
        client.chat(**ASK)  # the server has its threads now
        before = set(threading.enumerate())
        client.chat(**ASK)
        assert set(threading.enumerate()) <= before
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
