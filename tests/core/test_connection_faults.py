"""A connection that fails: what is retried, how often, and what the caller gets."""

import asyncio
import contextlib
import socket
import ssl
import threading
from pathlib import Path

import httpx
import pytest

from geekai_core.errors import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    GeekAIError,
    InvalidResponseError,
    StreamInterruptedError,
)
from geekai_testing.replies import Cut, Hold, Pause, Reply, completion, delta, dumps, json_reply, sse
from tests.core.conftest import ASK, collect


def whole(client):
    return client.chat(**ASK)


def streamed(client):
    return collect(client)[1]


@pytest.fixture(params=[whole, streamed])
def ask(request):
    return request.param


def answer_to(ask):
    return json_reply(completion("好")) if ask is whole else sse(delta("好", finish_reason="stop"))


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


def test_a_refused_connection_is_retried_then_named(clients, ask):
    port = unused_port()
    with pytest.raises(APIConnectionError, match=f"127.0.0.1:{port}") as caught:
        ask(clients(base_url=f"http://127.0.0.1:{port}"))
    assert caught.value.retry_count == 2
    assert caught.value.__cause__ is not None


def test_a_host_without_an_address_is_retried_then_named(clients, ask):
    with pytest.raises(APIConnectionError, match=r"nowhere\.invalid") as caught:
        ask(clients(base_url="http://nowhere.invalid/api/v1"))
    assert caught.value.retry_count == 2
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_connection_that_ends_before_the_answer_is_retried_then_named(client, server, ask, reset):
    server.play(*[Reply(before=[Cut(reset=reset)])] * 3)
    with pytest.raises(APIConnectionError) as caught:
        ask(client)
    assert caught.value.retry_count == 2
    assert caught.value.__cause__ is not None
    assert len(server.requests) == 3


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_connection_that_ends_before_the_answer_may_work_the_next_time(client, server, ask, reset):
    server.play(Reply(before=[Cut(reset=reset)]), answer_to(ask))
    answer = ask(client)
    assert (answer.message.content, answer.retry_count) == ("好", 1)


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_stream_that_ends_behind_its_head_is_not_sent_again(client, server, reset):
    """A head is a part of the answer: the request was understood, and perhaps billed."""
    head_only = Reply(headers={"content-type": "text/event-stream"}, body=[Cut(reset=reset)], framing="chunked")
    server.play(head_only, sse(delta("好", finish_reason="stop")))
    with pytest.raises(APIConnectionError, match="broke off its answer") as caught:
        streamed(client)
    assert caught.value.retry_count == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("streams", [1, 5], ids=["one idle connection", "five"])
def test_a_reused_connection_that_dies_costs_no_retry(clients, server, ask, reset, streams):
    """The server takes one request a connection, and closes when the next one comes."""
    used = set()

    def answer(request):
        if request.connection in used:
            return Reply(before=[Cut(reset=reset)])
        used.add(request.connection)
        return sse(delta("好"), delta(finish_reason="stop")) if request.json.get("stream") else answer_to(whole)

    server.default = answer
    client = clients(max_retries=0)
    idle = [client.stream(**ASK) for _ in range(streams)]
    for stream in idle:
        stream.__enter__()
    for stream in idle:
        assert list(stream)
        stream.__exit__(None, None, None)
    for _ in range(5):
        reply = ask(client)
        assert (reply.message.content, reply.retry_count) == ("好", 0)


def test_a_fresh_connection_that_dies_costs_a_retry(clients, server, ask):
    server.play(Reply(before=[Cut()]), answer_to(ask))
    with pytest.raises(APIConnectionError) as caught:
        ask(clients(max_retries=0))
    assert caught.value.retry_count == 0
    assert len(server.requests) == 1


