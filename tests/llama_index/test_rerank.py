"""`GeekAIRerank` over the wire: what is sent, what comes back in which order, and what handlers hear."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from geekai_core import AuthenticationError, ConfigurationError, PartialBatchError
from geekai_testing.replies import Reply, Request, error, json_reply
from llama_index_geekai import GeekAIRerank, collect
from tests.llama_index.retrieval import KEY, Callbacks, listening, sent, value

HOWS = [
    "postprocess_nodes",
    pytest.param(
        "apostprocess_nodes",
        marks=pytest.mark.skipif(not hasattr(BaseNodePostprocessor, "apostprocess_nodes"), reason="core has it not"),
    ),
]
TEXTS = ["茶很热。", "The ferry leaves at nine.", "Pandas eat bamboo."]
QUERY = QueryBundle("When?")


def found(texts: list[str] = TEXTS) -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(text=text), score=0.5) for text in texts]


def results(*pairs: tuple[Any, Any], **top: Any) -> Reply:
    return json_reply({"results": [{"index": at, "relevance_score": score} for at, score in pairs], **top})


@pytest.fixture
async def rerank(server: Any) -> AsyncIterator[Callable[..., GeekAIRerank]]:
    made: list[GeekAIRerank] = []

    def build(**options: Any) -> GeekAIRerank:
        made.append(GeekAIRerank(**{"model": "r", "api_key": KEY, "api_base": server.base_url, **options}))
        return made[-1]

    yield build
    for one in made:
        one.close()
        await one.aclose()


@pytest.mark.parametrize("how", HOWS)
async def test_the_nodes_that_fit_come_first_with_the_models_scores(server: Any, rerank: Any, how: str) -> None:
    """In objects of their own: those that were given stay as they are."""
    server.play(results((2, 0.1), (1, 0.9), (0, 0.4)))
    given = found()
    ranked = await value(getattr(rerank(), how)(given, QUERY))
    assert [(node.text, node.score) for node in ranked] == [(TEXTS[1], 0.9), (TEXTS[0], 0.4), (TEXTS[2], 0.1)]
    assert [node.score for node in given] == [0.5] * 3
    assert ranked[0].node is given[1].node
    assert ranked[0] is not given[1]
    assert sent(server) == [{"model": "r", "query": "When?", "documents": TEXTS}]
    assert server.requests[0].route == "/rerank"


@pytest.mark.parametrize("how", HOWS)
async def test_every_field_reaches_the_wire(server: Any, rerank: Any, how: str) -> None:
    server.play(results((1, 0.9), (0, 0.5)))
    model = rerank(top_n=2, retries=1, additional_kwargs={"a": 1, "b": 1}, extra_body={"b": 2})
    assert len(await value(getattr(model, how)(found(), query_str="When?"))) == 2
    assert sent(server) == [
        {"model": "r", "query": "When?", "documents": TEXTS, "top_n": 2, "retries": 1, "a": 1, "b": 2}
    ]


async def test_the_model_reads_what_an_embedding_model_would(server: Any, rerank: Any) -> None:
    server.play(results((0, 0.9)))
    node = TextNode(text="Hot.", metadata={"title": "Tea", "page": 3}, excluded_embed_metadata_keys=["page"])
    rerank().postprocess_nodes([NodeWithScore(node=node)], QUERY)
    assert sent(server)[0]["documents"] == ["title: Tea\n\nHot."]


@pytest.mark.parametrize("how", HOWS)
async def test_no_nodes_are_none_and_nothing_is_sent(server: Any, rerank: Any, how: str) -> None:
    with listening() as ears, collect() as collected:
        assert await value(getattr(rerank(), how)([], QUERY)) == []
    assert sent(server) == collected.calls == []
    assert ears.names("ReRank") == ["ReRankStartEvent", "ReRankEndEvent"]


@pytest.mark.parametrize("how", HOWS)
async def test_without_a_query_there_is_nothing_to_fit(server: Any, rerank: Any, how: str) -> None:
    with pytest.raises(ValueError, match="query"):
        await value(getattr(rerank(), how)(found()))
    assert sent(server) == []


@pytest.mark.parametrize("how", HOWS)
async def test_an_index_that_is_a_rank_is_not_believed(server: Any, rerank: Any, how: str) -> None:
    """As `qwen3-rerank` gives it; the echoed texts decide, twins in their order."""
    echoed = [{"index": 0, "relevance_score": 0.9, "document": "b"}, {"index": 1, "relevance_score": 0.8, "document": "b"},
              {"index": 2, "relevance_score": 0.1, "document": "a"}]  # fmt: skip
    server.play(json_reply({"results": echoed}))
    given = found(["a", "b", "b"])
    ranked = await value(getattr(rerank(), how)(given, QUERY))
    assert [node.node_id for node in ranked] == [given[1].node_id, given[2].node_id, given[0].node_id]


@pytest.mark.parametrize("how", HOWS)
async def test_surplus_doubles_and_scores_that_are_none_are_dealt_with(server: Any, rerank: Any, how: str) -> None:
    wild = b'{"results": [{"index": 0, "relevance_score": NaN}, {"index": 7, "relevance_score": 0.9},' \
           b' {"index": 2, "relevance_score": 0.2}, {"index": 2, "relevance_score": 0.8}, {"index": 1}]}'  # fmt: skip
    server.play(Reply(200, {"content-type": "application/json"}, wild), results((0, 0.1), (1, 0.2), (2, 0.3)))
    ranked = await value(getattr(rerank(), how)(found(), QUERY))
    assert [(node.text, node.score) for node in ranked[:1]] == [(TEXTS[2], 0.2)]
    assert {(node.text, node.score) for node in ranked[1:]} == {(TEXTS[0], None), (TEXTS[1], None)}
    ranked = await value(getattr(rerank(top_n=1), how)(found(), QUERY))
    assert [(node.text, node.score) for node in ranked] == [(TEXTS[2], 0.3)]


def by_length(request: Request) -> Reply:
    documents = request.json["documents"]
    if "bad" in documents:
        return error(400, "文本无效")
    return results(
        *((at, float(len(text))) for at, text in enumerate(documents)), usage={"total_tokens": len(documents)}
    )


@pytest.mark.parametrize("how", HOWS)
async def test_many_nodes_go_in_several_requests_and_come_back_as_one_ranking(
    server: Any, rerank: Any, how: str
) -> None:
    server.default = by_length
    with collect() as collected:
        ranked = await value(getattr(rerank(batch_size=2, top_n=3), how)(found(["a", "bbb", "cc", "dddd", ""]), QUERY))
    assert [node.text for node in ranked] == ["dddd", "bbb", "cc"]
    assert sorted(len(body["documents"]) for body in sent(server)) == [1, 2, 2]
    assert collected.usage == {"total_tokens": 5}
    assert collected.calls[0]["model"] == "r"


@pytest.mark.parametrize("how", HOWS)
async def test_a_failed_request_names_its_nodes_and_loses_no_finished_one(
    server: Any, rerank: Any, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.default = by_length
    given = found(["a", "bb", "bad", "c"])
    with collect() as collected, pytest.raises(PartialBatchError, match=r"index 2, 3.*文本无效") as caught:
        await value(getattr(rerank(batch_size=2), how)(given, QUERY))
    assert collected.usage == {"total_tokens": 2}  # which were billed
    assert {at: done.relevance_score for at, done in caught.value.results.items()} == {0: 1.0, 1: 2.0}
    ranked = await value(getattr(rerank(batch_size=2, on_error="return"), how)(given, QUERY))
    assert [node.text for node in ranked] == ["bb", "a"]
    assert "2 of 4 inputs failed (index 2, 3)" in caplog.text


@pytest.mark.parametrize("how", HOWS)
async def test_handlers_hear_of_the_start_and_the_end_and_never_of_the_key(server: Any, rerank: Any, how: str) -> None:
    server.play(results((1, 0.9), (0, 0.4)))
    callbacks, given = Callbacks(), found()
    model = rerank(top_n=2, callback_manager=CallbackManager([callbacks]))
    with listening() as ears:
        ranked = await value(getattr(model, how)(given, QUERY))
    start, end = (event for event in ears.heard if "ReRank" in event.class_name())
    assert (start.query, start.top_n, start.model_name, start.nodes) == (QUERY, 2, "r", given)
    assert end.nodes == ranked
    ((kind, asked),), ((_, answered),) = callbacks.started, callbacks.ended
    assert kind == CBEventType.RERANKING
    assert asked == {
        EventPayload.NODES: given, EventPayload.MODEL_NAME: "r",
        EventPayload.QUERY_STR: "When?", EventPayload.TOP_K: 2,
    }  # fmt: skip
    assert answered == {EventPayload.NODES: ranked}
    assert KEY not in str([event.model_dump() for event in ears.heard]) + str(callbacks.started + callbacks.ended)


@pytest.mark.parametrize("how", HOWS)
async def test_an_error_reaches_the_caller_and_the_callbacks(server: Any, rerank: Any, how: str) -> None:
    server.play(error(401, f"bad key {KEY}"))
    callbacks = Callbacks()
    with pytest.raises(AuthenticationError, match=r"bad key \*\*\*") as caught:
        await value(getattr(rerank(callback_manager=CallbackManager([callbacks])), how)(found(), QUERY))
    assert callbacks.ended[0][1] == {EventPayload.EXCEPTION: caught.value}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.model_copy()])
def test_a_copy_works_like_the_original_and_no_dump_tells_the_key(server: Any, rerank: Any, copied: Any) -> None:
    server.default = by_length
    original = rerank(top_n=1)
    twin = copied(original)
    for model in (twin, original):
        assert [node.text for node in model.postprocess_nodes(found(), QUERY)] == [TEXTS[1]]
        assert KEY not in repr(model) + json.dumps(model.to_dict())
    twin.close()
    assert GeekAIRerank.from_dict(original.to_dict(), api_key=KEY).to_dict() == original.to_dict()


def test_an_unknown_keyword_names_the_nearest_field(rerank: Any) -> None:
    with pytest.raises(ConfigurationError, match="'topn'; did you mean 'top_n'"):
        rerank(topn=5)


@pytest.mark.parametrize("how", ["query", "aquery"])
async def test_a_query_engine_reranks_what_it_retrieved(server: Any, rerank: Any, how: str) -> None:
    server.default = by_length
    nodes = [TextNode(text=text) for text in TEXTS]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=4))
    engine = index.as_query_engine(llm=MockLLM(), similarity_top_k=3, node_postprocessors=[rerank(top_n=1)])
    assert [node.text for node in (await value(getattr(engine, how)("When?"))).source_nodes] == [TEXTS[1]]
    assert sorted(sent(server)[0]["documents"]) == sorted(TEXTS)
