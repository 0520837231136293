"""Structured output: three methods, every kind of schema, a ladder under them, and whatever models do to JSON."""

import itertools
import json
import re
from typing import Any

import pytest
from langchain_core import exceptions
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import TypedDict

from geekai_core import BadRequestError, ConfigurationError
from geekai_core.response.json_text import FenceStripper
from geekai_testing.replies import completion, delta, error, json_reply, sse, tool_call, usage
from geekai_testing.scripted import ScriptedServer
from tests.langchain.conftest import STREAMED, WAYS, Make

METHODS = ("json_schema", "function_calling", "json_mode")


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The whole name")
    age: int


class PersonV1(BaseModelV1):
    """A person."""

    name: str
    age: int


class PersonDict(TypedDict):
    """A person."""

    name: str
    age: int


SCHEMA = {**Person.model_json_schema(), "title": "Person"}
FORMS: dict[str, Any] = {
    "pydantic": Person,
    "pydantic v1": PersonV1,
    "TypedDict": PersonDict,
    "JSON schema": SCHEMA,
    "OpenAI tool": convert_to_openai_tool(Person),
    "OpenAI function": convert_to_openai_tool(Person)["function"],
}
BOB = {"name": "Bob", "age": 3}
ASKED = "His name is 'Bob', his age is 3."


