"""Whatever stands in a good answer's place is an honest error, with the server's words, and the key blotted out."""

import itertools
import json
import tracemalloc

import pytest

from geekai_core.errors import (
    APIStatusError,
    ContextOverflowError,
    InsufficientBalanceError,
    InvalidResponseError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)
from geekai_testing.replies import Reply, chunk, completion, delta, dumps, json_reply, sse
from tests.core.conftest import ASK, KEY, collect


def whole(client):
    return client.chat(**ASK)


def streamed(client):
    return collect(client)[1]


@pytest.fixture(params=[whole, streamed])
def ask(request):
    return request.param


ERROR_BODIES = [
    ({"error": {"message": "额度不足", "code": 402}}, InsufficientBalanceError, 402),
    ({"error": {"message": "太快", "code": "429"}}, RateLimitError, "429"),
    ({"error": {"message": "坏", "code": "E_INTERNAL"}}, APIStatusError, "E_INTERNAL"),
    ({"error": "出错了"}, APIStatusError, None),
    ({"message": "服务端异常，请重试"}, APIStatusError, None),
    ({"code": 500, "msg": "系统错误"}, ServerError, 500),
    ({"error": {"message": "busy", "code": 503}, "choices": []}, ServerError, 503),
    (
        {"error": {"message": "half way", "code": 503}, **chunk([{"index": 0, "delta": {"content": "x"}}])},
        ServerError,
        503,
    ),
]


@pytest.mark.parametrize(("body", "kind", "code"), ERROR_BODIES)
def test_an_error_in_a_good_answers_place_is_an_error(client, server, ask, body, kind, code):
    """As a JSON body to either request; it is not retried."""
    server.play(json_reply(body, headers={"x-request-id": "req-1"}))
    with pytest.raises(kind) as caught:
        ask(client)
    assert type(caught.value) is kind
    assert (caught.value.status_code, caught.value.code, caught.value.request_id) == (200, code, "req-1")
    words = body.get("error", body)
    assert (words if isinstance(words, str) else words.get("message") or words.get("msg")) in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("body", "kind", "code"), ERROR_BODIES)
def test_an_error_event_within_a_stream_is_an_error_with_what_had_arrived(client, server, body, kind, code):
    server.play(sse(delta("一"), delta("二"), body))
    seen = []
    with pytest.raises(kind) as caught, client.stream(**ASK) as stream:
        seen.extend(piece.content for piece in stream)
    assert seen == ["一", "二"]
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert caught.value.partial.message.content == "一二"


def test_a_first_event_that_is_an_error_is_an_error(client, server):
    server.play(sse({"error": {"message": "额度不足", "code": 402}}))
    with pytest.raises(InsufficientBalanceError) as caught:
        streamed(client)
    assert caught.value.partial is None


def test_an_error_of_nothing_is_no_error(client, server):
    server.play(
        json_reply(completion("好", error={"code": 0, "message": ""})), json_reply(completion("好", error=None))
    )
    assert whole(client).message.content == "好"
    assert whole(client).message.content == "好"


