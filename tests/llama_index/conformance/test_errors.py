"""C18 and C19: the server's faults in plain words, and how often a request is sent again."""

from __future__ import annotations

from typing import Any

import pytest

from geekai_testing.replies import Cut, Reply, chunk, completion, delta, error, json_reply, sse
from tests.llama_index.support import CHATS, COMPLETIONS, last, play_text, responses

STREAMS = ("stream_chat", "astream_chat", "stream_complete", "astream_complete")
OK = json_reply(completion("ok"))


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
async def test_c18_a_refusal_is_raised_at_once_with_the_servers_words(
    server: Any, make: Any, subject: Any, how: str, status: int
) -> None:
    server.default = lambda request: error(status, "余额或参数有误", shape="message")
    with pytest.raises(subject.errors, match="余额或参数有误") as caught:
        await last(make(max_retries=2), how)
    assert caught.value.status_code == status
    assert len(server.requests) == 1


BODIES = {
    "an error": json_reply({"error": {"message": "model overloaded", "code": 1302}}),
    "an error in words": json_reply({"error": "model overloaded"}),
    "no choices": json_reply({"id": "x", "choices": [], "note": "model overloaded"}),
    "null choices": json_reply({"id": "x", "choices": None, "note": "model overloaded"}),
    "a web page": Reply(200, {"content-type": "text/html"}, b"<html><title>model overloaded</title></html>"),
    "broken JSON": Reply(200, {"content-type": "application/json"}, b'{"choices": [{"model overloaded'),
    "nothing": Reply(200, {"content-type": "application/json"}, b""),
}


@pytest.mark.parametrize("how", CHATS)
@pytest.mark.parametrize("body", BODIES)
async def test_c18_a_bad_body_with_a_good_status_is_an_error(
    server: Any, make: Any, subject: Any, how: str, body: str
) -> None:
    server.play(BODIES[body])
    with pytest.raises(subject.errors) as caught:
        await last(make(max_retries=0), how)
    assert body == "nothing" or "model overloaded" in str(caught.value)


@pytest.mark.parametrize("how", STREAMS)
async def test_c18_an_error_within_a_stream_is_raised_after_what_had_come(
    server: Any, llm: Any, subject: Any, how: str
) -> None:
    server.play(sse(delta("Hel"), {"error": {"message": "vendor failed"}}))
    with pytest.raises(subject.errors, match="vendor failed"):
        await responses(llm, how)


CUTS = {
    "closed": sse(delta("Hel"), done=False),
    "reset": sse(delta("Hel"), Cut()),
    "within an event": sse(delta("Hel"), b'data: {"choices": [{"del', done=False),
    "nothing but a role": sse(delta(extra={"role": "assistant"}), done=False),
    "done without an answer": sse(chunk([])),
}


@pytest.mark.parametrize("how", STREAMS)
@pytest.mark.parametrize("cut", CUTS)
async def test_c18_a_stream_that_ends_early_is_an_error(
    server: Any, make: Any, subject: Any, how: str, cut: str
) -> None:
    server.play(CUTS[cut])
    with pytest.raises(subject.errors):
        await responses(make(max_retries=0), how)


@pytest.mark.parametrize("how", STREAMS)
async def test_c18_a_stream_may_end_with_its_finish_reason_alone(server: Any, llm: Any, how: str) -> None:
    server.play(sse(delta("Hello"), delta(finish_reason="stop"), done=False))
    response = (await responses(llm, how))[-1]
    assert (response.message.content if "chat" in how else response.text) == "Hello"


@pytest.mark.parametrize("how", CHATS)
@pytest.mark.parametrize("retries", [0, 1, 2])
async def test_c19_a_failing_server_is_asked_exactly_so_often(
    server: Any, make: Any, subject: Any, how: str, retries: int
) -> None:
    server.default = lambda request: error(503, "busy", headers={"retry-after": "0"})
    with pytest.raises(subject.errors, match="busy"):
        await responses(make(max_retries=retries), how)
    assert len(server.requests) == retries + 1


@pytest.mark.parametrize("how", CHATS)
async def test_c19_a_second_try_answers_and_honours_retry_after(server: Any, make: Any, how: str) -> None:
    server.play(error(429, "slow down", headers={"retry-after": "1"}))
    play_text(server, how)
    response = await last(make(max_retries=1), how)
    assert response.message.content == "In China."
    first, second = server.requests
    assert second.received_at - first.received_at >= 1
    assert first.json == second.json


@pytest.mark.parametrize("how", STREAMS)
async def test_c19_a_stream_is_never_begun_again_after_its_first_piece(
    server: Any, make: Any, subject: Any, how: str
) -> None:
    server.play(sse(delta("Hel"), Cut()))
    with pytest.raises(subject.errors):
        await responses(make(max_retries=3), how)
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", CHATS)
async def test_c19_a_connection_that_was_lost_before_an_answer_is_made_again(server: Any, make: Any, how: str) -> None:
    server.play(Reply(framing="raw", body=[Cut()]))
    play_text(server, how)
    response = await last(make(max_retries=1), how)
    assert response.message.content == "In China."
