"""Each limit says which it is. What may have been billed is not sent again."""

import contextlib
import itertools
import socket

import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient

from geekai_core.errors import APITimeoutError, ServerError
from geekai_testing.replies import Hold, Pause, Reply, completion, delta, dumps, error, json_reply, sse
from geekai_testing.scripted import ScriptedServer
from tests.core.conftest import ASK, KEY, collect

KEEP_ALIVE = b": keep-alive\n\n"


def whole(client, prompt="hi"):
    return client.chat(model="m", messages=[{"role": "user", "content": prompt}])


def streamed(client, prompt="hi"):
    return collect(client, model="m", messages=[{"role": "user", "content": prompt}])[1]


@pytest.fixture(params=[whole, streamed])
def ask(request):
    return request.param


def ticking(step=KEEP_ALIVE, every=0.03):
    """The step again and again, for ever."""
    return itertools.cycle([step, Pause(every)])


def own_client(mode, **settings):
    """An httpx client of the user's own, of this kind."""
    kind = {"sync": httpx.Client, "httpx": httpx.AsyncClient, "aiohttp": HttpxAiohttpClient}[mode]
    return kind(**settings)


def test_a_read_timeout_is_not_retried(clients, server, ask):
    server.play(Reply(before=[Hold()]))
    with pytest.raises(APITimeoutError, match=r"read timeout.* 0\.15 s") as caught:
        ask(clients(timeout=0.15))
    assert (caught.value.limit, caught.value.seconds, caught.value.retry_count) == ("read", 0.15, 0)
    assert caught.value.__cause__ is not None
    assert len(server.requests) == 1
    assert server.wait_for(lambda s: s.open_connections == 0)


def test_a_read_timeout_within_a_body_is_not_retried(clients, server):
    server.play(Reply(body=[b"{", Hold()]))
    with pytest.raises(APITimeoutError) as caught:
        whole(clients(timeout=0.15))
    assert (caught.value.limit, caught.value.seconds, len(server.requests)) == ("read", 0.15, 1)


def test_a_timeout_may_be_an_httpx_timeout(clients, server, ask):
    server.play(Reply(before=[Hold()]))
    with pytest.raises(APITimeoutError) as caught:
        ask(clients(timeout=httpx.Timeout(5, read=0.15)))
    assert (caught.value.limit, caught.value.seconds) == ("read", 0.15)


def test_the_limits_of_a_client_of_the_users_own_hold(clients, server, ask, loop):
    """Unless a limit was given here."""
    server.play(Reply(before=[Hold()]))
    http = own_client(clients.mode, timeout=0.15)
    name = "http_client" if clients.mode == "sync" else "http_async_client"
    with pytest.raises(APITimeoutError) as caught:
        ask(clients(**{name: http}))
    assert (caught.value.limit, caught.value.seconds) == ("read", 0.15)
    http.close() if clients.mode == "sync" else loop.run_until_complete(http.aclose())


def test_a_connect_timeout_is_retried(clients, ask):
    """A listener whose queue is full drops the caller's greeting."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        with pytest.raises(APITimeoutError, match=r"connect timeout.* 0\.1 s") as caught:
            ask(
                clients(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=httpx.Timeout(5, connect=0.1))
            )
    assert (caught.value.limit, caught.value.seconds, caught.value.retry_count) == ("connect", 0.1, 2)


def test_a_pool_timeout_is_retried(clients, server, ask, loop):
    """A client of the user's own may have few connections; ours are not limited."""
    own = own_client(clients.mode, limits=httpx.Limits(max_connections=1))
    name = "http_client" if clients.mode == "sync" else "http_async_client"
    client = clients(**{name: own}, timeout=httpx.Timeout(5, pool=0.05))
    server.play(sse(delta("x"), Hold()))
    with client.stream(**ASK), pytest.raises(APITimeoutError) as caught:
        ask(client)
    # aiohttp counts the wait for a connection as part of connecting
    assert caught.value.limit == ("connect" if clients.mode == "aiohttp" else "pool")
    assert caught.value.retry_count == 2
    assert len(server.requests) == 1
    own.close() if clients.mode == "sync" else loop.run_until_complete(own.aclose())


def test_a_write_timeout_is_not_retried(clients, ask):
    """A server that takes no more: the request is larger than all the buffers on the way."""
    with ScriptedServer(deaf=True) as deaf:
        client = clients(base_url=deaf.base_url, timeout=httpx.Timeout(0.2))
        with pytest.raises(APITimeoutError, match="write timeout") as caught:
            ask(client, "x" * 20_000_000)
    assert (caught.value.limit, caught.value.seconds, caught.value.retry_count) == ("write", 0.2, 0)


def test_a_large_request_arrives_whole(client, server, ask):
    server.play(json_reply(completion("好")) if ask is whole else sse(delta("好", finish_reason="stop")))
    ask(client, "图" * 1_000_000)
    assert server.requests[0].json["messages"][0]["content"] == "图" * 1_000_000
    assert int(server.requests[0].headers["content-length"]) == len(server.requests[0].body)