@pytest.mark.parametrize("body", ['"余额不足"', ' \n"余额不足"'])
def test_a_body_that_is_only_a_text_is_an_error_in_its_words(client, server, ask, body):
    server.play(Reply(body=body.encode()))
    with pytest.raises(APIStatusError, match="余额不足"):
        ask(client)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "an empty answer"),
        (b"   ", "empty answer|before any part"),
        (b"\n\n\n", "empty answer|before any part"),
        (b"upstream connect error", "upstream connect error"),
        (b"error: upstream went away", "upstream went away"),
        (b"<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>", "'502 Bad Gateway nginx'"),
        (b'{"choices": [{"message": {"content": "cut', "no JSON"),
        (b'{"choices": null}', "no choices"),
        (b'{"choices": []}', "no choices|no answer"),
        (b"{}", "no choices"),
        (b"[]", "no JSON object"),
        (b"[1, 2]", "no JSON object"),
        (b"null", "no JSON object|is no stream"),
        (b"17", "no JSON object|is no stream"),
        (b'{"choices": [7]}', "unknown shape"),
        (b'{"choices": {"a": 1}}', "unknown shape"),
        (b'{"choices": [{"message": "text"}]}', "unknown shape"),
        (b'{"choices": [{"message": {"content": "\xff\xfe"}}]}', "no JSON"),
        (b'{"choices": ' + b"[" * 5000 + b"]" * 5000 + b"}", "no JSON"),
        (b'{"choices": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", "no JSON|unknown shape"),
        (b"\x00\x01\x02", "x00"),
    ],
)
def test_an_answer_that_cannot_be_read_says_why_with_an_excerpt(client, server, ask, body, words):
    server.play(Reply(headers={"x-request-id": "req-2"}, body=body))
    with pytest.raises((InvalidResponseError, StreamInterruptedError), match=words) as caught:
        ask(client)
    assert caught.value.request_id == "req-2"
    assert caught.value.retry_count == 0
    assert len(str(caught.value)) < 1000
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b'{"choices": [{"index": "one", "message": {"content": "x"}}]}', "x"),
        (b'{"choices": [{"index": [0], "message": {"content": "x"}}]}', "x"),
        (b'{"choices": [{"index": 1e400, "message": {"content": "x"}}]}', "x"),
        (b'{"choices": [7, {"message": {"content": "x"}}]}', "x"),
        (b'{"choices": [{"message": {"content": 5}}]}', "5"),
        (b'{"choices": [{"message": {"content": {"a": 1}}}]}', '{"a": 1}'),
        (b'{"choices": [{"message": {"content": "x", "tool_calls": 5}}]}', "x"),
        (b'{"choices": [{"message": {"content": "x", "tool_calls": ["f"]}}]}', "x"),
        (b'{"choices": [{"message": {"content": "x"}, "logprobs": [1]}]}', "x"),
        (b'{"choices": [{"message": {"content": "x"}, "logprobs": {"content": [1, {"token": "x"}]}}]}', "x"),
        (b'{"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": [1]}', "x"),
        (b'{"choices": [{"message": {"content": "x"}}], "usage": {"total_tokens": "many"}}', "x"),
    ],
)
def test_a_side_field_of_another_type_than_promised_costs_no_answer(client, server, ask, body, content):
    """It reads as None, and `raw` holds it as it came."""
    server.play(Reply(body=body))
    answer = ask(client)
    assert answer.message.content == content
    assert not answer.message.tool_calls
    assert answer.usage is None or answer.usage.total_tokens is None
    if ask is whole:
        assert answer.raw == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        dumps(completion("好")),
        "\n\n\n" + dumps(completion("好")),
        "\ufeff" + dumps(completion("好")),
        dumps(completion("好")) + "\n\n",
        json.dumps(completion("好"), indent=2),
    ],
)
def test_a_whole_answer_is_read_whatever_stands_around_it_and_to_a_stream_request_too(client, server, ask, body):
    server.play(Reply(body=body.encode()))
    assert ask(client).message.content == "好"


def test_nan_is_kept(client, server):
    server.play(Reply(body=b'{"choices": [{"message": {"content": "x"}}], "score": NaN, "usage": {"total_tokens": 1}}'))
    answer = whole(client)
    assert answer.raw["score"] != answer.raw["score"]
    assert answer.usage.total_tokens == 1


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([b"data: {not json}\n\n"], "not json"),
        ([b"data: upstream went away\n\n"], "upstream went away"),
        ([b"data: 1\n\n"], "no JSON object"),
        ([b"event: error\ndata: 'timeout'\n\n"], "'timeout'"),
        ([b'data: {"choices": [{"delta": "x"}]}\n\n'], "unknown shape"),
        ([b"data: [DONE]\n\n"], "no answer"),
        ([b"data: {}\n\ndata: [DONE]\n\n"], "no answer"),
    ],
)
def test_an_event_that_cannot_be_read_says_why(client, server, events, words):
    server.play(sse(*events, done=False))
    with pytest.raises(InvalidResponseError, match=words):
        streamed(client)


def test_an_event_that_cannot_be_read_leaves_what_had_arrived(client, server):
    server.play(sse(delta("一"), b"data: {oops\n\n"))
    with pytest.raises(InvalidResponseError) as caught:
        streamed(client)
    assert caught.value.partial.message.content == "一"


