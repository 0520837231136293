"""`/models`, `/embeddings`, `/rerank`, `/web_search`: the same client, errors and retries; batches by option."""

import threading
from dataclasses import replace

import pytest

from geekai_core import (
    APITimeoutError,
    AsyncClient,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidResponseError,
    PartialBatchError,
    ServerError,
)
from geekai_testing.replies import Cut, Hold, Pause, Reply, error, json_reply
from tests.core.conftest import KEY


def page(*ids, **top):
    return json_reply({"data": [{"id": one, "context_window": 1000, "x_new": 1} for one in ids], **top})


def test_models_are_fetched_page_by_page_until_one_brings_nothing_new(client, server):
    server.play(page("a", "b"), page("c", "b"), page("a"))
    models = client.models()
    assert [model.id for model in models] == ["a", "b", "c"]
    assert (models[0].context_window, models[0].x_new) == (1000, 1)
    assert [(r.method, r.path, r.body) for r in server.requests] == [
        ("GET", "/api/v1/models", b""),
        ("GET", "/api/v1/models?page=2", b""),
        ("GET", "/api/v1/models?page=3", b""),
    ]


def test_models_stop_at_the_total(clients, server):
    server.play(page("a", "b", total=3), page("c", total=3))
    assert len(clients(default_query={"v": "1"}).models()) == 3
    assert [request.path for request in server.requests] == ["/api/v1/models?v=1", "/api/v1/models?v=1&page=2"]


def test_no_models_are_none(client, server):
    server.play(page())
    assert client.models() == []


def test_a_list_that_is_null_is_an_empty_one(client, server):
    server.play(*[json_reply({name: None, "x": None}) for name in ("data", "results", "results", "data")])
    assert client.models() == []
    with pytest.raises(InvalidResponseError, match="no score of any document"):
        client.rerank("茶", ["一"], model="r")
    assert client.web_search("茶").raw == {"results": None, "x": None}
    with pytest.raises(InvalidResponseError, match="1 inputs, but 0 vectors"):
        client.embed(["一"], model="e")


def test_a_failing_first_page_is_retried_and_then_an_error(client, server):
    server.play(*[error(503, "忙")] * 3)
    with pytest.raises(ServerError, match="忙"):
        client.models()
    assert len(server.requests) == 3


def test_a_page_that_fails_keeps_those_before_it_and_is_logged(client, server, caplog):
    server.play(error(503, "忙"), page("a"), page("b"), *[error(500, "坏")] * 3)
    assert [model.id for model in client.models()] == ["a", "b"]
    assert len(server.requests) == 6
    assert [record.getMessage() for record in caplog.records if record.name == "geekai_core"] == [
        "page 3 of /models failed, more models may exist: HTTP 500: 坏"
    ]


@pytest.mark.parametrize("status", [400, 404, 405, 422])
def test_a_server_that_refuses_a_second_page_has_but_one(client, server, caplog, status):
    server.play(page("a", "b"), error(status, "unexpected parameter: page"))
    assert [model.id for model in client.models()] == ["a", "b"]
    assert not [record for record in caplog.records if record.name == "geekai_core"]


def test_a_second_page_that_is_unreadable_or_broken_off_keeps_the_first(client, server):
    for broken in (Reply(body=b"<html>"), Reply(body=[b"{", Cut()], length=9, framing="length")):
        server.play(page("a"), broken)
        assert [model.id for model in client.models()] == ["a"]


def test_pages_without_end_end_all_the_same(client, server, caplog):
    server.default = lambda request: page(f"m{len(server.requests)}")
    assert len(client.models()) == 100
    assert "only the first 100 pages of /models were read" in caplog.text


def test_pages_without_end_end_at_the_total_timeout(clients, server):
    server.default = lambda request: replace(page(f"m{len(server.requests)}"), before=[Pause(0.05)])
    assert 1 <= len(clients(total_timeout=0.3).models()) < 20


def test_models_are_an_error_where_the_total_timeout_ends_the_first_page(clients, server):
    server.play(Reply(before=[Hold()]))
    with pytest.raises(APITimeoutError, match="total_timeout"):
        clients(total_timeout=0.2).models()


def vectors(*pairs, **top):
    return json_reply({"model": "e", "data": [{"index": i, "embedding": v} for i, v in pairs], **top})


def test_vectors_come_in_the_order_of_the_input(client, server):
    server.play(vectors((1, [2.0]), (0, [1]), usage={"prompt_tokens": 3, "total_tokens": 3}))
    answer = client.embed(["一", "二"], model="e", dimensions=1, intent="search_document", extra_body={"x": 1})
    assert [item.embedding for item in answer.data] == [[1.0], [2.0]]
    assert (answer.usage.total_tokens, answer.model) == (3, "e")
    assert server.requests[0].path == "/api/v1/embeddings"
    assert server.requests[0].json == {
        "input": ["一", "二"], "model": "e", "dimensions": 1, "intent": "search_document", "x": 1,
    }  # fmt: skip


