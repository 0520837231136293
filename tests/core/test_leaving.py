"""Whoever leaves a stream early, by whatever way, has its connection closed at once: the server sees it."""

import asyncio
import gc
import itertools
import random
import sys
import time

import pytest

from geekai_core import AsyncClient, Client
from geekai_core.errors import APIConnectionError, APITimeoutError, StreamInterruptedError
from geekai_testing.replies import Hold, Pause, Reply, completion, delta, dumps, json_reply, sse
from tests.core.conftest import ASK, KEY

SOON = 30.0
"""Seconds until a test gives up; what it waits for comes at once, but for a busy machine."""


@pytest.fixture(params=["httpx", "aiohttp"])
def async_client(request, server, monkeypatch):
    """A function that makes an `AsyncClient` over one of the two transports."""
    if request.param == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    return lambda **settings: AsyncClient(api_key=KEY, base_url=server.base_url, **settings)


def endless(gap=0.01):
    event = f"data: {dumps(delta('x'))}\n\n".encode()
    return Reply(
        headers={"content-type": "text/event-stream"}, body=itertools.cycle([event, Pause(gap)]), framing="chunked"
    )


def assert_left(server, request=0):
    """The server saw its client leave while it was still speaking."""
    assert server.requests[request].client_left.wait(SOON)
    assert server.wait_for(lambda s: s.open_connections == 0)


def test_breaking_out_closes_the_connection(client, server):
    server.play(endless())
    with client.stream(**ASK) as stream:
        for _ in stream:
            break
    assert_left(server)


def test_not_reading_at_all_closes_the_connection(client, server):
    server.play(endless())
    with client.stream(**ASK):
        pass
    assert_left(server)


