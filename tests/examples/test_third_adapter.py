"""The house is open: a third framework's adapter stands on the core, in at most 200 lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent

from examples import third_adapter
from geekai_core import AsyncClient
from geekai_testing.replies import completion, delta, error, json_reply, sse, tool_call, usage
from geekai_testing.scripted import ScriptedServer


class Person(BaseModel):
    name: str
    age: int


def agent(server: ScriptedServer, **settings: Any) -> Agent[None, Any]:
    client = AsyncClient(api_key="sk-test-1234567890", base_url=server.base_url)
    made = Agent(third_adapter.GeekAIModel("m", client), **settings)

    @made.tool_plain
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"{city}: sunny"

    return made


def test_it_has_at_most_two_hundred_lines() -> None:
    assert Path(third_adapter.__file__).read_text(encoding="utf-8").count("\n") <= 200


async def test_an_agent_calls_its_tool_and_its_history_is_sendable() -> None:
    with ScriptedServer() as server:
        call = tool_call("weather", '{"city": "Oslo"}', id="c1")
        server.play(
            json_reply(completion(None, reasoning_content="Hm.", tool_calls=[call], finish_reason="tool_calls")),
            json_reply(completion("Sunny.", usage=usage(30, 20))),
        )
        result = await agent(server, instructions="Be brief.").run("The weather in Oslo?")
        assert result.output == "Sunny."
        assert server.requests[1].json["messages"][-2:] == [
            {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "Hm."},
            {"role": "tool", "tool_call_id": "c1", "content": "Oslo: sunny"},
        ]


async def test_an_object_comes_though_the_model_refuses_a_forced_tool() -> None:
    """The second way is the core's: the adapter knows nothing of it."""
    with ScriptedServer() as server:
        call = tool_call("final_result", '{"name": "Ann", "age": 3}', id="c1")
        server.play(
            error(400, "Thinking mode does not support this tool_choice"),
            json_reply(completion(None, tool_calls=[call], finish_reason="tool_calls")),
        )
        with pytest.warns(UserWarning, match="no forced tool_choice"):
            result = await agent(server, output_type=Person).run("Ann is 3.")
        assert result.output == Person(name="Ann", age=3)
        assert [request.json["tool_choice"] for request in server.requests] == ["required", "auto"]


async def test_a_stream_yields_the_text_as_it_grows() -> None:
    with ScriptedServer() as server:
        server.play(sse(delta(reasoning_content="Hm."), delta("Sun"), delta("ny."), delta(finish_reason="stop")))
        async with agent(server).run_stream("The weather?") as result:
            assert [text async for text in result.stream_text(debounce_by=None)] == ["Sun", "Sunny."]
