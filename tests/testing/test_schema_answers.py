"""Answers from the request's own schemas: what the frameworks' standard suites and agents rely on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geekai_testing.replies import Request
from geekai_testing.schema_answers import answer_from_schemas
from geekai_testing.schema_samples import sample


def tool(name: str, description: str = "", /, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


MAGIC = tool("magic_function", "Apply a magic function.", input={"type": "integer", "exclusiveMinimum": -1000})
WEATHER = tool("get_weather", "Get the weather at a place.", location={"type": "string"})
CUSTOMER = tool("unicode_customer", customer_name={"type": "string"}, description={"type": "string"})
JOKE = {"type": "object", "properties": {"setup": {"type": "string"}, "punchline": {"type": "string"}}}


def send(body: dict[str, Any], path: str = "/chat/completions") -> tuple[int, bytes]:
    request = Request("POST", f"/api/v1{path}", {}, json.dumps(body).encode(), 1)
    reply = answer_from_schemas(request)
    body_steps = [reply.body] if isinstance(reply.body, bytes) else reply.body
    return reply.status, b"".join(step for step in body_steps if isinstance(step, bytes))


def ask(*messages: str | dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The whole answer."""
    spoken = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    status, body = send({"model": "m", "messages": spoken, **fields})
    value: dict[str, Any] = json.loads(body)
    assert status == 200, value
    return value


def listen(*messages: str, **fields: Any) -> list[dict[str, Any]]:
    """The chunks of the streamed answer."""
    spoken = [{"role": "user", "content": one} for one in messages]
    _, body = send({"model": "m", "messages": spoken, "stream": True, **fields})
    *events, done, rest = body.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


def message(answer: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = answer["choices"][0]["message"]
    return value


def calls(answer: dict[str, Any]) -> list[tuple[str, Any]]:
    made = message(answer).get("tool_calls", [])
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in made]


