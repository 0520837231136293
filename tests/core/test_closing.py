"""Connections that are shared, and clients that are closed while others use them."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading

import httpx
import pytest

from geekai_core import AsyncClient, Client
from geekai_core.errors import APIConnectionError, ConfigurationError, StreamInterruptedError
from geekai_core.transport.proxies import proxy_for
from geekai_testing.replies import Hold, Reply, completion, delta, dumps, error, json_reply, sse
from tests.core.conftest import ASK, KEY, collect


def ok(request):
    return sse(delta("好", finish_reason="stop")) if request.json.get("stream") else json_reply(completion("好"))


def waiting(client, way, outcome):
    """Make a call that hangs, in a thread or as a task, and note how it ended."""

    async def read():
        async with client.stream(**ASK) as stream:
            async for _ in stream:
                pass

    async def call():
        try:
            await (client.chat(**ASK) if way == "whole" else read())
        except Exception as exc:
            outcome.append(exc)

    def call_here():
        try:
            client.chat(**ASK) if way == "whole" else collect(client)
        except Exception as exc:
            outcome.append(exc)

    return call if isinstance(client, AsyncClient) else call_here


@pytest.mark.parametrize(
    ("way", "reply", "kind"),
    [
        ("whole", lambda: Reply(before=[Hold()]), APIConnectionError),
        ("whole", lambda: Reply(body=[b"{", Hold()]), APIConnectionError),
        ("whole", lambda: error(503, "忙", headers={"retry-after": "50"}), APIConnectionError),
        ("streamed", lambda: Reply(before=[Hold()]), APIConnectionError),
        ("streamed", lambda: sse(delta("一"), Hold()), StreamInterruptedError),
    ],
    ids=["before the head", "in the body", "between two attempts", "before a stream", "in a stream"],
)
def test_closing_a_client_ends_the_calls_under_way(clients, server, way, reply, kind):
    client, outcome = clients(), []
    client = getattr(client, "_client", client)
    server.play(reply(), reply())
    call = waiting(client, way, outcome)
    if isinstance(client, Client):
        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert server.wait_for(lambda s: len(s.requests) == 2)
        threading.Event().wait(0.1)  # the heads are read now
        client.close()
        for thread in threads:
            thread.join(5)
            assert not thread.is_alive()
    else:

        async def main():
            tasks = [asyncio.create_task(call()) for _ in range(2)]
            assert await asyncio.to_thread(server.wait_for, lambda s: len(s.requests) == 2)
            await asyncio.sleep(0.1)
            await client.aclose()
            await asyncio.wait_for(asyncio.gather(*tasks), 5)

        clients._loop.run_until_complete(main())
    assert [type(one) for one in outcome] == [kind] * 2
    assert [one.retry_count for one in outcome] == [0, 0]
    assert server.wait_for(lambda s: s.open_connections == 0)
    assert len(server.requests) == 2


def test_a_stream_that_another_thread_closes_ends_for_its_reader(server):
    server.play(sse(delta("一"), Hold()))
    outcome = []
    with Client(api_key=KEY, base_url=server.base_url) as client, client.stream(**ASK) as stream:
        next(iter(stream))

        def read():
            with pytest.raises(StreamInterruptedError) as caught:
                list(stream)
            outcome.append(caught.value)

        thread = threading.Thread(target=read)
        thread.start()
        threading.Event().wait(0.1)
        stream.close()
        thread.join(5)
        assert not thread.is_alive()
    assert outcome[0].partial.message.content == "一"


def test_clients_made_anew_share_one_connection(clients, server):
    server.default = ok
    for number in range(10):
        client = clients(max_retries=number, default_headers={"x-number": str(number)})
        assert client.chat(**ASK).message.content == "好"
    assert server.connections == 1
    assert [request.headers["x-number"] for request in server.requests] == [str(number) for number in range(10)]


@pytest.mark.parametrize("other", [{"api_key": "sk-other-1234"}, {"proxy": "HERE"}], ids=["key", "proxy"])
def test_clients_with_another_key_or_proxy_share_nothing(clients, server, other):
    server.default = ok
    other = {
        name: server.base_url.removesuffix("/api/v1") if value == "HERE" else value for name, value in other.items()
    }
    clients().chat(**ASK)
    clients(**other).chat(**ASK)
    assert server.connections == 2


def test_closing_a_client_leaves_others_that_share_its_connections(clients, server):
    server.default = ok
    one, other = clients(), clients()
    one.chat(**ASK)
    other.chat(**ASK)
    one.close()
    assert other.chat(**ASK).message.content == "好"
    assert server.connections == 1
    other.close()
    assert server.wait_for(lambda s: s.open_connections == 0)
    assert one.chat(**ASK).message.content == "好"
    assert server.connections == 2


def test_a_given_client_is_never_shared(server):
    server.default = ok
    with httpx.Client() as given:
        Client(api_key=KEY, base_url=server.base_url).chat(**ASK)
        Client(api_key=KEY, base_url=server.base_url, http_client=given).chat(**ASK)
    assert server.connections == 2


def test_a_client_with_other_options_shares_the_connections(clients, server):
    server.play(ok, error(503, "忙"))
    client = clients(default_headers={"x-a": "1"})
    client = getattr(client, "_client", client)
    twin = client.with_options(timeout=(5, 60), max_retries=0, headers={"X-B": "2"})
    assert type(twin) is type(client)
    run = clients._loop.run_until_complete if isinstance(client, AsyncClient) else lambda answer: answer
    run(client.chat(**ASK))
    with pytest.raises(Exception, match="忙") as caught:
        run(twin.chat(**ASK))
    assert caught.value.retry_count == 0
    assert (client.config.max_retries, twin.config.timeouts()["read"]) == (2, 60)
    assert [(r.headers.get("x-a"), r.headers.get("x-b")) for r in server.requests] == [("1", None), ("1", "2")]
    assert server.connections == 1
    with pytest.raises(ConfigurationError, match="did you mean 'max_retries'"):
        client.with_options(max_retrys=1)
    with pytest.raises(ConfigurationError, match="with_options keeps api_key"):
        client.with_options(api_key="sk-2")


def test_a_call_may_bring_its_own_timeout_headers_and_query(clients, server):
    for way in ("chat", "submit", "stream"):
        server.play(Reply(before=[Hold()]))
        client = clients(default_query={"v": "1"}, default_headers={"x-a": "1", "x-b": "1"})
        sending = {"timeout": (5, 0.2), "extra_headers": {"X-B": "2"}, "extra_query": {"w": "2"}}
        with pytest.raises(Exception, match=r"read timeout.* 0\.2 s"):
            collect(client, **ASK, **sending) if way == "stream" else getattr(client, way)(**ASK, **sending)
        request = server.requests[-1]
        assert request.path.endswith("/chat/completions?v=1&w=2")
        assert (request.headers["x-a"], request.headers["x-b"]) == ("1", "2")
        assert set(request.json) <= {"model", "messages", "background", "stream", "stream_options"}
    for wrong in ({"timeout": 0}, {"extra_headers": {"x": "a\nb"}}):
        with pytest.raises(ConfigurationError):
            clients().chat(**ASK, **wrong)


def test_an_async_client_under_trio_says_what_it_needs(server):
    trio = pytest.importorskip("trio")

    async def main():
        async with AsyncClient(api_key=KEY, base_url=server.base_url) as client:
            await client.chat(**ASK)

    with pytest.raises(ConfigurationError, match="asyncio"):
        trio.run(main)


def test_a_fork_during_another_threads_first_call_hangs_neither_process(server):
    """The child may find locks that a thread holds which it does not have: of an import, of a pool."""
    server.default = ok
    code = """