def test_one_text_gets_one_vector(client, server):
    server.play(vectors((0, [1.0])))
    assert client.embed("一", model="e").data[0].embedding == [1.0]
    assert server.requests[0].json["input"] == "一"


def test_objects_are_sent_as_they_are(client, server):
    server.play(vectors((None, [1.0])))
    client.embed([{"type": "text", "text": "一"}], model="qwen3-vl-embedding")
    assert server.requests[0].json["input"] == [{"type": "text", "text": "一"}]


def test_vectors_without_an_index_keep_their_order(client, server):
    server.play(vectors((None, [1.0]), (None, [2.0])), vectors((0, [1.0]), (0, [2.0])))
    for _ in range(2):
        assert [item.embedding for item in client.embed(["一", "二"], model="e").data] == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (vectors((0, [1.0])), "2 inputs, but 1 vectors came back"),
        (vectors((1, [1.0]), (1, [1.0])), "two vectors have one index"),
        (json_reply({"data": [{"index": 0}]}), "2 inputs, but 1"),
        (vectors((0, ["a"]), (1, [None])), "the vector of input 0 is empty, or not a number"),
        (json_reply({}), "2 inputs, but 0"),
        (json_reply([]), "no JSON object"),
        (Reply(body=b"<h1>hi</h1>"), "'hi'"),
    ],
)
def test_vectors_that_cannot_be_right_are_refused(client, server, reply, words):
    server.play(reply)
    with pytest.raises(InvalidResponseError, match=words):
        client.embed(["一", "二"], model="e")


def test_a_vector_that_is_none_costs_its_input_alone(client, server):
    server.play(vectors((0, ["a"]), (1, [1.0])))
    with pytest.raises(PartialBatchError, match="input 0 is empty, or not a number") as caught:
        client.embed(["一", "二"], model="e")
    assert caught.value.results[1].embedding == [1.0]


def test_a_message_beside_data_is_no_error(client, server):
    server.play(vectors((0, [1.0]), code=0, message="success"))
    assert client.embed("一", model="e").data


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.embed("一", model="e"),
        lambda client: client.rerank("q", ["一"], model="r"),
        lambda client: client.web_search("q"),
        lambda client: client.models(),
    ],
    ids=["embed", "rerank", "web_search", "models"],
)
def test_every_endpoint_has_the_same_errors_and_retries(client, server, ask):
    server.play(error(503, "忙"), error(401, "密钥无效", headers={"x-request-id": "req-4"}))
    with pytest.raises(AuthenticationError, match="密钥无效") as caught:
        ask(client)
    assert (caught.value.retry_count, caught.value.request_id, len(server.requests)) == (1, "req-4", 2)
    server.play(json_reply({"error": {"message": "坏了", "code": 500}}))
    with pytest.raises(ServerError, match="坏了"):
        ask(client)
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)


def embedder(request):
    """A vector for each text, which is its length; a part with 坏 in it is refused."""
    if any("坏" in text for text in request.json["input"]):
        return error(400, "含有敏感词")
    pairs = [(i, [float(len(text))]) for i, text in enumerate(request.json["input"])]
    return vectors(
        *reversed(pairs), usage={"prompt_tokens": len(pairs), "total_tokens": len(pairs), "details": {"a": 1}}
    )


def test_a_long_input_is_sent_in_parts_and_comes_back_in_order(client, server):
    server.default = embedder
    answer = client.embed(["x" * n for n in range(1, 8)], model="e", batch_size=3)
    assert [item.embedding[0] for item in answer.data] == [1, 2, 3, 4, 5, 6, 7]
    assert [item.index for item in answer.data] == [0, 1, 2, 3, 4, 5, 6]
    assert answer.usage.model_dump() == {"prompt_tokens": 7, "total_tokens": 7, "details": {"a": 3}}
    assert len(answer.raw["parts"]) == 3
    assert sorted(len(request.json["input"]) for request in server.requests) == [1, 3, 3]


def test_an_input_that_fits_is_one_request(client, server):
    server.default = embedder
    answer = client.embed(["一", "二"], model="e", batch_size=2)
    assert len(server.requests) == 1
    assert answer.raw["data"]


def test_nothing_is_asked_of_nothing(client, server):
    assert client.embed([], model="e", batch_size=2).vectors == []
    assert client.rerank("问", [], model="r").results == []
    assert server.connections == 0