async def obtain(chain: Any, way: str, asked: Any = ASKED) -> Any:
    """The object, or the last one of a stream."""
    if way == "invoke":
        return chain.invoke(asked)
    if way == "ainvoke":
        return await chain.ainvoke(asked)
    if way == "stream":
        return list(chain.stream(asked))[-1]
    return [part async for part in chain.astream(asked)][-1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", FORMS)
async def test_every_schema_by_every_method_gives_its_object(make: Make, form: str, method: str, way: str) -> None:
    chain = make().with_structured_output(FORMS[form], method=method)
    got = await obtain(chain, way)
    assert got == {"pydantic": Person(**BOB), "pydantic v1": PersonV1(**BOB)}.get(form, BOB)


@pytest.mark.parametrize("strict", [None, True, False])
async def test_each_method_asks_in_its_own_way(server: ScriptedServer, make: Make, strict: bool | None) -> None:
    for method in METHODS:
        make().with_structured_output(Person, method=method, strict=strict).invoke(ASKED)
    by_schema, by_tool, by_mode = (request.json for request in server.requests)
    wanted = by_schema["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["name"] == "Person"
    assert wanted["json_schema"]["schema"]["required"] == ["name", "age"]
    assert {k: v for k, v in wanted["json_schema"].items() if k == "strict"} == {"strict": strict is not False}
    assert "tools" not in by_schema
    (tool,) = by_tool["tools"]
    assert tool["function"]["parameters"]["required"] == ["name", "age"]
    assert by_tool["tool_choice"] == {"type": "function", "function": {"name": "Person"}}
    assert by_tool["parallel_tool_calls"] is False
    assert (by_mode["json_mode"], by_mode["response_format"]) == (True, {"type": "json_object"})
    assert by_mode["messages"][0]["role"] == "system"
    assert '"age"' in by_mode["messages"][0]["content"]


async def test_json_mode_needs_no_schema(server: ScriptedServer, make: Make) -> None:
    got = make().with_structured_output(method="json_mode").invoke("Answer as JSON with 'a' and 'b'.")
    assert set(got) == {"a", "b"}
    assert server.requests[0].json["messages"] == [{"role": "user", "content": "Answer as JSON with 'a' and 'b'."}]


@pytest.mark.parametrize(
    ("schema", "method", "says"), [(Person, "magic", "magic"), (None, "json_schema", "needs a schema")]
)
def test_what_cannot_be_asked_for_is_said_at_once(make: Make, schema: Any, method: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make().with_structured_output(schema, method=method)


REFUSALS = {
    "json_schema": "Unsupported response_format type: json_schema is not supported by this model",
    "function_calling": "该模型不支持工具调用 (tools)",
    "json_mode": "json_object is not supported",
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_model_that_refuses_one_way_is_asked_in_the_next(server: ScriptedServer, make: Make, way: str) -> None:
    forced = error(400, "Thinking mode does not support this tool_choice")
    server.play(error(400, REFUSALS["json_schema"]), forced, error(400, REFUSALS["function_calling"]))
    with pytest.warns(UserWarning, match="no forced tool_choice"):
        assert await obtain(make().with_structured_output(Person), way) == Person(**BOB)
    asked = [request.json for request in server.requests]
    assert [bool(body.get("tools")) for body in asked] == [False, True, True, False]
    assert [body.get("tool_choice") for body in asked][2] == "auto"
    assert asked[3]["response_format"] == {"type": "json_object"}
    assert "tool_choice" not in asked[3]


@pytest.mark.parametrize("way", WAYS)
async def test_a_model_that_takes_no_order_is_offered_the_tool_and_told_in_words(
    server: ScriptedServer, make: Make, way: str
) -> None:
    server.play(error(400, "Thinking mode does not support this tool_choice"))
    chain = make().with_structured_output(Person, method="function_calling")
    with pytest.warns(UserWarning, match="no forced tool_choice"):
        assert await obtain(chain, way) == Person(**BOB)
    sent = server.requests[1].json
    assert sent["tool_choice"] == "auto"
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_model_that_was_told_to_think_is_offered_the_tool_at_once(
    server: ScriptedServer, make: Make, way: str
) -> None:
    chain = make(enable_thinking=True).with_structured_output(Person, method="function_calling")
    assert await obtain(chain, way) == Person(**BOB)
    (request,) = server.requests
    assert request.json["tool_choice"] == "auto"


@pytest.mark.parametrize("way", WAYS)
async def test_an_error_of_another_kind_is_raised_at_once(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(error(400, "temperature must be below 2"))
    with pytest.raises(BadRequestError, match="below 2"):
        await obtain(make().with_structured_output(Person), way)
    assert len(server.requests) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_the_last_way_is_to_ask_in_words_which_every_model_takes(
    server: ScriptedServer, make: Make, way: str
) -> None:
    server.play(error(400, REFUSALS["json_schema"]), error(400, REFUSALS["json_mode"]))
    assert await obtain(make(model="ernie-4.5").with_structured_output(Person), way) == Person(**BOB)
    sent = server.requests[2].json
    assert not {"response_format", "json_mode", "tools"} & set(sent)
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


@pytest.mark.parametrize("way", WAYS)
async def test_an_error_on_the_last_way_is_raised(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(error(400, REFUSALS["json_schema"]), error(400, REFUSALS["json_mode"]), error(400, "no"))
    with pytest.raises(BadRequestError, match="no"):
        await obtain(make(model="ernie-4.5").with_structured_output(Person), way)


@pytest.mark.parametrize("way", WAYS)
async def test_a_forced_choice_of_an_agent_s_tools_is_softened_too(
    server: ScriptedServer, make: Make, way: str
) -> None:
    server.play(error(400, "tool_choice: only 'auto' is supported while thinking"))
    bound = make().bind_tools([Person], tool_choice="any")
    with pytest.warns(UserWarning, match="no forced tool_choice"):
        await obtain(bound, way)
    assert [request.json["tool_choice"] for request in server.requests] == ["required", "auto"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_response_format_that_a_model_does_not_take_becomes_words(
    server: ScriptedServer, make: Make, way: str
) -> None:
    """`create_agent` sends a schema by the model's name, whatever the model can."""
    server.play(error(400, REFUSALS["json_schema"]))
    bound = make().bind_tools([], response_format=Person)
    await obtain(bound, way, [("system", "Be kind."), ("user", ASKED)])
    sent = server.requests[1].json
    assert sent["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["messages"][0]["content"].startswith("Be kind.\n\n")
    assert '"age"' in sent["messages"][0]["content"]


TEXT = json.dumps(BOB)
SPELLINGS = {
    "plain": TEXT,
    "fenced": f"```json\n{TEXT}\n```",
    "fenced, with prose": f"Here it is:\n```\n{TEXT}\n```\nAnything else?",
    "prefixed": f"Sure! {TEXT}",
    "behind thoughts": f"<think>He says {{3}}.</think>\n{TEXT}",
    "encoded twice": json.dumps(TEXT),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_json_is_found_whatever_stands_around_it(
    server: ScriptedServer, make: Make, spelling: str, method: str, way: str
) -> None:
    text = SPELLINGS[spelling]
    pieces = [delta(text[at : at + 3]) for at in range(0, len(text), 3)]
    done = delta(finish_reason="stop", usage=usage())
    server.play(sse(*pieces, done) if way in STREAMED else json_reply(completion(text)))
    assert await obtain(make().with_structured_output(Person, method=method), way) == Person(**BOB)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("text", ["I would rather not.", '{"name": "Bob"}'])
async def test_an_answer_that_does_not_fit_is_a_parser_error_with_the_text(
    server: ScriptedServer, make: Make, method: str, way: str, text: str
) -> None:
    done = delta(finish_reason="stop", usage=usage())
    server.play(*[sse(delta(text), done) if way in STREAMED else json_reply(completion(text))] * 5)
    with pytest.raises(OutputParserException) as caught:
        await obtain(make().with_structured_output(Person, method=method), way)
    assert caught.value.llm_output == text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("called", [False, True], ids=["text", "tool"])
@pytest.mark.parametrize("form", [Person, SCHEMA], ids=["pydantic", "JSON schema"])
async def test_an_answer_that_the_token_limit_cut_says_so(
    server: ScriptedServer, make: Make, form: Any, called: bool, way: str
) -> None:
    cut = '{"name": "Bo'
    said: dict[str, Any] = {"tool_calls": [tool_call("Person", cut, id="c1", index=0)]} if called else {"content": cut}
    streamed = sse(delta(**said), delta(finish_reason="length"))
    server.play(
        streamed if way in STREAMED else json_reply(completion(**{"content": None, **said}, finish_reason="length"))
    )
    method = "function_calling" if called else "json_schema"
    chain = make().with_structured_output(form, method=method)
    with pytest.raises(OutputParserException, match=re.escape('[raise max_tokens]: \'{"name": "Bo\'')):
        await obtain(chain, way)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_include_raw_gives_the_message_the_object_and_the_error(
    server: ScriptedServer, make: Make, way: str
) -> None:
    chain = make().with_structured_output(Person, include_raw=True)
    good = await obtain(chain, way)
    assert isinstance(good["raw"], AIMessage)
    assert (good["parsed"], good["parsing_error"]) == (Person(**BOB), None)
    server.play(*[json_reply(completion("No."))] * 5)
    bad = await obtain(chain, way)
    assert (bad["raw"].content, bad["parsed"]) == ("No.", None)
    assert isinstance(bad["parsing_error"], OutputParserException)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", STREAMED)
async def test_a_stream_yields_the_object_as_it_grows(make: Make, method: str, way: str) -> None:
    chain = make().with_structured_output(SCHEMA, method=method)
    parts = list(chain.stream(ASKED)) if way == "stream" else [part async for part in chain.astream(ASKED)]
    assert len(parts) > 2
    assert parts[-1] == BOB
    for earlier, later in itertools.pairwise(parts):
        assert set(earlier) <= set(later)
        assert later.get("name", "").startswith(earlier.get("name", ""))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("message", "reason", "says"),
    [
        ({"refusal": "I cannot do that."}, "stop", r"I cannot do that\."),
        ({"content": '{"name": "B'}, "content_filter", "content filter"),
    ],
)
async def test_a_refusal_is_an_error_that_says_so(
    server: ScriptedServer, make: Make, message: dict[str, Any], reason: str, says: str, way: str
) -> None:
    pieces = [delta(extra=message), delta(finish_reason=reason, usage=usage())]
    whole = completion(None, extra=message, finish_reason=reason)
    server.play(sse(*pieces) if way in STREAMED else json_reply(whole))
    expected = getattr(exceptions, "ModelRefusalError", OutputParserException)
    with pytest.raises(expected, match=says):
        await obtain(make().with_structured_output(Person), way)


async def test_other_tools_are_offered_beside_the_format(server: ScriptedServer, make: Make) -> None:
    def look_up(name: str) -> str:
        """Look a person up."""
        return name

    chain = make().with_structured_output(Person, tools=[look_up], include_raw=True)
    server.play(json_reply(completion(None, tool_calls=[tool_call("look_up", {"name": "Bob"}, id="c1")])))
    assert chain.invoke(ASKED)["raw"].tool_calls[0]["name"] == "look_up"
    sent = server.requests[0].json
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["look_up"]
    assert sent["response_format"]["type"] == "json_schema"


class Tree(BaseModel):
    """A tree."""

    name: str
    children: list["Tree"] = []


@pytest.mark.parametrize("method", METHODS)
async def test_a_schema_that_contains_itself_keeps_its_definitions(make: Make, method: str) -> None:
    tree = make().with_structured_output(Tree, method=method).invoke("An 'oak'")
    assert isinstance(tree, Tree)
    assert tree.children


FORMAT = {"type": "json_object"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (TEXT, TEXT),
        (f"```json\n{TEXT}\n```", TEXT),
        (f"```json\n{TEXT}\n```\nAnything else?", TEXT),
        (f"Here:\n~~~\n{TEXT}\n~~~", TEXT),
        ('{"code": "`a` ```b```"}', '{"code": "`a` ```b```"}'),
        ('```json\n{"code": "use ```"}\n```', '{"code": "use ```"}'),
        ("No JSON today.", "No JSON today."),
        ("```json\n[]\n```", "[]"),
    ],
)
async def test_json_that_was_asked_for_comes_without_its_fence(
    server: ScriptedServer, make: Make, text: str, clean: str, way: str
) -> None:
    for size in (1, 4, 100):
        pieces = [delta(text[at : at + size]) for at in range(0, len(text), size)]
        done = delta(finish_reason="stop", usage=usage())
        server.play(sse(*pieces, done) if way in STREAMED else json_reply(completion(text)))
        model = make(response_format=FORMAT)
        if way in ("invoke", "stream"):
            got = model.invoke("Hi") if way == "invoke" else "".join(c.text for c in model.stream("Hi"))
        else:
            got = (
                await model.ainvoke("Hi") if way == "ainvoke" else "".join([c.text async for c in model.astream("Hi")])
            )
        assert (got if isinstance(got, str) else got.text) == clean


def test_json_passes_through_as_it_comes() -> None:
    stream = FenceStripper()
    assert [stream.feed(piece) for piece in ('{"a', '": "`', '`"}')] == ['{"a', '": "`', '`"}']
