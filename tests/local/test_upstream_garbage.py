"""What an upstream says may be of any shape: it is passed on or refused in words, never an inner error or a cut."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from geekai_core import ServerError
from geekai_local.serving import serve
from geekai_local.weights import Upstream
from geekai_testing.replies import Reply, completion, delta, error, json_reply, sse
from geekai_testing.scripted import ScriptedServer
from tests.core.test_fuzz import twists, written
from tests.local.conftest import Over, asked, streaming

CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOKEN = {"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "a", "logprob": -1.0}]}
CHUNK = delta("a", tool_calls=[CALL], logprobs={"content": [TOKEN]}, usage={"prompt_tokens": 1, "completion_tokens": 1})


@pytest.fixture
def plain(upstream: ScriptedServer) -> Iterator[httpx.Client]:
    """Plain HTTP to an endpoint over `upstream`."""
    with (
        serve(model=Upstream(upstream.base_url, embedding_model="e")) as url,
        httpx.Client(base_url=url, timeout=60) as http,
    ):
        yield http


@pytest.mark.parametrize("stream", [True, False])
def test_any_single_wrong_value_in_a_chunk_is_passed_on_or_refused(
    plain: httpx.Client, upstream: ScriptedServer, stream: bool
) -> None:
    end = b"\n\ndata: " + written(delta("", finish_reason="stop")) + b"\n\ndata: [DONE]\n\n"
    for twisted in twists(CHUNK, [None, 5, "x", [5], {"x": {}}]):
        upstream.play(Reply(200, {}, b"data: " + written(twisted) + end))
        answer = plain.post("/chat/completions", json=asked(stream=stream, logprobs=True, top_logprobs=1))
        assert answer.status_code in (200, 502)
        assert ("data: [DONE]" in answer.text or '"error"' in answer.text) if stream else answer.json()


@pytest.mark.parametrize(
    "data",
    [
        {},
        [5],
        [{}],
        [None],
        [[{"id": "a"}]],
        ["a"],
    ],
)
def test_lists_that_are_none_are_a_502(plain: httpx.Client, upstream: ScriptedServer, data: Any) -> None:
    for ask in (lambda: plain.get("/models"), lambda: plain.post("/embeddings", json={"model": "e", "input": ["a"]})):
        upstream.play(json_reply({"data": data}))
        answer = ask()
        assert answer.status_code == 502
        assert "the upstream" in answer.json()["error"]["message"]


@pytest.mark.parametrize("stream", [True, False])
def test_there_is_no_second_way_to_ask_an_upstream(plain: httpx.Client, upstream: ScriptedServer, stream: bool) -> None:
    """What it refuses is refused once, with its words, and not remembered: the caller's own client knows more."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    for _ in range(2):
        upstream.play(error(400, "response_format is unavailable now"))
        answer = plain.post("/chat/completions", json=asked(stream=stream, response_format=form))
        assert answer.status_code == 400
        assert "unavailable now" in answer.json()["error"]["message"]
    assert [request.json["response_format"] for request in upstream.requests] == [form] * 2


def test_a_server_without_models_lists_none(plain: httpx.Client, upstream: ScriptedServer) -> None:
    """As Ollama does before the first is pulled: null in place of a list. A vector must come, though."""
    upstream.play(json_reply({"object": "list", "data": None}), json_reply({"data": None}))
    assert [model["id"] for model in plain.get("/models").json()["data"]] == ["multilingual-e5-small"]
    assert plain.post("/embeddings", json={"model": "e", "input": ["a"]}).status_code == 502


def test_json_too_deep_to_be_read_is_a_502(plain: httpx.Client, upstream: ScriptedServer) -> None:
    upstream.play(Reply(200, {}, b"[" * 100_000))
    answer = plain.get("/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_error")


def test_half_a_surrogate_pair_is_passed_on_as_the_escape_that_it_was(over: Over, upstream: ScriptedServer) -> None:
    """A server cut an emoji in two: together they are one again, and in an error's words it cuts nothing short."""
    client = over()
    halves = [json.dumps(delta(half)) for half in ("so \ud83d", "\ude00!")]
    upstream.play(json_reply(completion("so 😀!")), sse(*halves, delta(finish_reason="stop")))
    assert client.chat(**asked()).message.content == "so 😀!"
    with streaming(client) as stream:
        list(stream)
    assert stream.answer.message.content == "so 😀!"
    upstream.play(Reply(500, {}, rb'{"error": {"message": "\ud83d no"}}'))
    with pytest.raises(ServerError, match="no"):
        client.chat(**asked())


@pytest.mark.parametrize("stream", [True, False])
def test_numbers_that_json_has_not_are_null(plain: httpx.Client, upstream: ScriptedServer, stream: bool) -> None:
    """As llama.cpp gives the log probability of what cannot come."""
    logprobs = {"content": [{"token": "a", "logprob": -math.inf, "top_logprobs": []}]}
    answer = json_reply(completion("a", choices=[{**completion("a")["choices"][0], "logprobs": logprobs}]))
    upstream.play(sse(json.dumps(delta("a", finish_reason="stop", logprobs=logprobs))) if stream else answer)
    found = plain.post("/chat/completions", json=asked(stream=stream, logprobs=True)).text
    assert '"logprob":null' in found
    assert "Infinity" not in found


def test_a_vector_of_no_numbers_is_a_502(plain: httpx.Client, upstream: ScriptedServer) -> None:
    upstream.play(Reply(200, {}, b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}'))
    answer = plain.post("/embeddings", json={"model": "e", "input": ["a"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_error")
