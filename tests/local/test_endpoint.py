"""The endpoint over HTTP, answering with the real local model: what must hold however small the model is."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from examples.demo import read_questions
from geekai_core import APIStatusError, Client
from geekai_core.wire import ChatCompletion
from geekai_local.serving import serve
from geekai_local.weights import Upstream
from geekai_testing.scripted import ScriptedServer
from tests.local.conftest import Caller

pytestmark = pytest.mark.local_model

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}},
            "required": ["place", "unit"],
        },
    },
}
CLOCK: dict[str, Any] = {"type": "function", "function": {"name": "get_clock", "description": "Get the time now."}}
CONSTANT = {
    "type": "json_schema",
    "json_schema": {"name": "word", "schema": {"const": ["The same", "words each time."]}},
}
KEYS = {"api_key": "any", "system_key": "any-system-key"}
LONG = {"type": "array", "items": {"enum": ["a long way to the lighthouse"]}, "minItems": 300}


def test_a_whole_answer_has_geekais_shape(caller: Caller) -> None:
    """The model's name comes back as it was asked for; usage adds up; nothing was billed."""
    answer = caller.ask("Tell a long story.", max_completion_tokens=8)
    assert answer.model == "any/model:at-all"
    assert answer.object == "chat.completion"
    assert answer.message.content
    assert answer.usage
    assert answer.usage.total_tokens == (answer.usage.prompt_tokens or 0) + (answer.usage.completion_tokens or 0)
    assert answer.usage.completion_tokens == 8
    assert answer.choices[0].finish_reason == "length"
    assert answer.billed_units == 0


def test_a_stream_says_the_same_as_a_whole_answer(caller: Caller) -> None:
    """Several chunks under one id, a finish reason, and usage last because it was asked for."""
    fields = {"enable_search": True, "search_config": {"return_result": True, "count": 3}, "response_format": CONSTANT}
    whole = caller.ask("When was the lighthouse built?", **fields)
    chunks = caller.stream("When was the lighthouse built?", stream_options={"include_usage": True}, **fields)
    *spoken, last = chunks
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in spoken) == whole.message.content
    assert spoken[0]["choices"][0]["delta"]["role"] == "assistant"
    assert spoken[0]["citations"] == whole.citations
    assert spoken[0]["search_results"] == whole.search_results
    assert spoken[-1]["choices"][0]["finish_reason"] == whole.choices[0].finish_reason == "stop"
    assert last["choices"] == []
    assert whole.usage
    assert last["usage"]["completion_tokens"] == whole.usage.completion_tokens
    assert last["usage"]["billed_units"] == 1
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert len(chunks) > 5


def test_usage_of_a_stream_comes_only_when_asked_for(caller: Caller) -> None:
    """Without `stream_options` no chunk carries usage."""
    assert not any("usage" in chunk for chunk in caller.stream("Hi", max_tokens=4))


def test_search_answers_from_the_documents(caller: Caller) -> None:
    """What no model can know is answered for the most part, and the page that tells is cited each time."""
    asked = read_questions()[2:6]
    answers = [caller.ask(question.text, enable_search=True, max_tokens=32) for question in asked]
    assert all(
        question.page in [link.rsplit("/", 1)[1] for link in answer.citations]
        for question, answer in zip(asked, answers, strict=True)
    )
    assert sum(q.is_right(a.message.content or "") for q, a in zip(asked, answers, strict=True)) >= 2


def test_search_results_come_as_asked_for(caller: Caller) -> None:
    """As many as asked for, in GeekAI's shape; the citations are those of them that the model was given."""
    config = {"return_result": True, "count": 3}
    answer = caller.ask(read_questions()[6].text, enable_search=True, search_config=config, max_tokens=4)
    assert len(answer.search_results) == 3
    assert answer.search_results[0].keys() == {"title", "link", "content", "refer"}
    assert answer.citations == [answer.search_results[0]["link"]]
    assert answer.billed_units == 1


def test_a_chinese_search_cites_the_chinese_page(caller: Caller) -> None:
    """The small model's words are no Chinese, but search and citations are."""
    answer = caller.ask("灰山天文台每周哪一天开放？", enable_search=True, max_tokens=4)
    assert answer.citations[0].endswith("/observatory.zh.md")
    assert not answer.search_results


def test_a_search_that_finds_nothing_is_billed_and_cites_nothing(caller: Caller) -> None:
    """The model answers without context."""
    answer = caller.ask("zzzzqqq", enable_search=True, max_tokens=4)
    assert answer.citations == []
    assert answer.billed_units == 1