HEADERS = b"content-type: application/json\r\n"
BODY = dumps(completion("好")).encode()
LENGTH = b"content-length: %d\r\n" % len(BODY)
SPOILT = {
    "half a status line": b"HTTP/1.",
    "a cut head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "an illegal status line": b"HTTP/1.1 abc OK\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "an illegal header": b"HTTP/1.1 200 OK\r\nnot a header\r\n" + LENGTH + b"\r\n" + BODY,
    "a length that is no number": b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n" + BODY,
    "two lengths": b"HTTP/1.1 200 OK\r\n" + LENGTH + b"content-length: 7\r\n\r\n" + BODY,
    "a length that is too large": b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + BODY,
    "a chunk that is none": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    "an interim head alone": b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n",
    "a Location that is none": b"HTTP/1.1 307 Moved\r\nlocation: http://[\r\ncontent-length: 0\r\n\r\n",
    "a Location of a foreign kind": b"HTTP/1.1 302 Moved\r\nlocation: gopher:/\x7f\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("reused", [False, True], ids=["first", "reused"])
@pytest.mark.parametrize("answer", SPOILT.values(), ids=SPOILT)
def test_what_fails_after_the_first_byte_of_an_answer_is_not_sent_again(client, server, ask, answer, reused):
    if reused:
        server.play(answer_to(ask))
        ask(client)
    server.play(Reply(body=[answer, Cut(reset=False)], framing="raw"))
    with pytest.raises(GeekAIError) as caught:
        ask(client)
    assert caught.value.retry_count == 0
    assert len(server.requests) == 1 + reused


GOOD = {
    "a large header": b"x-large: " + b"a" * 9000 + b"\r\n" + LENGTH,
    "many headers": b"".join(b"x-%d: 1\r\n" % number for number in range(200)) + LENGTH,
    "a large reason": LENGTH,
    "a length twice": LENGTH * 2,
    "a length twice in one line": b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY)),
    "lengths in other letters": LENGTH + b"CONTENT-LENGTH:%d \r\n" % len(BODY),
}


@pytest.mark.parametrize("pieces", [1, 7], ids=["at once", "in pieces"])
@pytest.mark.parametrize("headers", GOOD.values(), ids=GOOD)
def test_an_odd_head_is_the_head_of_an_answer(client, server, headers, pieces):
    reason = b"x" * 9000 if headers is GOOD["a large reason"] else b"OK"
    answer = b"HTTP/1.1 200 " + reason + b"\r\n" + headers + HEADERS + b"\r\n" + BODY
    size = len(answer) // pieces + 1
    server.play(Reply(body=[answer[at : at + size] for at in range(0, len(answer), size)], framing="raw"))
    assert client.chat(**ASK).message.content == "好"
    assert len(server.requests) == 1


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
WHOLE = b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY
OTHER = WHOLE.replace("好".encode(), "坏".encode())
BEHIND = {
    "garbage": b"\x00garbage",
    "a blank line": b"\r\n",
    "a second answer": OTHER,
    "half an answer": OTHER[:20],
    "an answer's first line": b"HTTP/1.1 200 OK\r\n",
    "an interim head": b"HTTP/1.1 103 Early Hints\r\n\r\n",
}


def pause(client, seconds):
    """Let the client's side see what comes in."""
    if hasattr(client, "_loop"):
        client._loop.run_until_complete(asyncio.sleep(seconds))
    else:
        threading.Event().wait(seconds)


@pytest.mark.parametrize("apart", [False, True], ids=["in one read", "behind it"])
@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["length", "chunked"])
def test_what_comes_behind_an_answer_is_no_part_of_it_nor_the_next_answer(client, server, answer, behind, apart):
    gone = threading.Event()
    steps = [answer, Pause(0.05), behind, Pause(gone)] if apart else [answer + behind, Pause(gone)]
    server.play(Reply(body=steps, framing="raw"), json_reply(completion("二")), json_reply(completion("三")))
    assert client.chat(**ASK).message.content == "好"
    if apart:
        pause(client, 0.2)
    assert client.chat(**ASK).message.content == "二"
    assert client.chat(**ASK).message.content == "三"
    gone.set()
    assert len(server.requests) == 3


