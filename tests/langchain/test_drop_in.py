"""What other packages do with a chat model and its answers, and what they must find there."""

import contextlib
import gc
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from geekai_core import ConfigurationError, GeekAIError, InvalidResponseError
from geekai_core.transport.pools import KEPT
from geekai_testing.replies import Reply, completion, delta, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI, register, to_documents
from tests.langchain.conftest import EVERY_WAY, WAYS, WHOLE, Make, ask


class Address(BaseModel):
    """Where one lives."""

    city: str
    zip: str | None = None


class Person(BaseModel):
    """Somebody."""

    name: str
    home: Address = Field(default_factory=lambda: Address(city="Lyon"))


ANN = '{"name": "Ann", "home": {"city": "Oslo", "zip": null}}'


def answer(way: str, content: str | None, *calls: dict[str, Any], **extra: Any) -> Reply:
    if way in WHOLE:
        return json_reply(completion(content, tool_calls=list(calls) or ..., extra=extra))
    pieces = [] if content is None else [delta(content[:5]), delta(content[5:])]
    pieces += [delta(tool_calls=[{"index": at, **call}]) for at, call in enumerate(calls)]
    return sse(*pieces, delta(finish_reason="tool_calls" if calls else "stop", usage=usage(), extra=extra))


async def parsed(model: Any, way: str) -> Any:
    """The last value, or for `include_raw` the sum of what was streamed."""
    if way == "invoke":
        return model.invoke("Hi")
    if way == "ainvoke":
        return await model.ainvoke("Hi")
    found = [*model.stream("Hi")] if way == "stream" else [one async for one in model.astream("Hi")]
    if not isinstance(found[0], dict) or "raw" not in found[0]:
        return found[-1]
    total = found[0]
    for one in found[1:]:
        total = total + one
    return total


def shape(server: ScriptedServer) -> Any:
    return server.requests[-1].json["response_format"]["json_schema"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_class_s_schema_is_closed_and_strict_unless_strict_is_given(
    server: ScriptedServer, make: Make, way: str
) -> None:
    server.default = answer(way, ANN)
    assert await parsed(make().with_structured_output(Person), way) == Person(
        name="Ann", home=Address(city="Oslo", zip=None)
    )
    sent = shape(server)
    assert sent["strict"] is True
    assert sent["schema"]["required"] == ["name", "home"]
    assert sent["schema"]["additionalProperties"] is False
    await parsed(make().with_structured_output(Person, strict=False), way)
    assert shape(server)["strict"] is False
    assert "additionalProperties" not in shape(server)["schema"]
    await parsed(make().with_structured_output(Person.model_json_schema()), way)
    assert "strict" not in shape(server)


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("how", ["of the call", "bound with tools"])
async def test_a_class_as_response_format_gives_its_object_beside_the_text(
    server: ScriptedServer, make: Make, way: str, how: str
) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    server.default = answer(way, ANN)
    model = make()
    if how == "of the call":
        message = await ask(model, way, response_format=Person)
    else:
        message = await ask(model.bind_tools([add], response_format=Person), way)
        assert [tool["function"]["name"] for tool in server.requests[-1].json["tools"]] == ["add"]
    assert message.text == ANN
    assert message.additional_kwargs["parsed"] == Person(name="Ann", home=Address(city="Oslo"))
    assert (shape(server)["name"], shape(server)["strict"]) == ("Person", True)


@pytest.mark.parametrize("way", WAYS)
async def test_a_class_as_response_format_gives_nothing_where_a_tool_was_called(
    server: ScriptedServer, make: Make, way: str
) -> None:
    server.default = answer(way, None, {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}})
    assert "parsed" not in (await ask(make(), way, response_format=Person)).additional_kwargs


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_openai_s_spelling_of_a_schema_is_sent_whole(
    server: ScriptedServer, make: Make, way: str, wrapped: bool
) -> None:
    server.default = answer(way, '{"name": "Ann"}')
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    given: Any = {"name": "person", "schema": schema, "strict": True, "description": "Somebody."}
    form = {"type": "json_schema", "json_schema": given} if wrapped else given
    assert await parsed(make().with_structured_output(form), way) == {"name": "Ann"}
    sent = shape(server)
    assert {key: sent[key] for key in ("name", "strict", "description")} == {
        "name": "person",
        "strict": True,
        "description": "Somebody.",
    }
    assert sent["schema"]["properties"] == schema["properties"]
    await ask(make().bind_tools([], response_format=form), way)
    assert shape(server) == given