def after(question: str, name: str = "get_weather") -> list[str | dict[str, Any]]:
    """A question, a call and its result."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": "{}"}}
    return [
        question,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "It's sunny."},
    ]


@pytest.mark.parametrize("forced", ["required", "any"])
def test_a_forced_choice_calls_a_tool_on_any_words(forced: str) -> None:
    """Even a greeting becomes a call."""
    answer = ask("Hello!", tools=[MAGIC, WEATHER], tool_choice=forced)
    assert len(calls(answer)) == 1
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert message(answer)["content"] is None


def test_a_named_tool_is_the_one_that_is_called() -> None:
    """However much nearer another one is; a name that no tool has is a 400."""
    named = {"type": "function", "function": {"name": "magic_function"}}
    assert calls(ask("the weather?", tools=[WEATHER, MAGIC], tool_choice=named))[0][0] == "magic_function"
    unknown = {"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": [WEATHER], "tool_choice": named}
    assert send(unknown)[0] == 400


def test_a_free_choice_takes_the_nearest_tool_once_for_each_question() -> None:
    """A call first, prose after its result, and a call again for the next question; none when tools are off."""
    question = "What is the weather in 'San Francisco, CA'?"
    assert calls(ask(question, tools=[MAGIC, WEATHER])) == [("get_weather", {"location": "San Francisco, CA"})]
    assert message(ask(*after(question), tools=[WEATHER]))["content"] == "The tools answered: It's sunny."
    again = ask(*after(question), "And in '北京'?", tools=[WEATHER])
    assert calls(again) == [("get_weather", {"location": "北京"})]
    assert message(again)["tool_calls"][0]["id"] not in json.dumps(after(question))
    assert calls(ask(question, tools=[WEATHER], tool_choice="none")) == []


def test_a_forced_choice_moves_on_to_the_tool_not_yet_called() -> None:
    """As an agent needs that ends by calling a tool for its structured answer."""
    report = tool("Report", "A report.", degrees={"type": "number"})
    made = ask(*after("the weather at 21.5 degrees?"), tools=[WEATHER, report], tool_choice="required")
    assert calls(made) == [("Report", {"degrees": 21.5})]


def test_tools_that_the_question_names_are_called_together() -> None:
    """In one answer, unless parallel calls are off."""
    words = "Use get_weather and magic_function for 3"
    assert [name for name, _ in calls(ask(words, tools=[MAGIC, WEATHER]))] == ["magic_function", "get_weather"]
    assert len(calls(ask(words, tools=[MAGIC, WEATHER], parallel_tool_calls=False))) == 1


def test_arguments_take_numbers_and_quoted_names_from_the_question() -> None:
    """The first integer, the name letter by letter, and nothing for a tool without arguments."""
    assert calls(ask("What is the value of magic_function(3)?", tools=[MAGIC]))[0][1] == {"input": 3}
    words = "Create a customer named '你好啊集团' (Hello Group) - it's a company"
    reply = send({"model": "m", "messages": [{"role": "user", "content": words}], "tools": [CUSTOMER]})
    assert '\\"customer_name\\": \\"你好啊集团\\"' in reply[1].decode()
    assert calls(ask("Use it", tools=[tool("nothing")])) == [("nothing", {})]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 5, "maximum": 9}, 5),
        ({"type": "integer", "exclusiveMaximum": 2}, 1),
        ({"type": "number"}, 3.0),
        ({"type": ["string", "null"]}, "极客"),
        ({"type": "string", "maxLength": 1}, "极"),
        ({"type": "string", "minLength": 4}, "极客.."),
        ({"type": "string", "format": "date"}, "2025-07-03"),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"const": 7}, 7),
        ({"enum": ["red", "green"]}, "green"),
        ({"enum": ["a1", "a2"]}, "a1"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 3),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [3, 4, 3]),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}]}, [3, True]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"key": 3}),
        ({"allOf": [JOKE, {"properties": {"setup": {"const": 1}}}]}, {"setup": 1, "punchline": "极客"}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"const": "found"}}}, "found"),
        ({}, "极客"),
    ],
)
def test_a_sample_is_what_its_schema_accepts(schema: dict[str, Any], value: Any) -> None:
    """Every kind of schema that pydantic or a person writes."""
    assert sample(schema, "Make 3 of 4 green ones for “极客”") == value


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    """Optional children stop at some depth."""
    node = {
        "$defs": {
            "Node": {
                "properties": {
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                    "all": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
                "required": ["next", "all"],
            }
        },
        "$ref": "#/$defs/Node",
    }
    assert '"next": null, "all": []' in json.dumps(sample(node, ""))


def test_structured_output_follows_the_schema_that_is_given() -> None:
    """As a response format, or as text within the prompt, where LlamaIndex may have doubled the braces."""
    given = {"type": "json_schema", "json_schema": {"name": "Joke", "schema": JOKE}}
    assert set(json.loads(message(ask("Tell me a joke.", response_format=given))["content"])) == set(JOKE["properties"])
    text = f"Tell one named '猫'.\nHere's a JSON schema to follow:\n{json.dumps(JOKE)}"
    for words in (text, text.replace("{", "{{").replace("}", "}}")):
        assert json.loads(message(ask(words))["content"])["setup"] == "猫"


@pytest.mark.parametrize("mode", [{"json_mode": True}, {"response_format": {"type": "json_object"}}])
def test_json_mode_uses_the_keys_that_the_question_quotes(mode: dict[str, Any]) -> None:
    """And answers in an object even when it quotes none."""
    content = message(ask("A JSON with 'setup' and 'punchline' keys.", **mode))["content"]
    assert set(json.loads(content)) == {"setup", "punchline"}
    assert set(json.loads(message(ask("Answer.", **mode))["content"])) == {"answer"}


FIELDS: dict[str, dict[str, Any]] = {
    "prose": {},
    "reasoning": {"enable_thinking": True},
    "search": {"enable_search": True, "search_config": {"return_result": True}},
    "tools": {"tools": [CUSTOMER], "enable_thinking": True},
    "length": {"max_completion_tokens": 3},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_a_stream_adds_up_to_the_whole_answer(fields: dict[str, Any]) -> None:
    """Piece by piece, with calls as a name and then fragments, the usage last and only when it is asked for."""
    whole = ask("Who is '你好'?", **fields)
    chunks = listen("Who is '你好'?", stream_options={"include_usage": True}, **fields)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert not any("usage" in one for one in listen("Who is '你好'?", **fields))
    assert gather([choice for one in chunks for choice in one["choices"]]) == whole["choices"][0]
    top = {key: value for one in chunks[:-1] for key, value in one.items()}
    assert (top.get("citations"), top.get("search_results")) == (whole.get("citations"), whole.get("search_results"))


def gather(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """One choice from its deltas, as a client does it."""
    made: dict[str, Any] = {"role": "assistant", "content": None}
    for delta in (piece["delta"] for piece in pieces):
        for name in ("content", "reasoning_content"):
            if delta.get(name) is not None:
                made[name] = (made.get(name) or "") + delta[name]
        for call in delta.get("tool_calls", []):
            known = made.setdefault("tool_calls", [])
            if "id" in call:
                known.append({**call, "function": dict(call["function"])})
                del known[-1]["index"]
            else:
                known[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    return {"index": pieces[0]["index"], "finish_reason": pieces[-1]["finish_reason"], "message": made}


def test_usage_counts_what_was_asked_for() -> None:
    """Details for reasoning and searches, whose sums never pass the totals."""
    counted = ask("Think of this.", enable_thinking=True, enable_search=True)["usage"]
    inputs, outputs = counted["prompt_tokens_details"], counted["completion_tokens_details"]
    assert outputs["reasoning_tokens"] > 0
    assert counted["billed_units"] == 1
    assert sum(inputs.values()) == counted["prompt_tokens"]
    assert sum(outputs.values()) == counted["completion_tokens"]


def test_stop_words_and_the_token_limit_cut_the_answer() -> None:
    """Never down to nothing by a stop word; the limit shows in the finish reason."""
    assert message(ask("x", stop=["answer"]))["content"] == "Here is a scripted "
    assert message(ask("x", stop="Here"))["content"].startswith("Here")
    cut = ask("x", max_tokens=2)
    assert (message(cut)["content"], cut["choices"][0]["finish_reason"]) == ("Here is", "length")


def test_the_same_request_gets_the_same_answer_under_its_own_id() -> None:
    """Deterministic, with the request's model, and with an id that another request does not have."""
    assert ask("x") == ask("x")
    assert ask("x")["model"] == "m"
    assert ask("x")["id"] != ask("y")["id"]