import os, sys, threading, time
from geekai_core import Client
client = Client(api_key="sk-test-5f2c9a71e0", base_url=sys.argv[1])
ask = lambda: client.chat(model="m", messages=[{"role": "user", "content": "x"}]).message.content
thread = threading.Thread(target=ask)
thread.start()
time.sleep(float(sys.argv[2]))
child = os.fork()
if child == 0:
    os._exit(0 if ask() == "好" else 1)
thread.join()
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    for wait in ("0", "0.01", "0.05", "0.1", "0.2"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, server.base_url, wait],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, wait


def test_a_missing_certificate_file_is_a_matter_of_configuration(clients, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE='/nowhere/ca[.]pem' cannot be read: No such file"):
        clients().chat(**ASK)


def test_no_proxy_knows_addresses_of_ipv6(clients, server, monkeypatch):
    server.default = ok
    for entry in ("::1", "[::1]", "10.0.0.0/8,fe80::/10", "127.0.0.1"):
        monkeypatch.setenv("ALL_PROXY", server.base_url.removesuffix("/api/v1"))
        monkeypatch.setenv("NO_PROXY", entry)
        assert clients().chat(**ASK).message.content == "好"
        through = server.requests[-1].path.startswith("http://")
        assert through == (entry != "127.0.0.1")


@pytest.mark.parametrize(
    ("url", "entry", "excepted"),
    [
        ("http://[::1]:8000/v1", "::1", True),
        ("http://[::1]:8000/v1", "[::1]", True),
        ("http://[::1]:8000/v1", "[::1]:8000", True),
        ("http://[::1]:8000/v1", "[::1]:9000", False),
        ("http://[fe80::1]/v1", "fe80::/10", True),
        ("http://[2001:db8::1]/v1", "fe80::/10, 2001:DB8::/32", True),
        ("http://10.1.2.3/v1", "10.0.0.0/8", True),
        ("http://11.1.2.3/v1", "10.0.0.0/8", False),
        ("http://api.example/v1", "example", True),
        ("http://api.example/v1", ".example", True),
        ("http://api.example/v1", "*.example", True),
        ("http://badexample/v1", "example", False),
        ("http://api.example:81/v1", "api.example:81", True),
        ("http://api.example:82/v1", "api.example:81", False),
        ("http://api.example/v1", "*", True),
        ("http://api.example/v1", "", False),
    ],
)
def test_an_entry_of_no_proxy_means_a_name_an_address_or_a_network(url, entry, excepted):
    assert (proxy_for(url, {"http": "http://proxy:3128", "no": entry}) is None) == excepted


async def test_a_stream_that_ends_leaves_another_on_its_connection_of_http_2_alone():
    """Its end, which is waited for a moment, would have to be read from the connection of both."""
    h2_events = pytest.importorskip("h2.events")
    h2_connection = pytest.importorskip("h2.connection")

    ended = asyncio.Event()

    async def serve(reader, writer):
        state = h2_connection.H2Connection(h2_connection.H2Configuration(client_side=False))
        state.initiate_connection()
        tasks = []

        async def answer(stream, number):
            state.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
            pieces = [delta("一"), delta("二", finish_reason="stop")]
            for piece in pieces:
                state.send_data(stream, f"data: {dumps(piece)}\n\n".encode())
                writer.write(state.data_to_send())
                await asyncio.sleep(0.3 if number == 1 else 0.0)
            state.send_data(stream, b"data: [DONE]\n\n")
            writer.write(state.data_to_send())
            await asyncio.sleep(0.4)  # the end follows late
            state.end_stream(stream)
            writer.write(state.data_to_send())

        with contextlib.suppress(Exception):
            while data := await reader.read(65536):
                for event in state.receive_data(data):
                    if isinstance(event, h2_events.StreamEnded):
                        tasks.append(asyncio.ensure_future(answer(event.stream_id, len(tasks) + 1)))
                writer.write(state.data_to_send())
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]

    async def read(client):
        async with client.stream(**ASK) as stream:
            return "".join([piece.content or "" async for piece in stream])

    async with httpx.AsyncClient(http1=False, http2=True) as http:
        client = AsyncClient(api_key=KEY, base_url=f"http://127.0.0.1:{port}/v1", http_async_client=http)
        first = asyncio.create_task(read(client))
        await asyncio.sleep(0.1)
        assert await read(client) == "一二"
        assert await first == "一二"
    await asyncio.wait_for(ended.wait(), 10)
    listener.close()