def test_a_blank_text_is_sent_as_a_space_and_keeps_its_place(client, server):
    """Vendors refuse an empty text, and with it the whole request."""
    server.default = embedder
    assert client.embed(["一", "", "三三"], model="e").vectors == [[1.0], [1.0], [2.0]]
    assert server.requests[0].json["input"] == ["一", " ", "三三"]
    server.play(ranking((1, 0.9, " "), (0, 0.1, "甲")), path="/rerank")
    assert [r.index for r in client.rerank("问", ["甲", "\n"], model="r").results] == [1, 0]


def test_more_vectors_or_results_than_asked_are_left_out(client, server):
    server.play(vectors((2, [9.0]), (1, [2.0]), (0, [1.0])), path="/embeddings")
    assert client.embed(["一", "二"], model="e").vectors == [[1.0], [2.0]]
    server.play(ranking((0, 0.1, "甲"), (1, 0.9, "乙"), (2, 0.5, "丙")), path="/rerank")
    assert [r.index for r in client.rerank("问", ["甲", "乙", "丙"], model="r", top_n=2).results] == [1, 2]
    server.play(json_reply({"results": [{"title": "一"}, {"title": "二"}]}), path="/web_search")
    assert [r.title for r in client.web_search("茶", count=1).results] == ["一"]


@pytest.mark.parametrize("broken", [[], [float("nan"), 1.0], [float("inf")]], ids=["empty", "NaN", "infinite"])
def test_a_vector_that_is_none_fails_its_own_input_only(client, server, broken):
    server.default = lambda request: vectors((0, [1.0]), (1, broken))
    answer = client.embed(["一", "二", "三", "四"], model="e", batch_size=2, on_error="return")
    assert answer.vectors == [[1.0], [], [1.0], []]
    assert {place: type(error) for place, error in answer.failed.items()} == dict.fromkeys((1, 3), InvalidResponseError)
    with pytest.raises(PartialBatchError, match=r"1 of 2 inputs failed \(index 1\).*not a number"):
        client.embed(["一", "二"], model="e")


def test_a_batch_may_return_what_there_is(client, server):
    server.default = embedder
    answer = client.embed(["一", "二", "坏", "四", "五"], model="e", batch_size=2, on_error="return")
    assert answer.vectors == [[1.0], [1.0], [], [], [1.0]]
    assert {place: str(error) for place, error in answer.failed.items()} == dict.fromkeys(
        (2, 3), "HTTP 400: 含有敏感词"
    )
    with pytest.raises(BadRequestError, match="含有敏感词"):
        client.embed(["坏", "坏"], model="e", batch_size=1, on_error="return")
    with pytest.raises(ConfigurationError, match="on_error"):
        client.embed(["一"], model="e", on_error="ignore")


def test_progress_is_told_after_each_part(client, server):
    server.default = embedder
    told = []
    client.embed(
        ["一", "坏", "三"], model="e", batch_size=2, on_error="return", on_progress=lambda *at: told.append(at)
    )
    assert sorted(told)[-1] == (3, 3)
    assert len(told) == 2


def test_parts_without_usage_add_up_to_none(client, server):
    server.play(vectors((0, [1.0])), vectors((0, [2.0])))
    assert client.embed(["一", "二"], model="e", batch_size=1).usage is None


def test_what_is_done_survives_the_failure_of_another_part(client, server):
    server.default = embedder
    with pytest.raises(
        PartialBatchError, match=r"2 of 5 inputs failed \(index 2, 3\); the first: .*含有敏感词"
    ) as caught:
        client.embed(["一", "二", "坏", "四", "五"], model="e", batch_size=2)
    assert {index: item.embedding for index, item in caught.value.results.items()} == {0: [1.0], 1: [1.0], 4: [1.0]}
    assert {index: type(one) for index, one in caught.value.failed.items()} == {2: BadRequestError, 3: BadRequestError}
    assert isinstance(caught.value.__cause__, BadRequestError)


def test_a_failure_that_all_parts_would_meet_ends_the_batch(clients, server):
    """The key is wrong for the rest as well: they are not sent, and count as failed."""
    server.play(vectors((0, [1.0])), *[error(401, "密钥无效")] * 20)
    with pytest.raises(PartialBatchError) as caught:
        clients().embed(["x"] * 40, model="e", batch_size=1)
    assert len(caught.value.results) == 1
    assert len(caught.value.failed) == 39
    assert all(isinstance(one, AuthenticationError) for one in caught.value.failed.values())
    assert len(server.requests) <= (2 if clients.mode == "sync" else 1 + 8 + 8)
    assert ", …" in str(caught.value)


