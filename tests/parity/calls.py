"""Streamed tool calls in every way that servers cut and number them.

The rules: each entry of a whole message's list is a call of its own. In a stream, a piece without a name never opens a
call while one is open; one with a name, under a call whose arguments are complete, does; id and name are closed once
arguments have come; a call that never gets a name is dropped.
"""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import delta
from tests.parity.form import STREAMED, Answer, Check, Json, Wish, streams

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

OSLO = '{"city": "Oslo"}'
TWICE: dict[str, Any] = {"calls": [("weather", {"city": "Lyon"}), ("weather", {"city": "Oslo"})]}


def in_deltas(name: str, *deltas: Any, gives: Any = None) -> Wish:
    """A stream of deltas, each with this value as its `tool_calls`."""
    reply = streams(*(delta(tool_calls=one) for one in deltas))
    return Wish(name=name, replies=[reply], gives=ONE if gives is None else gives, ways=STREAMED)


NUMBERED = [
    streamed(
        "indexes that are null, with ids at the first pieces",
        p(NULL, "a", "weather", '{"city": '),
        p(NULL, NULL, NULL, '"Lyon"}'),
        p(NULL, "b", "clock", '{"zone": '),
        p(NULL, NULL, NULL, '"CET"}'),
        gives={**TWO, "ids": ["a", "b"]},
    ),
    *(
        streamed(f"the index {index!r}", p(index, "a", "weather", '{"city": '), p(index, ..., ..., '"Lyon"}'))
        for index in ("0", -1, 0.0, True, {}, [0])
    ),
    streamed("an index as a number, then as a text", p(0, "a", "weather", '{"city": '), p("0", ..., ..., '"Lyon"}')),
    streamed("an index at the first piece alone", p(0, "a", "weather", '{"city": '), p(..., ..., ..., '"Lyon"}')),
    streamed("an index at the later pieces alone", p(..., "a", "weather", '{"city": '), p(0, ..., ..., '"Lyon"}')),
    streamed(
        "two calls with indexes at their later pieces alone",
        p(..., "a", "weather", '{"city": '),
        p(0, ..., ..., '"Lyon"}'),
        p(..., "b", "clock", '{"zone": '),
        p(1, ..., ..., '"CET"}'),
        gives=TWO,
    ),
    streamed("indexes that fall", p(1, "a", "weather", LYON), p(0, "b", "clock", CET), gives=TWO),
    streamed(
        "crosswise by ids alone",
        p(..., "a", "weather", '{"city": '),
        p(..., "b", "clock", '{"zone": '),
        p(..., "a", ..., '"Lyon"}'),
        p(..., "b", ..., '"CET"}'),
        gives=TWO,
    ),
    streamed(
        "crosswise by ids under one index",
        p(0, "a", "weather", '{"city": '),
        p(0, "b", "clock", '{"zone": '),
        p(0, "a", ..., '"Lyon"}'),
        p(0, "b", ..., '"CET"}'),
        gives=TWO,
    ),
    streamed(
        "ids that are numbers, from 0 on",
        p(0, 0, "weather", '{"city": '),
        p(0, 0, ..., '"Lyon"}'),
        p(1, 1, "clock", CET),
        gives=TWO,
    ),
    streamed(
        "one id for two tools under indexes of their own, in pieces",
        p(0, "call", "weather", '{"city": '),
        p(0, "call", ..., '"Lyon"}'),
        p(1, "call", "clock", '{"zone": '),
        p(1, "call", ..., '"CET"}'),
        gives=TWO,
    ),
    streamed(
        "one id for two calls of a tool under indexes of their own",
        p(0, "call", "weather", LYON),
        p(1, "call", "weather", OSLO),
        gives=TWICE,
    ),
    streamed("ids that are the word None", p(0, "None", "weather", LYON), p(1, "None", "clock", CET), gives=TWO),
]

LISTED = [
    in_deltas(
        "two calls begun in one delta and ended in one",
        [p(0, "a", "weather", '{"city": '), p(1, "b", "clock", '{"zone": ')],
        [p(0, ..., ..., '"Lyon"}'), p(1, ..., ..., '"CET"}')],
        gives={**TWO, "ids": ["a", "b"]},
    ),
    in_deltas(
        "one call in three pieces of one delta",
        [p(0, "a", "weather"), p(0, ..., ..., LYON[:8]), p(0, ..., ..., LYON[8:])],
    ),
    in_deltas(
        "all calls again in a last delta",
        [p(0, "a", "weather", LYON)],
        [p(1, "b", "clock", CET)],
        [p(0, "a", "weather", LYON), p(1, "b", "clock", CET)],
        gives=TWO,
    ),
    in_deltas(
        "a list of calls that grows, without indexes",
        [p(..., "a", "weather", LYON)],
        [p(..., "a", "weather", LYON), p(..., "b", "clock", CET)],
        gives={**TWO, "ids": ["a", "b"]},
    ),
    in_deltas(
        "a list of calls that grows, with cumulative arguments",
        [p(0, "a", "weather", '{"ci')],
        [p(0, "a", "weather", LYON), p(1, "b", "clock", '{"zo')],
        [p(0, "a", "weather", LYON), p(1, "b", "clock", CET)],
        gives=TWO,
    ),
    in_deltas("a list of nulls beside the call", [NULL], [p(0, "a", "weather", LYON)], [NULL]),
    in_deltas("a list within the list of calls", [[p(0, "a", "weather", LYON)]]),
    in_deltas("pieces that are in no list", p(0, "a", "weather", '{"city": '), p(0, ..., ..., '"Lyon"}')),
    in_deltas("a flat piece", [{"index": 0, "id": "a", "name": "weather", "arguments": LYON}]),
    in_deltas(
        "flat pieces",
        [{"index": 0, "id": "a", "name": "weather", "arguments": '{"city": '}],
        [{"index": 0, "arguments": '"Lyon"}'}],
    ),
]

