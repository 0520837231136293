"""Structured output: the ladder of ways to ask for JSON."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from geekai_core.errors import (
    APIConnectionError,
    BadRequestError,
    ConfigurationError,
    ContextOverflowError,
    InvalidResponseError,
)
from geekai_core.request.refusals import refused
from geekai_core.request.structured import (
    Rung,
    needs_instruction,
    repair_messages,
    request_fields,
    rungs,
    schema_instruction,
)
from geekai_core.response.error_bodies import error_from_body

SCHEMA: dict[str, Any] = {
    "title": "Joke",
    "description": "A joke.",
    "type": "object",
    "properties": {"setup": {"type": "string"}, "rating": {"anyOf": [{"$ref": "#/$defs/R"}, {"type": "null"}]}},
    "required": ["setup"],
    "$defs": {"R": {"type": "object", "properties": {"stars": {"type": "integer"}}}},
}


@pytest.mark.parametrize(
    ("method", "thinking", "tools", "expected"),
    [
        (None, False, True, ["json_schema", "function_calling", "json_mode", "prompt"]),
        (None, True, True, ["json_schema", "json_mode", "prompt"]),
        (None, False, False, ["json_schema", "json_mode", "prompt"]),
        ("json_schema", False, True, ["json_schema", "function_calling", "json_mode", "prompt"]),
        ("json_schema", True, True, ["json_schema", "json_mode", "prompt"]),
        ("function_calling", False, True, ["function_calling", "json_mode", "prompt"]),
        ("function_calling", True, False, ["function_calling", "json_mode", "prompt"]),
        ("json_mode", False, True, ["json_mode", "prompt"]),
        ("prompt", False, True, ["prompt"]),
    ],
)
def test_the_ladder_begins_with_what_was_asked_for(
    method: str | None, thinking: bool, tools: bool, expected: list[str]
) -> None:
    assert rungs(method, thinking=thinking, supports_tools=tools) == expected


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="json_schema, function_calling, json_mode, prompt"):
        rungs("yaml", thinking=False, supports_tools=True)


TOOL: Rung = "function_calling"
FEATURE = {"json_schema": "response_format", "function_calling": "tools", "json_mode": "response_format"}
REFUSALS: list[tuple[Rung, str]] = [
    (TOOL, "Thinking mode does not support this tool_choice"),
    (TOOL, "The tool_choice parameter does not support being set to required or object in thinking mode"),
    (TOOL, "Thinking may not be enabled when tool_choice forces tool use."),
    (TOOL, "tool_choice 'specified' is incompatible with thinking enabled"),
    (TOOL, "<400> InternalError.Algo.InvalidParameter: The tool call is not supported."),
    (TOOL, "Only ['glm4-chat', 'qwen-chat'] support tool calls"),
    (TOOL, "Function calling is not enabled for this model"),
    (TOOL, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    (TOOL, "Unsupported param: tools"),
    (TOOL, "该模型不支持工具调用"),
    (TOOL, "当前模型暂不支持函数调用功能"),
    (TOOL, "tool_choice 参数非法。请检查文档。"),
    ("json_schema", "This response_format type is unavailable now"),
    (
        "json_schema",
        "Failed to deserialize the JSON body into the target type: response_format: response_format.type `json_schema`"
        " is unavailable now at line 1 column 1193",
    ),
    ("json_schema", "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
    (
        "json_schema",
        "The parameter `response_format.type` specified in the request are not valid: `json_schema` is not supported"
        " by this model",
    ),
    ("json_schema", "Json mode response is not supported when enable_thinking is true"),
    ("json_schema", "Invalid schema for response_format 'Joke': 'required' is required to be supplied"),
    ("json_schema", "Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field."),
    ("json_schema", "模型不支持 json_schema"),
    ("json_schema", "不支持的返回格式"),
    ("json_mode", "Json mode response is not supported when enable_thinking is true"),
    ("json_mode", "'response_format.type' must be 'json_schema'"),
    ("json_mode", "volcengine does not support parameters: {'response_format': {'type': 'json_object'}}"),
    ("json_mode", "当前模型不支持JSON模式"),
]


@pytest.mark.parametrize(("rung", "words"), REFUSALS)
@pytest.mark.parametrize("status", [400, 422, 200])
def test_a_feature_that_is_refused_leads_to_the_next_rung(rung: Rung, words: str, status: int) -> None:
    """The words are those that vendors were seen to use; a 200 is an error in a good answer's place."""
    error = error_from_body(status, {}, {"error": {"message": words, "code": "invalid_request_error"}})
    assert FEATURE[rung] in refused(error)


def test_the_parameter_that_an_error_names_counts() -> None:
    body = {"error": {"message": "Invalid value: 'json_schema'.", "param": "response_format.type"}}
    assert "response_format" in refused(error_from_body(400, {}, body))


@pytest.mark.parametrize(
    "words",
    [
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 13",
        "messages 参数非法。请检查文档。",
        "top_p参数非法",
        "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
        "Failed to deserialize the JSON body into the target type: messages[1]: unknown variant `image_url`",
        "The parameter `` specified in the request are not valid: we could not parse the JSON body of your request",
        "模型不存在",
        "Invalid temperature",
    ],
)
def test_another_bad_request_is_no_refusal(words: str) -> None:
    """Of a history's reasoning there is a second way of its own."""
    assert refused(error_from_body(400, {}, {"error": {"message": words}})) <= {"reasoning_content"}


