"""Requests that some models refuse, and the second way, plain calls and tools.

What a model refused is remembered per base URL and model: `times=2` asks again by a new object.
"""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import delta
from tests.parity.form import (
    FORCED,
    HELLO,
    MAY_WARN,
    STREAMED,
    WEATHER,
    WHOLE,
    Check,
    Json,
    Tool,
    Wish,
    made,
    refuses,
    says,
    streams,
    takes,
)

LYON = '{"city": "Lyon"}'
CALLS = says(None, calls=[made("weather", LYON)])
ONE: dict[str, Any] = {"calls": [("weather", {"city": "Lyon"})]}
TOOLS = [WEATHER.wire()]
OFFERED = {"tools": TOOLS, "tool_choice": "auto"}


def forced(name: str, words: str, *, choice: Any = "weather", status: int = 400, **fields: Any) -> Wish:
    """A forced tool that is refused, then offered, and offered at once when the model is asked again."""
    sent = {"tools": TOOLS, "tool_choice": FORCED if choice == "weather" else choice}
    return Wish(
        **{
            "name": name,
            "tools": [WEATHER],
            "choice": choice,
            "times": 2,
            "replies": [refuses(words, status), CALLS, CALLS],
            "sends": [sent, OFFERED, OFFERED],
            "gives": ONE,
            "warns": MAY_WARN,
            **fields,
        }
    )


FORCING = [
    *(
        forced(f"a forced tool: {words}", words)
        for words in (
            "Thinking mode does not support this tool_choice",
            "The tool_choice parameter does not support being set to required or object in thinking mode",
            "Thinking may not be enabled when tool_choice forces tool use.",
            "tool_choice 'specified' is incompatible with thinking enabled",
            "deepseek-reasoner does not support this tool_choice",
            "tool_choice 参数非法。请检查文档。",
            "思考模式不支持 tool_choice",
            "tool_choice is disabled for this deployment",
            "The provided tool_choice isn't valid for this model",
            "When using thinking mode, tool_choice must be 'auto' or 'none'",
            "tool_choice 仅支持 auto",
        )
    ),
    Wish(
        name="a forced tool, in the words of an upstream behind OpenRouter",
        tools=[WEATHER],
        choice="weather",
        replies=[
            refuses(
                "Provider returned error", metadata={"raw": '{"error": {"message": "tool_choice is not allowed"}}'}
            ),
            CALLS,
        ],
        sends=[{"tools": TOOLS, "tool_choice": FORCED}, OFFERED],
        gives=ONE,
        warns=MAY_WARN,
    ),
    forced("a required tool", "Thinking mode does not support this tool_choice", choice="required"),
    forced("a forced tool of an enum: 422", "tool_choice: Input should be 'auto', 'none' or 'any'", status=422),
    forced(
        "a forced tool by a server in Go",
        "json: cannot unmarshal object into Go struct field ChatRequest.tool_choice of type string",
    ),
    forced(
        "a forced tool by a server that answers 500",
        "tool_choice: unsupported value",
        status=500,
        fields={"max_retries": 1},
    ),
    forced(
        "a forced tool by a gateway that answers 502",
        "upstream: tool_choice must be one of 'auto', 'none'",
        status=502,
        fields={"max_retries": 1},
    ),
    Wish(
        name="words of a server that is busy name no field that has a second way",
        tools=[WEATHER],
        fields={"max_retries": 1},
        replies=[refuses("function calling is unavailable, come back later", 503, headers={"retry-after": "0"}), CALLS],
        sends=[{"tools": TOOLS}] * 2,
        gives=ONE,
    ),
    Wish(
        name="a forced tool while thinking is offered at once",
        fields={"enable_thinking": True},
        tools=[WEATHER],
        choice="weather",
        replies=[CALLS],
        sends=[{"enable_thinking": True, **OFFERED}],
        gives=ONE,
        warns=MAY_WARN,
    ),
    Wish(
        name="a required tool with an effort is offered at once",
        fields={"reasoning_effort": "high"},
        tools=[WEATHER],
        choice="required",
        replies=[CALLS],
        sends=[{"enable_thinking": True, "thinking": {"reasoning_effort": "high"}, **OFFERED}],
        gives=ONE,
        warns=MAY_WARN,
    ),
    Wish(
        name="another bad request is no refusal of a forced tool",
        tools=[WEATHER],
        choice="weather",
        replies=[refuses("top_p参数非法")],
        sends=[{"tools": TOOLS, "tool_choice": FORCED}],
        gives={"error": "BadRequestError"},
    ),
    Wish(
        name="a server that is down is no refusal, whatever its words",
        tools=[WEATHER],
        choice="weather",
        fields={"max_retries": 1},
        replies=[refuses("upstream overloaded", 503, headers={"retry-after": "0"}), CALLS],
        sends=[{"tools": TOOLS, "tool_choice": FORCED}] * 2,
        gives=ONE,
    ),
]


