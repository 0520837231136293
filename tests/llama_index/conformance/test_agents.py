"""C23, agents: every kind of them over the wire, streamed and not."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.agent.workflow import (
    AgentOutput,
    AgentStream,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
    ToolCallResult,
)
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from pydantic import BaseModel

from geekai_testing.replies import Reply, completion, delta, json_reply, sse, tool_call

pytestmark = pytest.mark.filterwarnings(
    "ignore:The `:DeprecationWarning",  # the workflows package looks at every attribute of an agent,
    "ignore:Accessing the:DeprecationWarning",  # and so at those that pydantic deprecates
    "ignore:is_running called:DeprecationWarning",  # core's ReActAgent does
)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def said(content: str | None, *calls: dict[str, Any], thought: str | None = None) -> Callable[[Any], Reply]:
    """A turn of the model, whole or streamed as the request wants it."""

    def answer(request: Any) -> Reply:
        if not request.json.get("stream"):
            extra = {"reasoning_content": thought} if thought else {}
            return json_reply(completion(content, tool_calls=list(calls) or None, extra=extra))
        pieces = [delta(None, reasoning_content=part) for part in (thought or "").split(" ") if part]
        pieces += [delta(letters) for letters in (content or "").partition(" ") if letters]
        pieces += [delta(tool_calls=[{**call, "index": at}]) for at, call in enumerate(calls)]
        return sse(*pieces, delta(finish_reason="tool_calls" if calls else "stop"))

    return answer


async def run(agent: Any, question: str, **kwargs: Any) -> tuple[Any, list[Any]]:
    handler = agent.run(question, **kwargs)
    events = [event async for event in handler.stream_events()]
    return await handler, events


@pytest.mark.parametrize("streaming", [True, False])
async def test_c23_a_function_agent_calls_tools_and_answers(server: Any, llm: Any, streaming: bool) -> None:
    server.play(
        said(None, tool_call("add", {"a": 2, "b": 3}, id="c1"), tool_call("add", {"a": 4, "b": 5}, id="c2")),
        said("It is 5 and 9."),
    )
    result, events = await run(FunctionAgent(tools=[add], llm=llm, streaming=streaming), "2+3, 4+5?")
    assert str(result) == "It is 5 and 9."
    results = [("c1", "5"), ("c2", "9")]
    if not server.requests[0].json["parallel_tool_calls"]:  # an older core allows one where it does not stream
        results = results[:1]
    called, *sent = server.requests[1].json["messages"][1:]
    assert [call["id"] for call in called["tool_calls"]] == [id for id, _ in results]
    assert sent == [{"role": "tool", "content": content, "tool_call_id": id} for id, content in results]
    outputs = [event.tool_output.content for event in events if isinstance(event, ToolCallResult)]
    assert outputs == [content for _, content in results]


async def test_c23_an_agent_shows_the_thoughts_and_sends_them_back_in_its_loop(server: Any, llm: Any) -> None:
    server.play(
        said(None, tool_call("add", {"a": 2, "b": 3}, id="c1"), thought="I should add."), said("5", thought="Done now")
    )
    result, events = await run(FunctionAgent(tools=[add], llm=llm), "2+3?")
    assert "".join(e.thinking_delta or "" for e in events if isinstance(e, AgentStream)) == "Ishouldadd.Donenow"
    assert server.requests[1].json["messages"][-2]["reasoning_content"] == "Ishouldadd."
    assert result.response.content == "5"


async def test_c23_an_agent_keeps_citations_and_usage(server: Any, llm: Any) -> None:
    server.default = lambda request: sse(
        delta("See [1]."), delta(finish_reason="stop", citations=["https://a.example"], usage={"billed_units": 1})
    )
    result, _ = await run(FunctionAgent(tools=[add], llm=llm), "news?")
    assert result.response.additional_kwargs["citations"] == ["https://a.example"]
    assert result.raw["usage"]["billed_units"] == 1


async def test_c23_the_first_tool_may_be_chosen(server: Any, llm: Any) -> None:
    server.play(said(None, tool_call("add", {"a": 2, "b": 3}, id="c1")), said("5"))
    agent = FunctionAgent(tools=[add], llm=llm, initial_tool_choice="add")
    await run(agent, "2+3?")
    first, second = server.requests
    assert first.json["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert second.json.get("tool_choice") in (None, "auto")


async def test_c23_a_talk_goes_on_after_its_history_went_through_json(server: Any, llm: Any) -> None:
    server.play(said(None, tool_call("add", {"a": 2, "b": 3}, id="c1"), thought="hm"), said("5"), said("As I said, 5."))
    agent = FunctionAgent(tools=[add], llm=llm)
    memory = ChatMemoryBuffer.from_defaults(llm=llm)
    await run(agent, "2+3?", memory=memory)
    history = [ChatMessage.model_validate_json(message.model_dump_json()) for message in memory.get_all()]
    result, _ = await run(agent, "Again?", chat_history=history)
    assert str(result) == "As I said, 5."
    messages = server.requests[2].json["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "user"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 2, "b": 3}'}


@pytest.mark.parametrize("streaming", [True, False])
async def test_c23_a_react_agent_acts_and_answers(server: Any, llm: Any, streaming: bool) -> None:
    server.play(
        said('Thought: I need a tool.\nAction: add\nAction Input: {"a": 2, "b": 3}'),
        said("Thought: I can answer without using any more tools.\nAnswer: 5"),
    )
    result, events = await run(ReActAgent(tools=[add], llm=llm, streaming=streaming), "2+3?")
    assert str(result) == "5"
    assert [event.tool_output.content for event in events if isinstance(event, ToolCallResult)] == ["5"]
    assert "tools" not in server.requests[0].json


async def test_c23_a_codeact_agent_runs_its_code(server: Any, llm: Any) -> None:
    async def execute(code: str) -> str:
        """Run code."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(code, {})
        return output.getvalue()

    server.play(said("Let me see.\n<execute>\nprint(2 + 3)\n</execute>"), said("It is 5."))
    result, events = await run(CodeActAgent(code_execute_fn=execute, llm=llm), "2+3?")
    assert str(result) == "It is 5."
    assert [event.tool_output.content for event in events if isinstance(event, ToolCallResult)] == ["5\n"]


