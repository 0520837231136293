"""Streamed tool calls in every way that servers cut and number them.

The rules: each entry of a whole message's list is a call of its own. In a stream, a piece without a name never opens a
call while one is open; one with a name, under a call whose arguments are complete, does; id and name are closed once
arguments have come; a call that never gets a name is dropped.
"""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import delta
from tests.parity.form import STREAMED, Answer, Json, Wish, streams

NULL = None
LYON, CET = '{"city": "Lyon"}', '{"zone": "CET"}'
ONE: dict[str, Any] = {"calls": [("weather", {"city": "Lyon"})]}
TWO: dict[str, Any] = {"calls": [("weather", {"city": "Lyon"}), ("clock", {"zone": "CET"})]}
NO_ARGUMENTS: dict[str, Any] = {"calls": [("f", {})]}


def p(index: Any = ..., id: Any = ..., name: Any = ..., arguments: Any = ..., **extra: Any) -> Json:
    """One piece of a call, as the tables write it; `...` is absent."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not ...}
    known = {key: value for key, value in (("index", index), ("id", id)) if value is not ...}
    return {**known, **({"function": function} if function else {}), **extra}


def pieces(*given: Json, finish: str = "tool_calls") -> Answer:
    """A stream with one piece in each delta."""
    return streams(*(delta(tool_calls=[one]) for one in given), finish=finish)


def streamed(name: str, *given: Json, gives: Any = None, finish: str = "tool_calls") -> Wish:
    gives = ONE if gives is None else gives
    return Wish(name=name, replies=[pieces(*given, finish=finish)], gives=gives, ways=STREAMED)


SEPARATE = [
    Wish(
        name="two calls under one index without ids, in one delta",
        replies=[streams(delta(tool_calls=[p(0, "", "weather", LYON), p(0, "", "clock", CET)]))],
        gives=TWO,
        ways=STREAMED,
    ),
    streamed(
        "two calls under one index without ids, in two deltas",
        p(0, "", "weather", LYON),
        p(0, "", "clock", CET),
        gives=TWO,
    ),
    streamed(
        "two calls under one index without ids, each in pieces",
        p(0, "", "weather", '{"city": '),
        p(0, "", "", '"Lyon"}'),
        p(0, "", "clock", '{"zone": '),
        p(0, "", "", '"CET"}'),
        gives=TWO,
    ),
    streamed(
        "two calls under one index, ids null, arguments as objects",
        p(0, NULL, "weather", {"city": "Lyon"}),
        p(0, NULL, "clock", {"zone": "CET"}),
        gives=TWO,
    ),
    streamed(
        "the same tool twice without ids",
        p(0, "", "weather", LYON),
        p(0, "", "weather", '{"city": "Oslo"}'),
        gives={"calls": [("weather", {"city": "Lyon"}), ("weather", {"city": "Oslo"})]},
    ),
    streamed(
        "the same tool twice without ids or indexes, the second in pieces",
        p(..., ..., "weather", LYON),
        p(..., ..., "weather", '{"city": '),
        p(..., ..., ..., '"Oslo"}'),
        gives={"calls": [("weather", {"city": "Lyon"}), ("weather", {"city": "Oslo"})]},
    ),
    streamed(
        "the same tool twice under indexes of their own without ids",
        p(1, "", "weather", LYON),
        p(2, "", "weather", LYON),
        gives={"calls": [("weather", {"city": "Lyon"})] * 2},
    ),
    streamed(
        "two calls whose pieces come crosswise",
        p(0, "c1", "weather", '{"city": '),
        p(1, "c2", "clock", '{"zone": '),
        p(0, ..., ..., '"Lyon"}'),
        p(1, ..., ..., '"CET"}'),
        gives={**TWO, "ids": ["c1", "c2"]},
    ),
    streamed(
        "a new id and a new name under the same index",
        p(0, "c1", "weather", LYON),
        p(0, "c2", "clock", '{"zone": '),
        p(0, ..., ..., '"CET"}'),
        gives={**TWO, "ids": ["c1", "c2"]},
    ),
    streamed(
        "indexes that count pieces, with names at the first only",
        p(0, "c1", "weather", '{"city": '),
        p(1, NULL, NULL, '"Lyon"'),
        p(2, NULL, NULL, "}"),
    ),
]

GROWING = [
    streamed(
        "a later piece whose name is the word null",
        p(0, "t9", "list_files", '{"path": "."'),
        p(0, "", "null", "}"),
        gives={"calls": [("list_files", {"path": "."})], "ids": ["t9"]},
    ),
    streamed(
        "a later piece with another id and a blank name",
        p(0, "c1", "weather", '{"city": "Ly'),
        p(0, "c1-2", "", 'on"}'),
        gives={**ONE, "ids": ["c1"]},
    ),
    streamed(
        "a later piece with the same id whose name is the word None",
        p(0, "c1", "weather", '{"city": "Ly'),
        p(0, "c1", "None", 'on"}'),
        gives={**ONE, "ids": ["c1"]},
    ),
    streamed(
        "a new id with each piece, names at the first only",
        p(0, "i1", "weather", ""),
        p(0, "i2", ..., '{"city": '),
        p(0, "i3", ..., '"Lyon"}'),
        gives={**ONE, "ids": ["i1"]},
    ),
    streamed(
        "a new id with each piece, without indexes",
        p(..., "i1", "weather", ""),
        p(..., "i2", NULL, '{"city": '),
        p(..., "i3", "", '"Lyon"}'),
        gives={**ONE, "ids": ["i1"]},
    ),
    streamed(
        "a new id with each piece, arguments from the first on",
        p(0, "i1", "weather", '{"city": '),
        p(0, "i2", ..., '"Ly'),
        p(0, "i3", ..., 'on"}'),
        gives={**ONE, "ids": ["i1"]},
    ),
    streamed(
        "id and name repeated with each piece",
        p(0, "c1", "weather", '{"city": '),
        p(0, "c1", "weather", '"Lyon"}'),
        gives={**ONE, "ids": ["c1"]},
    ),
    streamed(
        "the name before the id, in pieces",
        p(0, ..., "wea"),
        p(0, "c1", "ther"),
        p(0, ..., ..., LYON),
        gives={**ONE, "ids": ["c1"]},
    ),
]

REPEATED = [
    streamed("empty arguments, then the real ones", p(0, "c1", "weather", "{}"), p(0, ..., ..., LYON)),
    streamed(
        "empty arguments, then the real ones in pieces",
        p(0, "c1", "weather", "{}"),
        p(0, "c1", ..., '{"city": '),
        p(0, "c1", ..., '"Lyon"}'),
    ),
    streamed("arguments null as a word, then the real ones", p(0, "c1", "weather", "null"), p(0, ..., ..., LYON)),
    streamed("empty arguments alone", p(0, "c1", "f", "{}"), gives=NO_ARGUMENTS),
    streamed(
        "the complete object again at the end",
        p(0, "c1", "weather", '{"city": '),
        p(0, ..., ..., '"Lyon"}'),
        p(0, ..., ..., LYON),
    ),
    streamed(
        "the complete object again at the end, with id and name",
        p(0, "c1", "weather", '{"city": '),
        p(0, ..., ..., '"Lyon"}'),
        p(0, "c1", "weather", LYON),
    ),
    streamed("the object three times", p(0, "c1", "weather", LYON), p(0, ..., ..., LYON), p(0, ..., ..., LYON)),
    streamed(
        "the object as text, then as an object",
        p(0, "c1", "weather", LYON),
        p(0, ..., ..., {"city": "Lyon"}),
    ),
    streamed(
        "cumulative arguments",
        p(0, "c1", "weather", '{"city"'),
        p(0, "c1", "weather", '{"city": "Ly'),
        p(0, "c1", "weather", LYON),
    ),
    streamed(
        "cumulative arguments without names",
        p(0, "c1", "weather", "{"),
        p(0, ..., ..., '{"city": "L'),
        p(0, ..., ..., '{"city": "Lyon"'),
        p(0, ..., ..., LYON),
    ),
    streamed(
        "arguments whose pieces only look cumulative",
        p(0, "c1", "weather", '{"city": "{'),
        p(0, ..., ..., "{"),
        p(0, ..., ..., '"}'),
        gives={"calls": [("weather", {"city": "{{"})]},
    ),
]


WISHES = [*SEPARATE, *GROWING, *REPEATED]

NOT_YET: dict[str, str] = {}