def test_an_exception_of_the_callers_closes_the_connection_and_passes(client, server):
    server.play(endless())
    with pytest.raises(ZeroDivisionError), client.stream(**ASK) as stream:
        _ = [1 // piece.index for piece in stream]
    assert_left(server)


def test_a_forgotten_generator_closes_the_connection(server):
    """An adapter's generator that nobody reads on is collected, and its `with` left."""
    with Client(api_key=KEY, base_url=server.base_url) as client:

        def texts():
            with client.stream(**ASK) as stream:
                for piece in stream:
                    yield piece.content

        server.play(endless())
        reading = texts()
        assert next(reading) == "x"
        del reading
        gc.collect()
        assert_left(server)


def test_forgotten_deltas_close_the_connection_though_the_block_was_never_left(server):
    client = Client(api_key=KEY, base_url=server.base_url)
    server.play(endless())
    deltas = iter(client.stream(**ASK).__enter__())
    assert next(deltas).content == "x"
    del deltas
    gc.collect()
    assert_left(server)
    client.close()


def test_a_forgotten_client_closes_its_connections(server):
    server.play(json_reply(completion("好")))
    Client(api_key=KEY, base_url=server.base_url).chat(**ASK)
    gc.collect()
    assert server.wait_for(lambda s: s.open_connections == 0)


async def test_a_forgotten_async_client_closes_its_connections(async_client, server):
    server.play(json_reply(completion("好")))
    await async_client().chat(**ASK)
    gc.collect()
    await closed(server)


async def closed(server):
    """Let the loop run until the server has no connection open."""
    assert await asyncio.to_thread(server.wait_for, lambda s: s.open_connections == 0)


async def asked(server):
    """Let the loop run until the server has a request."""
    assert await asyncio.to_thread(server.wait_for, lambda s: s.requests)


async def read(client, arrived=None):
    """Read a stream to its end, telling of the first delta."""
    async with client.stream(**ASK) as stream:
        async for _ in stream:
            if arrived is not None:
                arrived.set()


async def test_a_forgotten_async_generator_closes_the_connection(async_client, server):
    async with async_client() as client:

        async def texts():
            async with client.stream(**ASK) as stream:
                async for piece in stream:
                    yield piece.content

        server.play(endless())
        reading = texts()
        assert await anext(reading) == "x"
        del reading
        gc.collect()
        await closed(server)
    assert server.requests[0].client_left.is_set()


@pytest.mark.parametrize("when", ["before the head", "before the first byte", "between two chunks"])
async def test_a_cancelled_stream_closes_the_connection(async_client, server, when):
    server.play(
        {
            "before the head": Reply(before=[Hold()]),
            "before the first byte": Reply(
                headers={"content-type": "text/event-stream"}, body=[Hold()], framing="chunked"
            ),
            "between two chunks": sse(delta("一"), Hold()),
        }[when]
    )
    arrived = asyncio.Event()
    async with async_client() as client:
        task = asyncio.create_task(read(client, arrived))
        await asked(server)
        if when == "between two chunks":
            await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed(server)
    assert server.requests[0].client_left.is_set()


async def test_no_cancellation_is_lost_at_whatever_moment_it_comes(async_client, server):
    """One that comes together with the first bytes, say: before Python 3.12, `asyncio.wait_for` swallows it."""
    server.default = lambda request: sse(delta("一"), Hold())
    chance = random.Random(7)
    async with async_client() as client:
        for _ in range(150):
            tasks = [asyncio.create_task(read(client)) for _ in range(2)]
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            _, outlived = await asyncio.wait(tasks, timeout=SOON)
            assert not outlived
            assert all(task.cancelled() for task in tasks)
        await closed(server)


async def test_a_cancelled_call_closes_the_connection(async_client, server):
    server.play(Reply(before=[Hold()]))
    async with async_client() as client:
        task = asyncio.create_task(client.chat(**ASK))
        await asked(server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed(server)


async def test_a_timeout_of_the_callers_stays_the_callers(async_client, server):
    """Our own limit cancels a read, too; the two are told apart."""
    server.play(sse(delta("一"), Hold()), sse(delta("一"), Hold()))
    async with async_client(stream_chunk_timeout=5.0) as client:
        for _ in range(2):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(read(client), 0.15)
        await closed(server)


async def test_a_cancellation_from_outside_wins_over_our_own_limit(async_client, server):
    """Both in one turn of the loop: the task ends as cancelled, as its owner wished."""
    server.play(sse(delta("一"), Hold()))
    async with async_client(stream_chunk_timeout=0.1) as client:

        async def read():
            async with client.stream(**ASK) as stream:
                async for _ in stream:
                    asyncio.get_running_loop().call_later(0.1, cancel_too)

        def cancel_too():
            time.sleep(0.05)  # now the timer of the limit is due in the same turn
            asyncio.get_running_loop().call_soon(task.cancel)

        task = asyncio.create_task(read())
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed(server)


async def test_our_own_limit_leaves_the_task_uncancelled(async_client, server):
    server.play(sse(delta("一"), Hold()), json_reply(completion("好")))
    async with async_client(stream_chunk_timeout=0.1) as client:
        with pytest.raises(APITimeoutError, match="stream_chunk_timeout"):
            await read(client)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert (await client.chat(**ASK)).message.content == "好"


async def test_a_stream_that_another_task_closes_ends_for_its_reader(async_client, server):
    server.play(sse(delta("一"), Hold()))
    async with async_client() as client:
        stream = client.stream(**ASK)
        await stream.__aenter__()
        deltas = aiter(stream)
        await anext(deltas)
        reader = asyncio.create_task(anext(deltas))
        await asyncio.sleep(0.05)
        await stream.__aexit__(None, None, None)
        done, _ = await asyncio.wait([reader], timeout=SOON)
        reader.cancel()
        with pytest.raises((StreamInterruptedError, asyncio.CancelledError)):
            await reader
        assert done or reader.cancelled()
        await closed(server)


def test_a_stream_that_is_read_after_it_was_left_is_interrupted(client, server):
    server.play(endless())
    with client.stream(**ASK) as stream:
        next(iter(stream))
    with pytest.raises((StreamInterruptedError, APIConnectionError)):
        for _ in stream:
            pass


def test_no_connection_is_left_of_many_streams(server):
    with Client(api_key=KEY, base_url=server.base_url) as client:
        for _ in range(50):
            server.play(endless(gap=0.001))
            with client.stream(**ASK) as stream:
                next(iter(stream))
    assert server.wait_for(lambda s: s.open_connections == 0)
