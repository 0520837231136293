"""The scripted server, looked at from the client's side of a socket."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import httpx
import pytest

from geekai_testing.replies import (
    Cut,
    Hold,
    Pause,
    Reply,
    Request,
    chunk,
    completion,
    delta,
    error,
    json_reply,
    sse,
    tool_call,
    usage,
)
from geekai_testing.scripted import ScriptedServer

CHAT = "/api/v1/chat/completions"
GET = b"GET /api/v1/models HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, timeout=5) as made:
        yield made


@pytest.fixture
def wire(server: ScriptedServer) -> Iterator[socket.socket]:
    """A bare connection, to see the very bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as made:
        yield made


def drain(wire: socket.socket) -> bytes:
    """Everything until the server closes."""
    return b"".join(iter(lambda: wire.recv(65536), b""))


def until(wire: socket.socket, mark: bytes) -> bytes:
    data = b""
    while not data.endswith(mark):
        data += wire.recv(1)
    return data


def test_a_request_is_recorded_as_it_came(server: ScriptedServer, client: httpx.Client) -> None:
    """Method, path with query, headers under lower-case names, and the bytes of the body are kept."""
    client.post("chat/completions?x=1", json={"model": "极"}, headers={"X-Thing": "a"})
    request = server.requests[0]
    assert (request.method, request.path, request.route) == ("POST", CHAT + "?x=1", "/chat/completions")
    assert request.headers["x-thing"] == "a"
    assert request.json == json.loads(request.body) == {"model": "极"}


def test_a_chunked_request_is_put_together(server: ScriptedServer, client: httpx.Client) -> None:
    """A client may send its body in HTTP chunks."""
    client.post("chat/completions", content=iter([b'{"a"', b": 1}"]))
    assert server.requests[0].json == {"a": 1}


def test_replies_are_played_in_order_and_then_the_default(server: ScriptedServer, client: httpx.Client) -> None:
    """Each request takes one queued reply; with the queue empty the default answers."""
    server.play(error(503, "busy"), json_reply({"n": 2}))
    assert client.post("chat/completions").status_code == 503
    assert client.post("chat/completions").json() == {"n": 2}
    server.default = lambda request: json_reply({"default": request.route})
    assert client.post("rerank").json() == {"default": "/rerank"}


def test_a_queue_for_a_path_goes_before_the_queue_for_any(server: ScriptedServer, client: httpx.Client) -> None:
    """Replies can be kept for one path, or for a pattern of paths."""
    server.play(json_reply("any"))
    server.play(json_reply("rerank"), path="/rerank")
    server.play(json_reply("task"), path="/chat/task-*")
    assert [client.get(path).json() for path in ("chat/task-7", "rerank", "rerank")] == ["task", "rerank", "any"]


def test_a_reply_may_be_made_from_the_request(server: ScriptedServer, client: httpx.Client) -> None:
    """A callable in the queue sees the request and returns the reply."""
    server.play(lambda request: json_reply(request.json["model"]))
    assert client.post("chat/completions", json={"model": "m"}).json() == "m"


def test_an_exception_in_a_responder_reaches_the_test() -> None:
    """A broken script answers 500 and is raised again when the server is left: it is never lost."""

    def broken(request: Request) -> Reply:
        raise LookupError("no such thing")

    with pytest.raises(LookupError), ScriptedServer(broken) as server:
        assert httpx.get(server.base_url).status_code == 500


def test_each_step_of_bytes_is_one_http_chunk(server: ScriptedServer, wire: socket.socket) -> None:
    """The framing on the wire is exactly the script's."""
    server.play(Reply(body=[b"ab", b"", "极".encode()]))
    wire.sendall(GET)
    assert until(wire, b"0\r\n\r\n").partition(b"\r\n\r\n")[2] == b"2\r\nab\r\n3\r\n\xe6\x9e\x81\r\n0\r\n\r\n"


def test_a_stream_can_be_cut_at_every_byte(server: ScriptedServer, client: httpx.Client) -> None:
    """`split` moves the boundaries, even into a character, and changes no byte."""
    payloads = (delta("极客"), b": keep-alive\r\n\r\n", "[DONE]")
    whole, cut = sse(*payloads, done=False, newline="\r\n\r\n"), sse(*payloads, done=False, newline="\r\n\r\n", split=1)
    server.play(whole, cut)
    expected = client.get("x").content
    with client.stream("GET", "x") as response:
        pieces = list(response.iter_raw())
    assert {len(piece) for piece in pieces} == {1}
    assert b"".join(pieces) == expected == b"".join(step for step in whole.body if isinstance(step, bytes))


