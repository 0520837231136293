"""`GeekAISearchRetriever`: pages of the web as documents; sync and async alike."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError, ModelPermissionDeniedError
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from langchain_tests.integration_tests import RetrieversIntegrationTests

from geekai_core import ConfigurationError, InsufficientBalanceError
from geekai_testing.replies import error, json_reply
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI, GeekAISearchRetriever, collect
from tests.langchain.conftest import KEY

Make = Callable[..., GeekAISearchRetriever]
SIDES = ("sync", "async")
RESULTS = [
    {"title": "时刻表", "link": "https://a.example/ferry", "content": "九点开船。", "icon": "https://a.example/i", "media": "A"},
    {"title": "Notices", "url": "https://b.example", "snippet": "No ferry in fog.", "publish_date": "2026-11-01", "icon": None},
    {"title": "Bare", "link": "https://c.example"},
]  # fmt: skip


@pytest.fixture
def make(server: ScriptedServer) -> Iterator[Make]:
    made = []

    def retriever(**fields: Any) -> GeekAISearchRetriever:
        known = {"api_key": KEY, "base_url": server.base_url, "max_retries": 0}
        made.append(GeekAISearchRetriever(**known | fields))
        return made[-1]

    yield retriever
    for one in made:
        one.close()


async def search(retriever: GeekAISearchRetriever, side: str, **fields: Any) -> list[Any]:
    return retriever.invoke("Ferry?", **fields) if side == "sync" else await retriever.ainvoke("Ferry?", **fields)


@pytest.mark.parametrize("side", SIDES)
async def test_a_page_is_a_document_with_its_rank_title_url_and_the_rest_as_it_came(
    server: ScriptedServer, make: Make, side: str
) -> None:
    server.play(json_reply({"id": "s", "created": 1, "results": RESULTS, "usage": {"billed_units": 1}}))
    with collect() as collected:
        first, second, third = await search(make(), side)
    assert server.requests[0].json == {"model": "glm-search-std", "prompt": "Ferry?"}
    assert server.requests[0].path == "/api/v1/web_search"
    assert first.page_content == "九点开船。"
    assert first.metadata == {
        "number": 1, "title": "时刻表", "url": "https://a.example/ferry", "link": "https://a.example/ferry",
        "source": "https://a.example/ferry", "icon": "https://a.example/i", "media": "A",
    }  # fmt: skip
    assert second.page_content == "No ferry in fog."
    assert second.metadata == {
        "number": 2, "title": "Notices", "url": "https://b.example", "publish_date": "2026-11-01",
        "source": "https://b.example",
    }  # fmt: skip
    assert (third.page_content, third.metadata["number"]) == ("", 3)
    assert collected.billed_units == 1
    assert [result["title"] for result in collected.search_results] == ["时刻表", "Notices", "Bare"]


@pytest.mark.parametrize("side", SIDES)
async def test_what_is_set_is_sent_and_may_be_set_per_call(server: ScriptedServer, make: Make, side: str) -> None:
    retriever = make(
        model="glm-search-pro", k=2, recency_filter="oneWeek", content_size="high", domain_filter="a.example",
        intent=True, extra_body={"x": 1},
    )  # fmt: skip
    assert len(await search(retriever, side)) == 2
    assert len(await search(retriever, side, k=3, recency_filter="oneDay")) == 3
    assert len(await search(retriever, side, count=1, intent=None)) == 1
    common = {
        "model": "glm-search-pro",
        "prompt": "Ferry?",
        "content_size": "high",
        "domain_filter": "a.example",
        "x": 1,
    }
    assert [request.json for request in server.requests] == [
        {**common, "count": 2, "recency_filter": "oneWeek", "intent": True},
        {**common, "count": 3, "recency_filter": "oneDay", "intent": True},
        {**common, "count": 1, "recency_filter": "oneWeek"},
    ]


@pytest.mark.parametrize("side", SIDES)
async def test_no_more_pages_than_were_asked_for_and_none_is_no_error(
    server: ScriptedServer, make: Make, side: str
) -> None:
    server.play(json_reply({"results": RESULTS}), json_reply({"results": []}), json_reply({"results": None}))
    assert len(await search(make(count=2), side)) == 2
    assert await search(make(), side) == await search(make(), side) == []


@pytest.mark.parametrize("side", SIDES)
async def test_errors_are_geekais_and_langchains_at_once(server: ScriptedServer, make: Make, side: str) -> None:
    server.play(error(402, "余额不足"))
    with pytest.raises(InsufficientBalanceError, match="余额不足") as caught:
        await search(make(), side)
    assert isinstance(caught.value, ModelPermissionDeniedError)
    with pytest.raises(ConfigurationError, match="unknown field 'recency'; did you mean 'recency_filter'") as refused:
        await search(make(), side, recency="oneDay")
    assert isinstance(refused.value, ModelInvalidRequestError)


@pytest.mark.parametrize("side", SIDES)
async def test_a_chain_answers_from_what_was_found_and_is_collected_as_a_whole(
    server: ScriptedServer, make: Make, side: str
) -> None:
    model = ChatGeekAI(model="m", api_key=KEY, base_url=server.base_url)
    prompt = ChatPromptTemplate.from_template("From {pages}: {question}")
    chain = {"pages": make(count=1), "question": RunnablePassthrough()} | prompt | model | StrOutputParser()
    with collect() as collected:
        answer = chain.invoke("Ferry?") if side == "sync" else await chain.ainvoke("Ferry?")
    assert "https://example.com/tea" in answer
    assert [call["model"] for call in collected.calls] == ["glm-search-std", "m"]
    assert collected.search_results[0]["link"] == "https://example.com/tea"
    model.close()
    await model.aclose()


class TestStandard(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def scripted(self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GEEKAI_API_KEY", KEY)
        monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return GeekAISearchRetriever

    @property
    def retriever_query_example(self) -> str:
        return "When does the ferry leave?"
