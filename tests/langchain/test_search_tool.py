"""`GeekAISearchTool`: what the model reads, what the program keeps, and an agent that uses it; sync and async alike."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.exceptions import ModelError
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from geekai_core import ServerError
from geekai_testing.replies import error, json_reply
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI, GeekAISearchTool, collect
from tests.langchain.conftest import KEY

Make = Callable[..., GeekAISearchTool]
SIDES = ("sync", "async")
RESULTS = [
    {"title": "时刻表", "link": "https://a.example", "content": "九点开船。"},
    {"title": "Notices", "link": "https://b.example", "content": "No ferry in fog."},
]
LISTED = "[1] 时刻表\nhttps://a.example\n九点开船。\n\n[2] Notices\nhttps://b.example\nNo ferry in fog."


@pytest.fixture
def make(server: ScriptedServer) -> Iterator[Make]:
    made = []

    def tool(**fields: Any) -> GeekAISearchTool:
        known = {"api_key": KEY, "base_url": server.base_url, "max_retries": 0}
        made.append(GeekAISearchTool(**known | fields))
        return made[-1]

    yield tool
    for one in made:
        one.close()


async def call(tool: BaseTool, side: str, given: Any) -> Any:
    return tool.invoke(given) if side == "sync" else await tool.ainvoke(given)


@pytest.mark.parametrize("side", SIDES)
async def test_the_model_reads_numbered_sources_and_the_program_keeps_documents(
    server: ScriptedServer, make: Make, side: str
) -> None:
    server.play(*[json_reply({"results": RESULTS})] * 2)
    tool = make(count=2, content_size="medium", extra_body={"x": 1})
    assert await call(tool, side, {"query": "Ferry?"}) == LISTED
    asked = {"name": tool.name, "args": {"query": "Ferry?"}, "id": "call_1", "type": "tool_call"}
    with collect() as collected:
        message = await call(tool, side, asked)
    assert (message.content, message.status, message.tool_call_id) == (LISTED, "success", "call_1")
    assert [(page.metadata["number"], page.metadata["url"], page.page_content) for page in message.artifact] == [
        (1, "https://a.example", "九点开船。"),
        (2, "https://b.example", "No ferry in fog."),
    ]
    assert collected.search_results == RESULTS
    body = {"model": "glm-search-std", "prompt": "Ferry?", "count": 2, "content_size": "medium", "x": 1}
    assert [request.json for request in server.requests] == [body, body]


@pytest.mark.parametrize("side", SIDES)
async def test_a_search_that_finds_nothing_tells_the_model_so(server: ScriptedServer, make: Make, side: str) -> None:
    server.play(json_reply({"results": []}))
    asked = {"name": "geekai_search", "args": {"query": "?"}, "id": "call_1", "type": "tool_call"}
    message = await call(make(), side, asked)
    assert (message.content, message.artifact) == ("Nothing was found.", [])


@pytest.mark.parametrize("side", SIDES)
async def test_a_failed_search_reaches_the_caller_as_geekais_and_langchains_error(
    server: ScriptedServer, make: Make, side: str
) -> None:
    server.play(error(500, "服务端异常，请重试", shape="message"))
    with pytest.raises(ServerError, match="服务端异常") as caught:
        await call(make(), side, {"query": "Ferry?"})
    assert isinstance(caught.value, ModelError)


def test_a_model_is_offered_one_described_argument_under_a_name_that_no_builtin_has(make: Make) -> None:
    function = convert_to_openai_tool(make())["function"]
    assert function["name"] == "geekai_search"
    assert function["parameters"]["required"] == ["query"]
    assert function["parameters"]["properties"]["query"]["type"] == "string"
    assert function["parameters"]["properties"]["query"]["description"]
    assert "[1]" in function["description"]


@pytest.mark.parametrize("side", SIDES)
async def test_an_agent_searches_and_answers_from_what_it_found(server: ScriptedServer, make: Make, side: str) -> None:
    """Even where the tool has the name of the provider's own search, which stays a tool of ours."""
    for name in ("geekai_search", "web_search"):
        model = ChatGeekAI(model="gpt-4o", api_key=KEY, base_url=server.base_url)
        agent = create_agent(model, tools=[make(name=name, count=1)])
        asked: Any = {"messages": [("user", "Search for the 'ferry timetable'.")]}
        server.requests.clear()
        with collect() as collected:
            done = agent.invoke(asked) if side == "sync" else await agent.ainvoke(asked)
        first, search, second = [request.json for request in server.requests]
        assert [tool["function"]["name"] for tool in first["tools"]] == [name]
        assert "enable_search" not in first
        assert search["prompt"] == "ferry timetable"
        (result,) = [message for message in done["messages"] if isinstance(message, ToolMessage)]
        assert result.artifact[0].metadata["url"] == "https://example.com/tea"
        assert second["messages"][-1]["role"] == "tool"
        assert second["messages"][-1]["content"] == result.content
        assert "https://example.com/tea" in done["messages"][-1].text
        assert len(collected.calls) == 3
        assert collected.search_results[0]["link"] == "https://example.com/tea"
        model.close()
        await model.aclose()


class TestUnit(ToolsUnitTests):
    @property
    def tool_constructor(self) -> type[BaseTool]:
        return GeekAISearchTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"api_key": "sk-test"}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "When does the ferry leave?"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"GEEKAI_API_KEY": "sk-env"}, {}, {"geekai_api_key": "sk-env"}


class TestIntegration(ToolsIntegrationTests):
    @pytest.fixture(autouse=True)
    def scripted(self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GEEKAI_API_KEY", KEY)
        monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)

    @property
    def tool_constructor(self) -> type[BaseTool]:
        return GeekAISearchTool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "When does the ferry leave?"}