def test_a_batch_of_which_nothing_was_done_is_its_first_error(client, server):
    server.default = lambda request: error(401, "密钥无效")
    with pytest.raises(AuthenticationError, match="密钥无效"):
        client.embed(["x"] * 4, model="e", batch_size=1)


async def test_parts_are_sent_side_by_side_but_not_too_many(server):
    busy, most, lock = set(), [], threading.Lock()

    def answer(request):
        with lock:
            busy.add(request.connection)
            most.append(len(busy))
        reply = embedder(request)
        body = reply.body

        def play():
            yield Pause(0.02)
            with lock:
                busy.discard(request.connection)
            yield body

        reply.body = play()
        return reply

    server.default = answer
    async with AsyncClient(api_key=KEY, base_url=server.base_url) as client:
        answered = await client.embed(["x" * n for n in range(1, 13)], model="e", batch_size=1, max_concurrency=3)
    assert [item.embedding[0] for item in answered.data] == list(range(1, 13))
    assert max(most) == 3


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_nothing_is_refused(client, size):
    with pytest.raises(ConfigurationError, match="batch_size must be at least 1"):
        client.embed(["一"], model="e", batch_size=size)


def test_an_unknown_field_is_refused(client, server):
    with pytest.raises(ConfigurationError, match="did you mean 'dimensions'"):
        client.embed("一", model="e", dimension=5)
    with pytest.raises(ConfigurationError, match="did you mean 'count'"):
        client.web_search("q", counts=5)
    assert server.connections == 0


def ranking(*results, **top):
    return json_reply({"results": [{"index": i, "relevance_score": s, "document": d} for i, s, d in results], **top})


def test_scores_come_best_first_with_the_index_of_the_input(client, server):
    server.play(ranking((0, 0.1, "甲"), (1, 0.9, "乙"), usage={"total_tokens": 5, "query_tokens": 1}))
    answer = client.rerank("问", ["甲", "乙"], model="r", top_n=2)
    assert [(r.index, r.relevance_score, r.document) for r in answer.results] == [(1, 0.9, "乙"), (0, 0.1, "甲")]
    assert answer.usage.query_tokens == 1
    assert server.requests[0].path == "/api/v1/rerank"
    assert server.requests[0].json == {"model": "r", "query": "问", "documents": ["甲", "乙"], "top_n": 2}


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([(0, 0.9, "乙"), (1, 0.1, "甲")], [(1, 0.9), (0, 0.1)]),
        ([(0, 0.9, "乙"), (1, 0.8, "丙"), (2, 0.1, "丙")], [(1, 0.9), (2, 0.8), (3, 0.1)]),
        ([(0, 0.9, None), (1, 0.1, None)], [(0, 0.9), (1, 0.1)]),
        ([(0, 0.9, {"text": "乙"})], [(1, 0.9)]),
        ([(0, 0.9, "戊"), (7, 0.8, None), (None, 0.7, None)], []),
        ([(1, 0.9, None), (1, 0.8, None)], [(1, 0.9)]),
        ([(0, None, None), (1, 0.5, None), (2, float("nan"), None)], [(1, 0.5), (0, None), (2, None)]),
    ],
    ids=["by rank", "duplicates", "not echoed", "echoed as objects", "no such document", "twice", "no score and NaN"],
)
def test_the_text_decides_where_the_index_is_a_rank(client, server, results, expected):
    """Seen live with qwen3-rerank: `index` is the place in the ranking."""
    server.play(ranking(*results))
    answer = client.rerank("问", ["甲", "乙", "丙", "丙"], model="r")
    assert [(r.index, r.relevance_score) for r in answer.results] == expected


def test_documents_in_parts_are_ranked_as_one(client, server):
    def rank(request):
        return ranking(*[(i, len(text) / 10, text) for i, text in enumerate(request.json["documents"])])

    server.default = rank
    documents = ["x" * n for n in (3, 1, 4, 1, 5)]
    answer = client.rerank("问", documents, model="r", batch_size=2, top_n=3)
    assert [(r.index, r.relevance_score) for r in answer.results] == [(4, 0.5), (2, 0.4), (0, 0.3)]


def test_a_search_gives_its_pages(client, server):
    server.play(
        json_reply(
            {"id": "s", "created": 1, "results": [{"title": "茶", "link": "https://a", "content": "…", "refer": "1"}]}
        )
    )
    answer = client.web_search("茶", count=3, recency_filter="oneDay")
    assert (answer.results[0].link, answer.results[0].refer, answer.id) == ("https://a", "1", "s")
    assert server.requests[0].json == {
        "model": "glm-search-std",
        "prompt": "茶",
        "count": 3,
        "recency_filter": "oneDay",
    }
    assert server.requests[0].path == "/api/v1/web_search"