WEATHER = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"name": "Ann"}'}}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_a_call_of_a_tool_offered_beside_is_no_answer_and_no_error(
    server: ScriptedServer, make: Make, way: str, method: str
) -> None:
    def weather(name: str) -> str:
        """The weather at somebody's home."""
        return name

    server.default = answer(way, None, WEATHER)
    model = make()
    raw = await parsed(model.with_structured_output(Person, tools=[weather], include_raw=True, method=method), way)
    assert [call["name"] for call in raw["raw"].tool_calls] == ["weather"]
    assert (raw["parsed"], raw["parsing_error"]) == (None, None)
    if way in WHOLE:
        assert await parsed(model.with_structured_output(Person, tools=[weather], method=method), way) is None
    assert len(server.requests) == (2 if way in WHOLE else 1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bad", ['{"nam": "Ann"}', "Ann.", '{"name": '])
async def test_an_answer_that_does_not_fit_is_an_error_of_both_families(
    server: ScriptedServer, make: Make, way: str, bad: str
) -> None:
    server.default = lambda request: answer("stream" if request.json.get("stream") else "invoke", bad)
    raw = await parsed(make().with_structured_output(Person, include_raw=True), way)
    assert raw["raw"].text == bad
    assert raw["parsed"] is None
    assert isinstance(raw["parsing_error"], OutputParserException)
    with pytest.raises(OutputParserException, match="does not fit") as caught:
        await parsed(make().with_structured_output(Person), way)
    assert isinstance(caught.value, InvalidResponseError)
    assert caught.value.llm_output == caught.value.excerpt == bad


@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal_is_an_error_of_both_families(server: ScriptedServer, make: Make, way: str) -> None:
    server.default = answer(way, None, refusal="No.")
    with pytest.raises(GeekAIError, match=r"the model refused: No\.") as caught:
        await parsed(make().with_structured_output(Person), way)
    assert caught.value.raw_message.additional_kwargs["refusal"] == "No."


class Point(TypedDict):
    x: int


def test_the_schema_of_the_output_is_named_after_the_class(make: Make) -> None:
    for form in (Person, Point, {"title": "Pair", "type": "object", "properties": {}}):
        title = make().with_structured_output(form).get_output_jsonschema()["title"]
        assert title == (form["title"] if isinstance(form, dict) else form.__name__)


async def test_fields_have_langchain_s_other_names_when_they_are_set_too(server: ScriptedServer, make: Make) -> None:
    server.default = json_reply(completion("Hi."))
    model = make()
    model.model_name = "other"
    model.request_timeout = 7.0
    assert (model.model, model.timeout) == ("other", 7.0)
    model.invoke("Hi")
    chosen = make().configurable_fields(
        model_name=ConfigurableField(id="which"), request_timeout=ConfigurableField(id="limit")
    )
    chosen.invoke("Hi", config={"configurable": {"which": "third", "limit": 9}})
    assert [request.json["model"] for request in server.requests] == ["other", "third"]


CONFIGURED = {"configurable": {"temperature": 0.5, "model": "geekai:m"}}


@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", ["configurable_fields", "init_chat_model", "made anew"])
async def test_models_made_anew_for_each_call_share_one_connection(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, kind: str, later: bool
) -> None:
    """The object of the call before is gone by then; the connection is not."""
    monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
    monkeypatch.setenv("GEEKAI_API_KEY", "sk-anew")
    register()
    made: dict[str, Callable[[], Any]] = {
        "configurable_fields": lambda: ChatGeekAI(model="m").configurable_fields(
            temperature=ConfigurableField(id="heat")
        ),
        "init_chat_model": lambda: init_chat_model(configurable_fields="any"),
        "made anew": lambda: ChatGeekAI(model="m"),
    }
    model = made[kind]()
    for _ in range(10):
        model = made[kind]() if kind == "made anew" else model
        await model.ainvoke("Hi", CONFIGURED) if later else model.invoke("Hi", CONFIGURED)
        gc.collect()
    assert len(server.requests) == 10
    assert server.connections == 1


def test_only_the_last_few_hosts_keep_a_connection_of_models_that_are_gone() -> None:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ScriptedServer()) for _ in range(KEPT + 1)]
        for one in servers:
            ChatGeekAI(model="m", base_url=one.base_url).invoke("Hi")
        assert servers[0].wait_for(lambda s: s.open_connections == 0)
        assert [one.open_connections for one in servers[1:]] == [1] * KEPT
        last = ChatGeekAI(model="m", base_url=servers[-1].base_url)
        last.invoke("Hi")
        last.close()
        assert servers[-1].wait_for(lambda s: s.open_connections == 0)
        assert servers[-1].connections == 1


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_response_headers_are_kept_where_they_are_wanted(server: ScriptedServer, make: Make, way: str) -> None:
    reply = answer(way, "Hi.")
    reply.headers["X-Cost"] = "0.01"
    server.default = reply
    told = (await ask(make(include_response_headers=True), way)).response_metadata
    assert told["headers"]["x-cost"] == "0.01"
    assert "headers" not in (await ask(make(), way)).response_metadata


