"""Streams of every shape, over a socket: deltas that add up to the answer, and the answer."""

import itertools
import json

import pytest

from geekai_core import (
    APIStatusError,
    Client,
    ConfigurationError,
    InvalidResponseError,
    ServerError,
    StreamInterruptedError,
)
from geekai_core.response.answers import Context
from geekai_core.response.stream_reader import StreamReader
from geekai_testing.replies import Cut, Reply, chunk, completion, delta, dumps, json_reply, sse, tool_call
from tests.core.conftest import ASK, KEY, collect
from tests.core.stream_cases import CASES, Case, check, found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stream_adds_up_to_its_answer(clients, server, case: Case):
    server.play(sse(*case.payloads))
    deltas, answer = collect(clients(**case.settings))
    check(case, answer)
    assert_deltas_tell_all(deltas, answer)


def assert_deltas_tell_all(deltas, answer):
    """Whoever adds the deltas up has the text, the reasoning and the calls of the answer, each piece once."""
    for choice in answer.choices:
        mine = [piece for piece in deltas if piece.index == choice.index]
        assert "".join(piece.content or "" for piece in mine) == (choice.message.content or "")
        assert "".join(piece.reasoning_content or "" for piece in mine) == (choice.message.reasoning_content or "")
        assert [piece.finish_reason for piece in mine if piece.finish_reason] == [choice.finish_reason]
        pieces = [piece for one in mine for piece in one.tool_calls or ()]
        calls = choice.message.tool_calls or []
        assert {piece.slot for piece in pieces} == set(range(len(calls)))
        for slot, call in enumerate(calls):
            of_call = [piece for piece in pieces if piece.slot == slot]
            assert "".join(piece.id or "" for piece in of_call) == call.id
            assert "".join(piece.name or "" for piece in of_call) == call.function.name
            assert "".join(piece.arguments for piece in of_call) == call.function.arguments


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_joined_deltas_tell_the_same(server, case: Case):
    events = [b"data: " + dumps(payload).encode() + b"\n\n" for payload in case.payloads]
    server.play(sse(*events), sse(b"".join(events)))
    with Client(api_key=KEY, base_url=server.base_url, join_deltas=True, **case.settings) as client:
        check(case, collect(client)[1])
        joined, answer = collect(client)
    check(case, answer)
    assert_deltas_tell_all(joined, answer)
    assert len(joined) <= len(case.payloads) + 1


def test_the_deltas_of_one_read_are_joined_only_when_asked(clients, server):
    payload = b"".join(b"data: " + dumps(delta(text)).encode() + b"\n\n" for text in "一二三")
    payload += b"data: " + dumps(delta("", reasoning_content="想")).encode() + b"\n\n"
    payload += b"data: " + dumps(delta("四", finish_reason="stop")).encode() + b"\n\n"
    server.play(sse(payload), sse(payload))
    assert [d.content for d in collect(clients())[0]] == ["一", "二", "三", None, "四"]
    assert [(d.content, d.reasoning_content) for d in collect(clients(join_deltas=True))[0]] == [
        ("一二三", None),
        (None, "想"),
        ("四", None),
    ]


def test_reasoning_deltas_of_one_read_are_joined_too(clients, server):
    payload = b"".join(b"data: " + dumps(delta(None, reasoning_content=t)).encode() + b"\n\n" for t in "一二三")
    server.play(sse(payload, delta("好", finish_reason="stop")))
    deltas, _ = collect(clients(join_deltas=True))
    assert deltas[0].reasoning_content == "一二三"


def test_a_delta_shows_its_fields_and_keeps_its_chunk(client, server):
    first = delta("好", tool_calls=[tool_call("f", "{}", id="c1", index=0)], extra={"mood": 1}, finish_reason="stop")
    server.play(sse(first))
    (piece,), _ = collect(client)
    assert piece.raw == first
    assert piece.extra == {"mood": 1}
    assert "content='好'" in repr(piece)
    assert "ToolCallPiece(slot=0, id='c1', name='f', arguments='{}')" in repr(piece)


def test_a_call_without_an_id_gets_one(client, server):
    """Both frameworks need it to match the result; the last delta brings it, and the answer has the same."""
    server.play(sse(delta(tool_calls=[tool_call("f", "{}", index=0)], finish_reason="tool_calls")))
    deltas, answer = collect(client)
    (made,) = [piece.id for one in deltas for piece in one.tool_calls or () if piece.id]
    assert made.startswith("call_")
    assert answer.message.tool_calls[0].id == made


