"""What several calls came to, and which calls count."""

import contextvars
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel

from geekai_core import APIStatusError, Client, GeekAIError
from geekai_core.collecting import Collected, collect
from geekai_testing.replies import Hold, completion, delta, error, json_reply, pages, ranking, sse, usage, vectors
from tests.core.conftest import ASK, KEY


def test_calls_are_summed_up_without_duplicates():
    collected = Collected()
    collected.add(
        {
            "model": "a",
            "usage": {"total_tokens": 3, "details": {"x": 1}, "billed_units": 1, "note": "n"},
            "citations": ["u", "v"],
        }
    )
    collected.add(
        {
            "model": "b",
            "usage": {"total_tokens": 4, "details": {"x": 2}, "ok": True},
            "citations": ["v"],
            "search_results": [{"t": 1}],
        }
    )
    collected.add({"usage": None})
    assert collected.usage == {"total_tokens": 7, "details": {"x": 3}, "billed_units": 1}
    assert (collected.billed_units, collected.citations, collected.search_results) == (1, ["u", "v"], [{"t": 1}])
    assert [call["model"] for call in collected.calls] == ["a", "b", None]
    assert repr(collected).startswith("Collected(calls=3, usage={'total_tokens': 7")


class Person(BaseModel):
    name: str


def test_every_kind_of_call_is_counted_where_it_ends(client, server):
    used, source = usage(10, 5, 2), "https://a.example/tea"
    page = {"title": "Tea", "link": source}
    server.play(
        json_reply(completion("Tea.", usage=used, citations=[source])),
        sse(delta("Tea."), delta(finish_reason="stop", usage=used, search_results=[page])),
        path="/chat/completions",
    )
    server.play(vectors([1.0], tokens=3), vectors([2.0], tokens=4), path="/embeddings")
    server.play(ranking(0.5, 0.1), path="/rerank")
    server.play(pages(page), path="/web_search")
    with collect() as collected:
        client.chat(**ASK)
        with client.stream(**ASK) as stream:
            list(stream)
        client.embed(["a", "b"], model="e", batch_size=1, max_concurrency=1)
        client.embed([], model="e")
        client.rerank("q", ["a", "b"], model="r")
        client.web_search("tea")
    assert [call["model"] for call in collected.calls] == ["geekai-test", "geekai-test", "e", "r", "glm-search-std"]
    assert [call["usage"]["total_tokens"] for call in collected.calls[:4]] == [15, 15, 7, 12]
    assert (collected.billed_units, collected.citations, collected.search_results) == (4, [source], [page])
    assert collected.calls[4]["id"] == "search-1"


def test_a_background_task_is_counted_once_when_it_was_waited_for(client, server):
    task = {"id": "task-1", "status": "pending"}
    done = {**completion("Tea."), **task, "status": "succeed"}
    server.play(json_reply(task), path="/chat/completions")
    server.play(json_reply(task), json_reply(done), json_reply(done), path="/chat/task-1")
    with collect() as collected:
        client.chat(**ASK, background=True)
        client.fetch("task-1")
    assert [call["id"] for call in collected.calls] == ["task-1"]


def test_each_answer_of_a_conversation_is_counted_and_a_refusal_is_not(client, server):
    server.play(
        error(400, "response_format json_schema is not supported"),
        json_reply(completion("No JSON at all.", usage=usage(1, 1))),
        json_reply(completion('{"name": 5}', usage=usage(2, 2))),
        json_reply(completion('{"name": "Ada"}', usage=usage(3, 3))),
    )
    with collect() as collected:
        assert client.parse(Person, **ASK).name == "Ada"
    answered = len(server.requests) - 1
    assert len(collected.calls) == answered > 1
    assert collected.usage["total_tokens"] == sum((2, 4, 6)[:answered])


def test_an_answer_that_the_server_broke_off_is_counted(client, server):
    server.play(
        json_reply(completion("Te", finish_reason="error", usage=usage(7, 1))),
        sse(delta("Te"), delta(finish_reason="error", usage=usage(7, 1))),
    )
    with collect() as collected:
        with pytest.raises(APIStatusError):
            client.chat(**ASK)
        with pytest.raises(APIStatusError), client.stream(**ASK) as stream:
            list(stream)
    assert [call["usage"]["total_tokens"] for call in collected.calls] == [8, 8]


def test_a_stream_that_is_left_or_refused_is_not_counted(client, server):
    server.play(sse(delta("Te"), Hold(), delta(finish_reason="stop")), sse(error(429, "busy").body.decode()))
    with collect() as collected:
        with client.stream(**ASK) as stream:
            next(iter(stream))
        with pytest.raises(GeekAIError), client.stream(**ASK) as stream:
            list(stream)
    assert collected.calls == []


def test_a_stream_counts_where_it_was_asked_for_once_and_its_end_comes_when_it_may(client, server):
    server.play(sse(delta("Tea."), delta(finish_reason="stop", usage=usage(1, 1))))
    with collect() as outer, collect() as inner:
        stream = client.stream(**ASK)
    with stream, collect() as other:
        assert "".join(delta.content or "" for delta in stream) == "Tea."
        assert (outer.calls, inner.calls) == ([], [])
    assert (len(outer.calls), len(inner.calls), other.calls) == (1, 1, [])
    assert stream.answer.message.content == "Tea."


def test_threads_add_at_the_same_time(server):
    server.default = lambda request: json_reply(completion("Tea.", usage=usage(1, 1)))
    with Client(api_key=KEY, base_url=server.base_url) as client, collect() as collected:
        contexts = [contextvars.copy_context() for _ in range(8)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda context: context.run(client.chat, **ASK), contexts))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(client.chat, **ASK).result()
    assert (len(collected.calls), collected.usage["total_tokens"]) == (8, 16)
