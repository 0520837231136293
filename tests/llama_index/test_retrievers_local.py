"""Embeddings, reranking and search over the local endpoint, whose models are real, and a RAG app of all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from geekai_local.serving import serve
from llama_index_geekai import (
    GeekAI,
    GeekAIEmbedding,
    GeekAIRerank,
    GeekAISearchRetriever,
    GeekAISearchToolSpec,
    collect,
    to_nodes,
)
from tests.llama_index.retrieval import value

pytestmark = pytest.mark.local_model

TEXTS = ["The lighthouse was built in 1874.", "Tea is grown on the southern slope.", "轮渡每天早上九点开船。"]
QUESTIONS = {"Which crop do farmers plant on the hills?": TEXTS[1], "渡船什么时候出发？": TEXTS[2]}
"""What is asked in other words than the text's."""


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.fixture
async def make(base_url: str) -> AsyncIterator[Callable[..., Any]]:
    made: list[Any] = []

    def build(cls: type[Any], **options: Any) -> Any:
        made.append(cls(api_key="any", api_base=base_url, **options))
        return made[-1]

    yield build
    for one in made:
        one.close()
        await one.aclose()


@pytest.mark.parametrize("prefix", ["", "a"])
async def test_embeddings_and_reranker_find_by_meaning(make: Callable[..., Any], prefix: str) -> None:
    embedding = make(
        GeekAIEmbedding, model="local", dimensions=256, text_intent="search_document", query_intent="search_query"
    )
    rerank = make(GeekAIRerank, model="local", top_n=1)
    nodes = [TextNode(text=text) for text in TEXTS]
    with collect() as collected:
        retriever = VectorStoreIndex(nodes, embed_model=embedding, use_async=False).as_retriever(similarity_top_k=1)
        for question, text in QUESTIONS.items():
            (found,) = await value(getattr(retriever, f"{prefix}retrieve")(question))
            given = [NodeWithScore(node=node) for node in nodes]
            postprocess = getattr(rerank, f"{prefix}postprocess_nodes", rerank.postprocess_nodes)
            (best,) = await value(postprocess(given, QueryBundle(question)))
            assert found.text == best.text == text
    assert len(embedding.get_text_embedding("x")) == 256
    assert collected.usage["total_tokens"] > collected.usage["prompt_tokens"] > 0


@pytest.mark.parametrize("prefix", ["", "a"])
async def test_the_search_finds_the_documents(make: Callable[..., Any], prefix: str) -> None:
    question = "When was the lighthouse built?"
    retriever = make(GeekAISearchRetriever, count=2)
    (first,) = await value(getattr(retriever, f"{prefix}retrieve")(question))  # no other page tells of it
    assert first.metadata["url"].endswith("/lighthouse.md")
    spec = GeekAISearchToolSpec(api_key="any", api_base=retriever.search.api_base, count=2)
    listed = await value(getattr(spec, f"{prefix}web_search")(question))
    assert listed.startswith(f"[1] {first.metadata['title']}\n{first.metadata['url']}\n{first.text[:20]}")
    spec.search.close()
    await spec.search.aclose()


async def test_a_rag_app_retrieves_reranks_and_answers(make: Callable[..., Any]) -> None:
    """With one key; `collect` hears of every part."""
    llm = make(GeekAI, model="local", temperature=0, seed=1, max_tokens=24)
    engine = RetrieverQueryEngine.from_args(
        make(GeekAISearchRetriever, count=4), llm=llm, node_postprocessors=[make(GeekAIRerank, model="local", top_n=2)]
    )
    with collect() as collected:
        answer = await engine.aquery("When was the lighthouse built?")
    assert str(answer)
    assert len(answer.source_nodes) == 1
    assert answer.source_nodes[0].metadata["url"].endswith("/lighthouse.md")
    assert len(collected.calls) == 3
    assert collected.usage["completion_tokens"] > 0


async def test_the_sources_of_an_answer_become_nodes(make: Callable[..., Any]) -> None:
    llm = make(GeekAI, model="local", enable_search=True, search_config={"return_result": True}, max_tokens=8)
    nodes = to_nodes(llm.complete("When was the lighthouse built?"))
    assert nodes[0].metadata["number"] == 1
    assert nodes[0].metadata["url"].endswith("/lighthouse.md")
    assert "1874" in "".join(node.text for node in nodes)