def test_a_reused_connection_that_was_dead_does_not_show(client, server, ask):
    """The server said keep-alive and closed all the same."""
    dying = answer_to(ask)
    dying.connection = "lie"
    server.play(dying, answer_to(ask))
    assert ask(client).message.content == "好"
    assert server.wait_for(lambda s: s.open_connections == 0)
    assert ask(client).message.content == "好"
    assert server.connections == 2


def speak_plainly(plain):
    plain.recv(1000)
    plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def show_a_certificate(plain):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parent / "self_signed.pem")
    with contextlib.suppress(OSError):
        context.wrap_socket(plain, server_side=True).close()


@pytest.mark.parametrize(("speak", "words"), [(speak_plainly, "SSL"), (show_a_certificate, "certificate")])
def test_tls_that_fails_is_not_retried(clients, ask, speak, words):
    """A server that speaks no TLS, and one whose certificate is not trusted."""
    accepted = []

    def serve():
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                plain, _ = listener.accept()
                accepted.append(plain)
                with plain:
                    speak(plain)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(APIConnectionError, match=f"TLS.*{words}") as caught:
            ask(clients(base_url=f"https://127.0.0.1:{listener.getsockname()[1]}"))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert caught.value.retry_count == 0
    assert caught.value.__cause__ is not None
    assert len(accepted) == 1


def test_a_body_that_is_broken_off_is_no_answer_and_not_retried(client, server):
    """It has been worked for, and perhaps billed."""
    body = dumps(completion("一二三")).encode()
    server.play(Reply(body=[body[:40], Cut()], length=len(body), framing="length"))
    with pytest.raises(APIConnectionError, match="broke off its answer") as caught:
        client.chat(**ASK)
    assert caught.value.retry_count == 0
    assert len(server.requests) == 1


