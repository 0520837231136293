"""What is sent, to the byte where it matters."""

from tests.core.conftest import ASK, HELLO, KEY, collect

from geekai_local.replies import completion, json_reply, delta, sse


def test_a_chat_request_holds_what_was_given_and_nothing_else(client, server):
    server.play(json_reply(completion("好")))
    client.chat(**ASK, temperature=0.0, enable_search=True, search_config={"engine": "glm/search-pro", "x_new": 1})
    request = server.requests[0]
    assert request.method == "POST"
    assert request.path == "/api/v1/chat/completions"
    assert request.json == {
        "model": "geekai-test",
        "messages": HELLO,
        "temperature": 0.0,
        "enable_search": True,
        "search_config": {"engine": "glm/search-pro", "x_new": 1},
    }
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert "你好".encode() in request.body


def test_a_stream_request_asks_for_usage(client, server):
    server.play(sse(delta("好", finish_reason="stop")))
    deltas, answer = collect(client)
    assert server.requests[0].json == {**ASK, "stream": True, "stream_options": {"include_usage": True}}
    assert [d.content for d in deltas] == ["好"]
    assert answer.message.content == "好"