@pytest.mark.parametrize("body", [{"model": "m"}, {"messages": [{"role": "user", "content": "x"}]}])
def test_a_request_without_the_required_fields_is_refused(body: dict[str, Any]) -> None:
    """With a 400, as the API does."""
    assert send(body)[0] == 400
    assert answer_from_schemas(Request("GET", "/api/v1/elsewhere", {}, b"", 1)).status == 404


def test_texts_that_share_words_are_near_in_vectors_and_in_ranks() -> None:
    texts = ["black tea is hot", "tea is hot", "the lighthouse", "灯塔很高", ""]
    status, sent = send({"model": "m", "input": texts, "dimensions": 512}, "/embeddings")
    answer = json.loads(sent)
    assert status == 200
    assert [item["index"] for item in answer["data"]] == [0, 1, 2, 3, 4]
    first, near, far, *_ = [item["embedding"] for item in answer["data"]]
    assert {len(item["embedding"]) for item in answer["data"]} == {512}
    assert sum(x * x for x in first) == pytest.approx(1)
    assert sum(map(float.__mul__, first, near)) > 0.8 > 0.1 > sum(map(float.__mul__, first, far))
    assert answer["usage"]["total_tokens"] == 4 + 3 + 2 + 4
    _, sent = send({"model": "m", "query": "灯塔", "documents": texts, "top_n": 2}, "/rerank")
    assert [(item["index"], item["document"]) for item in json.loads(sent)["results"]] == [
        (3, "灯塔很高"),
        (0, texts[0]),
    ]


def test_a_web_search_finds_as_many_pages_as_are_asked_for() -> None:
    for count, found in ((3, 3), (1, 1), (None, 10)):
        status, sent = send({"model": "m", "prompt": "Tea?", "count": count}, "/web_search")
        results = json.loads(sent)["results"]
        assert status == 200
        assert len({result["link"] for result in results}) == found
        assert results[0]["content"] == "Tea?: see here."


@pytest.mark.parametrize("path", ["/embeddings", "/rerank", "/web_search", "/elsewhere"])
def test_what_makes_no_sense_is_refused_on_every_path(path: str) -> None:
    status, sent = send({"model": "m"}, path)
    assert status == (404 if path == "/elsewhere" else 400)
    assert json.loads(sent)["error"]["message"]
