"""What agents and programs do with odd calls and refusals: nothing runs that was cut, nobody asks in a circle."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.selectors import PydanticSingleSelector
from llama_index.core.tools import FunctionTool

from geekai_testing.replies import Reply, Request
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from llama_index_geekai import GeekAI
from tests.parity.form import Answer, made, refuses, says
from tests.parity.rungs import ANN, Person

pytestmark = pytest.mark.filterwarnings(
    "ignore:The `:DeprecationWarning",  # the workflows package looks at every attribute of an agent,
    "ignore:Accessing the:DeprecationWarning",  # and so at those that pydantic deprecates
)

DONE = says("Done.")
CUT = {
    "cut": says(None, calls=[made("clear", '{"folder": "/tmp", "de')], finish="length"),
    "cut at once": says(None, calls=[made("clear", "{")], finish="length"),
    "cut before its arguments": says(None, calls=[made("clear", "")], finish="length"),
    "broken": says(None, calls=[made("clear", "{'folder': '/tmp'}")]),
    "a list": says(None, calls=[made("clear", '["/tmp"]')]),
}
NO_CALL = {
    "a call without a function": says("Done.", calls=[{"id": "", "type": "function"}], finish="stop"),
    "a nameless call": says("Done.", calls=[{"id": "c1", "type": "function", "function": {"arguments": "{}"}}]),
    "calls that are an object": says("Done.", extra={"tool_calls": {}}, finish="stop"),
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def play(server: ScriptedServer, *answers: Answer) -> None:
    """Play these, whole or streamed as each request asks, and the last one again and again."""
    left = [*answers]

    def script(request: Request) -> Reply:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return answer.streamed if request.json.get("stream") else answer.whole

    server.default = script


class Folder:
    """A tool that must not run by mistake, not on its defaults either."""

    def __init__(self) -> None:
        self.cleared: list[str] = []

    def clear(self, folder: str = "/srv", deep: bool = False) -> str:
        """Delete everything within a folder."""
        self.cleared.append(folder)
        return "cleared"


async def langchain(server: ScriptedServer, folder: Folder, streamed: bool) -> str:
    """All messages of LangChain's agent, as text."""
    model = ChatGeekAI(model="m", api_key="k", base_url=server.base_url, max_retries=0, streaming=streamed)
    agent = create_agent(model, [tool(folder.clear)])
    asked: Any = {"messages": [("user", "Hi")]}
    try:
        if not streamed:
            return str((await agent.ainvoke(asked))["messages"])
        parts = [part async for part in agent.astream(asked, stream_mode=["messages", "values"])]
        return str(parts[-1])
    finally:
        await model.aclose()


def new(server: ScriptedServer, **fields: Any) -> GeekAI:
    known = {"model": "m", "api_key": "k", "api_base": server.base_url, "max_retries": 0, "context_window": 9999}
    return GeekAI(**{**known, **fields})


async def llama_index(server: ScriptedServer, folder: Folder, streamed: bool) -> str:
    """What LlamaIndex's agent says at its end."""
    llm = new(server)
    try:
        return str(
            await FunctionAgent(tools=[FunctionTool.from_defaults(folder.clear)], llm=llm, streaming=streamed).run("Hi")
        )
    finally:
        await llm.aclose()


async def predict_and_call(server: ScriptedServer, folder: Folder, streamed: bool) -> str:
    """What LlamaIndex's simplest loop says; it has no stream."""
    llm = new(server)
    try:
        return str(await llm.apredict_and_call([FunctionTool.from_defaults(folder.clear)], "Hi"))
    finally:
        await llm.aclose()


SIDES = {"create_agent": langchain, "FunctionAgent": llama_index, "predict_and_call": predict_and_call}
NOT_YET: set[str] = set()
"""Ids of the tests that are not right yet, strictly: whoever mends one takes it off."""


def row(id: str, *values: Any) -> Any:
    marks = [pytest.mark.xfail(reason="not mended yet", strict=True)] if id in NOT_YET else []
    return pytest.param(*values, id=id, marks=marks)


