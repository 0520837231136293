"""What travels: the exact JSON of a request, and who may set what."""

import json
from typing import Any

import httpx
import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate

from geekai_core import ConfigurationError, SearchConfig, Thinking
from geekai_testing.replies import completion, json_reply
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from tests.langchain.conftest import KEY, STREAMED, WAYS, WHOLE, Make, ask


@pytest.mark.parametrize("way", WAYS)
async def test_every_option_travels_under_its_wire_name(server: ScriptedServer, make: Make, way: str) -> None:
    given: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "max_tokens": 100,
        "stop": ["END"],
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 2,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "enable_search": True,
        "search_config": {"engine": "glm/search-std", "count": 5, "new_key": 1},
        "enable_thinking": True,
        "thinking": {"budget_tokens": 64},
        "enable_url_context": False,
        "json_mode": False,
        "response_format": {"type": "text"},
        "tool_config": {"functionCallingConfig": {"mode": "AUTO"}},
        "modalities": ["text"],
        "audio": {"voice": "alloy", "format": "wav"},
        "image": {"aspect_ratio": "1:1"},
        "image_generation": False,
        "retries": 1,
        "sess_id": "5c2d",
        "request_metadata": {"app": "test"},
        "user": "u1",
    }
    await ask(make(**given), way, [SystemMessage("Be brief."), HumanMessage("你好")])
    renamed = {**given, "max_completion_tokens": 100, "metadata": {"app": "test"}}
    del renamed["request_metadata"]
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if way in STREAMED else {}
    assert server.requests[0].json == {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好"}],
        **renamed,
        **streamed,
    }
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_overrides_the_model_s_fields_and_bind_does_too(
    server: ScriptedServer, make: Make, way: str
) -> None:
    model = make(temperature=0.1, extra_body={"a": 1, "b": 1}, model_kwargs={"b": 0, "c": 0})
    bound = model.bind(temperature=0.9, enable_search=True)
    await ask(bound, way, model="glm-4", max_completion_tokens=5, stop=["x"], extra_body={"b": 2})
    sent = server.requests[0].json
    assert {
        name: sent[name] for name in ("model", "temperature", "enable_search", "max_completion_tokens", "stop")
    } == {
        "model": "glm-4",
        "temperature": 0.9,
        "enable_search": True,
        "max_completion_tokens": 5,
        "stop": ["x"],
    }
    assert {name: sent[name] for name in "abc"} == {"a": 1, "b": 2, "c": 0}


async def test_none_in_a_call_takes_a_field_away(server: ScriptedServer, make: Make) -> None:
    make(temperature=0.1).invoke("Hi", temperature=None, tool_choice=None)
    assert server.requests[0].json == {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("alias", "value", "field", "kept"),
    [
        ("model_name", "m", "model", "m"),
        ("base_url", "https://geekai.dev/api/v1/", "geekai_api_base", "https://geekai.dev/api/v1"),
        ("geekai_api_base", "https://geekai.dev/api/v1", "geekai_api_base", "https://geekai.dev/api/v1"),
        ("max_completion_tokens", 5, "max_tokens", 5),
        ("stop_sequences", "END", "stop", ["END"]),
        ("request_timeout", 3.0, "timeout", 3.0),
        ("streaming", True, "streaming", True),
        ("default_headers", {"X-A": "1"}, "default_headers", {"X-A": "1"}),
        ("stream_usage", False, "stream_usage", False),
    ],
)
def test_the_names_that_a_chat_openai_user_types_are_taken(alias: str, value: Any, field: str, kept: Any) -> None:
    given = {"model": "gpt-4o", "api_key": KEY, alias: value}
    if alias == "model_name":
        del given["model"]
    assert getattr(ChatGeekAI(**given), field) == kept


def test_the_key_the_host_and_the_proxy_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEEKAI_API_KEY", "sk-env")
    monkeypatch.setenv("GEEKAI_BASE_URL", "http://127.0.0.1:1/v1/")
    model = ChatGeekAI(model="gpt-4o")
    assert model.geekai_api_key.get_secret_value() == "sk-env"  # type: ignore[union-attr]
    assert model.geekai_api_base == "http://127.0.0.1:1/v1"
    assert "sk-env" not in repr(model) + str(model)