def test_a_connection_is_used_again_unless_told_otherwise(server: ScriptedServer, client: httpx.Client) -> None:
    """Ordinary replies keep the connection; one that says close ends it."""
    server.play(json_reply(1), sse(), Reply(connection="close"), json_reply(2))
    for _ in range(4):
        client.get("x").read()
    assert [request.connection for request in server.requests] == [1, 1, 1, 2]
    assert server.connections == 2


def test_replies_leave_at_once(server: ScriptedServer, wire: socket.socket) -> None:
    """Nagle's algorithm would hold back each reply on a kept connection for the peer's delayed acknowledgement."""
    undelayed: list[int] = []

    def reply(request: Request) -> Reply:
        (writer,) = server._open
        undelayed.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        return Reply(connection="close")

    server.play(reply)
    wire.sendall(GET)
    drain(wire)
    assert undelayed[0] != 0


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Reply(body=b"abc", connection="lie"), b"abc"),
        (Reply(body=b"abc", length=9), b"abc"),
        (Reply(body=b"abc", framing="close"), b"abc"),
        (Reply(body=[b"abc", Cut(reset=False)]), b"3\r\nabc\r\n"),
    ],
    ids=["a keep-alive that lies", "a length that lies", "an end by closing", "a cut between two chunks"],
)
def test_some_replies_end_by_closing(server: ScriptedServer, wire: socket.socket, reply: Reply, body: bytes) -> None:
    """What the client sees is the body and then the end of the connection."""
    server.play(reply)
    wire.sendall(GET)
    head, _, rest = drain(wire).partition(b"\r\n\r\n")
    assert rest == body
    assert (b"connection: close" in head) == (reply.framing == "close")


def test_a_raw_reply_is_nothing_but_its_bytes(server: ScriptedServer, wire: socket.socket) -> None:
    """Without status line and headers, whatever the bytes are."""
    server.play(Reply(body=[b"HTTP/9 what\r\n"], framing="raw"))
    wire.sendall(GET)
    assert drain(wire) == b"HTTP/9 what\r\n"


@pytest.mark.parametrize("before", [[Cut(reset=False)], [Pause(0), Cut(reset=False)]])
def test_a_connection_can_close_before_a_byte_of_the_answer(
    server: ScriptedServer, wire: socket.socket, before: list[Cut | Pause]
) -> None:
    """The request is read and recorded, the answer is the end of the connection."""
    server.play(Reply(before=before))
    wire.sendall(GET)
    assert drain(wire) == b""
    assert len(server.requests) == 1
    assert not server.requests[0].client_left.is_set()


@pytest.mark.parametrize("reply", [Reply(before=[Cut()]), Reply(body=[b"abc", Cut()])], ids=["at once", "within"])
def test_a_connection_can_be_reset(server: ScriptedServer, wire: socket.socket, reply: Reply) -> None:
    """A cut is a TCP reset unless it is asked to be gentle."""
    server.play(reply)
    wire.sendall(GET)
    with pytest.raises(ConnectionResetError):
        drain(wire)


def test_a_pause_waits_for_the_event(server: ScriptedServer, client: httpx.Client) -> None:
    """The first piece is there before the event is set, the second one comes after."""
    event = threading.Event()
    server.play(Reply(body=[b"one", Pause(event), b"two"]), Reply(before=[Pause(event)], body=b"late"))
    with client.stream("GET", "x") as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"one"
        event.set()
        assert next(pieces) == b"two"
    assert client.get("x").content == b"late"


@pytest.mark.parametrize(
    "body",
    [[b"one", Hold()], [b"one", Pause(threading.Event())], repeat(b"x" * 65536)],
    ids=["silent", "waiting", "endless"],
)
def test_a_client_that_leaves_is_noticed_at_once(server: ScriptedServer, client: httpx.Client, body: Any) -> None:
    """Leaving a stream early sets the request's event, whatever the reply is doing, and frees the connection."""
    server.play(Reply(body=body))
    with client.stream("GET", "x") as response:
        next(response.iter_raw())
    request = server.requests[0]
    assert request.client_left.wait(5)
    assert server.wait_for(lambda seen: seen.open_connections == 0)