def rows(answers: dict[str, Answer], *sides: str) -> list[Any]:
    found = []
    for side, streamed, name in itertools.product(sides or SIDES, (False, True), answers):
        if not (streamed and side == "predict_and_call"):
            id = f"{side}, {'streamed' if streamed else 'whole'}, {name}"
            found.append(
                row(id, SIDES[side], streamed, answers[name], "token limit" if "cut" in name else "JSON|Expecting")
            )
    return found


@pytest.mark.parametrize(("side", "streamed", "answer", "reason"), rows(CUT))
async def test_a_call_that_is_cut_or_broken_never_runs_and_the_reason_is_told(
    server: ScriptedServer, side: Any, streamed: bool, answer: Answer, reason: str
) -> None:
    folder = Folder()
    play(server, answer, DONE)
    try:
        heard = await side(server, folder, streamed)
    except Exception as error:
        heard = str(error)
    assert folder.cleared == []
    told = heard + "".join(str(request.json["messages"]) for request in server.requests[1:])
    assert re.search(reason, told)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_agent_whose_model_wrote_no_json_tells_it_so_and_goes_on(
    server: ScriptedServer, streamed: bool
) -> None:
    folder = Folder()
    play(server, CUT["broken"], says(None, calls=[made("clear", '{"folder": "/tmp"}')]), DONE)
    assert await llama_index(server, folder, streamed) == "Done."
    assert folder.cleared == ["/tmp"]
    call, answer = server.requests[1].json["messages"][-2:]
    assert call["tool_calls"][0]["function"] == {"name": "clear", "arguments": "{}"}
    assert (answer["role"], answer["tool_call_id"]) == ("tool", call["tool_calls"][0]["id"])
    assert "clear (not run: the arguments are not one JSON object" in answer["content"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_agent_whose_call_was_cut_at_the_token_limit_ends_with_the_reason(
    server: ScriptedServer, streamed: bool
) -> None:
    folder = Folder()
    play(server, CUT["cut"])
    with pytest.raises(Exception, match=r"none can run: clear \(not run: the arguments were cut at the token limit"):
        await llama_index(server, folder, streamed)
    assert (folder.cleared, len(server.requests)) == ([], 1)


@pytest.mark.parametrize(("side", "streamed", "answer", "reason"), rows(NO_CALL, "create_agent", "FunctionAgent"))
async def test_a_text_beside_what_is_no_call_is_the_end(
    server: ScriptedServer, side: Any, streamed: bool, answer: Answer, reason: str
) -> None:
    play(server, answer)
    assert "Done." in await side(server, Folder(), streamed)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("side", "streamed", "answer", "reason"), rows({"sound": says(None, calls=[made("clear", '{"folder": "/tmp"}')])})
)
async def test_a_sound_call_runs_once(
    server: ScriptedServer, side: Any, streamed: bool, answer: Answer, reason: str
) -> None:
    folder = Folder()
    play(server, answer, DONE)
    await side(server, folder, streamed)
    assert folder.cleared == ["/tmp"]


def _program(llm: Any) -> Any:
    program = FunctionCallingProgram.from_defaults(Person, prompt_template_str="Who?", llm=llm, tool_required=True)
    return program()


def _selector(llm: Any) -> Any:
    return PydanticSingleSelector.from_defaults(llm=llm).select(["a story", "a number"], "Which?").ind


PROGRAMS = {
    "a program": (_program, made("Person", ANN), Person(name="Ann", age=3)),
    "a selector": (_selector, made("SingleSelection", '{"index": 2, "reason": "so"}'), 1),
}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        row(f"{name}, {how}", name, fields)
        for name in PROGRAMS
        for how, fields in (("refused", {}), ("thinking", {"enable_thinking": True}))
    ],
)
def test_a_forced_tool_of_a_program_is_offered_instead(server: ScriptedServer, name: str, fields: Any) -> None:
    run, call, wanted = PROGRAMS[name]
    refusal = [] if fields else [refuses("Thinking mode does not support this tool_choice")]
    play(server, *refusal, says(None, calls=[call]))
    llm = new(server, **fields)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the tool is offered only
        assert run(llm) == wanted
    llm.close()
    assert [request.json.get("tool_choice") for request in server.requests][-1] == "auto"
    assert len(server.requests) == 1 + len(refusal)