NAMES = [
    streamed("a name with blanks around it", p(0, "a", " weather\n", LYON)),
    streamed("a name that grows with each piece", p(0, "a", "wea"), p(0, "a", "weather"), p(0, "a", ..., LYON)),
    streamed(
        "a name in three pieces without an id", p(0, ..., "we"), p(0, ..., "ath"), p(0, ..., "er"), p(0, ..., ..., LYON)
    ),
    streamed("a name in pieces beside empty arguments", p(0, "a", "wea", ""), p(0, "", "ther", ""), p(0, "", "", LYON)),
    streamed("an id in pieces", p(0, "call_", "weather", ""), p(0, "12", ..., ""), p(0, ..., ..., LYON)),
    streamed("an id at the last piece alone", p(0, ..., "weather", '{"city": '), p(0, "a", ..., '"Lyon"}')),
    streamed(
        "arguments before the name",
        p(0, "a", ..., '{"city": '),
        p(0, "a", ..., '"Lyon"}'),
        p(0, "a", "weather"),
        gives={**ONE, "ids": ["a"]},
    ),
    *(
        streamed(
            f"a later piece whose name and id are {nothing!r}",
            p(0, "a", "weather", '{"city": '),
            p(0, nothing, nothing, '"Lyon"}'),
            gives={**ONE, "ids": ["a"]},
        )
        for nothing in ("null", "None", "undefined", " ", False)
    ),
    streamed("a first name that is the word null", p(0, "a", "null", ""), p(0, "a", "weather", LYON)),
    streamed(
        "another id with each piece, beside the name",
        p(0, "a", "weather", '{"city": '),
        p(0, "b", "weather", '"Ly'),
        p(0, "c", "weather", 'on"}'),
        gives={**ONE, "ids": ["a"]},
    ),
    streamed(
        "two calls of a tool, ids and name with each piece, under one index",
        p(0, "a", "weather", '{"city": '),
        p(0, "b", "weather", '{"city": '),
        p(0, "a", "weather", '"Lyon"}'),
        p(0, "b", "weather", '"Oslo"}'),
        gives={**TWICE, "ids": ["a", "b"]},
    ),
    *(
        streamed(f"a last piece {piece} of the next index", p(0, "a", "weather", LYON), piece)
        for piece in (p(1, NULL, NULL, NULL), p(1, "", "", ""), p(1, "", "", "{}"))
    ),
    streamed(
        "a last piece with another id and null arguments",
        p(0, "a", "weather", LYON),
        p(0, "b", NULL, NULL),
        gives={**ONE, "ids": ["a"]},
    ),
]

PLACEHOLDERS = [
    *(
        streamed(f"the arguments {first!r}, then the real ones", p(0, "a", "weather", first), p(0, ..., ..., LYON))
        for first in (NULL, "", {}, [], " \n", "[]")
    ),
    *(
        streamed(
            f"the real arguments in pieces, then {last!r}",
            p(0, "a", "weather", '{"city": '),
            p(0, ..., ..., '"Lyon"}'),
            p(0, ..., ..., last),
        )
        for last in ("{}", "null", {}, " \n", "}", "\n}}", NULL)
    ),
    streamed("a placeholder and the real arguments in one piece", p(0, "a", "weather", "{}" + LYON)),
    streamed(
        "a placeholder and the beginning in one piece", p(0, "a", "weather", '{}{"city": '), p(0, ..., ..., '"Lyon"}')
    ),
    streamed(
        "the complete object again, spaced in another way",
        p(0, "a", "weather", LYON),
        p(0, ..., ..., '{"city":"Lyon"}'),
    ),
    streamed(
        "the complete object again, its keys in another order",
        p(0, "a", "f", '{"a": 1, "b": 2}'),
        p(0, ..., ..., '{"b": 2, "a": 1}'),
        gives={"calls": [("f", {"a": 1, "b": 2})]},
    ),
    streamed(
        "the complete object again, in pieces",
        p(0, "a", "weather", LYON),
        p(0, ..., ..., '{"city": '),
        p(0, ..., ..., '"Lyon"}'),
    ),
    streamed(
        "another object behind a complete one",
        p(0, "a", "weather", LYON),
        p(0, ..., ..., OSLO),
        gives={"invalid": ["weather"], "why": Check("a reason", bool)},
    ),
    streamed(
        "cumulative arguments of two calls",
        p(0, "a", "weather", '{"ci'),
        p(0, "a", "weather", LYON),
        p(1, "b", "clock", '{"zo'),
        p(1, "b", "clock", CET),
        gives=TWO,
    ),
    streamed("character by character, with id and name", *(p(0, "a", "weather", letter) for letter in LYON)),
    streamed(
        "an escape that is cut",
        p(0, "a", "f", '{"a": "\\u5317\\u4e'),
        p(0, ..., ..., "ac\\"),
        p(0, ..., ..., '"!"}'),
        gives={"calls": [("f", {"a": '北京"!'})]},
    ),
]

WISHES = [*SEPARATE, *GROWING, *REPEATED, *NUMBERED, *LISTED, *NAMES, *PLACEHOLDERS]

NOT_YET: dict[str, str] = {}
