"""Tool calls in every way that servers cut and number them."""

from __future__ import annotations

import json

from geekai_testing.replies import Json, delta, tool_call
from tests.core.stream_case import STOP, Case

CALLS = delta(finish_reason="tool_calls")


def call(name: str, arguments: str, id: str) -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


WEATHER = [call("weather", '{"city": "上海"}', "c1")]
TWO = [call("weather", '{"city": "上海"}', "c1"), call("time", "{}", "c2")]


def tools(*pieces: Json) -> Json:
    return delta(None, tool_calls=list(pieces))


TOOL_CASES = [
    Case(
        "a call by index, in pieces",
        [
            tools(tool_call("weather", "", id="c1", index=0)),
            tools(tool_call(arguments='{"city": ', index=0)),
            tools(tool_call(arguments='"上海"}', index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER, "content": None},
    ),
    Case(
        "two calls by index, crosswise",
        [
            tools(tool_call("weather", "", id="c1", index=0), tool_call("time", "", id="c2", index=1)),
            tools(tool_call(arguments="{}", index=1)),
            tools(tool_call(arguments='{"city": "上海"}', index=0)),
            CALLS,
        ],
        {"tool_calls": TWO},
    ),
    Case(
        "without an index, by id",
        [
            tools(tool_call("weather", '{"city": ', id="c1")),
            tools(tool_call(arguments='"上海"}', id="c1")),
            tools(tool_call("time", "{}", id="c2")),
            CALLS,
        ],
        {"tool_calls": TWO},
    ),
    Case(
        "without an index, the later pieces without an id",
        [tools(tool_call("weather", '{"city": ', id="c1")), tools(tool_call(arguments='"上海"}')), CALLS],
        {"tool_calls": WEATHER},
    ),
    Case(
        "all with index 0 and new ids",
        [
            tools(tool_call("weather", '{"city": "上海"}', id="c1", index=0)),
            tools(tool_call("time", "{}", id="c2", index=0)),
            CALLS,
        ],
        {"tool_calls": TWO},
    ),
    Case(
        "index 0 and a new id, whose pieces follow under index 0",
        [
            tools(tool_call("weather", '{"city": "上海"}', id="c1", index=0)),
            tools(tool_call("time", "{", id="c2", index=0)),
            tools(tool_call(arguments="}", index=0)),
            CALLS,
        ],
        {"tool_calls": TWO},
    ),
    Case(
        "id and name repeated with each piece",
        [
            tools(tool_call("weather", '{"city": ', id="c1", index=0)),
            tools(tool_call("weather", '"上海"}', id="c1", index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    Case(
        "id and name in pieces",
        [
            tools(tool_call("wea", id="c", index=0)),
            tools(tool_call(id="1", index=0)),
            tools(tool_call("ther", index=0)),
            tools(tool_call(arguments='{"city": "上海"}', index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    Case(
        "id and name growing",
        [
            tools(tool_call("wea", id="c", index=0)),
            tools(tool_call("weather", '{"city": "上海"}', id="c1", index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    Case(
        "arguments null and empty",
        [
            tools(tool_call("weather", None, id="c1", index=0)),
            tools(tool_call(arguments="", index=0)),
            tools(tool_call(arguments='{"city": "上海"}', index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    Case(
        "arguments as an object, sent again",
        [
            tools({"index": 0, "id": "c1", "function": {"name": "weather", "arguments": {"city": "上海"}}}),
            tools({"index": 0, "id": "c1", "function": {"name": "weather", "arguments": {"city": "上海"}}}),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    Case(
        "two calls without index or id, whole",
        [
            tools({"function": {"name": "weather", "arguments": {"city": "上海"}}}),
            tools({"function": {"name": "time", "arguments": {}}}),
            CALLS,
        ],
        {"tool_calls.0.function": WEATHER[0]["function"], "tool_calls.1.function": TWO[1]["function"]},
    ),
    Case(
        "two calls of one tool without index or id, as text",
        [
            tools({"function": {"name": "time", "arguments": "{"}}),
            tools({"function": {"arguments": "}"}}),
            tools({"function": {"name": "time", "arguments": "{}"}}),
            CALLS,
        ],
        {"tool_calls.0.function.arguments": "{}", "tool_calls.1.function.arguments": "{}"},
    ),
    Case(
        "a call that is no list, with fields of its own",
        [
            delta(
                extra={
                    "tool_calls": {"id": "c1", "type": "custom", "mark": 7, "function": {"name": "f", "arguments": ""}}
                }
            ),
            CALLS,
        ],
        {"tool_calls": [{"mark": 7, "id": "c1", "type": "custom", "function": {"name": "f", "arguments": ""}}]},
    ),
    Case("a call without a function is none", [tools({"id": "c1", "index": 0}), STOP], {"tool_calls": None}),
    Case(
        "two calls of two tools under one index, with empty ids",
        [
            tools(tool_call("weather", '{"city": "上海"}', id="", index=0), tool_call("time", "{}", id="", index=0)),
            CALLS,
        ],
        {"tool_calls.0.function": WEATHER[0]["function"], "tool_calls.1.function": TWO[1]["function"]},
    ),
    Case(
        "one tool twice, without ids",
        [tools(tool_call("time", "{}", index=0)), tools(tool_call("time", '{"zone": "CET"}', index=0)), CALLS],
        {"tool_calls.0.function.arguments": "{}", "tool_calls.1.function.arguments": '{"zone": "CET"}'},
    ),
    Case(
        "a name while the arguments are open",
        [
            tools(tool_call("weather", '{"city": "上海"', id="c1", index=0)),
            tools(tool_call("null", "}", id="", index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    Case(
        "a new id with each piece",
        [
            tools(tool_call("weather", "", id="c1", index=0)),
            tools(tool_call(arguments='{"city": ', id="c2", index=0)),
            tools(tool_call(arguments='"上海"}', id="c3", index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    Case(
        "a piece of nulls beside each text",
        [
            delta(text, tool_calls=[{"index": 0, "id": None, "function": {"name": None, "arguments": None}}])
            for text in "好的"
        ]
        + [STOP],
        {"content": "好的", "tool_calls": None},
    ),
    *(
        Case(
            f"arguments that come as {' then '.join(pieces)}",
            [tools(tool_call("weather", "", id="c1", index=0))]
            + [tools(tool_call(arguments=piece, index=0)) for piece in pieces]
            + [CALLS],
            {"tool_calls": WEATHER},
        )
        for pieces in (
            ["{}", '{"city": "上海"}'],
            ["null", '{"city": ', '"上海"}'],
            ['{"city": ', '"上海"}', '{"city": "上海"}'],
            ['{"city": "上海"}'] * 3,
            ['{"city": "上海"}', '{"city": ', '"上海"}'],
            ['{"city": ', '{"city": "上', '{"city": "上海"', '{"city": "上海"}'],
            ['{"ci', '{"city": "上海"}'],
            ['{"city": ', '"上海"}', "}"],
        )
    ),
    Case(
        "arguments encoded twice",
        [
            tools(tool_call("weather", json.dumps('{"city": "上')[:-1], id="c1", index=0)),
            tools(tool_call(arguments=json.dumps('海"}')[1:], index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    *(
        Case(
            f"arguments that are {spelt!r}: none",
            [tools(tool_call("time", spelt, id="c2", index=0)), CALLS],
            {"tool_calls": TWO[1:]},
        )
        for spelt in ("null", '"null"', "[]", '"[]"', [], {})
    ),
    Case(
        "what a vendor adds to a call, in pieces",
        [
            tools(tool_call("weather", "", id="c1", index=0) | {"signature": "ab"}),
            tools(tool_call(arguments='{"city": "上海"}', index=0) | {"signature": "cd", "extra": {"x": [1]}}),
            tools({"index": 0, "extra": {"x": [2]}}),
            CALLS,
        ],
        {"tool_calls": [WEATHER[0] | {"signature": "abcd", "extra": {"x": [1, 2]}}]},
    ),
    Case(
        "a call whose name comes last",
        [
            tools(tool_call(arguments='{"city": ', id="c1", index=0)),
            tools(tool_call("weather", '"上海"}', index=0)),
            CALLS,
        ],
        {"tool_calls": WEATHER},
    ),
    Case("no calls", [delta("好", tool_calls=[]), STOP], {"content": "好"}),
    Case(
        "text beside a call",
        [delta("好", tool_calls=[tool_call("f", "{}", id="c1", index=0)]), CALLS],
        {"content": "好"},
    ),
]
