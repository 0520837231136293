"""`GeekAISearchRetriever` over the wire, alone and within LlamaIndex's engines."""

from __future__ import annotations

import copy
import pickle
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType
from llama_index.core.query_engine import CitationQueryEngine, RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import MetadataMode
from llama_index.core.tools import RetrieverTool
from pydantic import ValidationError

from geekai_core import ConfigurationError, RateLimitError
from geekai_testing.replies import completion, error, json_reply
from geekai_testing.schema_answers import answer_from_schemas
from llama_index_geekai import GeekAI, GeekAISearchRetriever, collect
from llama_index_geekai.retrievers import WebSearch, WebSearchOptions
from tests.llama_index.retrieval import KEY, Callbacks, listening, sent, value

HOWS = ("retrieve", "aretrieve")
PAGES = [
    {"title": "时刻表", "link": "https://a.example/zh", "content": "轮渡九点开船。", "media": "A", "extra": {"x": 1}},
    {"title": "Notices", "link": "https://b.example", "content": "No ferry in fog.", "icon": None},
    {"title": "Empty", "link": "https://c.example"},
]
FOUND = json_reply({"id": "s", "created": 1, "results": PAGES})


@pytest.fixture
async def retriever(server: Any) -> AsyncIterator[Callable[..., GeekAISearchRetriever]]:
    made: list[GeekAISearchRetriever] = []
    server.default = lambda request: FOUND if request.route == "/web_search" else answer_from_schemas(request)

    def build(**options: Any) -> GeekAISearchRetriever:
        made.append(GeekAISearchRetriever(**{"api_key": KEY, "api_base": server.base_url, **options}))
        return made[-1]

    yield build
    for one in made:
        one.close()
        await one.aclose()


@pytest.mark.parametrize("how", HOWS)
async def test_pages_come_as_nodes_best_first(server: Any, retriever: Any, how: str) -> None:
    """With all that the server said of them which a vector store could keep."""
    nodes = await value(getattr(retriever(), how)("轮渡几点开？"))
    assert [node.text for node in nodes] == ["轮渡九点开船。", "No ferry in fog.", "Empty"]
    assert [node.score for node in nodes] == [1, 1 / 2, 1 / 3]
    assert nodes[0].metadata == {
        "title": "时刻表", "url": "https://a.example/zh", "link": "https://a.example/zh", "media": "A",
    }  # fmt: skip
    assert sent(server) == [{"model": "glm-search-std", "prompt": "轮渡几点开？"}]


@pytest.mark.parametrize("how", HOWS)
async def test_every_field_reaches_the_wire(server: Any, retriever: Any, how: str) -> None:
    options = {
        "model": "glm-search-pro", "recency_filter": "oneWeek", "content_size": "high", "intent": True,
        "domain_filter": "a.example,b.example",
    }  # fmt: skip
    for spelling in ("count", "similarity_top_k"):
        nodes = await value(getattr(retriever(**options, **{spelling: 2}, extra_body={"new": 1}), how)("x"))
        assert len(nodes) == 2
    assert sent(server) == [{**options, "prompt": "x", "count": 2, "new": 1}] * 2


async def test_models_read_title_and_url_and_embeddings_the_title(retriever: Any) -> None:
    node = retriever().retrieve("x")[0].node
    assert node.get_content(MetadataMode.LLM) == "title: 时刻表\nurl: https://a.example/zh\n\n轮渡九点开船。"
    assert node.get_content(MetadataMode.EMBED) == "title: 时刻表\n\n轮渡九点开船。"


async def test_a_page_is_the_same_node_in_every_search_and_comes_once(server: Any, retriever: Any) -> None:
    first, second = retriever().retrieve("x"), retriever().retrieve("y")
    assert [node.node_id for node in first] == [node.node_id for node in second]
    server.play(json_reply({"results": [PAGES[0], PAGES[0], {**PAGES[0], "content": "Other."}]}))
    assert [node.text for node in retriever().retrieve("z")] == ["轮渡九点开船。", "Other."]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("answer", [{"results": []}, {"id": "s"}])
async def test_a_search_that_finds_nothing_gives_none(server: Any, retriever: Any, how: str, answer: Any) -> None:
    server.play(json_reply(answer))
    assert await value(getattr(retriever(), how)("zzz")) == []