@pytest.mark.parametrize("status", [401, 402, 403, 413, 429])
@pytest.mark.parametrize("in_a_good_answers_place", [False, True])
def test_no_other_error_is_a_refusal(status: int, in_a_good_answers_place: bool) -> None:
    body = {"error": {"message": "tools are not supported", "code": status}}
    error = error_from_body(200 if in_a_good_answers_place else status, {}, body)
    assert not refused(error)


@pytest.mark.parametrize("status", [404, 405, 500, 501, 503])
def test_a_feature_that_is_refused_with_an_odd_status_is_refused_all_the_same(status: int) -> None:
    assert refused(error_from_body(status, {}, {"error": {"message": "No endpoints found that support tool use"}}))


@pytest.mark.parametrize(
    "error",
    [
        ContextOverflowError("tools are not supported: too long", status_code=400),
        APIConnectionError("tools are not supported"),
        ValueError("tools are not supported"),
        KeyboardInterrupt("tools are not supported"),
    ],
)
def test_overflow_and_foreign_errors_are_no_refusal(error: BaseException) -> None:
    assert not refused(error)


def test_a_frameworks_subclass_of_an_error_is_judged_alike() -> None:
    class MappedError(BadRequestError, ValueError):
        pass

    assert refused(MappedError("tools are not supported", status_code=400)) == {"tools"}


def test_each_rung_sends_its_fields() -> None:
    described = {"name": "Joke", "description": "A joke."}
    assert request_fields("json_schema", SCHEMA, "Joke") == {
        "response_format": {"type": "json_schema", "json_schema": {**described, "schema": SCHEMA}}
    }
    assert request_fields("function_calling", SCHEMA, "Joke", strict=False) == {
        "tools": [{"type": "function", "function": {**described, "parameters": SCHEMA, "strict": False}}],
        "tool_choice": {"type": "function", "function": {"name": "Joke"}},
    }
    assert request_fields("function_calling", SCHEMA, "Joke", thinking=True)["tool_choice"] == "auto"
    assert request_fields("json_mode", SCHEMA, "Joke") == {
        "json_mode": True,
        "response_format": {"type": "json_object"},
    }
    assert request_fields("prompt", SCHEMA, "Joke") == {}


def test_the_prompt_says_the_schema_where_no_field_forces_it() -> None:
    assert [needs_instruction(rung) for rung in ("json_schema", "function_calling", "json_mode", "prompt")] == [
        False,
        False,
        True,
        True,
    ]
    assert needs_instruction("function_calling", thinking=True)
    text = schema_instruction({"type": "object", "properties": {"城市": {"type": "string"}}})
    assert "JSON" in text
    assert "城市" in text


@pytest.mark.parametrize(
    ("name", "wire"),
    [("Box[int]", "Box_int"), ("笑话", "answer"), ("a.b c", "a_b_c"), ("x" * 80, "x" * 64), ("", "answer")],
)
def test_any_name_becomes_one_that_the_wire_allows(name: str, wire: str) -> None:
    fields = request_fields("function_calling", {}, name)
    assert fields["tools"][0]["function"]["name"] == fields["tool_choice"]["function"]["name"] == wire


def test_strict_closes_every_object_in_a_copy() -> None:
    before = json.dumps(SCHEMA)
    sent = request_fields("json_schema", SCHEMA, "Joke", strict=True)["response_format"]["json_schema"]
    assert sent["strict"] is True
    assert sent["schema"]["required"] == ["setup", "rating"]
    assert sent["schema"]["additionalProperties"] is False
    assert sent["schema"]["$defs"]["R"]["additionalProperties"] is False
    assert json.dumps(SCHEMA) == before
    odd = {"type": "object", "properties": {"properties": {"type": "string"}}}
    assert request_fields("json_schema", odd, "J", strict=True)["response_format"]["json_schema"]["schema"] == {
        **odd,
        "additionalProperties": False,
        "required": ["properties"],
    }


class Joke(BaseModel):
    setup: str
    stars: int


def test_a_repair_says_what_was_wrong_and_leaves_the_messages_alone() -> None:
    messages = [{"role": "user", "content": "A joke, please."}]
    with pytest.raises(ValidationError) as caught:
        Joke.model_validate({"stars": "many"})
    repaired = repair_messages(messages, '{"stars": "many"}', caught.value, SCHEMA)
    assert messages == [{"role": "user", "content": "A joke, please."}]
    assert repaired[:2] == [*messages, {"role": "assistant", "content": '{"stars": "many"}'}]
    assert repaired[2]["role"] == "user"
    assert "setup: Field required; stars: Input should be a valid integer" in repaired[2]["content"]
    assert schema_instruction(SCHEMA) in repaired[2]["content"]
    assert "https://" not in repaired[2]["content"]


def test_a_repair_of_an_empty_answer_sends_no_empty_message() -> None:
    assert [m["role"] for m in repair_messages([], " ", InvalidResponseError("no JSON"), SCHEMA)] == ["user"]
    assert len(repair_messages([], "x", "y" * 10_000, SCHEMA)[1]["content"]) < 4_000
