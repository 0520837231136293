"""Single fields that some models refuse, left out the second time."""

from __future__ import annotations

from typing import Any

from tests.parity.form import CLOCK, HELLO, MAY_WARN, WEATHER, Check, Wish, made, refuses, says
from tests.parity.refusals import CALLS, LYON, ONE, TOOLS

BOTH = {"calls": [("weather", {"city": "Lyon"}), ("clock", {"zone": "CET"})]}
TWO_CALLS = says(None, calls=[made("weather", LYON), made("clock", '{"zone": "CET"}', "c2")])
TWO_TOOLS = {"tools": [WEATHER.wire(), CLOCK.wire()]}


def left_out(name: str, words: str, parallel: bool, status: int = 400) -> Wish:
    """`parallel_tool_calls` refused: left out, and at once when the model is asked again."""
    return Wish(
        name=name,
        tools=[WEATHER, CLOCK],
        parallel=parallel,
        times=2,
        replies=[refuses(words, status), TWO_CALLS, TWO_CALLS],
        sends=[{**TWO_TOOLS, "parallel_tool_calls": parallel}, TWO_TOOLS, TWO_TOOLS],
        gives=BOTH if parallel else ONE,
        warns=MAY_WARN,
    )


PARALLEL = [
    *(
        left_out(f"parallel calls: {words}", words, parallel)
        for words, parallel in (
            ("Unsupported parameter: 'parallel_tool_calls' is not supported with this model.", True),
            ("Unknown parameter: 'parallel_tool_calls'.", True),
            ("parallel_tool_calls: Extra inputs are not permitted", False),
            ("参数 parallel_tool_calls 不支持", False),
            ("parallel function calling is not supported by this model", False),
            ('json: unknown field "parallel_tool_calls"', False),
            ("parallelToolCalls is not supported", False),
        )
    ),
    left_out("parallel calls: 422", "unexpected keyword parallel_tool_calls", True, 422),
    Wish(
        name="parallel calls that nobody asked for",
        tools=[WEATHER],
        replies=[CALLS],
        sends=[{"tools": TOOLS}],
        gives=ONE,
    ),
    Wish(
        name="the model's parallel_tool_calls",
        fields={"parallel_tool_calls": False},
        tools=[WEATHER, CLOCK],
        replies=[TWO_CALLS],
        sends=[{**TWO_TOOLS, "parallel_tool_calls": False}],
        gives=ONE,
    ),
    # LlamaIndex's agents say True by themselves, so what the model object says wins there.
    Wish(
        name="the model's parallel_tool_calls wins over an agent's default",
        fields={"parallel_tool_calls": False},
        tools=[WEATHER, CLOCK],
        parallel=True,
        replies=[TWO_CALLS],
        sends=[{**TWO_TOOLS, "parallel_tool_calls": False}],
        gives=ONE,
        sides=["li"],
    ),
]


LIMIT = {"max_completion_tokens": 9, "max_tokens": 9}


def limited(name: str, words: str, second: Any, status: int = 400) -> Wish:
    """A token limit under both names, one of them refused."""
    return Wish(
        name=name,
        fields={"max_tokens": 9},
        times=2,
        replies=[refuses(words, status), HELLO, HELLO],
        sends=[LIMIT, second, second],
        warns=MAY_WARN,
    )


ONE_NAME = Check("a body with the limit under one name", lambda body: len({*LIMIT} & {*body}) == 1)
LIMITS = [
    Wish(name="a token limit at a host that is not GeekAI's", fields={"max_tokens": 9}, sends=[LIMIT]),
    Wish(name="a token limit of the call", call={"max_completion_tokens": 9}, sends=[LIMIT]),
    limited(
        "max_tokens refused",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        {"max_completion_tokens": 9},
    ),
    limited(
        "max_completion_tokens refused", "max_completion_tokens: Extra inputs are not permitted", {"max_tokens": 9}
    ),
    limited(
        "max_completion_tokens refused, with advice",
        "max_completion_tokens is not supported by this model; please use `max_tokens`",
        {"max_tokens": 9},
    ),
    limited(
        "max_tokens refused in Chinese", "不支持 max_tokens，请使用 max_completion_tokens", {"max_completion_tokens": 9}
    ),
    limited(
        "max_tokens deprecated",
        "max_tokens is deprecated in favor of max_completion_tokens",
        {"max_completion_tokens": 9},
    ),
    limited("max_completion_tokens refused: 422", "unknown field `max_completion_tokens`", {"max_tokens": 9}, 422),
    limited(
        "both names refused together",
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        ONE_NAME,
    ),
    *(
        limited(f"both names refused together: {words}", words, ONE_NAME)
        for words in (
            "max_tokens and max_completion_tokens cannot both be set",
            "only one of max_tokens, max_completion_tokens can be specified",
        )
    ),
    *(
        Wish(
            name=f"a token limit whose value is refused: {words}",
            fields={"max_tokens": 9},
            replies=[refuses(words)],
            sends=[LIMIT],
            gives={"error": "BadRequestError"},
        )
        for words in (
            "max_tokens is too large: 9. This model supports at most 8 completion tokens",
            "Range of max_tokens should be [1, 8]",
            "Invalid max_tokens value, the valid range of max_tokens is [1, 8]",
            "max_completion_tokens: Input should be greater than or equal to 16",
        )
    ),
]


def json_mode(name: str, words: str, status: int = 400) -> Wish:
    both = {"json_mode": True, "response_format": {"type": "json_object"}}
    alone = {"response_format": {"type": "json_object"}}
    return Wish(
        name=name,
        fields={"json_mode": True},
        times=2,
        replies=[refuses(words, status), says("{}"), says("{}")],
        sends=[both, alone, alone],
        gives={"text": "{}"},
        warns=MAY_WARN,
    )


JSON_MODE = [
    json_mode("json_mode as an extra field", "json_mode: Extra inputs are not permitted"),
    json_mode("json_mode as an unknown argument", "Unrecognized request argument supplied: json_mode"),
    json_mode("json_mode as an unexpected field: 422", "Unexpected field: json_mode", 422),
]

WISHES = [*PARALLEL, *LIMITS, *JSON_MODE]

NOT_YET: dict[str, str] = {}