@pytest.mark.parametrize("silence", [[Hold()], ticking()], ids=["silent", "keep-alive"])
def test_a_stream_that_falls_silent_is_given_up_with_what_had_arrived(clients, server, silence):
    """Keep-alive comments do not count as life."""
    reply = sse(delta("一"))
    reply.body = itertools.chain(reply.body[:1], silence)
    server.play(reply)
    with pytest.raises(APITimeoutError, match=r"stream_chunk_timeout: the stream was silent for 0\.2 s") as caught:
        streamed(clients(stream_chunk_timeout=0.2))
    assert (caught.value.limit, caught.value.seconds) == ("stream_chunk_timeout", 0.2)
    assert caught.value.partial.message.content == "一"
    assert len(server.requests) == 1
    assert server.wait_for(lambda s: s.open_connections == 0)


def test_keep_alives_are_life_until_the_first_event(clients, server):
    """A model may think for minutes, while comments come."""
    server.play(sse(*[KEEP_ALIVE, Pause(0.05)] * 25, delta("好", finish_reason="stop")))
    assert streamed(clients(stream_chunk_timeout=1.0)).message.content == "好"


def test_keep_alives_are_no_life_for_ever(clients, server):
    """Before the first event the read limit ends it."""
    server.play(Reply(headers={"content-type": "text/event-stream"}, body=ticking(), framing="chunked"))
    with pytest.raises(APITimeoutError, match=r"read timeout: the stream was silent for 0\.25 s") as caught:
        streamed(clients(timeout=0.25))
    assert (caught.value.limit, caught.value.partial) == ("read", None)


@pytest.mark.parametrize("first", [[], [KEEP_ALIVE]], ids=["after the head", "after a comment"])
def test_a_stream_without_a_byte_is_given_up_after_the_limit_between_chunks(clients, server, first):
    server.play(Reply(headers={"content-type": "text/event-stream"}, body=[*first, Hold()], framing="chunked"))
    with pytest.raises(APITimeoutError, match=r"stream_chunk_timeout: the stream was silent for 0\.2 s") as caught:
        streamed(clients(stream_chunk_timeout=0.2))
    assert caught.value.limit == "stream_chunk_timeout"
    assert len(server.requests) == 1


def test_the_read_limit_holds_within_a_stream_too(clients, server):
    server.play(sse(delta("一"), Hold()))
    with pytest.raises(APITimeoutError, match="read timeout: the stream") as caught:
        streamed(clients(timeout=0.2))
    assert (caught.value.limit, caught.value.seconds) == ("read", 0.2)
    assert caught.value.partial.message.content == "一"


def test_a_stream_without_limits_waits(clients, server):
    server.play(sse(delta("一"), Pause(0.1), delta("二", finish_reason="stop")))
    client = clients(timeout=httpx.Timeout(None), stream_chunk_timeout=None)
    assert streamed(client).message.content == "一二"


def test_the_time_that_the_caller_takes_is_no_silence(clients, server):
    server.play(sse(delta("一"), delta("二"), Pause(0.15), delta("三", finish_reason="stop")))
    with clients(stream_chunk_timeout=1.0).stream(**ASK) as stream:
        seen = []
        for piece in stream:
            seen.append(piece.content)
            with socket.socket() as never:  # a pause that no clock of ours is told of
                never.bind(("127.0.0.1", 0))
                never.settimeout(1.1)
                never.listen()
                with pytest.raises(TimeoutError):
                    never.accept()
            if len(seen) == 2:
                break
        seen.extend(piece.content for piece in stream)
    assert seen == ["一", "二", "三"]


def test_the_total_deadline_ends_a_body_that_drips(clients, server):
    body = dumps(completion("好")).encode()
    server.play(Reply(body=[step for byte in body for step in (bytes([byte]), Pause(0.03))]))
    with pytest.raises(APITimeoutError, match=r"total_timeout: the call was not done within 0\.2 s") as caught:
        whole(clients(total_timeout=0.2))
    assert (caught.value.limit, caught.value.seconds) == ("total_timeout", 0.2)
    assert server.wait_for(lambda s: s.open_connections == 0)


def test_the_total_deadline_ends_a_stream_that_goes_on(clients, server):
    server.play(
        Reply(headers={"content-type": "text/event-stream"}, body=ticking(f"data: {dumps(delta('x'))}\n\n".encode()))
    )
    with pytest.raises(APITimeoutError) as caught:
        streamed(clients(total_timeout=0.2))
    assert caught.value.limit == "total_timeout"
    assert set(caught.value.partial.message.content) == {"x"}


def test_the_total_deadline_ends_a_silence(clients, server, ask):
    server.play(Reply(before=[Hold()]))
    with pytest.raises(APITimeoutError) as caught:
        ask(clients(total_timeout=0.15))
    assert (caught.value.limit, caught.value.seconds) == ("total_timeout", 0.15)


def test_the_total_deadline_counts_the_pauses_between_retries(clients, server, ask):
    """Nothing is waited for that would come too late: the last error is raised at once."""
    server.play(error(503, "忙", headers={"Retry-After": "30"}))
    with pytest.raises(ServerError, match="忙"):
        ask(clients(total_timeout=5))
    assert len(server.requests) == 1


def test_an_answer_within_the_deadline_is_an_answer(clients, server, ask):
    server.play(json_reply(completion("好")) if ask is whole else sse(delta("好", finish_reason="stop")))
    assert ask(clients(total_timeout=5)).message.content == "好"
    assert KEY not in repr(server.requests[0].json)
