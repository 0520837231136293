"""What goes wrong between the endpoint and another server behind it, and how it starts and stops there."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from typing import Any

import pytest

from geekai_core import APIStatusError, ServerError, StreamInterruptedError
from geekai_local.errors import StartError
from geekai_local.serving import serve
from geekai_local.weights import Upstream
from geekai_testing.replies import Cut, Hold, Reply, completion, delta, error, json_reply, sse
from geekai_testing.scripted import ScriptedServer
from tests.addresses import unreachable
from tests.local.conftest import Over, asked, connected, streaming

KEY = "sk-upstream-5f2c9a71e0"


@pytest.mark.parametrize(
    ("reply", "status", "words", "code"),
    [
        (error(404, "没有这个模型", type="not_found_error", code=404), 404, "没有这个模型", "invalid_request"),
        (error(400, "too long", code="context_length_exceeded"), 400, "too long", "context_length_exceeded"),
        (
            error(400, "too long", type="exceed_context_size_error", code=400),
            400,
            "too long",
            "context_length_exceeded",
        ),
        (error(401, f"bad key {KEY}"), 401, "bad key ***", "invalid_request"),
        (error(429, "slow down", shape="message"), 429, "slow down", "invalid_request"),
        (json_reply({"error": "model 'x' not found"}, 404), 404, "model 'x' not found", "invalid_request"),
        (json_reply({"detail": "Not Found"}, 404), 404, "Not Found", "invalid_request"),
        (Reply(502, body="<h1>坏网关</h1>".encode()), 502, "<h1>坏网关</h1>", "model_error"),
        (Reply(500), 500, "an empty answer", "model_error"),
        (Reply(302, {"location": "/elsewhere"}), 502, "an empty answer", "invalid_request"),
        (Reply(200, body=b"<html>Welcome</html>"), 502, "a web page", "model_error"),
        (json_reply({"error": {"message": "显存不足"}}), 500, "显存不足", "model_error"),
        (sse({"error": {"message": "显存不足"}}), 500, "显存不足", "model_error"),
        (sse('{"choices": [{"del', "[]"), 502, '{"choices": [{"del', "model_error"),
    ],
)
def test_an_error_of_the_upstream_keeps_its_words(
    over: Over, upstream: ScriptedServer, reply: Reply, status: int, words: str, code: str
) -> None:
    """Whole or streamed it is the same status, before the first byte; the upstream is named, its key is not."""
    client = over(key=KEY)
    calls = [lambda: streaming(client).__enter__(), lambda: client.chat(**asked())]
    for call in calls[:1] if "event-stream" in str(reply.headers) else calls:
        upstream.play(reply)
        with pytest.raises(APIStatusError, match="127") as caught:
            call()
        assert caught.value.status_code == status
        assert caught.value.code == code
        assert words in str(caught.value)
        assert KEY not in str(caught.value)


def test_a_key_that_is_a_word_leaves_other_words_whole(over: Over, upstream: ScriptedServer) -> None:
    upstream.play(error(400, "too many tokens for any"))
    with pytest.raises(APIStatusError, match=r"too many tokens for \*\*\*"):
        over(key="any").chat(**asked())


def test_an_unreachable_upstream_is_a_503_in_plain_words(over: Over, upstream: ScriptedServer) -> None:
    """It says which address did not answer."""
    with unreachable() as url:
        client = over(url)
        for call in (lambda: client.chat(**asked()), lambda: client.models(), lambda: streaming(client).__enter__()):
            with pytest.raises(ServerError, match="cannot be reached") as caught:
                call()
            assert caught.value.status_code == 503
            assert url in str(caught.value)


@pytest.mark.parametrize("tail", [[], [Cut()], [Cut(reset=False)], [{"error": {"message": "显存不足"}}]])
def test_a_stream_that_breaks_off_is_an_error(over: Over, upstream: ScriptedServer, tail: list[Any]) -> None:
    """Whole, it is a status that may be asked again; streamed, what had arrived was told."""
    client = over()
    upstream.play(*[sse(delta("开"), *tail, done=False)] * 2)
    with pytest.raises(ServerError):
        client.chat(**asked())
    with streaming(client) as stream:
        with pytest.raises((StreamInterruptedError, APIStatusError)):
            list(stream)
        assert stream.answer.message.content == "开"


def test_an_upstream_that_promises_to_keep_alive_and_does_not_is_no_trouble(
    over: Over, upstream: ScriptedServer
) -> None:
    """llama.cpp closes the socket after the last chunk of each stream; sixty answers follow each other."""
    upstream.default = lambda request: lying(bool(request.json.get("stream")))
    client = over()
    for _ in range(30):
        assert client.chat(**asked()).message.content == "ok"
        with streaming(client) as stream:
            assert [each.content for each in stream if each.content] == ["ok"]
    assert len(upstream.requests) == 60


def lying(streamed: bool) -> Reply:
    reply = sse(delta("ok", finish_reason="stop")) if streamed else json_reply(completion("ok"))
    reply.connection = "lie"
    return reply


def test_odd_framing_is_read_as_well(over: Over, upstream: ScriptedServer) -> None:
    """Comments, CRLF, no blank after the colon, cuts within a character, U+2028 within a string."""
    upstream.play(
        sse(
            b": ping\r\n\r\n",
            delta("极\u2028客"),
            delta(finish_reason="stop"),
            newline="\r\n\r\n",
            prefix="data:",
            split=1,
        )
    )
    with streaming(over()) as stream:
        assert "".join(each.content or "" for each in stream) == "极\u2028客"


def test_leaving_ends_the_generation_upstream(over: Over, upstream: ScriptedServer) -> None:
    """The connection to it closes as soon as the caller's does."""
    upstream.play(sse(delta("a"), *[delta("b")] * 3, Hold()))
    with streaming(over()) as stream:
        next(iter(stream))
    assert upstream.wait_for(lambda server: server.requests[0].client_left.is_set())


