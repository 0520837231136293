"""Whom the endpoint answers, and what a request may hold: it stands open to every page in a browser on its machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from geekai_local.serving import listen, serve
from geekai_local.weights import Upstream
from geekai_testing.replies import json_reply
from geekai_testing.scripted import ScriptedServer
from tests.local.conftest import asked


@pytest.fixture
def http(upstream: ScriptedServer) -> Iterator[httpx.Client]:
    with serve(model=Upstream(upstream.base_url)) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "127.0.0.1:9", "127.8.8.8", "[::1]:80"])
@pytest.mark.parametrize("origin", [None, "http://localhost:3000", "https://127.0.0.1"])
def test_this_machine_may_call(http: httpx.Client, host: str, origin: str | None) -> None:
    headers = {"host": host, **({"origin": origin} if origin else {})}
    assert http.post("/chat/completions", json=asked(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8421"},
        {"host": "localhost.evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "192.168.0.1"},
        {"host": ""},
        {"host": "localhost@evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost.evil.example"},
        {"origin": ""},
    ],
)
def test_a_page_of_another_host_is_refused_on_every_path(
    http: httpx.Client, upstream: ScriptedServer, headers: dict[str, str]
) -> None:
    """By the name that it resolves to this machine, or by its origin; the upstream is not asked."""
    answers = [
        http.post("/chat/completions", json=asked(), headers=headers),
        http.post("/web_search", json={"model": "m", "prompt": "lighthouse"}, headers=headers),
        http.get("/models", headers=headers),
        http.get("/chat/task-1", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert all(answer.json()["error"]["message"] for answer in answers)
    assert upstream.requests == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; x=y"])
def test_what_a_form_can_send_is_refused(http: httpx.Client, upstream: ScriptedServer, kind: str) -> None:
    """A browser sends JSON to another host only after asking it, which is refused."""
    answer = http.post("/chat/completions", content=json.dumps(asked()), headers={"content-type": kind})
    assert (answer.status_code, upstream.requests) == (400, [])
    assert http.options("/chat/completions", headers={"access-control-request-method": "POST"}).status_code == 405


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_json_in_any_spelling(http: httpx.Client, kind: str) -> None:
    answer = http.post("/chat/completions", content=json.dumps(asked()), headers={"content-type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"temperature": NaN}', "no JSON"),
        (b'{"temperature": 1e999}', "no JSON"),
        (b'{"metadata": {"x": [-Infinity]}}', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"messages": "\\ud83d"}', "no JSON"),
        (b"\xff", "no JSON"),
        (b"", "no JSON"),
        (b"[]", "valid dictionary"),
        (b'{"model": "m", "messages": []}', "messages must not be empty"),
    ],
)
def test_a_body_that_is_no_request_is_a_400(
    http: httpx.Client, upstream: ScriptedServer, body: bytes, words: str
) -> None:
    answer = http.post("/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert upstream.requests == []


@pytest.mark.parametrize("length", [f"content-length: {2**30}", "transfer-encoding: chunked"])
def test_a_body_without_bound_is_a_413_long_before_its_end(http: httpx.Client, length: str) -> None:
    """Whether it says how long it is or not; then the connection closes."""
    chunk = b"%x\r\n%s\r\n" % (2**20, b"x" * 2**20)
    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=60) as raw:
        head = f"POST {http.base_url.path}embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        raw.sendall(f"{head}{length}\r\n\r\n".encode() + chunk)
        for _ in range(64 if "chunked" in length else 0):
            raw.sendall(chunk)
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            raw.sendall(chunk * 200)


def test_a_key_that_the_upstream_echoes_is_shown_nowhere(upstream: ScriptedServer) -> None:
    """In whatever field of its error; the core's own redaction looks for it."""
    key = "sk-upstream-5f2c9a71e0"
    with serve(model=Upstream(upstream.base_url, key)) as url, httpx.Client(base_url=url, timeout=60) as client:
        for error in ({"message": key, "code": key}, {"detail": [key]}, key, {key: key}):
            for stream in (True, False):
                upstream.play(json_reply({"error": error}, 401, {"x-key": key}))
                answer = client.post("/chat/completions", json=asked(stream=stream))
                assert answer.status_code == 401
                assert key not in answer.text + str(answer.headers)


def test_answers_on_a_kept_connection_leave_at_once() -> None:
    """Nagle's algorithm is off on what is accepted: asyncio does so for a listener that names its protocol."""
    with listen(0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
