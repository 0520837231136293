"""Tools of every kind, every spelling of `tool_choice`, and provider tools that switch GeekAI's own features on."""

import gc
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.runnables import RunnableBinding
from langchain_core.tools import BaseTool, StructuredTool, Tool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import TypedDict

from geekai_core import ConfigurationError
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import _tools
from tests.langchain.conftest import EVERY_WAY, WAYS, Make, ask


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def plain(city: str) -> str:
    """The weather of a city."""
    return city


class Weather(BaseModel):
    """The weather of a city."""

    city: str = Field(description="Its name")


class WeatherV1(BaseModelV1):
    """The weather of a city."""

    city: str


class WeatherDict(TypedDict):
    """The weather of a city."""

    city: str


class Own(BaseTool):
    name: str = "own"
    description: str = "A tool of one's own."
    args_schema: type[BaseModel] = Weather

    def _run(self, city: str) -> str:
        return city


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
KINDS: dict[str, Any] = {
    "tool": add,
    "function": plain,
    "pydantic class": Weather,
    "pydantic v1 class": WeatherV1,
    "TypedDict": WeatherDict,
    "BaseTool": Own(),
    "StructuredTool": StructuredTool.from_function(plain, name="structured"),
    "single-input Tool": Tool(name="single", func=plain, description="One input."),
    "JSON schema": {"title": "schema", "description": "d", **CITY},
    "OpenAI function": {"name": "f", "description": "d", "parameters": CITY},
    "OpenAI tool": {"type": "function", "function": {"name": "f", "description": "d", "parameters": CITY}},
    "Anthropic tool": {"name": "f", "description": "d", "input_schema": CITY},
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_of_any_kind_travels_as_langchain_converts_it(
    server: ScriptedServer, make: Make, kind: str
) -> None:
    make().bind_tools([KINDS[kind]]).invoke("Hi")
    sent = server.requests[0].json
    assert sent["tools"] == [convert_to_openai_tool(KINDS[kind])]
    assert "tool_choice" not in sent
    assert "parallel_tool_calls" not in sent


NAMED = {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("any", "required"),
        ("required", "required"),
        (True, "required"),
        ("auto", "auto"),
        ("none", "none"),
        ("add", NAMED),
        (NAMED, NAMED),
        ({"type": "tool", "name": "add"}, NAMED),
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
        (None, None),
        (False, None),
    ],
)
async def test_every_spelling_of_tool_choice_is_understood(
    server: ScriptedServer, make: Make, choice: Any, wire: Any
) -> None:
    make().bind_tools([add, plain], tool_choice=choice).invoke("Hi")
    assert server.requests[0].json.get("tool_choice") == wire


async def test_a_choice_that_names_no_tool_says_which_is_near(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="'ad'; did you mean 'add'"):
        make().bind_tools([add, plain], tool_choice="ad")


async def test_an_empty_list_sends_no_tools_and_nothing_about_them(server: ScriptedServer, make: Make) -> None:
    bound = make().bind_tools([], tool_choice="any", parallel_tool_calls=True)
    assert isinstance(bound, RunnableBinding)
    bound.invoke("Hi")
    make().bind(tools=[]).invoke("Hi")
    for request in server.requests:
        assert request.json == {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


async def test_strict_parallel_calls_and_a_response_format_travel(server: ScriptedServer, make: Make) -> None:
    make().bind_tools([plain], strict=True, parallel_tool_calls=False, response_format=Weather).invoke("Hi")
    sent = server.requests[0].json
    assert sent["tools"] == [convert_to_openai_tool(plain, strict=True)]
    assert sent["tools"][0]["function"]["strict"] is True
    assert sent["parallel_tool_calls"] is False
    wanted = sent["response_format"]
    assert wanted["type"] == "json_schema"
    assert (wanted["json_schema"]["name"], wanted["json_schema"]["strict"]) == ("Weather", True)
    assert wanted["json_schema"]["schema"]["properties"]["city"]["type"] == "string"


async def test_a_response_format_in_wire_form_is_sent_as_it_is(server: ScriptedServer, make: Make) -> None:
    wire = {"type": "json_schema", "json_schema": {"name": "w", "schema": CITY}}
    make().bind_tools([], response_format=wire).invoke("Hi")
    assert server.requests[0].json["response_format"] == wire


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"type": "web_search"}, {"enable_search": True}),
        ({"type": "web_search", "count": 3}, {"enable_search": True, "search_config": {"count": 3}}),
        ({"type": "web_search_preview", "search_config": {"engine": "glm/search-pro"}},
         {"enable_search": True, "search_config": {"engine": "glm/search-pro"}}),
        ({"type": "web_search_20250305", "name": "web_search"}, {"enable_search": True}),
        ({"type": "image_generation"}, {"image_generation": True}),
        ({"type": "url_context"}, {"enable_url_context": True}),
    ],
)  # fmt: skip
async def test_a_provider_tool_is_a_switch(
    server: ScriptedServer, make: Make, given: dict[str, Any], fields: dict[str, Any]
) -> None:
    model = make(search_config={"count": 9}, enable_search=True) if "search_config" in fields else make()
    model.bind_tools([given, add]).invoke("Hi")
    sent = server.requests[0].json
    assert {name: sent[name] for name in fields} == fields
    assert [one["function"]["name"] for one in sent["tools"]] == ["add"]


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_a_chinese_tool_is_called_and_its_result_understood(server: ScriptedServer, make: Make, way: str) -> None:
    @tool("查天气")
    def weather(城市: str) -> str:  # noqa: N803
        """查询一个城市的天气。"""
        return f"{城市}：晴"

    model = make().bind_tools([weather])
    asked = HumanMessage("「北京」的天气怎么样？")
    answer = await ask(model, way, [asked])
    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("查天气", {"城市": "北京"})
    result = weather.invoke(call)
    assert isinstance(result, ToolMessage)
    final = await ask(model, way, [asked, answer, result])
    assert final.text == "The tools answered: 北京：晴"


@pytest.mark.parametrize("way", WAYS)
async def test_several_tools_are_called_at_once(server: ScriptedServer, make: Make, way: str) -> None:
    answer = await ask(make().bind_tools([add, plain]), way, "Call add and plain with 'Oslo', 1 and 2")
    assert [call["name"] for call in answer.tool_calls] == ["add", "plain"]
    assert answer.tool_calls[0]["args"] == {"a": 1, "b": 2}
    assert len({call["id"] for call in answer.tool_calls}) == 2


@pytest.mark.parametrize("model", ["ERNIE-4.5-turbo", "spark-max"])
async def test_tools_for_a_model_without_function_calling_are_sent_with_a_warning(
    server: ScriptedServer, make: Make, model: str
) -> None:
    with pytest.warns(UserWarning, match="no function calling"):
        make(model=model).bind_tools([add]).invoke("Hi")
    assert "tools" in server.requests[0].json
    make(model=model, profile={"tool_calling": True}).bind_tools([add])


async def test_a_tool_is_converted_once_and_forgotten_with_the_tool(make: Make) -> None:
    short_lived = StructuredTool.from_function(plain, name="short_lived")
    first = _tools.to_wire_tool(short_lived)
    assert _tools.to_wire_tool(short_lived) is first
    assert _tools.to_wire_tool(short_lived, strict=True) is not first
    short_lived.description = "Another description."
    assert _tools.to_wire_tool(short_lived)["function"]["description"] == "Another description."
    assert len([key for key in _tools._converted if "short_lived" in key]) == 3
    del short_lived, first
    gc.collect()
    assert not [key for key in _tools._converted if "short_lived" in key]
