"""An error status is the class for it, with the server's own words; what may pass is retried, exactly so often."""

import email.utils
import logging

import pytest

import geekai_core
from geekai_core.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContextOverflowError,
    InsufficientBalanceError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    ServerError,
)
from geekai_core.transport import exchange as _exchange
from geekai_testing.replies import Cut, Reply, completion, delta, error, json_reply, sse
from tests.core.conftest import ASK, collect

AT_ONCE = [
    (400, BadRequestError),
    (401, AuthenticationError),
    (402, InsufficientBalanceError),
    (403, PermissionDeniedError),
    (404, NotFoundError),
    (409, APIStatusError),
    (413, RequestTooLargeError),
    (422, BadRequestError),
    (418, APIStatusError),
    (501, ServerError),
]
RETRIED = [
    (408, APIStatusError),
    (429, RateLimitError),
    (500, ServerError),
    (502, ServerError),
    (503, ServerError),
    (504, ServerError),
    (529, ServerError),
]


def whole(client):
    return client.chat(**ASK)


def streamed(client):
    return collect(client)


@pytest.fixture(params=[whole, streamed])
def ask(request):
    return request.param


@pytest.mark.parametrize(("status", "kind"), AT_ONCE)
def test_a_permanent_error_is_raised_at_once_with_the_servers_words(client, server, ask, status, kind):
    server.play(error(status, "参数错误：temperature", code="bad_parameter", headers={"X-Request-Id": "req-7"}))
    with pytest.raises(kind) as caught:
        ask(client)
    raised = caught.value
    assert type(raised) is kind
    assert "参数错误：temperature" in str(raised)
    assert (raised.status_code, raised.code, raised.request_id) == (status, "bad_parameter", "req-7")
    assert raised.body == {"error": {"message": "参数错误：temperature", "code": "bad_parameter"}}
    assert raised.headers["x-request-id"] == "req-7"
    assert raised.retry_count == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize("max_retries", [0, 1, 2])
@pytest.mark.parametrize(("status", "kind"), RETRIED)
def test_a_passing_error_is_retried_exactly_so_often(clients, server, ask, status, kind, max_retries):
    server.play(*[error(status, "服务繁忙", shape="message")] * 4)
    with pytest.raises(kind, match="服务繁忙") as caught:
        ask(clients(max_retries=max_retries))
    assert type(caught.value) is kind
    assert caught.value.retry_count == max_retries
    assert len(server.requests) == max_retries + 1


def test_an_answer_after_retries_tells_how_many(client, server):
    server.play(error(503, "busy"), error(429, "slow down"), json_reply(completion("好")))
    answer = client.chat(**ASK)
    assert (answer.message.content, answer.retry_count) == ("好", 2)
    assert len({request.body for request in server.requests}) == 1


def test_a_stream_after_retries_tells_how_many(client, server):
    server.play(error(503, "busy"), sse(delta("好", finish_reason="stop")))
    _, answer = collect(client)
    assert (answer.message.content, answer.retry_count) == ("好", 1)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ('{"message":"服务端异常，请重试"}', "服务端异常，请重试", None),
        ('{"error":"额度不足"}', "额度不足", None),
        ('{"error":{"code":"E1","message":"坏","details":{"x":1}}}', "坏", "E1"),
        ('{"error":{"msg":"bad","type":"invalid"}}', "bad", "invalid"),
        ('{"code":1210,"msg":"API 调用参数有误"}', "API 调用参数有误", 1210),
        ('{"detail":[{"loc":["body"],"msg":"missing"}]}', "missing", None),
        ('"just words"', "just words", None),
        ("plain words", "plain words", None),
        (
            "<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>",
            "502 Bad Gateway nginx",
            None,
        ),
        ("", "no reason", None),
        ("[1, 2]", "no reason", None),
        ("\ufffd" * 3, "\ufffd\ufffd\ufffd", None),
    ],
)
def test_every_shape_of_error_body_gives_its_words(client, server, body, message, code):
    server.play(Reply(400, body=body.encode()))
    with pytest.raises(BadRequestError) as caught:
        client.chat(**ASK)
    assert message in str(caught.value)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "reply",
    [
        error(400, "坏", headers={"X-Trace-Id": "req-8"}),
        error(400, "坏", request_id="req-8"),
        json_reply({"message": "坏", "request_id": "req-8"}, 400),
    ],
)
def test_the_servers_id_for_a_request_is_found_in_headers_and_body(client, server, reply):
    server.play(reply)
    with pytest.raises(BadRequestError) as caught:
        client.chat(**ASK)
    assert caught.value.request_id == "req-8"