def test_a_failed_task_that_nobody_fetches_is_not_complained_about(
    upstream: ScriptedServer, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A program's log is its own: the error waits for whoever asks."""
    upstream.play(error(400, "太长"), json_reply({"data": []}))
    with serve(model=Upstream(upstream.base_url)) as url, connected(url, mode) as client:
        client.submit(**asked())
        assert upstream.wait_for(lambda server: len(server.requests) == 1 and server.open_connections == 0)
        client.models()  # which gives the task its turn
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_the_command_runs_over_an_upstream_without_weights(upstream: ScriptedServer) -> None:
    """Neither llama.cpp nor its weights are touched; the key comes from the environment and is shown nowhere."""
    command = [
        sys.executable,
        "-m",
        "geekai_local",
        "--port",
        "0",
        "--upstream",
        upstream.base_url,
        "--upstream-model",
        "m",
    ]
    hidden = "import sys; sys.modules['xllamacpp'] = None; sys.argv = sys.argv[1:]; from geekai_local.__main__ import main; main()"
    env = {**os.environ, "GEEKAI_UPSTREAM_KEY": f"{KEY}\n"}
    with subprocess.Popen(
        [*command[:1], "-c", hidden, *command[2:]], stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line.endswith(f"/api/v1 with the upstream {upstream.base_url}\n")
            with connected(line.split()[3], "sync") as client:
                assert client.chat(**asked()).message.content
        finally:
            process.kill()
    (request,) = upstream.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == "m"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:11434", "ftp://x", "http://", "http://[bad", "http://x:port", "http://x:999999", ""]
)
def test_what_is_no_url_keeps_it_from_starting(url: str) -> None:
    with pytest.raises(StartError, match=r"upstream"), serve(model=Upstream(url)):
        pass


@pytest.mark.parametrize("key", ["钥匙", "a\nb"])
def test_what_is_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(StartError, match="upstream") as caught:
        Upstream("http://x/v1", key)
    assert key not in str(caught.value)
    assert KEY not in repr(Upstream("http://x/v1", KEY))


def test_a_password_in_the_url_is_not_shown() -> None:
    assert Upstream("http://me:secret@host/v1").name == "the upstream http://host/v1"
