"""nginx and HAProxy before the scripted server: what they hold back, pack, refuse and cut."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest

from geekai_core import APIStatusError, GeekAIError, RequestTooLargeError, ServerError, StreamInterruptedError
from geekai_testing.replies import BASE_PATH, Cut, Hold, Pause, Reply, answer, completion, delta, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from tests.addresses import unreachable
from tests.servers.conftest import Make, entered
from tests.servers.gateways import haproxy, nginx
from tests.servers.running import Server
from tests.servers.subjects import WAYS

STREAMED = ("stream", "astream")
TEXT = "The ferry leaves at nine. " * 40
Start = Callable[..., Server]


@pytest.fixture
def gateway(behind: ScriptedServer) -> Iterator[Start]:
    """Starts a gateway before the scripted server, or before what `origin` names."""
    with ExitStack() as stack:

        def start(made: Callable[..., AbstractContextManager[str]], *args: Any, origin: str = "") -> Server:
            url = entered(stack, made(origin or f"http://127.0.0.1:{behind.port}", *args))
            return Server(url + BASE_PATH)

        yield start


SHAPES = {
    "nginx, buffered": (nginx, "proxy_buffering on;"),
    "nginx, unbuffered": (nginx, "proxy_buffering off;"),
    "nginx, gzip": (nginx, "gzip on; gzip_min_length 0; gzip_types application/json text/event-stream;"),
    "nginx, HTTP/1.1 behind": (nginx, 'proxy_http_version 1.1; proxy_set_header Connection "";'),  # its default is 1.0
    "nginx, ended by closing": (nginx, "chunked_transfer_encoding off; proxy_buffering off;"),
    "HAProxy": (haproxy,),
    "HAProxy, gzip": (haproxy, "", "compression algo gzip\n    compression type application/json text/event-stream"),
    "HAProxy, closing after each answer": (haproxy, "option httpclose"),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_answers_come_as_they_were_sent(
    shape: str, gateway: Start, behind: ScriptedServer, subject_of: Make
) -> None:
    subject = subject_of(gateway(*SHAPES[shape]))
    for way in (*WAYS, *WAYS):
        behind.play(answer(TEXT, usage=usage(12, 5)))
        found = await subject.ask(way)
        assert (found.text, found.usage, found.finish) == (TEXT, (12, 5), "stop")
    assert len(behind.requests) == 8
    packed = any("gzip" in request.headers.get("accept-encoding", "") for request in behind.requests)
    assert packed or "gzip" not in shape


@pytest.mark.parametrize("made", [(nginx, "proxy_buffering off;"), (haproxy,)], ids=["nginx", "HAProxy"])
async def test_a_stream_that_is_not_held_back_arrives_piece_by_piece(
    made: Any, gateway: Start, behind: ScriptedServer, subject_of: Make
) -> None:
    """The second piece is sent only when the first has been read."""
    subject = subject_of(gateway(*made))
    for way in STREAMED:
        read = threading.Event()
        behind.play(sse(delta("One. "), Pause(read), delta("Two.", finish_reason="stop")))
        await subject.first_piece(way)
        read.set()


@pytest.mark.parametrize("made", [(nginx, "client_max_body_size 1k;")], ids=["nginx"])
async def test_a_body_that_the_gateway_finds_too_large_is_named_so(
    made: Any, gateway: Start, behind: ScriptedServer, subject_of: Make
) -> None:
    subject = subject_of(gateway(*made), max_retries=2)
    for way in WAYS:
        with pytest.raises(RequestTooLargeError, match="413"):
            await subject.ask(way, "tea " * 1000)
    assert behind.requests == []


@pytest.mark.parametrize(("made", "status"), [(nginx, 502), (haproxy, 503)], ids=["nginx", "HAProxy"])
async def test_a_gateway_with_nobody_behind_it_is_a_server_error(
    made: Any, status: int, gateway: Start, subject_of: Make
) -> None:
    with unreachable() as url:
        subject = subject_of(gateway(made, origin=url.removesuffix("/v1")))
        for way in WAYS:
            with pytest.raises(ServerError) as caught:
                await subject.ask(way)
            assert caught.value.status_code == status
            assert "<html" not in str(caught.value)


CUTS = {
    "nginx": (nginx, "proxy_read_timeout 1s; proxy_buffering off;"),
    "HAProxy": (haproxy, "", "timeout server 1s"),
}


@pytest.mark.parametrize("made", CUTS)
async def test_a_server_that_is_silent_too_long_for_the_gateway_is_a_504(
    made: str, gateway: Start, behind: ScriptedServer, subject_of: Make
) -> None:
    subject = subject_of(gateway(*CUTS[made]))
    for way in WAYS:
        behind.play(Reply(before=[Hold()]))
        with pytest.raises(APIStatusError) as caught:
            await subject.ask(way)
        assert caught.value.status_code == 504


@pytest.mark.parametrize("made", CUTS)
@pytest.mark.parametrize("end", [Hold(), Cut(), Cut(reset=False)], ids=["silent", "reset", "closed"])
async def test_a_stream_that_the_gateway_cuts_is_no_answer(
    made: str, end: Any, gateway: Start, behind: ScriptedServer, subject_of: Make
) -> None:
    """Asked once: what had arrived may have been billed."""
    subject = subject_of(gateway(*CUTS[made]), max_retries=2)
    for way in STREAMED:
        behind.requests.clear()
        behind.play(sse(delta("One. "), delta("Two. "), end, done=False))
        with pytest.raises(StreamInterruptedError) as caught:
            await subject.ask(way)
        assert caught.value.partial.message.content == "One. Two. "
        assert len(behind.requests) == 1


@pytest.mark.parametrize("made", CUTS)
async def test_a_whole_answer_that_the_gateway_cuts_is_no_answer(
    made: str, gateway: Start, behind: ScriptedServer, subject_of: Make
) -> None:
    whole = json_reply(completion(TEXT)).body
    assert isinstance(whole, bytes)
    subject = subject_of(gateway(*CUTS[made]), max_retries=2)
    for way in ("whole", "awhole"):
        behind.requests.clear()
        head = {"content-type": "application/json"}
        behind.play(Reply(200, head, [whole[:500], Cut()], "length", length=len(whole)))
        with pytest.raises(GeekAIError, match="broke off its answer"):
            await subject.ask(way)
        assert len(behind.requests) == 1
