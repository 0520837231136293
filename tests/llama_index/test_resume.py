"""An agent's run that is kept as JSON and goes on later, in another process say: it has lost nothing."""

import json
from typing import Any

import pydantic
import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent, JsonSerializer

from geekai_testing.replies import completion, json_reply, tool_call

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:The `:DeprecationWarning",  # the workflows package looks at every attribute of an agent,
        "ignore:Accessing the:DeprecationWarning",  # and so at those that pydantic deprecates
    ),
    pytest.mark.xfail(
        tuple(map(int, pydantic.VERSION.split(".")[:2])) >= (2, 14),
        reason="core's SimpleChatStore cannot be serialised on pydantic 2.14",
        strict=True,  # when this passes, pyproject.toml's bound on pydantic in the extra `llama-index` can go
    ),
]


async def confirm(ctx: Context, question: str) -> str:
    """Ask a person."""
    asked = InputRequiredEvent(prefix=question)
    answer = await ctx.wait_for_event(HumanResponseEvent, waiter_event=asked)
    return str(answer.response)


def again(agent: FunctionAgent, kept: Context) -> Context:
    """The context as JSON, and from it."""
    text = json.dumps(kept.to_dict(serializer=JsonSerializer()))
    return Context.from_dict(agent, json.loads(text), serializer=JsonSerializer())


async def test_a_context_kept_as_json_remembers_the_conversation(server: Any, llm: Any) -> None:
    server.play(json_reply(completion("你好，Ann")), json_reply(completion("Ann")))
    agent = FunctionAgent(tools=[], llm=llm, streaming=False)
    context = Context(agent)
    await agent.run("I am Ann.", ctx=context)
    await agent.run("Who am I?", ctx=again(agent, context))
    assert [(m["role"], m["content"]) for m in server.requests[1].json["messages"]] == [
        ("user", "I am Ann."),
        ("assistant", "你好，Ann"),
        ("user", "Who am I?"),
    ]


async def test_a_run_that_waits_for_a_person_goes_on_from_json(server: Any, llm: Any) -> None:
    call = tool_call("confirm", {"question": "Delete it?"}, id="call_1")
    server.play(json_reply(completion(None, tool_calls=[call])), json_reply(completion("Deleted.")))
    agent = FunctionAgent(tools=[confirm], llm=llm, streaming=False)
    waiting = agent.run("Delete the file.")
    async for event in waiting.stream_events():
        if isinstance(event, InputRequiredEvent):
            kept = again(agent, waiting.ctx)
            await waiting.cancel_run()
            break
    resumed = agent.run(ctx=kept)
    resumed.ctx.send_event(HumanResponseEvent(response="yes"))
    assert str(await resumed) == "Deleted."
    question, called, result = server.requests[1].json["messages"]
    assert (question["content"], called["tool_calls"][0]["id"]) == ("Delete the file.", "call_1")
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "call_1", "yes")