def test_usage_that_cannot_be_read_is_kept_raw_in_a_stream_too(client, server):
    server.play(sse(delta("好", finish_reason="stop", usage={"total_tokens": "many", "prompt_tokens": 3})))
    answer = streamed(client)
    assert answer.message.content == "好"
    assert (answer.usage.total_tokens, answer.usage.prompt_tokens) == (None, 3)
    assert answer.raw["usage"]["total_tokens"] == "many"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_answer_over_the_limit_is_given_up_with_bounded_memory(clients, server, ask, framing):
    """100 MB are on their way; a little more than the limit is read."""
    part = b'{"choices": [' + b" " * 65_000
    endless = itertools.chain([part], itertools.repeat(b" " * 65_536))
    server.play(
        Reply(body=itertools.islice(endless, 1600), framing="chunked", length=100_000_000)
        if framing == "chunked"
        else Reply(body=endless, framing="length", length=100_000_000)
    )
    client = clients(max_response_bytes=1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResponseError, match=r"max_response_bytes \(1000000\)"):
            ask(client)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000
    assert server.wait_for(lambda s: s.open_connections == 0)


def test_a_stream_over_the_limit_is_given_up(clients, server):
    event = f"data: {dumps(delta('x' * 1000))}\n\n".encode()
    server.play(Reply(headers={"content-type": "text/event-stream"}, body=itertools.repeat(event), framing="chunked"))
    with pytest.raises(InvalidResponseError, match="max_response_bytes") as caught:
        streamed(clients(max_response_bytes=100_000))
    assert set(caught.value.partial.message.content) == {"x"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, {"x-debug": KEY}, f'{{"error": {{"message": "Incorrect key {KEY}", "code": "{KEY}"}}}}'.encode()),
        json_reply({"error": f"bad key {KEY}"}),
        Reply(body=f"<h1>{KEY}</h1>".encode()),
        Reply(body=f'{{"choices": [{{"message": "{KEY}"}}]}}'.encode()),
        Reply(302, {"location": f"https://elsewhere.example/?key={KEY}"}),
        sse(delta("x"), {"error": {"message": f"key {KEY}"}}),
        sse(delta("x"), f"{KEY}"),
    ],
)
def test_a_key_that_the_server_echoes_is_blotted_out(client, server, ask, reply):
    server.play(reply)
    with pytest.raises((APIStatusError, InvalidResponseError)) as caught:
        ask(client)
    assert KEY not in repr(caught.value) + str(vars(caught.value))
    assert "***" in repr(caught.value) + str(vars(caught.value)) or ask is whole


@pytest.mark.parametrize(
    ("key", "said", "told"),
    [
        ("any", "Too many tokens for any", "Too many tokens for ***"),
        ("text", "maximum context, text", "maximum context, ***"),
        ("context", "context length", "*** length"),
        ("message", "prompt is too long", "prompt is too long"),
        ("length", "密钥length超出上下文", "密钥***超出上下文"),
    ],
)
def test_a_key_that_is_a_word_changes_neither_the_class_nor_other_words(clients, server, ask, key, said, told):
    server.play(Reply(400, body=json.dumps({"error": {"message": f"\n{said}\n{key}"}}).encode()))
    with pytest.raises(ContextOverflowError) as caught:
        ask(clients(api_key=key))
    assert f": \n{told}\n*** [" in str(caught.value)


@pytest.mark.parametrize(
    "echoed", [f"key={KEY},", f'{{"key": "{KEY}"', f"abc{KEY}xyz", f"\\u94a5{KEY}\\n{KEY}"], ids=str
)
def test_a_key_vanishes_from_what_cannot_be_read_wherever_it_stands(client, server, echoed):
    server.play(Reply(body=echoed.encode()))
    with pytest.raises(InvalidResponseError) as caught:
        client.chat(**ASK)
    assert KEY not in str(caught.value)
    assert "***" in caught.value.excerpt


@pytest.mark.parametrize("echoed", ["key=sk-1,", '{"key": "sk-1"', "\\u94a5sk-1\\n", "钥sk-1", r"\nsk-1"])
def test_a_short_key_vanishes_wherever_it_stands_by_itself(clients, server, echoed):
    server.play(Reply(body=echoed.encode()))
    with pytest.raises(InvalidResponseError) as caught:
        clients(api_key="sk-1").chat(**ASK)
    assert "sk-1" not in str(caught.value)
