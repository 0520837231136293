"""The arguments of tool calls, whole answers' lists of them, and what is no call.

Each entry of a whole message's list is a call of its own. Only what is read strictly as a JSON object is a call.
"""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import delta
from tests.parity.calls import CET, LYON, ONE, TWO, p, pieces
from tests.parity.form import STREAMED, WHOLE, Check, Wish, body, made, says, streams

NO_ARGUMENTS: dict[str, Any] = {"calls": [("f", {})]}


def whole(name: str, *calls: Any, gives: Any = None, text: Any = None, finish: Any = ...) -> Wish:
    """A whole answer with this list of calls."""
    gives = ONE if gives is None else gives
    return Wish(name=name, replies=[says(text, calls=calls, finish=finish)], gives=gives, ways=WHOLE)


def _arguments(name: str, arguments: Any, gives: Any, finish: str = "tool_calls") -> Wish:
    """One call with these arguments, whole and streamed at once."""
    one = made("f", arguments)
    return Wish(name=name, replies=[says(None, calls=[one], finish=finish)], gives=gives)


AB: dict[str, Any] = {"calls": [("f", {"a": "b"})]}
INVALID: dict[str, Any] = {"invalid": ["f"], "why": Check("a reason", bool)}
TWICE = '"{\\"a\\": \\"b\\"}"'
ARGUMENTS = [
    *(
        _arguments(f"arguments {given!r}", given, NO_ARGUMENTS)
        for given in (..., None, "null", "[]", [], "", "  \n", " null ", {}, "{ }")
    ),
    _arguments("arguments as an object", {"a": "b"}, AB),
    # Arguable: servers are known that close an object once too often, and nothing else can be meant.
    _arguments("arguments with one brace too much", '{"a": "b"}}', AB),
    _arguments("arguments encoded twice", TWICE, AB),
    _arguments("arguments encoded twice, with blanks around", f" {TWICE}\n", AB),
    _arguments(
        "arguments encoded twice, in Chinese", '"{\\"城市\\": \\"北京\\"}"', {"calls": [("f", {"城市": "北京"})]}
    ),
    Wish(
        name="arguments encoded twice, in pieces",
        replies=[pieces(p(0, "c1", "f", TWICE[:6]), p(0, ..., ..., TWICE[6:]))],
        gives=AB,
        ways=STREAMED,
    ),
    *(
        _arguments(f"arguments {given!r} are no object", given, INVALID)
        for given in (
            '{"a": ',
            "{'a': 1}",
            "[1]",
            "5",
            '"b"',
            "true",
            "{a: 1}",
            '{"a": 1} as you wished',
            '{"a": 1, }',
            '{"a": NaN}',
            '{"a": 1e999}',
            '{"a": "b"}{"c": "d"}',
            '[{"a": "b"}]',
            [{"a": "b"}],
            '{"a": "b"} // done',
            "None",
            "undefined",
            False,
            0,
        )
    ),
    *(
        _arguments(f"the arguments {given!r}", given, AB)
        for given in (
            '{"a": "b"}{"a": "b"}',
            '{}{"a": "b"}',
            'null{"a": "b"}',
            '{"a": "x", "a": "b"}',
            '"\\"{\\\\\\"a\\\\\\": \\\\\\"b\\\\\\"}\\""',
        )
    ),
    _arguments("arguments with a line break in a text", '{"a": "b\nc"}', {"calls": [("f", {"a": "b\nc"})]}),
    _arguments("arguments with half a surrogate pair", '{"a": "\\ud83d"}', {"calls": [("f", {"a": "\ufffd"})]}),
]

ENTRIES = [
    whole("two entries with one id", made("weather", LYON, "c1"), made("clock", CET, "c1"), gives=TWO),
    whole(
        "two entries of one tool with one id",
        made("weather", LYON, "c1"),
        made("weather", '{"city": "Oslo"}', "c1"),
        gives={"calls": [("weather", {"city": "Lyon"}), ("weather", {"city": "Oslo"})]},
    ),
    whole(
        "two entries without ids, the first without arguments",
        made("f", ..., None),
        made("clock", CET, None),
        gives={"calls": [("f", {}), ("clock", {"zone": "CET"})]},
    ),
    whole(
        "two entries of one tool without ids, the first with empty arguments",
        made("weather", "{}", None),
        made("weather", LYON, None),
        gives={"calls": [("weather", {}), ("weather", {"city": "Lyon"})]},
    ),
    whole(
        "two entries under index 0",
        {"index": 0, **made("weather", LYON, "c1")},
        {"index": 0, **made("clock", CET, "c2")},
        gives={**TWO, "ids": ["c1", "c2"]},
    ),
    *(
        whole(f"{what} entry", {"id": "a", "type": kind, "name": "weather", name: {"city": "Lyon"}})
        for what, kind, name in (
            ("a flat", "function", "arguments"),
            ("Anthropic's", "tool_use", "input"),
            ("LangChain's", "tool_call", "args"),
        )
    ),
    whole(
        "an entry with parameters in its function",
        {"id": "a", "type": "function", "function": {"name": "weather", "parameters": {"city": "Lyon"}}},
    ),
    whole("a name with blanks around it", made(" weather ", LYON)),
    whole(
        "an entry that cannot run beside one that can",
        made("f", '{"a', "c1"),
        made("weather", LYON, "c2"),
        gives={**ONE, **INVALID},
    ),
]

