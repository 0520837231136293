"""A server that drips: bytes come, but nothing comes of them. `timeout` and `total_timeout` bound every wait."""

import itertools

import pytest

from geekai_core.errors import APIConnectionError, APITimeoutError
from geekai_testing.replies import Hold, Pause, Reply, delta, dumps, sse
from tests.core.conftest import ASK, collect

LIMIT = 0.3


def whole(client):
    return client.chat(**ASK)


def streamed(client):
    return collect(client)[1]


@pytest.fixture(params=[whole, streamed])
def ask(request):
    return request.param


def drip(*steps):
    """Steps again and again, for ever, a moment apart."""
    return itertools.cycle(itertools.chain.from_iterable((step, Pause(0.02)) for step in steps))


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
EVENT = f"data: {dumps(delta('好'))}\n\n".encode()
DONE = f"data: {dumps(delta('', finish_reason='stop'))}\n\ndata: [DONE]\n\n".encode()


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


HEADS = {
    "one byte at a time": (HEAD + b"x-long: ", b"a"),
    "headers without end": (HEAD, b"x: 1\r\n"),
    "a status line": (b"HTTP/1.1 200 ", b"O"),
    "103 without end": (b"", b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"),
    "100 without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "102 in pieces": (b"", b"HTTP/1.1 102 Processing\r\n", b"\r\n"),
}
BODIES = {
    "a chunk's header": (CHUNKED, b"0"),
    "a chunk's extension": (CHUNKED + b"5;x=", b"a"),
    "trailers": (CHUNKED + chunk(b" ") + b"0\r\n", b"x: 1\r\n"),
    "a trailer": (CHUNKED + chunk(b" ") + b"0\r\nx: ", b"a"),
}


def play(server, first, *again):
    server.play(Reply(body=itertools.chain([first], drip(*again)), framing="raw"))


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_that_never_ends_runs_into_the_read_limit(clients, server, ask, head):
    play(server, *head)
    with pytest.raises(APITimeoutError) as caught:
        ask(clients(timeout=LIMIT))
    assert (caught.value.limit, caught.value.seconds, caught.value.retry_count) == ("read", LIMIT, 0)
    assert len(server.requests) == 1
    assert server.wait_for(lambda s: s.open_connections == 0)


def test_blank_lines_ahead_of_an_answer_do_not_go_on_for_ever(clients, server, ask):
    play(server, b"", b"\r\n")
    with pytest.raises((APITimeoutError, APIConnectionError)) as caught:  # h11 refuses the first of them
        ask(clients(timeout=LIMIT))
    assert caught.value.retry_count == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_brings_nothing_runs_into_the_read_limit(clients, server, ask, body):
    play(server, *body)
    with pytest.raises(APITimeoutError) as caught:
        ask(clients(timeout=LIMIT))
    assert caught.value.limit == "read"
    assert len(server.requests) == 1
    assert server.wait_for(lambda s: s.open_connections == 0)


@pytest.mark.parametrize("part", (HEADS | BODIES).values(), ids=HEADS | BODIES)
def test_every_drip_runs_into_the_total_timeout(clients, server, ask, part):
    play(server, *part)
    with pytest.raises(APITimeoutError) as caught:
        ask(clients(total_timeout=LIMIT))
    assert (caught.value.limit, caught.value.seconds) == ("total_timeout", LIMIT)
    assert len(server.requests) == 1


def test_a_stream_whose_chunks_drip_behind_an_event_keeps_what_had_arrived(clients, server):
    play(server, CHUNKED + chunk(EVENT), b"0")
    with pytest.raises(APITimeoutError) as caught:
        streamed(clients(stream_chunk_timeout=LIMIT))
    assert (caught.value.limit, caught.value.partial.message.content) == ("stream_chunk_timeout", "好")


def test_a_silent_stream_runs_into_the_total_timeout(clients, server):
    server.play(sse(delta("好"), Hold()))
    with pytest.raises(APITimeoutError) as caught:
        streamed(clients(total_timeout=LIMIT))
    assert (caught.value.limit, caught.value.partial.message.content) == ("total_timeout", "好")


@pytest.mark.parametrize("behind", [(b"0\r\n", b"x: 1\r\n"), (b"", b"0"), (chunk(b": x\n\n"), chunk(b": x\n\n"))])
def test_what_drips_behind_done_delays_nothing_for_long(client, server, behind):
    play(server, CHUNKED + chunk(EVENT + DONE) + behind[0], *behind[1:])
    assert streamed(client).message.content == "好"
    assert server.wait_for(lambda s: s.open_connections == 0)
