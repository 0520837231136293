"""Whatever fails, and wherever the server echoes it: no secret of a client's settings is in what anybody may read.

Looked at: an error, all that it came of, its pickle, the variables of the frames of its traceback, and the log lines of
this package and of the libraries under it.
"""

from __future__ import annotations

import base64
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from geekai_core.errors import GeekAIError
from geekai_core.redaction import redact, secrets
from geekai_core.request.hints import warn
from geekai_testing.replies import Cut, Reply, completion, delta, error, json_reply, sse
from geekai_testing.scripted import ScriptedServer
from tests.core.conftest import ASK, KEY, Clients, collect

HEADER, COOKIE, QUERY, PASSWORD = "header-Secret/1+2", "cookie-crumb-77", "query secret=3", "p@ss-word!9"
SETTINGS: dict[str, Any] = {
    "default_headers": {"x-team": HEADER, "Cookie": f"session={COOKIE}", "x-colour": "blue"},
    "default_query": {"sig": QUERY, "api-version": "2026-01-01"},
    "max_retries": 0,
}
PLAIN = [KEY, HEADER, COOKIE, QUERY]


def spellings(secret: str) -> list[str]:
    """As headers, URLs, JSON, HTML and shouting servers write it."""
    return [
        secret,
        secret.upper(),
        quote(secret, safe=""),
        quote_plus(secret),
        "".join(f"%{byte:02x}" for byte in secret.encode()),
        "".join(f"\\u{ord(char):04x}" for char in secret),
        "".join(f"&#{ord(char)};" for char in secret),
        secret.replace("/", "\\/"),
    ]


def causes(raised: BaseException) -> Iterator[BaseException]:
    left: list[BaseException | None] = [raised]
    seen: list[BaseException] = []
    while left:
        one = left.pop()
        if one is not None and not any(one is other for other in seen):
            seen.append(one)
            yield one
            left += [one.__cause__, one.__context__]


def frames(raised: BaseException) -> str:
    """The variables of all frames but the test's own, of an error and all that it came of."""
    shown = []
    for one in causes(raised):
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "tests" not in frame.f_code.co_filename.split("/"):
                shown += [f"{frame.f_code.co_qualname} {name}={value!r}" for name, value in frame.f_locals.items()]
    return "\n".join(shown)


def readable(raised: BaseException) -> str:
    """All that anybody may read of an error."""
    shown = ["".join(traceback.format_exception(raised)), frames(raised)]
    for one in causes(raised):
        shown += [str(one), repr(one), str(vars(one)), str(one.args)]
    return "\n".join(shown)


def assert_no_secret(text: str, words: list[str]) -> None:
    lower = text.lower()
    for secret in words:
        for spelled in spellings(secret):
            at = lower.find(spelled.lower())
            assert at < 0, lower[max(at - 150, 0) : at + 150]


ECHO = " ".join(spelled for secret in PLAIN for spelled in spellings(secret)[:7])
LONG = "x" * 480 + " ".join(PLAIN) + "y" * 1500 + " ".join(PLAIN)
FAULTS = {
    "message": [error(401, f"Incorrect: {ECHO}", headers={"x-echo": KEY, "x-request-id": HEADER, KEY: "1"})],
    "code": [json_reply({"error": {"message": "no", "code": KEY, "type": QUERY, "param": HEADER}}, 400)],
    "page": [Reply(403, {"content-type": "text/html"}, f"<h1>{LONG}</h1>".encode())],
    "text": [Reply(body=f"{ECHO} is no JSON".encode())],
    "cut at an excerpt's end": [Reply(body=LONG.encode())],
    "many, so that the excerpt reaches further": [Reply(body=(f"{KEY} " * 300).encode())],
    "wrong shape": [json_reply({**completion("x"), "choices": [{"index": KEY, "message": QUERY}]})],
    "error of 200": [json_reply({"error": {"message": ECHO, "code": 402}})],
    "redirect": [Reply(307, {"location": f"http://elsewhere.invalid/?a={quote(KEY)}&b={quote(QUERY)}"})],
    "cut": [Reply(body=[f'{{"a": "{KEY}'.encode(), Cut()], length=999, framing="length")],
    "status line": [Reply(body=[f"HTTP/1.1 {KEY} {HEADER}\r\n\r\n".encode()], framing="raw")],
    "illegal header": [Reply(body=[f"HTTP/1.1 200 OK\r\n{KEY} {QUERY}\r\n\r\n".encode()], framing="raw")],
    "chunk header": [
        Reply(body=[f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{KEY}\r\n".encode()], framing="raw")
    ],
    "refused stream": [sse(delta("x"), {"error": {"message": ECHO}})],
    "stream that is none": [sse(delta("x"), f"data: {KEY} {QUERY}\n\n".encode(), done=False)],
    "stream that ends": [sse(delta("x"), Cut(), done=False)],
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["whole", "stream"])
def test_no_secret_that_a_server_echoes_can_be_read_anywhere(
    clients: Clients, server: ScriptedServer, fault: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.default = lambda request: FAULTS[fault][0]
    client = clients(**SETTINGS)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(GeekAIError) as caught:
        client.chat(**ASK) if kind == "whole" else collect(client)
    sent = server.requests[0]
    assert (sent.headers["x-team"], sent.headers["authorization"]) == (HEADER, f"Bearer {KEY}")
    assert_no_secret(readable(caught.value), PLAIN)
    assert_no_secret(str(pickle.dumps(caught.value)), PLAIN)
    assert caplog.records
    assert_no_secret(caplog.text, PLAIN)


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # httpx-aiohttp's own uses of aiohttp
@pytest.mark.filterwarnings("ignore:.*proxy_auth:DeprecationWarning")
def test_a_proxys_password_that_it_echoes_can_be_read_nowhere(
    clients: Clients, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    login = f"customer:{PASSWORD}"
    basic = base64.b64encode(login.encode()).decode()
    server.default = lambda request: error(407, f"not {login}, {quote(PASSWORD)} or {basic}", headers={"x-was": basic})
    caplog.set_level(logging.DEBUG)
    proxy = server.base_url.removesuffix("/api/v1").replace("://", f"://customer:{quote(PASSWORD, safe='')}@")
    with pytest.raises(GeekAIError, match="407") as caught:
        clients(base_url="http://geekai.invalid/api/v1", proxy=proxy, max_retries=0).chat(**ASK)
    assert_no_secret(readable(caught.value) + caplog.text, [PASSWORD, basic])


UNRULY = "a\x1b[31m\x9b2J\u202eb\x00c\x7f\nd"


def test_a_message_a_warning_and_a_log_line_hold_no_control_character(
    clients: Clients, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.play(error(404, UNRULY))
    with pytest.raises(GeekAIError) as caught:
        clients().chat(**ASK)
    with pytest.warns(UserWarning, match="the server said") as warned:
        warn(f"the server said {UNRULY}")
    for logger in ("geekai_core", "langchain_geekai", "llama_index_geekai", "httpx"):
        logging.getLogger(logger).warning("%s", UNRULY)
    lines = [str(warned[0].message), *(record.getMessage() for record in caplog.records)]
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    assert str(caught.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("secret", ["sk-0123456789", *PLAIN, PASSWORD + "密码"])
def test_a_secret_is_taken_out_in_whatever_spelling(secret: str) -> None:
    for spelled in spellings(secret):
        assert redact(f"a{spelled}b", secrets(secret)) == "a***b"
    assert redact({"a": [secret, 1]}, secrets(secret)) == {"a": ["***", 1]}