def test_a_body_that_is_cut_and_ended_in_order_is_unreadable(client, server):
    body = dumps(completion("一二三")).encode()
    server.play(Reply(body=body[:60], framing="close"))
    with pytest.raises(InvalidResponseError, match="no JSON") as caught:
        client.chat(**ASK)
    assert caught.value.excerpt == body[:60].decode(errors="replace")
    assert len(server.requests) == 1


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_stream_that_is_broken_off_keeps_what_had_arrived(client, server, reset):
    server.play(sse(delta("一", citations=["https://a"]), delta("二"), Cut(reset=reset), done=False))
    seen = []
    with pytest.raises(StreamInterruptedError) as caught, client.stream(**ASK) as stream:
        seen.extend(delta.content for delta in stream)
    assert "".join(filter(None, seen)) == "一二"
    assert caught.value.partial.message.content == "一二"
    assert caught.value.partial.citations == ["https://a"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("size", [1, 100])
def test_every_byte_that_came_before_a_break_is_handed_on(client, server, size):
    """In one piece with the break: the deltas are read, and then the break is told."""
    events = b"".join(f"data: {dumps(delta(f'{number} '))}\n\n".encode() for number in range(size))
    server.play(
        Reply(
            headers={"content-type": "text/event-stream"},
            body=[b": hello\n\n", Pause(0.05), events, Cut(reset=False)],
            framing="chunked",
        )
    )
    seen = []

    def read():
        with client.stream(**ASK) as stream:
            for piece in stream:
                seen.append(piece.content)
                if len(seen) == 1:
                    pause(client, 0.2)  # the break is known by now

    with pytest.raises(StreamInterruptedError) as caught:
        read()
    assert seen == [f"{number} " for number in range(size)]
    assert caught.value.partial.message.content == "".join(seen)


def test_a_body_said_to_be_gzip_that_is_not_is_unreadable(client, server, ask):
    server.play(Reply(headers={"content-encoding": "gzip"}, body=b"{}" * 30))
    with pytest.raises(InvalidResponseError, match="compressed"):
        ask(client)
    assert len(server.requests) == 1


def test_an_answer_that_is_no_http_is_a_connection_error(client, server, ask):
    server.play(*[Reply(body=[b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], framing="raw")] * 3)
    with pytest.raises(APIConnectionError):
        ask(client)


def test_a_call_made_while_another_error_is_handled_is_judged_by_its_own(clients, server):
    """A fallback to another model runs in the except block of the first."""
    server.play(Reply(before=[Hold()]), Reply(before=[Cut()]), json_reply(completion("好")))
    try:
        clients(timeout=0.1).chat(**ASK)
    except APITimeoutError:
        assert clients().chat(**ASK).retry_count == 1
    else:
        pytest.fail("the first call was answered")


def test_a_proxy_that_refuses_is_a_connection_error(clients, ask):
    with pytest.raises(APIConnectionError):
        ask(clients(proxy=f"http://user:pass@127.0.0.1:{unused_port()}", base_url="http://nowhere.invalid"))


@pytest.mark.parametrize("proxy", ["gopher://user:secret@host", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_a_matter_of_configuration(clients, proxy):
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        clients(proxy=proxy).chat(**ASK)
    assert "secret" not in str(caught.value)


def test_a_proxy_from_the_environment_is_used(monkeypatch, clients, server, ask):
    monkeypatch.setenv("GEEKAI_PROXY", server.base_url.removesuffix("/api/v1"))
    server.play(answer_to(ask))
    assert ask(clients(base_url="http://api.example/api/v1")).message.content == "好"
    assert server.requests[0].path == "http://api.example/api/v1/chat/completions"


def test_a_client_of_the_users_own_is_used_and_left_open(server, clients, ask, loop):
    server.play(answer_to(ask))
    if clients.mode == "sync":
        with httpx.Client() as http:
            assert ask(clients(http_client=http)).message.content == "好"
            clients.close()
            assert not http.is_closed
    else:
        http_async = httpx.AsyncClient()
        assert ask(clients(http_async_client=http_async)).message.content == "好"
        clients.close()
        assert not http_async.is_closed
        loop.run_until_complete(http_async.aclose())


def test_a_closed_client_of_the_users_own_is_an_error_of_ours(clients, ask, loop):
    closed = httpx.Client() if clients.mode == "sync" else httpx.AsyncClient()
    name = "http_client" if clients.mode == "sync" else "http_async_client"
    closed.close() if isinstance(closed, httpx.Client) else loop.run_until_complete(closed.aclose())
    with pytest.raises(APIConnectionError, match="closed") as caught:
        ask(clients(**{name: closed}))
    assert caught.value.retry_count == 0


def test_a_connection_is_used_again_after_whole_answers_and_streams(client, server):
    """`[DONE]` ends the stream for the caller; the end of the body, which follows it, frees the connection."""
    for _ in range(3):
        server.play(json_reply(completion("好")), sse(delta("好"), delta(finish_reason="stop")))
        whole(client)
        streamed(client)
    assert len(server.requests) == 6
    assert server.connections == 1


def test_a_body_that_does_not_end_after_done_delays_nothing_for_long(client, server):
    server.play(sse(delta("好", finish_reason="stop"), "[DONE]", Hold(), done=False))
    assert streamed(client).message.content == "好"
    assert server.wait_for(lambda s: s.open_connections == 0)


def test_closing_a_client_closes_its_connections_and_it_can_be_used_again(client, server, ask):
    server.play(answer_to(ask), answer_to(ask))
    ask(client)
    client.close()
    assert server.wait_for(lambda s: s.open_connections == 0)
    ask(client)
    assert server.connections == 2


def test_a_loop_that_was_closed_without_its_generators_is_forgotten(server):
    """Someone who runs loops by hand may skip what `asyncio.run` does at the end."""
    from geekai_core import AsyncClient

    server.default = lambda request: json_reply(completion("好"))
    client = AsyncClient(api_key="sk-1", base_url=server.base_url)
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(client.chat(**ASK))
        http = loop.run_until_complete(client._pool.client())
        loop.run_until_complete(http.aclose())
        loop.close()
    assert len(client._pool._held) == 1