@pytest.mark.parametrize("way", WAYS)
async def test_the_name_that_a_message_has_is_kept(server: ScriptedServer, make: Make, way: str) -> None:
    server.default = answer(way, "Hello.", name="critic")
    assert (await ask(make(), way)).name == "critic"


@pytest.mark.parametrize("kind", [SystemMessage, HumanMessage])
async def test_a_message_marked_as_a_developer_s_is_one(server: ScriptedServer, make: Make, kind: Any) -> None:
    server.default = json_reply(completion("Hi."))
    make().invoke([kind("Be brief.", additional_kwargs={"__openai_role__": "developer"}), ("user", "Hi")])
    assert server.requests[-1].json["messages"][0] == {"role": "developer", "content": "Be brief."}
    make().invoke([ChatMessage("Be brief.", role="developer"), ("user", "Hi")])
    assert server.requests[-1].json["messages"][0]["role"] == "developer"


async def test_a_reasoning_block_of_the_user_s_is_passed_over(server: ScriptedServer, make: Make) -> None:
    server.default = json_reply(completion("Hi."))
    make().invoke([HumanMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Hi"}])])
    assert server.requests[-1].json["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("streaming", [False, True])
async def test_generate_names_the_model_streamed_too(server: ScriptedServer, make: Make, streaming: bool) -> None:
    server.default = answer("stream" if streaming else "invoke", "Hi.")
    output = make(streaming=streaming).generate([[HumanMessage("Hi")]]).llm_output or {}
    assert output["model_name"]


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("name", ["cache_write_tokens", "cache_creation_input_tokens"])
async def test_tokens_written_to_a_cache_are_counted(server: ScriptedServer, make: Make, way: str, name: str) -> None:
    counted = {**usage(), name: 7}
    if way in WHOLE:
        server.default = json_reply(completion("Hi.", usage=counted))
    else:
        server.default = sse(delta("Hi."), delta(finish_reason="stop", usage=counted))
    used: Any = (await ask(make(), way)).usage_metadata
    assert used["input_token_details"]["cache_creation"] == 7


async def test_no_silence_within_a_stream_is_too_long_where_the_limit_is_zero(
    server: ScriptedServer, make: Make
) -> None:
    server.default = answer("stream", "Hello.")
    model = make(stream_chunk_timeout=0)
    assert "".join(chunk.text for chunk in model.stream("Hi")) == "Hello."


@pytest.mark.parametrize("choice", ["x", {"type": "function", "function": {"name": "x"}}])
def test_a_choice_among_no_tools_is_refused_in_plain_words(make: Make, choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="names no bound tool: 'x'; there are no tools"):
        make().bind_tools([], tool_choice=choice)


async def test_documents_name_their_source(server: ScriptedServer, make: Make) -> None:
    results = [{"title": "Tea", "link": "https://a.example/tea", "content": "Hot."}, {"title": "Ferry"}]
    server.default = json_reply(completion("Hi.", search_results=results))
    pages = to_documents(make().invoke("Hi"))
    assert [page.metadata["source"] for page in pages] == ["https://a.example/tea", "Ferry"]


def test_warnings_point_at_the_line_of_the_caller(server: ScriptedServer, make: Make) -> None:
    def silent(a: int) -> int:
        return a

    server.default = json_reply(completion("Hi."))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(search_config={"count": 3}).invoke("Hi")
        make().bind_tools([silent])
        make(model="sora-2").bind_tools([{"type": "function", "function": {"name": "f", "description": "F."}}])
    ours = [one for one in caught if issubclass(one.category, UserWarning)]
    assert len(ours) >= 2
    assert {one.filename for one in ours} == {__file__}


def test_the_object_of_a_call_does_not_go_back(server: ScriptedServer, make: Make) -> None:
    server.default = json_reply(completion(ANN))
    model = make()
    first: AIMessage = model.invoke("Hi", response_format=Person)
    model.invoke([HumanMessage("Hi"), first, HumanMessage("So?")])
    assert server.requests[-1].json["messages"][1] == {"role": "assistant", "content": ANN}
