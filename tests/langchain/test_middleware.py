"""What middleware of agents reads of an answer and writes into a request: refusals, marks for a vendor's cache."""

import warnings
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRefusalMiddleware
from langchain.agents.structured_output import ProviderStrategy
from langchain_core._api import LangChainBetaWarning
from langchain_core.exceptions import ModelRefusalError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from geekai_testing.replies import Reply, Request, Responder, completion, delta, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from tests.langchain.conftest import Make

MARK = {"cache_control": {"type": "ephemeral"}}
ASKED: Any = {"messages": [HumanMessage("Hi")]}


class City(BaseModel):
    """A city."""

    name: str


def refusal(request: Request) -> Reply:
    if request.json.get("stream"):
        pieces = [delta(extra={"refusal": "No "}), delta(extra={"refusal": "way."})]
        return sse(*pieces, delta(finish_reason="stop", usage=usage()))
    return json_reply(completion(None, extra={"refusal": "No way."}))


def withheld(word: str) -> Responder:
    """An answer that says only by its end that there is none."""

    def reply(request: Request) -> Reply:
        if request.json.get("stream"):
            return sse(delta(""), delta(finish_reason=word, usage=usage()))
        return json_reply(completion(None, finish_reason=word))

    return reply


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream", "v3"])
@pytest.mark.parametrize("version", [None, "v1"])
@pytest.mark.parametrize("form", [None, ProviderStrategy(City)])
@pytest.mark.parametrize(
    ("reply", "words"),
    [(refusal, r"No way\."), *((withheld(word), "Model refused") for word in ("sensitive", "refusal"))],
    ids=["words", "sensitive", "refusal"],
)
async def test_a_refusal_is_seen_by_the_middleware_that_looks_for_one(
    server: ScriptedServer, make: Make, way: str, version: str | None, form: Any, reply: Responder, words: str
) -> None:
    server.default = reply
    middleware = [ModelRefusalMiddleware()]
    agent = create_agent(make(output_version=version), [], middleware=middleware, response_format=form)

    async def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LangChainBetaWarning)  # v3 is LangChain's beta
            if way == "invoke":
                agent.invoke(ASKED)
            elif way == "ainvoke":
                await agent.ainvoke(ASKED)
            elif way == "stream":
                list(agent.stream(ASKED, stream_mode="messages"))
            elif way == "astream":
                _ = [piece async for piece in agent.astream(ASKED, stream_mode="messages")]
            else:
                _ = agent.stream_events(ASKED, version="v3").output

    with pytest.raises(ModelRefusalError, match=words) as caught:
        await run()
    assert caught.value.raw_message is not None
    assert [block["type"] for block in caught.value.raw_message.content_blocks] == ["refusal"]


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: sunny"


class Marking(AgentMiddleware):
    """Marks what LangChain's own middleware for prompt caching marks: system prompt, last tool, last message."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return handler(self.marked(request))

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        return await handler(self.marked(request))

    def marked(self, request: Any) -> Any:
        *earlier, last = request.messages
        *tools, one = request.tools
        said = [{"type": "text", "text": last.text, **MARK}]
        return request.override(
            system_message=SystemMessage([{"type": "text", "text": request.system_message.text, **MARK}]),
            messages=[*earlier, last.model_copy(update={"content": said})],
            tools=[*tools, one.model_copy(update={"extras": {**(one.extras or {}), **MARK}})],
        )


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize(
    "last", [HumanMessage("Hi"), AIMessage("So far:"), ToolMessage("sunny", tool_call_id="c1")], ids=lambda m: m.type
)
async def test_marks_for_a_cache_are_sent_wherever_a_middleware_puts_them(
    server: ScriptedServer, make: Make, way: str, last: Any
) -> None:
    server.default = json_reply(completion("Hi."))
    calls = AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "c1", "type": "tool_call"}])
    history = [HumanMessage("Hi"), *([calls] if last.type == "tool" else []), last]
    agent = create_agent(make(), [weather], system_prompt="Be brief.", middleware=[Marking()])
    asked: Any = {"messages": history}
    _ = agent.invoke(asked) if way == "invoke" else await agent.ainvoke(asked)
    sent = server.requests[-1].json
    assert sent["messages"][0]["content"] == [{"type": "text", "text": "Be brief.", **MARK}]
    assert sent["messages"][-1]["content"] == [{"type": "text", "text": last.text, **MARK}]
    assert sent["tools"][-1]["cache_control"] == MARK["cache_control"]
    assert sent["tools"][-1]["function"]["name"] == "weather"


DEFINED = {"name": "now", "description": "The time."}
SHAPE: dict[str, Any] = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "given",
    [
        {"type": "function", "function": {**DEFINED, "parameters": SHAPE}, **MARK},
        {**DEFINED, "input_schema": SHAPE, **MARK},
        {**DEFINED, "parameters": SHAPE, **MARK},
    ],
    ids=["openai", "anthropic", "function"],
)
def test_a_tool_that_is_a_dict_keeps_its_mark(server: ScriptedServer, make: Make, given: Any) -> None:
    server.default = json_reply(completion("Hi."))
    make().bind_tools([weather, given]).invoke("Hi")
    plain, marked = server.requests[-1].json["tools"]
    assert "cache_control" not in plain
    assert marked["function"]["name"] == "now"
    assert marked["cache_control"] == MARK["cache_control"]


def test_an_answer_in_parts_keeps_its_marks_and_its_text(server: ScriptedServer, make: Make) -> None:
    server.default = json_reply(completion("Hi."))
    said = AIMessage(["One, ", {"type": "text", "text": "two.", **MARK}, {"type": "reasoning", "reasoning": "Hm."}])
    make().invoke([HumanMessage("Hi"), said, HumanMessage("So?")])
    assert server.requests[-1].json["messages"][1]["content"] == [
        {"type": "text", "text": "One, "},
        {"type": "text", "text": "two.", **MARK},
    ]
