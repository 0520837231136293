"""`GeekAIRerank`: documents in the order of their scores, as copies; sync and async alike."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.exceptions import ModelError, ModelRateLimitError
from langchain_core.retrievers import BaseRetriever

from geekai_core import PartialBatchError, RateLimitError
from geekai_testing.replies import Reply, Request, error, json_reply
from geekai_testing.schema_answers import answer_from_schemas
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import GeekAIRerank, collect
from tests.langchain.conftest import KEY

Make = Callable[..., GeekAIRerank]
SIDES = ("sync", "async")
TEXTS = ["tea is hot", "the ferry leaves at nine", "a ferry", "灯塔"]


@pytest.fixture
def make(server: ScriptedServer) -> Iterator[Make]:
    made = []

    def reranker(**fields: Any) -> GeekAIRerank:
        known = {"model": "r", "api_key": KEY, "base_url": server.base_url, "max_retries": 0}
        made.append(GeekAIRerank(**known | fields))
        return made[-1]

    yield reranker
    for one in made:
        one.close()


async def rerank(reranker: GeekAIRerank, side: str, documents: Any, **fields: Any) -> list[dict[str, Any]]:
    if side == "sync":
        return reranker.rerank(documents, "ferry?", **fields)
    return await reranker.arerank(documents, "ferry?", **fields)


async def compress(reranker: GeekAIRerank, side: str, documents: Any) -> list[Document]:
    if side == "sync":
        return reranker.compress_documents(documents, "ferry?")
    return await reranker.acompress_documents(documents, "ferry?")


def results(*pairs: tuple[int, Any], **more: Any) -> Reply:
    return json_reply({"results": [{"index": at, "relevance_score": score} for at, score in pairs], **more})


@pytest.mark.parametrize("side", SIDES)
async def test_the_best_documents_come_first_and_only_what_was_set_is_sent(
    server: ScriptedServer, make: Make, side: str
) -> None:
    usage = {"total_tokens": 9, "query_tokens": 2, "documents_tokens": 7}
    server.play(*[results((1, 0.2), (2, 0.9), (0, 0.5), usage=usage) for _ in range(3)])
    expected = [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.5}]
    mixed = [TEXTS[0], Document(TEXTS[1]), {"text": TEXTS[2], "page": 3}, {"名": "灯塔"}]
    with collect() as collected:
        assert await rerank(make(), side, mixed) == [*expected, {"index": 1, "relevance_score": 0.2}]
        assert len(await rerank(make(top_n=1, retries=2, extra_body={"x": 1}), side, TEXTS, model="r2", top_n=2)) == 2
        assert await rerank(make(top_n=1), side, tuple(TEXTS), top_n=None)
    assert [request.json for request in server.requests] == [
        {"model": "r", "query": "ferry?", "documents": [*TEXTS[:3], '{"名": "灯塔"}'], "top_n": 3},
        {"model": "r2", "query": "ferry?", "documents": TEXTS, "top_n": 2, "retries": 2, "x": 1},
        {"model": "r", "query": "ferry?", "documents": TEXTS},
    ]
    assert [call["model"] for call in collected.calls] == ["r", "r2", "r"]
    assert collected.usage == {name: 3 * count for name, count in usage.items()}


@pytest.mark.parametrize("side", SIDES)
async def test_documents_come_back_as_copies_with_their_scores(server: ScriptedServer, make: Make, side: str) -> None:
    documents = [Document(text, id=str(at), metadata={"at": at}) for at, text in enumerate(TEXTS)]
    found = await compress(make(top_n=2), side, documents)
    assert [(one.id, one.page_content, one.metadata["at"]) for one in found] == [("2", TEXTS[2], 2), ("1", TEXTS[1], 1)]
    assert found[0].metadata["relevance_score"] > found[1].metadata["relevance_score"] > 0
    assert [document.metadata for document in documents] == [{"at": at} for at in range(4)]


@pytest.mark.parametrize("side", SIDES)
async def test_a_rank_in_place_of_an_index_is_mapped_back_duplicates_in_their_order(
    server: ScriptedServer, make: Make, side: str
) -> None:
    """As `qwen3-rerank` answers (observed)."""
    texts = ["tea", "ferry", "tea", "wool"]
    ranked = [("ferry", 0.9), ("tea", 0.5), ("tea", 0.5), ("wool", 0.1)]
    answer = [{"index": rank, "relevance_score": score, "document": text} for rank, (text, score) in enumerate(ranked)]
    server.play(json_reply({"results": answer}))
    found = await compress(
        make(top_n=None), side, [Document(text, metadata={"at": at}) for at, text in enumerate(texts)]
    )
    assert [document.metadata["at"] for document in found] == [1, 0, 2, 3]


@pytest.mark.parametrize("side", SIDES)
async def test_surplus_results_and_scores_that_are_no_number_do_no_harm(
    server: ScriptedServer, make: Make, side: str
) -> None:
    body = '{"results": [{"index": 0, "relevance_score": NaN}, {"index": 7, "relevance_score": 1}, {"index": 1, "relevance_score": -2.5}, {"index": 2, "relevance_score": 3}]}'
    server.play(*[Reply(200, {"content-type": "application/json"}, body.encode())] * 2)
    assert await rerank(make(), side, TEXTS[:3], top_n=None) == [
        {"index": 2, "relevance_score": 3.0},
        {"index": 1, "relevance_score": -2.5},
        {"index": 0, "relevance_score": None},
    ]
    assert await rerank(make(), side, TEXTS[:3], top_n=1) == [{"index": 2, "relevance_score": 3.0}]


@pytest.mark.parametrize("side", SIDES)
async def test_no_document_is_no_request_and_an_empty_one_is_a_space(
    server: ScriptedServer, make: Make, side: str
) -> None:
    assert await rerank(make(), side, []) == []
    assert await compress(make(), side, []) == []
    assert server.requests == []
    found = await compress(make(), side, [Document(""), Document("ferry")])
    assert [document.page_content for document in found] == ["ferry", ""]
    assert server.requests[0].json["documents"] == [" ", "ferry"]


@pytest.mark.parametrize("side", SIDES)
async def test_many_documents_go_in_parts_and_are_ranked_as_one(
    server: ScriptedServer, make: Make, side: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reranker = make(batch_size=2, top_n=2, show_progress=True, max_concurrency=1)
    found = await rerank(reranker, side, ["ferry and tea", *TEXTS])
    assert [one["index"] for one in found] == [3, 0]
    assert sorted(len(request.json["documents"]) for request in server.requests) == [1, 2, 2]
    assert {request.connection for request in server.requests} == {1}
    assert "Reranking: 100%" in capsys.readouterr().err


@pytest.mark.parametrize("side", SIDES)
async def test_a_failed_part_is_named_and_the_rest_is_kept(
    server: ScriptedServer, make: Make, side: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_tea(request: Request) -> Reply:
        return error(400, "茶不行") if TEXTS[0] in request.json["documents"] else answer_from_schemas(request)

    server.default = refuse_tea
    with (
        collect() as collected,
        pytest.raises(PartialBatchError, match=r"2 of 4 inputs failed \(index 0, 1\).*茶不行") as caught,
    ):
        await rerank(make(batch_size=2), side, TEXTS)
    assert collected.usage["total_tokens"] > 0  # it was billed
    assert isinstance(caught.value, ModelError)
    assert sorted(caught.value.results) == [2, 3]
    partial = make(batch_size=2, on_error="return", top_n=1)
    (found,) = await compress(partial, side, [Document(text) for text in TEXTS])
    assert found.page_content == TEXTS[2]
    (warned,) = [record for record in caplog.records if record.name == "langchain_geekai"]
    assert re.match(r"2 of 4 inputs failed \(index 0, 1\).*茶不行", warned.getMessage())


@pytest.mark.parametrize("side", SIDES)
async def test_errors_are_geekais_and_langchains_at_once(server: ScriptedServer, make: Make, side: str) -> None:
    server.play(error(429, "请求过多"))
    with pytest.raises(RateLimitError, match="请求过多") as caught:
        await rerank(make(), side, TEXTS)
    assert isinstance(caught.value, ModelRateLimitError)


class Compressing(BaseRetriever):
    """What LangChain's `ContextualCompressionRetriever` does."""

    base_compressor: BaseDocumentCompressor

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        found = [Document(text) for text in TEXTS]
        return list(self.base_compressor.compress_documents(found, query, callbacks=run_manager.get_child()))

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        found = [Document(text) for text in TEXTS]
        return list(await self.base_compressor.acompress_documents(found, query, callbacks=run_manager.get_child()))


@pytest.mark.parametrize("side", SIDES)
async def test_it_compresses_what_a_retriever_found(server: ScriptedServer, make: Make, side: str) -> None:
    retriever = Compressing(base_compressor=make(top_n=1))
    (found,) = retriever.invoke("灯塔") if side == "sync" else await retriever.ainvoke("灯塔")
    assert found.page_content == "灯塔"
    assert found.metadata["relevance_score"] == pytest.approx(1)