@pytest.mark.parametrize(
    "words",
    ["This model's maximum context length is 8192 tokens", "输入内容超出模型的最大上下文长度", "prompt is too long"],
)
def test_a_prompt_that_is_too_long_has_a_class_of_its_own(client, server, words):
    server.play(error(400, words))
    with pytest.raises(ContextOverflowError):
        client.chat(**ASK)


def test_a_broken_off_error_body_leaves_the_status(client, server):
    """The status line says enough: a 503 whose page is cut is still retried, a 402 still is no connection error."""
    cut = Reply(503, body=[b'{"message": "\xe6', Cut()], length=500, framing="length")
    server.play(cut, Reply(402, body=[b"{", Cut()], length=500, framing="length"))
    with pytest.raises(InsufficientBalanceError) as caught:
        client.chat(**ASK)
    assert caught.value.retry_count == 1


def test_an_endless_error_body_is_cut(clients, server):
    server.play(Reply(400, body=iter(lambda: b"x" * 65536, b""), framing="chunked"))
    with pytest.raises(BadRequestError):
        clients(max_response_bytes=100_000).chat(**ASK)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("2.5", 2.5),
        ("86400", 60.0),
        ("1e400", 60.0),
        ("-3", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_honoured_up_to_a_minute(value, seconds):
    assert _exchange.retry_after(value, now=0) == seconds


def test_retry_after_may_be_a_date():
    now = 1_750_000_000.0
    assert _exchange.retry_after(email.utils.formatdate(now + 7, usegmt=True), now) == 7.0
    assert _exchange.retry_after(email.utils.formatdate(now - 7, usegmt=True), now) == 0.0
    assert _exchange.retry_after("Sun, 99 Nov 9999999 00:00:00 GMT", now) is None


@pytest.mark.parametrize("name", ["Retry-After", "llm_provider-retry-after"])
def test_retry_after_is_waited_for(client, server, name):
    """LiteLLM's proxy relays that of the server behind it under another name."""
    server.play(error(429, "慢", headers={name: "0.2"}), json_reply(completion("好")))
    client.chat(**ASK)
    first, second = server.requests
    assert 0.2 <= second.received_at - first.received_at < 1.5


def test_the_backoff_doubles_and_is_drawn_from_half_a_step_to_the_whole(monkeypatch):
    """So that two retries span three quarters of a second at least: a server that restarts is waited for."""
    monkeypatch.setattr(_exchange, "BACKOFF_FIRST", 0.5)
    assert [_exchange.backoff(n, draw=lambda: 1.0) for n in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert [_exchange.backoff(n, draw=lambda: 0.0) for n in range(6)] == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]
    assert all(1.0 <= _exchange.backoff(2) <= 2.0 for _ in range(100))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(client, server, ask, status):
    """Neither to another host, which would get the key, nor anywhere else."""
    server.play(Reply(status, {"location": "http://127.0.0.1:1/elsewhere"}))
    with pytest.raises(APIStatusError, match="elsewhere") as caught:
        ask(client)
    assert caught.value.status_code == status
    assert len(server.requests) == 1


def test_attempts_are_logged_at_debug_without_bodies(client, server, caplog):
    server.play(error(503, "忙"), json_reply(completion("秘密")), sse(delta("x", finish_reason="stop")))
    with caplog.at_level(logging.DEBUG, logger="geekai_core"):
        client.chat(**ASK)
        collect(client)
    lines = [record.getMessage() for record in caplog.records if record.name == "geekai_core"]
    assert len(lines) == 3
    assert "ServerError 503" in lines[0]
    assert "attempt 2" in lines[1]
    assert not any(word in "".join(lines) for word in ("秘密", "忙", "你好"))


def test_the_version_is_in_the_user_agent(client, server):
    server.play(json_reply(completion()))
    client.chat(**ASK)
    assert server.requests[0].headers["user-agent"] == f"geekai-python/{geekai_core.__version__}"
