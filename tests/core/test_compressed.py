"""Compressed answers: those codings are offered that can be unpacked in bounded memory, no other is read."""

import gzip
import tracemalloc
import zlib

import pytest

from geekai_core.errors import BadRequestError, InvalidResponseError
from geekai_testing.replies import Reply, completion, delta, dumps
from tests.core.conftest import ASK, collect

BODY = dumps(completion("好")).encode()
EVENTS = f"data: {dumps(delta('好'))}\n\ndata: {dumps(delta('', finish_reason='stop'))}\n\ndata: [DONE]\n\n".encode()
LIMIT = 1_000_000


def whole(client):
    return client.chat(**ASK)


def streamed(client):
    return collect(client)[1]


@pytest.fixture(params=[whole, streamed])
def ask(request):
    return request.param


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
        ("gzip", lambda data: gzip.compress(data) + b"\0" * 9),
    ],
    ids=["gzip", "x-gzip", "deflate", "raw deflate", "identity", "two members", "padded"],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_offered_coding_is_unpacked(client, server, ask, coding, pack, size):
    packed = pack(BODY if ask is whole else EVENTS)
    steps = [packed[at : at + size] for at in range(0, len(packed), size)]
    server.play(Reply(headers={"content-encoding": coding}, body=steps, framing="chunked"))
    assert ask(client).message.content == "好"
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


def bomb(blank):
    """Some kilobytes that unpack to a gigabyte of blanks."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    block = blank * 1_000_000
    return b"".join([packer.compress(block) for _ in range(1000)]) + packer.flush()


BOMB = bomb(b" ")


@pytest.mark.parametrize("status", [200, 400])
def test_a_small_body_that_unpacks_to_gigabytes_is_given_up_in_bounded_memory(clients, server, ask, status):
    client = clients(max_response_bytes=LIMIT)
    server.play(Reply(headers={"content-encoding": "gzip"}, body=gzip.compress(BODY if ask is whole else EVENTS)))
    ask(client)  # everything is imported now
    server.play(Reply(status, {"content-encoding": "gzip"}, body=BOMB))
    tracemalloc.start()
    with pytest.raises((InvalidResponseError, BadRequestError)) as caught:
        ask(client)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(caught.value, InvalidResponseError if status == 200 else BadRequestError)
    assert peak < 4 * LIMIT + 3 * len(BOMB)
    assert len(server.requests) == 2


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "gzip,gzip", "compress", "x" * 100])
def test_a_coding_that_was_not_offered_is_refused(client, server, ask, coding):
    server.play(Reply(headers={"content-encoding": coding}, body=gzip.compress(BODY)))
    with pytest.raises(InvalidResponseError, match=r"compressed .* was not offered"):
        ask(client)
    assert len(server.requests) == 1


def test_an_error_in_a_coding_that_was_not_offered_is_still_that_error(client, server, ask):
    server.play(Reply(400, {"content-encoding": "br"}, body=b"\x8b\x02\x80"))
    with pytest.raises(BadRequestError):
        ask(client)