async def test_c23_agents_hand_off_to_each_other(server: Any, llm: Any) -> None:
    counter = FunctionAgent(
        name="counter", description="Counts.", tools=[add], llm=llm, can_handoff_to=["writer"], system_prompt="Count."
    )
    writer = FunctionAgent(name="writer", description="Writes.", llm=llm, system_prompt="Write.", tools=[add])
    server.play(
        said(None, tool_call("handoff", {"to_agent": "writer", "reason": "to write"}, id="h1")), said("A fine text.")
    )
    result, _ = await run(AgentWorkflow(agents=[counter, writer], root_agent="counter"), "Write!")
    assert str(result) == "A fine text."
    assert isinstance(result, AgentOutput)
    assert result.current_agent_name == "writer"
    assert server.requests[1].json["messages"][0]["content"].startswith("Write.")


class Sum(BaseModel):
    """A sum."""

    value: int


async def test_c23_an_agent_gives_a_typed_output(server: Any, llm: Any) -> None:
    server.play(said("It is 5."), json_reply(completion('{"value": 5}')))
    result, _ = await run(FunctionAgent(tools=[add], llm=llm, output_cls=Sum), "2+3?")
    assert result.get_pydantic_model(Sum) == Sum(value=5)


async def test_c23_a_workflow_from_tools_takes_the_agent_that_fits_the_model(server: Any, make: Any) -> None:
    for can_call, kind in ((True, FunctionAgent), (False, ReActAgent)):
        workflow = AgentWorkflow.from_tools_or_functions([add], llm=make(is_function_calling_model=can_call))
        (agent,) = workflow.agents.values()
        assert isinstance(agent, kind)


async def test_c23_a_memory_of_anothers_blocks_is_no_obstacle(server: Any, llm: Any) -> None:
    from llama_index.core.base.llms.types import CitationBlock, TextBlock, ThinkingBlock

    citation = CitationBlock(cited_content="w", source="s", title="t", additional_location_info={})
    memory = ChatMemoryBuffer.from_defaults(llm=llm)
    await memory.aput_messages(
        [
            ChatMessage(role="user", content="Hi"),
            ChatMessage(role="assistant", blocks=[ThinkingBlock(content="x"), TextBlock(text="Hello"), citation]),
        ]
    )
    server.play(said("Fine."))
    result, _ = await run(FunctionAgent(tools=[add], llm=llm), "How are you?", memory=memory)
    assert str(result) == "Fine."
    assert server.requests[0].json["messages"][1] == {"role": "assistant", "content": "Hello"}