def only_streams(words: str, status: int = 400) -> Wish:
    """A whole request that is asked again as a stream, answered whole, and asked so at once the next time."""
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    return Wish(
        name=f"a model that only streams: {words}",
        times=2,
        replies=[refuses(words, status), HELLO, HELLO],
        sends=[{}, streamed, streamed],
        ways=WHOLE,
        warns=MAY_WARN,
    )


STREAMING = [
    *(
        only_streams(words)
        for words in (
            "This model only support stream mode, please enable the stream parameter to access the model.",
            "parameter.enable_thinking must be set to false for non-streaming calls: must set stream to true",
            "Stream must be set to true",
            "该模型仅支持流式输出",
            "Non-streaming calls are not supported by this model",
            "当前模型不支持非流式调用",
            "This model requires streaming: set stream=true",
            "This model does not support non-stream output",
            "stream=False is not allowed",
            "该模型只能使用流式方式调用",
        )
    ),
    only_streams("stream=false is not supported, must set stream to true", 500),
    Wish(
        name="a model that only streams, and knows no stream_options",
        times=2,
        replies=[refuses("Stream must be set to true"), refuses("unknown field `stream_options`"), HELLO, HELLO],
        sends=[
            {},
            {"stream": True, "stream_options": {"include_usage": True}},
            {"stream": True},
            {"stream": True},
        ],
        ways=WHOLE,
    ),
    Wish(
        name="a model that only streams, without usage",
        fields={"stream_usage": False},
        replies=[refuses("Stream must be set to true"), HELLO],
        sends=[{}, {"stream": True}],
        ways=WHOLE,
    ),
    Wish(
        name="a model that only streams, with a tool",
        tools=[WEATHER],
        replies=[refuses("This model only supports stream mode"), CALLS],
        sends=[{"tools": TOOLS}, {"tools": TOOLS, "stream": True, "stream_options": {"include_usage": True}}],
        gives=ONE,
        ways=WHOLE,
        warns=MAY_WARN,
    ),
]

NESTED: Json = {
    "type": "object",
    "properties": {
        "where": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["city"],
        },
        "days": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    },
    "required": ["where"],
}


def closed(shape: Any) -> bool:
    """Whether every object within a schema allows no further keys and requires all of its own."""
    if isinstance(shape, list):
        return all(closed(one) for one in shape)
    if not isinstance(shape, dict):
        return True
    properties = shape.get("properties") if shape.get("type") == "object" else None
    if isinstance(properties, dict) and not (
        shape.get("additionalProperties") is False and {*shape.get("required", [])} == {*properties}
    ):
        return False
    return all(closed(one) for one in shape.values())


CLOSED = Check(
    "a strict tool whose objects are all closed", lambda body: closed(body["tools"][0]["function"]["parameters"])
)
STRICT = [
    Wish(name="a strict tool with nested objects", tools=[Tool("plan", "Plans.", NESTED)], strict=True, sends=[CLOSED]),
    Wish(
        name="a strict tool with an optional field",
        tools=[Tool("plan", "Plans.", {**takes(city="string", day="string"), "required": ["city"]})],
        strict=True,
        sends=[CLOSED],
    ),
]

# Errors behind which there is no second way, or whose words come within a stream.
ENDS = [
    Wish(
        name="a refusal within a stream's first event",
        tools=[WEATHER],
        choice="weather",
        replies=[
            streams({"error": {"message": "Thinking mode does not support this tool_choice", "code": 400}}, finish=...),
            CALLS,
        ],
        sends=[{"tools": TOOLS, "tool_choice": FORCED}, OFFERED],
        gives=ONE,
        ways=STREAMED,
        warns=MAY_WARN,
    ),
    Wish(
        name="an error behind a stream's first text is no refusal",
        tools=[WEATHER],
        choice="weather",
        replies=[
            streams(delta("Hel"), {"error": {"message": "this tool_choice is not supported", "code": 400}}, finish=...)
        ],
        sends=[{"tools": TOOLS, "tool_choice": FORCED}],
        gives={"error": "BadRequestError", "partial": "Hel"},
        ways=STREAMED,
    ),
]

WISHES = [*FORCING, *STREAMING, *STRICT, *ENDS]

NOT_YET: dict[str, str] = {}