@pytest.mark.parametrize("how", HOWS)
async def test_handlers_hear_of_a_retrieval_and_collect_of_its_results(server: Any, retriever: Any, how: str) -> None:
    callbacks = Callbacks()
    with listening() as ears, collect() as collected:
        await value(getattr(retriever(callback_manager=CallbackManager([callbacks])), how)("x"))
    assert ears.names("Retrieval") == ["RetrievalStartEvent", "RetrievalEndEvent"]
    assert [kind for kind, _ in callbacks.ended] == [CBEventType.RETRIEVE]
    assert [result["link"] for result in collected.search_results] == [page["link"] for page in PAGES]
    assert collected.calls[0]["model"] == "glm-search-std"
    assert KEY not in str([event.model_dump() for event in ears.heard]) + str(callbacks.started + callbacks.ended)


@pytest.mark.parametrize("how", HOWS)
async def test_a_failure_keeps_the_servers_words(server: Any, retriever: Any, how: str) -> None:
    server.play(error(429, "请求过于频繁", shape="message"))
    with pytest.raises(RateLimitError, match="请求过于频繁"):
        await value(getattr(retriever(max_retries=0), how)("x"))


def test_options_that_cannot_work_are_refused(retriever: Any) -> None:
    with pytest.raises(ConfigurationError, match="'cout'; did you mean 'count'"):
        retriever(cout=5)
    with pytest.raises(ConfigurationError, match="'count' and 'similarity_top_k' are one field"):
        retriever(count=5, similarity_top_k=5)
    with pytest.raises(ValidationError, match="intent"):
        retriever(intent="昨天")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_works_like_the_original_and_tells_no_key(server: Any, retriever: Any, copied: Any) -> None:
    twin = copied(retriever(count=2))
    assert len(twin.retrieve("x")) == 2
    assert KEY not in repr(twin) + repr(twin.search)
    twin.close()
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.fixture
async def llm(server: Any) -> AsyncIterator[GeekAI]:
    llm = GeekAI(model="m", api_key=KEY, api_base=server.base_url)
    yield llm
    llm.close()
    await llm.aclose()


@pytest.mark.parametrize("how", ["query", "aquery"])
async def test_a_query_engine_answers_from_the_web(server: Any, retriever: Any, llm: Any, how: str) -> None:
    server.play(json_reply(completion("At nine.")), path="/chat/completions")
    engine = RetrieverQueryEngine.from_args(retriever(count=2), llm=llm)
    answer = await value(getattr(engine, how)("When?"))
    assert str(answer) == "At nine."
    assert [node.metadata["url"] for node in answer.source_nodes] == ["https://a.example/zh", "https://b.example"]
    assert "title: 时刻表\nurl: https://a.example/zh\n\n轮渡九点开船。" in str(
        server.requests[1].json["messages"][-1]["content"]
    )


@pytest.mark.parametrize("how", ["query", "aquery"])
async def test_a_citation_query_engine_numbers_the_pages(server: Any, retriever: Any, llm: Any, how: str) -> None:
    server.play(json_reply(completion("At nine [1].")), path="/chat/completions")
    engine = CitationQueryEngine.from_args(index=None, llm=llm, retriever=retriever(count=2))
    answer = await value(getattr(engine, how)("When?"))
    assert [node.text for node in answer.source_nodes] == [
        "Source 1:\n轮渡九点开船。\n",
        "Source 2:\nNo ferry in fog.\n",
    ]
    assert answer.source_nodes[0].metadata["url"] == "https://a.example/zh"


@pytest.mark.parametrize("mode", list(FUSION_MODES))
@pytest.mark.parametrize("how", HOWS)
async def test_a_fusion_retriever_knows_a_page_that_several_searches_find(
    server: Any, retriever: Any, llm: Any, mode: FUSION_MODES, how: str
) -> None:
    server.play(json_reply(completion("second question")), path="/chat/completions")
    found = [json_reply({"results": pages}) for pages in (PAGES[:2], PAGES[1::-1])]
    server.play(*found, path="/web_search")
    fusion = QueryFusionRetriever([retriever()], llm=llm, num_queries=2, mode=mode, use_async=False)
    nodes = await value(getattr(fusion, how)("first question"))
    assert sorted(node.metadata["url"] for node in nodes) == ["https://a.example/zh", "https://b.example"]


@pytest.mark.parametrize("how", ["call", "acall"])
async def test_a_retriever_tool_tells_an_agent_the_pages(retriever: Any, how: str) -> None:
    tool = RetrieverTool.from_defaults(retriever(count=1), name="web", description="The web.")
    output = await value(getattr(tool, how)("When?"))
    assert "轮渡九点开船。" in output.content
    assert "https://a.example/zh" in output.content


def test_an_editor_knows_every_keyword_of_a_search() -> None:
    fields = set(WebSearch.model_fields)
    assert set(WebSearchOptions.__annotations__) == fields | {"similarity_top_k", "base_url"}