def test_a_client_that_hears_the_end_has_not_left(server: ScriptedServer) -> None:
    """Closing after the whole answer is no early leaving."""
    with httpx.Client(base_url=server.base_url) as client:
        client.get("x")
    assert server.wait_for(lambda seen: seen.open_connections == 0)
    assert not server.requests[0].client_left.is_set()


def test_leaving_the_server_ends_everything_at_once() -> None:
    """Held replies are cut, the thread ends, the port is free again."""
    with ScriptedServer(lambda request: Reply(before=[Hold()])) as server:
        wire = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        wire.sendall(GET)
        assert server.wait_for(lambda seen: len(seen.requests) == 1)
    with wire:
        assert wire.recv(1) == b""
    assert not any(thread.name == "scripted-server" for thread in threading.enumerate())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_what_is_not_http_is_hung_up_on(server: ScriptedServer, wire: socket.socket) -> None:
    """A TLS client, for one, must not wait for ever."""
    wire.sendall(b"\x16\x03\x01\x02\x00\x01")
    assert drain(wire) == b""
    assert server.requests == []


def test_a_deaf_server_lets_the_client_write_until_nothing_fits() -> None:
    """The connection is made, the bytes are never read: a write timeout."""
    with ScriptedServer(deaf=True) as server, socket.create_connection(("127.0.0.1", server.port), timeout=0.2) as wire:
        with pytest.raises(TimeoutError):
            wire.sendall(b"x" * 2**26)
        assert server.requests == []


async def test_many_streams_run_at_the_same_time(server: ScriptedServer) -> None:
    """Every one of 200 clients gets its first piece before any of them gets its second."""
    event, lines = threading.Event(), []
    server.default = lambda request: Reply(body=[b"one\n", Pause(event), b"two\n"], connection="close")

    async def listen() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        await reader.readuntil(b"one\n")
        lines.append("one")
        if len(lines) == 200:
            event.set()
        await reader.readuntil(b"two\n")
        lines.append("two")
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(listen() for _ in range(200)))
    assert lines == ["one"] * 200 + ["two"] * 200


def test_builders_tell_absent_from_null() -> None:
    """What is not given is not there; None is a null on the wire; the rest lands where it belongs."""
    first = delta(None, reasoning_content="想", extra={"role": "assistant"}, citations=["u"])
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": None, "reasoning_content": "想"}
    assert first["citations"] == ["u"]
    assert delta(finish_reason="stop")["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert chunk([], usage=usage())["choices"] == []
    assert tool_call("f", {"名": 1}, id="c") == {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": '{"名": 1}'},
    }
    assert tool_call(arguments="{", index=1) == {"index": 1, "function": {"arguments": "{"}}


def test_a_whole_answer_has_geekais_shape() -> None:
    """Reasoning and calls in the message, citations and usage at the top, a fitting finish reason."""
    value = completion(None, reasoning_content="想", tool_calls=[tool_call("f", {}, id="c")], citations=["u"])
    assert value["choices"][0]["finish_reason"] == "tool_calls"
    assert value["choices"][0]["message"]["content"] is None
    assert value["citations"] == ["u"]
    counted = usage(10, 4, 1, prompt={"cached_tokens": 6}, completion={"reasoning_tokens": 3})
    assert counted["prompt_tokens_details"]["text_tokens"] == 4
    assert counted["total_tokens"] == 14


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("object", {"error": {"message": "余额不足", "code": 402}}),
        ("message", {"message": "余额不足", "code": 402}),
    ],
)
def test_errors_come_in_every_known_shape(shape: Any, body: object) -> None:
    """The words stay Chinese on the wire; headers and blank lines can be added."""
    reply = error(402, "余额不足", shape=shape, code=402, headers={"retry-after": "3"})
    assert json.loads(bytes(reply.body)) == body  # type: ignore[arg-type]
    assert "余额不足".encode() in bytes(reply.body)  # type: ignore[arg-type]
    assert (reply.status, reply.headers["retry-after"]) == (402, "3")
    assert json_reply({}, blank_lines=2).body == b"\n\n{}"


def test_the_server_stands_on_the_standard_library() -> None:
    """A user's test kit can import it without any dependency being loaded."""
    code = "import sys, geekai_testing.scripted; sys.exit(bool({'httpx', 'pydantic', 'starlette'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