@pytest.mark.parametrize("budget", [4, 24])
def test_thoughts_come_before_the_answer(caller: Caller, budget: int) -> None:
    """A model that thinks and then falls silent is asked once more: there is always an answer."""
    fields = {"enable_thinking": True, "thinking": {"budget_tokens": budget}, "max_tokens": 60}
    deltas = [chunk["choices"][0]["delta"] for chunk in caller.stream("Why is the sky blue?", **fields)]
    kinds = ["reasoning" if "reasoning_content" in delta else "content" for delta in deltas[1:-1]]
    assert kinds == sorted(kinds, reverse=True)
    assert set(kinds) == {"reasoning", "content"}
    assert not any("<think>" in str(delta) for delta in deltas)


def test_thoughts_can_be_kept_back(caller: Caller) -> None:
    """`include_thoughts` false leaves the answer alone."""
    thinking = {"include_thoughts": False}
    answer = caller.ask("Why is the sky blue?", enable_thinking=True, thinking=thinking, max_tokens=40)
    assert answer.message.content
    assert answer.message.reasoning_content is None


def arguments(answer: ChatCompletion) -> tuple[str | None, Any]:
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.message.tool_calls or []
    assert call.id
    assert call.type == "function"
    assert call.function
    return call.function.name, json.loads(call.function.arguments or "")


def test_the_model_calls_a_tool_by_itself(caller: Caller) -> None:
    """An offered tool is called where the question asks for it, with arguments that fit its schema."""
    name, given = arguments(caller.ask("What is the weather in Port Elin?", tools=[WEATHER, CLOCK]))
    assert name == "get_weather"
    assert isinstance(given["place"], str)
    assert given["unit"] in ("celsius", "kelvin")


def test_a_tools_result_ends_in_prose(caller: Caller) -> None:
    """The loop ends: the result is put into words, though the tools are still offered."""
    call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": '{"place": "Port Elin"}'}}
    turn: list[dict[str, Any]] = [
        {"role": "user", "content": "What is the weather in Port Elin?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "Sunny, 17 degrees."},
    ]
    answer = caller.ask(turn, tools=[WEATHER, CLOCK], max_tokens=60)
    assert not answer.message.tool_calls
    assert answer.message.content


@pytest.mark.parametrize("broken", ['{"place": "Port', "", "[1]", None])
def test_a_call_whose_arguments_broke_off_does_not_end_the_talk(caller: Caller, broken: str | None) -> None:
    """An agent tells the model what was wrong, and goes on."""
    call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": broken}}
    turn: list[dict[str, Any]] = [
        {"role": "user", "content": "What is the weather in Port Elin?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "Error: the arguments are no JSON."},
    ]
    answer = caller.ask(turn, tools=[WEATHER, CLOCK], max_tokens=60)
    assert answer.message.content or answer.message.tool_calls


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "function", "function": {"name": "get_weather"}}, {"get_weather"}),
        ("required", {"get_weather", "get_clock"}),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_tool_choice_is_enforced(caller: Caller, choice: Any, names: set[str], streamed: bool) -> None:
    """Even small talk ends in one call of a tool that was demanded, with arguments that fit its schema."""
    fields = {"tools": [WEATHER, CLOCK], "tool_choice": choice, "max_tokens": 80}
    if streamed:
        pieces = [
            piece
            for chunk in caller.stream("Thank you!", **fields)
            for piece in chunk["choices"][0]["delta"].get("tool_calls", [])
        ]
        assert len({piece["index"] for piece in pieces}) == 1
        assert len(pieces) > 1
        name = pieces[0]["function"]["name"]
        given = json.loads("".join(piece["function"]["arguments"] for piece in pieces))
    else:
        name, given = arguments(caller.ask("Thank you!", **fields))
    assert name in names
    if name == "get_weather":
        assert given.keys() == {"place", "unit"}
    else:
        assert given == {}


@pytest.mark.parametrize("fields", [{"json_mode": True}, {"response_format": {"type": "json_object"}}])
def test_json_mode_gives_a_json_object(caller: Caller, fields: dict[str, Any]) -> None:
    """Both spellings force an object."""
    content = caller.ask("Give the colour of grass as JSON, with the one key colour.", **fields).message.content
    assert isinstance(json.loads(content or ""), dict)


@pytest.mark.parametrize("tools", [[], [WEATHER]])
def test_a_schema_is_kept_to_with_or_without_tools(caller: Caller, tools: list[Any]) -> None:
    """Where the model does not call, its answer has the demanded form."""
    schema = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"]}
    form = {"type": "json_schema", "json_schema": {"name": "mood", "schema": schema}}
    answer = caller.ask("Thank you!", response_format=form, **({"tools": tools} if tools else {}))
    assert json.loads(answer.message.content or "")["mood"] in ("good", "bad")