async def test_a_key_may_be_a_function_that_is_asked_before_each_request(server: ScriptedServer, make: Make) -> None:
    keys = iter(["sk-first", "sk-second"])
    model = make(api_key=lambda: next(keys))
    model.invoke("Hi")
    await model.ainvoke("Hi")
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer sk-first", "Bearer sk-second"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "GEEKAI_API_KEY"),
        ({"api_key": ""}, "GEEKAI_API_KEY"),
        ({"api_key": "sk-1\nsk-2"}, "the GeekAI key holds"),
        ({"api_key": KEY, "base_url": "geekai.co/api/v1"}, "no http"),
        ({"api_key": KEY, "temprature": 1}, "did you mean 'temperature'"),
        ({"api_key": KEY, "api_base": "https://a.b/c"}, "'api_base'; give 'base_url'"),
        ({"openai_api_key": KEY}, "'openai_api_key'; give 'api_key'"),
        ({"api_key": KEY, "organization": "o"}, "'organization'; that is OpenAI's own: leave it out"),
        ({"api_key": KEY, "max_retries": -1}, "max_retries"),
        ({"api_key": KEY, "max_tokens": 1, "max_completion_tokens": 2}, "one field"),
        ({"api_key": KEY, "base_url": "https://a.b/c", "geekai_api_base": "https://a.b/c"}, "one field"),
    ],
)
def test_what_cannot_work_is_said_by_the_constructor(
    fields: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEEKAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=says) as caught:
        ChatGeekAI(model="gpt-4o", **fields)
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
async def test_an_unknown_keyword_of_a_call_names_the_nearest_field(
    server: ScriptedServer, make: Make, way: str
) -> None:
    with pytest.raises(ConfigurationError, match="'enable_serch'; did you mean 'enable_search'"):
        await ask(make().bind(enable_serch=True), way)
    assert server.requests == []


async def test_reasoning_effort_is_short_for_thinking(server: ScriptedServer, make: Make) -> None:
    make(reasoning_effort="low").invoke("Hi")
    make().invoke("Hi", reasoning_effort="high", thinking=Thinking(budget_tokens=9))
    with pytest.warns(UserWarning, match="no effect without enable_thinking=True"):
        make(reasoning_effort="low", enable_thinking=False, thinking={"reasoning_effort": "high"}).invoke("Hi")
    sent = [(request.json["enable_thinking"], request.json["thinking"]) for request in server.requests]
    assert sent == [
        (True, {"reasoning_effort": "low"}),
        (True, {"reasoning_effort": "high", "budget_tokens": 9}),
        (False, {"reasoning_effort": "high"}),
    ]


async def test_typed_settings_are_sent_without_what_is_not_set(server: ScriptedServer, make: Make) -> None:
    make(enable_search=True, search_config=SearchConfig(count=3, return_result=True)).invoke("Hi")
    assert server.requests[0].json["search_config"] == {"count": 3, "return_result": True}


@pytest.mark.parametrize("way", STREAMED)
async def test_usage_can_be_left_out_of_a_stream(server: ScriptedServer, make: Make, way: str) -> None:
    await ask(make(stream_usage=False), way)
    await ask(make(), way, stream_usage=False)
    assert all("stream_options" not in request.json for request in server.requests)


@pytest.mark.parametrize("way", WHOLE)
async def test_streaming_true_streams_what_is_asked_for_whole(server: ScriptedServer, make: Make, way: str) -> None:
    answer = await ask(make(streaming=True), way)
    assert server.requests[0].json["stream"] is True
    assert answer.content == "Here is a scripted answer to: Hi"
    assert answer.usage_metadata is not None


@pytest.mark.parametrize("way", STREAMED)
async def test_disable_streaming_asks_for_the_whole(server: ScriptedServer, make: Make, way: str) -> None:
    answer = await ask(make(disable_streaming=True), way)
    assert "stream" not in server.requests[0].json
    assert answer.content == "Here is a scripted answer to: Hi"


@pytest.mark.parametrize("way", WHOLE)
async def test_a_background_task_is_submitted_and_waited_for(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(json_reply({"id": "task-1", "status": "pending", "choices": []}), path="/chat/completions")
    server.play(json_reply({"status": "succeed", **completion("Done."), "id": "task-1"}), path="/chat/task-1")
    answer = await ask(make(background=True), way)
    assert server.requests[0].json["background"] is True
    assert answer.content == "Done."


@pytest.mark.parametrize("way", STREAMED)
async def test_a_background_task_does_not_stream(make: Make, way: str) -> None:
    with pytest.raises(ConfigurationError, match="background=True cannot stream"):
        await ask(make(background=True), way)


@pytest.mark.parametrize("way", WHOLE)
async def test_http_clients_of_one_s_own_are_used_and_left_open(server: ScriptedServer, make: Make, way: str) -> None:
    headers = {"X-Mine": "yes"}
    with httpx.Client(headers=headers) as sync:
        async with httpx.AsyncClient(headers=headers) as asynchronous:
            model = make(http_client=sync, http_async_client=asynchronous, default_query={"v": "2"})
            await ask(model, way)
            model.close()
            await model.aclose()
            assert not sync.is_closed
            assert not asynchronous.is_closed
    assert server.requests[0].headers["x-mine"] == "yes"
    assert server.requests[0].path.endswith("?v=2")


async def test_a_prompt_value_and_tuples_are_taken_like_messages(server: ScriptedServer, make: Make) -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "Speak {language}."), ("user", "{question}")])
    (prompt | make()).invoke({"language": "中文", "question": "Why?"})
    make().invoke([("system", "Speak 中文."), ("user", "Why?")])
    assert json.loads(server.requests[0].body) == json.loads(server.requests[1].body)


def test_the_settings_of_a_used_model_may_change(server: ScriptedServer, make: Make) -> None:
    model = make()
    model.invoke("Hi")
    model.default_headers = {"X-Later": "yes"}
    model.invoke("Hi")
    assert server.requests[1].headers["x-later"] == "yes"