_NONE: dict[str, Any] = {
    "without a function": [{"id": "", "type": "function"}],
    "of nothing": [{}],
    "of null": [None],
    "without a name": [{"id": "c1", "type": "function", "function": {"arguments": "{}"}}],
    "with a blank name": [made("", "{}")],
    "with a null name": [made(None, "{}")],
    "whose function is null": [{"id": "c1", "type": "function", "function": None}],
}
NO_CALLS = [
    *(
        Wish(
            name=f"an entry {name} beside a text",
            replies=[says("Hello.", calls=entries, finish="stop", pieces=[delta("Hello.", tool_calls=entries)])],
        )
        for name, entries in _NONE.items()
    ),
    *(
        Wish(
            name=f"tool_calls {value!r} beside a text",
            replies=[says("Hello.", extra={"tool_calls": value}, finish="stop")],
        )
        for value in ({}, [], "", False, "[]", 5, True, "null", ["x"], [[]])
    ),
    *(
        Wish(
            name=f"a piece {piece!r} beside each text",
            replies=[streams(*(delta(text, tool_calls=[piece]) for text in ("Hel", "lo.")), finish="stop")],
            ways=STREAMED,
        )
        for piece in (
            {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": None}},
            {"index": 0, "id": "", "type": "function", "function": {"name": "", "arguments": ""}},
            {"index": 0},
            {"function": {}},
        )
    ),
]

PLAN = '{"path": "plan.md", "body": "Step one: wa'
CUT: dict[str, Any] = {
    "invalid": ["f"],
    "finish": "length",
    "why": Check("words on the token limit", lambda why: "token" in why),
}
CUTS = [
    _arguments("arguments that the token limit cut", PLAN, CUT, "length"),
    _arguments("arguments that the token limit cut at their first brace", "{", CUT, "length"),
    # A call that was cut before its arguments would run on its defaults.
    _arguments("arguments that the token limit left empty", "", CUT, "length"),
    _arguments("arguments that the token limit did not touch", '{"a": "b"}', {**AB, "finish": "length"}, "length"),
    Wish(
        name="arguments that the token limit cut, in pieces",
        replies=[
            pieces(p(0, "c1", "f", PLAN[:9]), p(0, ..., ..., PLAN[9:20]), p(0, ..., ..., PLAN[20:]), finish="length")
        ],
        gives=CUT,
        ways=STREAMED,
    ),
    Wish(
        name="the second of two calls cut by the token limit",
        replies=[says(None, calls=[made("weather", LYON, "c1"), made("f", PLAN, "c2")], finish="length")],
        gives={**CUT, **ONE},
    ),
    *(
        _arguments(f"arguments that were cut, by {word}", PLAN, {**CUT, "finish": word}, word)
        for word in ("max_tokens", "MAX_TOKENS")
    ),
    *(
        _arguments(f"arguments that were broken off, by {word}", PLAN, {**INVALID, "finish": word}, word)
        for word in ("content_filter", "stop")
    ),
    _arguments("arguments null at the token limit", None, CUT, "length"),
    *(
        Wish(name=name, replies=[pieces(*given, finish="length")], gives={**gives, "finish": "length"}, ways=STREAMED)
        for name, given, gives in (
            ("a second call cut before its arguments", (p(0, "a", "weather", LYON), p(1, "b", "f")), {**ONE, **CUT}),
            ("a second call cut before its name", (p(0, "a", "weather", LYON), p(1, "b")), ONE),
            (
                "cumulative arguments that the token limit cut",
                (p(0, "a", "f", PLAN[:9]), p(0, "a", "f", PLAN[:20]), p(0, "a", "f", PLAN)),
                CUT,
            ),
        )
    ),
    Wish(
        name="a finish reason at each piece of a call",
        replies=[
            streams(
                *(
                    delta(tool_calls=[one], finish_reason="tool_calls")
                    for one in (p(0, "a", "weather", LYON[:4]), p(0, ..., ..., LYON[4:8]), p(0, ..., ..., LYON[8:]))
                ),
                finish=...,
            )
        ],
        gives=ONE,
        ways=STREAMED,
    ),
    Wish(
        name="a finish reason ahead of the last piece",
        replies=[
            streams(
                delta(tool_calls=[p(0, "a", "weather", LYON[:8])], finish_reason="length"),
                delta(tool_calls=[p(0, ..., ..., LYON[8:])]),
                finish=...,
            )
        ],
        gives={**ONE, "finish": "length"},
        ways=STREAMED,
    ),
    Wish(
        name="text before a call that the token limit cut",
        replies=[says("I write it.", calls=[made("f", PLAN)], finish="length")],
        gives={**CUT, "text": "I write it."},
    ),
]

OTHERS = [
    Wish(
        name="calls that are no list",
        replies=[says(None, extra={"tool_calls": made("weather", LYON)}, finish="tool_calls")],
        gives=ONE,
    ),
    Wish(
        name="calls in a body of another kind of finish",
        replies=[says(None, calls=[made("weather", LYON)], finish="stop")],
        gives={**ONE, "finish": "stop"},
    ),
    *(
        Wish(
            name=f"the old function_call {value!r} beside a text",
            replies=[says("Hello.", extra={"function_call": value}, finish="stop")],
        )
        for value in ({}, {"name": "", "arguments": ""}, {"name": None, "arguments": None})
    ),
    Wish(
        name="a finish reason of calls without any",
        replies=[says("Hello.", finish="tool_calls")],
        gives={"text": "Hello.", "finish": "tool_calls"},
    ),
    Wish(
        name="a call in a whole answer to a streamed request",
        replies=[
            body({"choices": [{"message": {"tool_calls": [made("weather", LYON)]}, "finish_reason": "tool_calls"}]})
        ],
        gives=ONE,
    ),
]

WISHES = [*ARGUMENTS, *ENTRIES, *NO_CALLS, *CUTS, *OTHERS]

NOT_YET: dict[str, str] = {}