def test_stop_words_end_the_answer(caller: Caller) -> None:
    """The word itself is left out."""
    answer = caller.ask("Say: one two three", stop=["e"], max_tokens=40)
    assert "e" not in (answer.message.content or "")
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"messages": "Hi"}, 400, "invalid_request"),
        ({"temperature": "hot"}, 400, "invalid_request"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "unsupported_content"),
        ({"messages": [{"role": "user", "content": "word " * 6000}]}, 400, "context_length_exceeded"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}},
            400,
            "invalid_request",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_bad_request_is_a_clear_error_before_any_stream(
    caller: Caller, fields: dict[str, Any], status: int, code: str, streamed: bool
) -> None:
    """Errors have GeekAI's shape and their status, though a stream was asked for."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "stream": streamed}
    response = caller.http.post("/chat/completions", json={**asked, **fields})
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.json()["error"]["message"]


def test_a_prompt_too_long_is_told_the_limit_and_no_advice_that_cannot_be_followed(caller: Caller) -> None:
    message = caller.post("word " * 6000).json()["error"]["message"]
    assert message.endswith("(4096 tokens): the local model's context is 4096 tokens, answer and all")


def test_unknown_paths_methods_and_bodies_are_errors_too(caller: Caller) -> None:
    """Every answer is JSON in GeekAI's shape."""
    found = [
        caller.http.get("/nothing"),
        caller.http.get("/chat/completions"),
        caller.http.post("/chat/completions", content=b"{"),
    ]
    assert [response.status_code for response in found] == [404, 405, 400]
    assert all(response.json()["error"]["message"] for response in found)


def test_what_this_machine_answers_costs_nothing(base_url: str, caller: Caller) -> None:
    """By the paths and the system key with which GeekAI is asked for a bill and the balance."""
    answer = caller.ask("Hi", max_tokens=1)
    with Client(base_url=base_url, **KEYS) as client:
        bill, balance = client.bill(answer), client.balance()
    assert (bill.amount, bill.yuan, balance.balance, balance.yuan) == (0, 0, 0, 0)


def test_what_an_upstream_charges_is_not_made_up(upstream: ScriptedServer) -> None:
    with serve(model=Upstream(upstream.base_url)) as url, Client(base_url=url, **KEYS) as client:
        with pytest.raises(APIStatusError, match="what an upstream charges is not known here"):
            client.bill("chatcmpl-1")
        with pytest.raises(APIStatusError, match="what an upstream charges is not known here"):
            client.balance()
    assert upstream.requests == []


def test_any_key_will_do_until_one_is_set(caller: Caller) -> None:
    """With a key of its own the endpoint refuses others, by either header."""
    assert caller.post("Hi", max_tokens=1).status_code == 200
    with serve(api_key="secret") as url:

        def status(headers: dict[str, Any]) -> int:
            body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
            return httpx.post(f"{url}/chat/completions", json=body, headers=headers, timeout=60).status_code

        assert status({}) == 401
        assert status({"Authorization": b"Bearer wrong \xe9"}) == 401
        assert status({"Authorization": "Bearer secret"}) == 200
        assert status({"GeekAI-API-Key": "secret"}) == 200


@pytest.mark.parametrize("streamed", [False, True])
def test_generation_ends_when_the_caller_leaves(caller: Caller, streamed: bool) -> None:
    """Two callers leave two answers of a minute each; the model is free for the next at once."""
    form = {"type": "json_schema", "json_schema": {"name": "long", "schema": LONG}}
    fields = {"response_format": form, "max_tokens": 3000}
    for _ in range(2):
        if streamed:
            with caller.open("Walk.", **fields) as response:
                next(response.iter_lines())
        else:
            body = {"model": "m", "messages": [{"role": "user", "content": "Walk."}], **fields}
            with pytest.raises(httpx.ReadTimeout):
                caller.http.post("/chat/completions", json=body, timeout=1)
    began = time.monotonic()
    caller.ask("Hi", max_tokens=2)
    assert time.monotonic() - began < 10


QUESTIONS = (
    *("Why is the sky blue?", "What is 3+4?", "Name a colour.", "Who wrote Hamlet?", "Describe a ferry."),
    *("天空为什么是蓝色的？", "三加四等于几？", "说一种颜色。", "谁写了红楼梦？", "介绍一下轮渡。"),
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_does_not_think_unless_it_is_asked_to(caller: Caller, question: str) -> None:
    """Under a JSON schema, where llama.cpp's grammar would let thoughts come first and take the whole answer."""
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    whole = caller.ask(question, response_format=form, max_tokens=24)
    assert whole.message.reasoning_content is None
    assert (whole.message.content or "").lstrip().startswith("{")


def test_the_marks_of_its_template_are_text_in_a_question(caller: Caller) -> None:
    """As a mark each would be one token, and end the question."""

    def tokens(question: str) -> int:
        usage = caller.ask(question, max_tokens=1).usage
        assert usage
        return usage.prompt_tokens or 0

    assert tokens("Hi" + "<|im_end|>" * 5) - tokens("Hi") >= 5 * 5
