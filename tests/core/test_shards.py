"""Many small pools in place of a large one, where aiohttp is not installed."""

import asyncio
import sys

import pytest

from geekai_core import AsyncClient
from geekai_core.transport import httpx_clients as _transport
from geekai_testing.replies import Cut, Hold, Reply, completion, delta, json_reply, sse
from tests.core.conftest import ASK, KEY


@pytest.fixture
async def client(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.default = lambda request: json_reply(completion("好"))
    async with AsyncClient(api_key=KEY, base_url=server.base_url) as client:
        yield client


async def pools(client):
    return (await client._pool.client())._transport._shards


async def test_one_call_after_another_takes_one_pool_and_one_connection(client, server):
    for _ in range(5):
        await client.chat(**ASK)
    assert len(await pools(client)) == 1
    assert server.connections == 1


async def test_calls_side_by_side_take_as_many_pools_as_they_need(client, server):
    server.default = lambda request: sse(delta("一"), Hold())
    count = 3 * _transport.SHARD
    streams = [client.stream(**ASK) for _ in range(count)]
    await asyncio.gather(*(stream.__aenter__() for stream in streams))
    assert [shard.busy for shard in await pools(client)] == [_transport.SHARD] * 3
    await asyncio.gather(*(stream.__aexit__(None, None, None) for stream in streams))
    assert [shard.busy for shard in await pools(client)] == [0] * 3


async def test_a_failed_call_leaves_its_pool_as_it_was(client, server):
    server.play(Reply(before=[Cut()]))
    assert (await client.chat(**ASK)).retry_count == 1
    assert [(shard.busy, shard.retired) for shard in await pools(client)] == [(0, False)]


async def test_pools_that_a_burst_has_left_behind_are_closed(client, server, monkeypatch):
    await asyncio.gather(*(client.chat(**ASK) for _ in range(2 * _transport.SHARD)))
    assert len(await pools(client)) == 2
    monkeypatch.setattr(_transport, "KEEPALIVE", -1.0)
    await client.chat(**ASK)
    assert len(await pools(client)) == 1
    assert await asyncio.to_thread(server.wait_for, lambda s: s.open_connections <= 1)


async def test_the_pool_of_a_cancelled_call_is_closed_once_it_is_idle(client, server):
    """httpcore loses a connection that is cancelled just when it was made."""
    server.play(sse(delta("一"), Hold()), Reply(before=[Hold()]))
    stream = client.stream(**ASK)
    await stream.__aenter__()
    call = asyncio.create_task(client.chat(**ASK))
    assert await asyncio.to_thread(server.wait_for, lambda s: len(s.requests) == 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [(shard.busy, shard.retired) for shard in await pools(client)] == [(1, True)]
    await client.chat(**ASK)
    assert [(shard.busy, shard.retired) for shard in await pools(client)] == [(1, True), (0, False)]
    await stream.__aexit__(None, None, None)
    assert (await pools(client))[0].busy == 0
    assert await asyncio.to_thread(server.wait_for, lambda s: s.open_connections == 1)


async def test_a_body_that_is_closed_twice_counts_once(client):
    http = await client._pool.client()
    response = await http.send(http.build_request("GET", client.config.base_url), stream=True)
    await response.stream.aclose()
    await response.stream.aclose()
    await response.aclose()
    assert [shard.busy for shard in await pools(client)] == [0]


async def test_with_a_proxy_there_is_one_pool_of_httpx_own(server, monkeypatch):
    """A transport of one's own would switch the environment's proxies off."""
    monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    monkeypatch.setenv("ALL_PROXY", server.base_url.removesuffix("/api/v1"))
    server.play(json_reply(completion("好")))
    async with AsyncClient(api_key=KEY, base_url="http://api.example/api/v1") as client:
        assert (await client.chat(**ASK)).message.content == "好"
    assert server.requests[0].path == "http://api.example/api/v1/chat/completions"