@pytest.mark.parametrize("newline", ["\n\n", "\r\n\r\n", "\r\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(
    "prefix", ["data: ", "data:", "\ufeffdata: ", ": hi\ndata: ", "event: m\nid: 7\nretry: 1\ndata: "]
)
@pytest.mark.parametrize("split", [None, 1, 7])
def test_every_way_of_writing_events_is_read(client, server, newline, prefix, split):
    if prefix.startswith("\ufeff"):
        prefix = "data: "
        payloads = [f"\ufeffdata: {dumps(delta('你'))}{newline}".encode(), delta("好😀", finish_reason="stop")]
    else:
        payloads = [delta("你"), delta("好😀", finish_reason="stop")]
    server.play(sse(*payloads, newline=newline, prefix=prefix, split=split))
    assert collect(client)[1].message.content == "你好😀"


def test_data_over_several_lines_is_one_event(client, server):
    lines = json.dumps(delta("好", finish_reason="stop"), indent=1).splitlines()
    event = "".join(f"data: {line}\n" for line in lines) + "data\n\n"
    server.play(sse(event.encode()))
    assert collect(client)[1].message.content == "好"


def test_empty_events_and_blank_lines_say_nothing(client, server):
    server.play(sse(b"\n\n\ndata:\n\n", delta("好"), b"data: \n\n\n\n", delta(finish_reason="stop")))
    assert collect(client)[1].message.content == "好"


def test_an_event_of_ten_megabytes_is_read(client, server):
    text = "茶" * 3_500_000
    server.play(sse(delta(text, finish_reason="stop"), split=60_000))
    assert collect(client)[1].message.content == text


def test_a_surrogate_pair_that_is_cut_between_two_events_is_joined(client, server):
    """Servers that cut a stream at tokens send half a pair in each of two events."""
    first = rb'data: {"choices": [{"index": 0, "delta": {"content": "so \ud83d"}}]}' + b"\n\n"
    second = rb'data: {"choices": [{"index": 0, "delta": {"content": "\ude00!"}, "finish_reason": "stop"}]}' + b"\n\n"
    server.play(sse(first, second), sse(second), sse(first, delta("!", finish_reason="stop")))
    assert collect(client)[1].message.content == "so 😀!"
    assert collect(client)[1].message.content == "\ufffd!"
    assert collect(client)[1].message.content == "so !"


def test_half_a_pair_within_a_whole_answer_is_replaced(client, server):
    body = rb'{"choices": [{"message": {"content": "a\ud83db \ud83d\ude00 \\ud83d"}, "finish_reason": "stop"}]}'
    server.play(Reply(body=body))
    assert client.chat(**ASK).message.content == "a\ufffdb 😀 \\ud83d"


@pytest.mark.parametrize("done", [True, False])
def test_a_finish_reason_is_a_good_end_with_or_without_done(client, server, done):
    server.play(sse(delta("好", finish_reason="stop"), done=done))
    assert collect(client)[1].message.content == "好"


def test_done_without_a_finish_reason_is_a_good_end_with_a_warning(client, server):
    server.play(sse(delta("好")), sse(delta("好")))
    for _ in range(2):
        with pytest.warns(UserWarning, match="without a finish reason"):
            assert collect(client)[1].message.content == "好"


def test_done_without_a_finish_reason_is_a_cut_where_the_model_is_known_to_send_one(client, server):
    server.play(sse(delta("好", finish_reason="stop")), sse(delta("好")))
    collect(client)
    with pytest.raises(StreamInterruptedError, match="no finish reason") as caught:
        collect(client)
    assert caught.value.partial.message.content == "好"
    server.play(sse(delta("好")))
    with pytest.warns(UserWarning, match="without a finish reason"):
        assert collect(client, **{**ASK, "model": "another"})[1].message.content == "好"


def test_done_alone_is_an_error(client, server):
    server.play(sse(delta(None)), sse())
    for _ in range(2):
        with pytest.raises(InvalidResponseError):
            collect(client)


@pytest.mark.parametrize("word", ["error", "network_error", "insufficient_system_resource", "ABORTED"])
def test_an_answer_that_the_server_broke_off_is_an_error_with_what_had_arrived(client, server, word):
    server.play(sse(delta("好"), delta(finish_reason=word)), json_reply(completion("好", finish_reason=word)))
    for ask in (collect, lambda client: client.chat(**ASK)):
        with pytest.raises(APIStatusError, match=word) as caught:
            ask(client)
        assert caught.value.partial.message.content == "好"
    assert len(server.requests) == 2


def test_a_choice_s_own_error_is_raised_in_the_server_s_words(client, server):
    last = {"index": 0, "delta": {}, "finish_reason": "error", "error": {"message": "上游中断", "code": 502}}
    server.play(sse(delta("好"), chunk([last])))
    with pytest.raises(ServerError, match="上游中断") as caught:
        collect(client)
    assert caught.value.partial.message.content == "好"


def test_a_finish_reason_is_a_good_end_even_when_the_connection_breaks(client, server):
    server.play(sse(delta("好", finish_reason="stop"), b'data: {"usage": {"tot', Cut(), done=False))
    assert collect(client)[1].message.content == "好"


def test_a_cut_last_event_after_the_finish_reason_is_passed_over(client, server):
    server.play(sse(delta("好", finish_reason="stop"), b'data: {"usage": {"tot', done=False))
    assert collect(client)[1].message.content == "好"


def test_a_last_event_without_its_blank_line_counts(client, server):
    server.play(sse(f"data: {dumps(delta('好', finish_reason='stop'))}".encode(), done=False))
    assert collect(client)[1].message.content == "好"
    server.play(sse(delta("好"), b"data: [DONE]", done=False))
    with pytest.warns(UserWarning, match="without a finish reason"):
        assert collect(client, **{**ASK, "model": "another"})[1].message.content == "好"


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ([delta("一"), delta("二")], "neither .DONE. nor a finish reason"),
        ([delta("一"), delta("二"), b'data: {"choices": [{"del'], "the last event is cut"),
        ([delta("一二", index=0, finish_reason="stop"), delta("x", index=1)], "neither"),
        ([delta("一二"), f"data: {dumps(delta('三'))}".encode()], "neither"),
    ],
)
def test_a_stream_without_an_end_is_interrupted_and_keeps_what_had_arrived(client, server, payloads, words):
    server.play(sse(*payloads, done=False, headers={"x-request-id": "req-3"}))
    seen = []
    with pytest.raises(StreamInterruptedError, match=words) as caught, client.stream(**ASK) as stream:
        seen.extend(piece.content for piece in stream)
    assert "".join(seen).startswith("一二")
    assert caught.value.partial.message.content == "".join(filter(None, seen)).removesuffix("x")
    assert caught.value.request_id == "req-3"
    assert len(server.requests) == 1


