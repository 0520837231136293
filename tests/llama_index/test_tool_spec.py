"""`GeekAISearchToolSpec`: the web as a tool, called by itself and by an agent over the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent

from geekai_core import ConfigurationError, NotFoundError
from geekai_testing.replies import error, json_reply, tool_call
from llama_index_geekai import GeekAI, GeekAISearchToolSpec, collect
from tests.llama_index.conformance.test_agents import pytestmark as agents  # what the workflows package warns of
from tests.llama_index.conformance.test_agents import run, said
from tests.llama_index.retrieval import KEY, sent, value

pytestmark = agents

PAGES = [
    {"title": "时刻表", "link": "https://a.example/zh", "content": "轮渡九点开船。"},
    {"title": "Notices", "link": "https://b.example", "content": "No ferry in fog."},
]
LISTED = "[1] 时刻表\nhttps://a.example/zh\n轮渡九点开船。\n\n[2] Notices\nhttps://b.example\nNo ferry in fog."


@pytest.fixture
async def spec(server: Any) -> AsyncIterator[Callable[..., GeekAISearchToolSpec]]:
    made: list[GeekAISearchToolSpec] = []

    def build(**options: Any) -> GeekAISearchToolSpec:
        made.append(GeekAISearchToolSpec(api_key=KEY, api_base=server.base_url, **options))
        return made[-1]

    yield build
    for one in made:
        one.search.close()
        await one.search.aclose()


@pytest.mark.parametrize("how", ["call", "acall"])
async def test_the_tool_gives_numbered_sources(server: Any, spec: Any, how: str) -> None:
    server.play(json_reply({"results": PAGES}))
    (tool,) = spec(count=2, recency_filter="oneDay").to_tool_list()
    with collect() as collected:
        output = await value(getattr(tool, how)(query="轮渡几点开？"))
    assert output.content == LISTED
    assert not output.is_error
    assert sent(server) == [
        {"model": "glm-search-std", "prompt": "轮渡几点开？", "count": 2, "recency_filter": "oneDay"}
    ]
    assert collected.search_results == PAGES


async def test_the_model_is_told_what_the_tool_does_and_what_it_takes(spec: Any) -> None:
    (tool,) = spec().to_tool_list()
    assert tool.metadata.name == "web_search"
    assert "Search the web" in tool.metadata.description
    schema = tool.metadata.get_parameters_dict()
    assert list(schema["properties"]) == schema["required"] == ["query"]
    assert schema["properties"]["query"]["type"] == "string"
    assert "What to search for" in tool.metadata.description


@pytest.mark.parametrize("how", ["call", "acall"])
async def test_the_model_is_told_when_nothing_was_found(server: Any, spec: Any, how: str) -> None:
    server.play(json_reply({"results": []}))
    (tool,) = spec().to_tool_list()
    assert (await value(getattr(tool, how)(query="zzz"))).content == "Nothing was found."


@pytest.mark.parametrize("how", ["web_search", "aweb_search"])
async def test_a_failure_is_the_cores_error(server: Any, spec: Any, how: str) -> None:
    server.play(error(404, "没有这个模型", shape="message"))
    with pytest.raises(NotFoundError, match="没有这个模型"):
        await value(getattr(spec(), how)("x"))
    with pytest.raises(ConfigurationError, match="did you mean 'count'"):
        spec(cout=1)


@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agent_searches_and_answers(server: Any, spec: Any, streaming: bool) -> None:
    call = tool_call("web_search", '{"query": "轮渡"}', id="call_1")
    server.play(said(None, call), said("九点 [1]。"), path="/chat/completions")
    server.play(json_reply({"results": PAGES}), path="/web_search")
    llm = GeekAI(model="m", api_key=KEY, api_base=server.base_url)
    agent = FunctionAgent(tools=spec().to_tool_list(), llm=llm, streaming=streaming)
    with collect() as collected:
        output, _ = await run(agent, "轮渡几点开？")
    await llm.aclose()
    assert str(output) == "九点 [1]。"
    assert [request.route for request in server.requests] == ["/chat/completions", "/web_search", "/chat/completions"]
    assert sent(server)[1]["prompt"] == "轮渡"
    assert sent(server)[2]["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": LISTED}
    assert collected.search_results == PAGES
