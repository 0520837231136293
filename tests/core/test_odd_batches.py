"""Batches asked for in odd ways: of whatever holds many, with callbacks that raise, with answers that do not add up."""

from __future__ import annotations

import asyncio

import pytest

from geekai_core import AsyncClient, PartialBatchError
from geekai_testing.replies import Pause, Reply, error, json_reply, ranking, vectors
from tests.core.conftest import KEY


def lengths(request):
    """A vector for each text, which is its length."""
    return vectors(*[[float(len(text))] for text in request.json["input"]])


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("many", [tuple, iter, lambda texts: dict.fromkeys(texts).keys()])
def test_whatever_holds_many_texts_is_a_vector_for_each(client, server, many, size):
    """Not one for all, nor an error after the request was paid for."""
    server.default = lengths
    assert client.embed(many(["一", "", "三三三"]), model="e", batch_size=size).vectors == [[1.0], [1.0], [3.0]]
    server.default = ranking(0.1, 0.9) if size is None else ranking(0.5)
    answer = client.rerank("问", many(["甲", "乙"]), model="r", batch_size=size)
    assert sorted(result.index for result in answer.results) == [0, 1]


def test_documents_may_be_objects_that_hold_a_text(client, server):
    """Not documented, but what a vendor takes need not be refused here; the text maps a rank back all the same."""
    server.play(json_reply({"results": [{"index": 0, "relevance_score": 0.9, "document": {"text": "乙"}}]}))
    answer = client.rerank("问", [{"text": "甲"}, {"text": "乙"}], model="r")
    assert [result.index for result in answer.results] == [1]


def test_a_text_that_is_cut_in_a_surrogate_pair_costs_no_vector(client, server):
    """JSON cannot hold half a pair; it is replaced as everywhere."""
    server.default = lengths
    answer = client.embed(["一", "\ud83d", "三三"], model="e", batch_size=1, on_error="return", max_concurrency=1)
    assert answer.vectors == [[1.0], [1.0], [2.0]]
    assert answer.failed == {}
    assert [request.json["input"] for request in server.requests] == [["一"], ["\ufffd"], ["三三"]]


def test_usage_is_summed_where_a_part_has_none_or_of_another_shape(client, server):
    parts = [None, {"total_tokens": 3, "details": {"a": 1}}, {"total_tokens": 4, "details": 5}, {"details": {"a": 2}}]
    server.play(*[json_reply({"data": [{"index": 0, "embedding": [1]}], "usage": part}) for part in parts])
    answer = client.embed(["x"] * 4, model="e", batch_size=1)
    assert answer.usage.model_dump(exclude_none=True) == {"total_tokens": 7, "details": {"a": 3}}


def test_the_error_counts_all_inputs_not_the_results_that_were_kept(client, server):
    server.play(error(400, "坏"), ranking(*[0.5] * 5), path="/rerank")
    with pytest.raises(PartialBatchError, match="5 of 10 inputs failed"):
        client.rerank("问", ["x"] * 10, model="r", batch_size=5, top_n=2)


async def test_a_callback_that_raises_ends_the_whole_batch(server):
    """The requests that are under way are cut, and no more are sent."""

    def answer(request):
        busy = len(server.requests) > 1
        return Reply(200, body=iter([Pause(30), b""])) if busy else vectors([1.0])

    def stop(done, total):
        raise LookupError("enough")

    server.default = answer
    async with AsyncClient(api_key=KEY, base_url=server.base_url) as client:
        with pytest.raises(LookupError, match="enough"):
            await client.embed(["x"] * 50, model="e", batch_size=1, max_concurrency=4, on_progress=stop)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    sent = len(server.requests)
    assert sent <= 4
    assert all(request.client_left.wait(5) for request in server.requests[1:])


async def test_no_more_workers_are_started_than_there_are_requests(server):
    server.default, tasks = lengths, []

    def count(done, total):
        tasks.append(len(asyncio.all_tasks()))

    async with AsyncClient(api_key=KEY, base_url=server.base_url) as client:
        await client.embed(["一"] * 2, model="e", batch_size=1, max_concurrency=10_000, on_progress=count)
    assert max(tasks) <= 1 + 2