def test_a_stream_of_comments_alone_is_interrupted(client, server):
    server.play(sse(b": keep-alive\n\n", b": keep-alive\n\n", done=False))
    with pytest.raises(StreamInterruptedError, match="before any part of an answer") as caught:
        collect(client)
    assert caught.value.partial is None


def test_what_follows_done_is_not_read(client, server):
    server.play(sse(delta("好", finish_reason="stop"), "[DONE]", delta("坏"), b"junk", done=False))
    assert collect(client)[1].message.content == "好"


def test_a_second_loop_goes_on_where_the_first_stopped(client, server):
    server.play(sse(*[delta(text) for text in "一二三"], delta(finish_reason="stop")))
    with client.stream(**ASK) as stream:
        first = next(iter(stream))
        assert stream.answer.message.content.startswith("一")
        rest = list(stream)
    assert [first.content, *(piece.content for piece in rest)] == ["一", "二", "三", None]
    assert stream.answer.message.content == "一二三"


def test_a_stream_is_opened_by_a_with_block(client):
    stream = client.stream(**ASK)
    with pytest.raises(ConfigurationError, match="with block"):
        next(iter(stream))
    with pytest.raises(ConfigurationError, match="with block"):
        _ = stream.answer


def test_a_ready_body_goes_out_as_it_is(client, server):
    body = {**ASK, "stream": True, "x": 1}
    server.play(sse(delta("好", finish_reason="stop")))
    collect(client, body)
    assert server.requests[0].json == body
    with pytest.raises(ConfigurationError, match="'stream': true"):
        client.stream(ASK)


def test_an_answer_object_of_a_stream_is_that_of_a_whole(client, server):
    """Field by field, but for what only a whole answer can say."""
    sources = {"citations": ["https://a"], "search_results": [{"title": "t"}], "usage": {"total_tokens": 7}}
    server.play(
        json_reply(completion("你好", reasoning_content="想", **sources)),
        sse(delta("", reasoning_content="想"), delta("你"), delta("好", finish_reason="stop"), chunk([], **sources)),
    )
    whole, (_, streamed) = client.chat(**ASK), collect(client)
    assert streamed.model_dump() == whole.model_dump()
    assert found(streamed.raw, "choices.0.message") == found(whole.raw, "choices.0.message")


def test_the_five_minute_limit_is_named_where_it_fits():
    """Pure: nobody waits that long in a test."""
    reader = StreamReader(Context(200, {}, None, 1000))
    assert "300 seconds" in str(reader.interrupted("reset", seconds=299.0))
    assert "300" not in str(reader.interrupted("reset", seconds=20.0))


def test_an_endless_stream_can_be_left(client, server):
    event = f"data: {dumps(delta('x'))}\n\n".encode()
    server.play(sse(done=False))
    server._queues["*"][0].body = itertools.repeat(event)
    with client.stream(**ASK) as stream:
        assert [piece.content for piece in itertools.islice(stream, 500)] == ["x"] * 500
    assert server.wait_for(lambda s: s.open_connections == 0)
