"""Both adapters send the same and say the same: every row of the tables, by every way of asking.

A row that is not right yet is marked in its table's `NOT_YET`: "lc", "li", both, or "alike" where each side is right
and they still differ in what a row leaves open. The marks are strict: whoever mends a row takes its mark off.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from geekai_testing.replies import Reply, Request, error
from geekai_testing.scripted import ScriptedServer
from tests.parity import (
    arguments,
    callers,
    calls,
    ends,
    fields,
    foreign,
    histories,
    ladder,
    objects,
    odd_answers,
    odd_usage,
    parts,
    refusals,
    refused_fields,
    tools,
    wishes,
)
from tests.parity.form import HI, MAY_WARN, MODEL, STREAMED, Json, Wanted, Wish
from tests.parity.page import CHINESE, PAGE, chinese_page, page
from tests.parity.sides import SIDES, Outcome, heard

TABLES = (
    *(wishes, tools, objects),
    *(calls, arguments),
    *(histories, foreign, parts, fields),
    *(refusals, refused_fields, ladder),
    *(odd_answers, odd_usage, ends),
    callers,
)
NAMES = {"lc": "ChatGeekAI", "li": "GeekAI", "alike": "both"}
_models = itertools.count()
NOTHING: Json = {"text": "", "reasoning": "", "calls": [], "invalid": [], "value": None, "error": None}
COMPARED = ("text", "reasoning", "calls", "invalid", "usage", "finish", "citations", "value", "error", "partial")


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def _row(table: ModuleType, wish: Wish, side: str) -> Any:
    """The parameters of one test; `side` is "lc", "li", or "alike"."""
    not_yet = table.NOT_YET.get(wish.name, "").split()
    marks = [pytest.mark.xfail(reason="not mended yet", strict=True)] if side in not_yet else []
    name = f"{table.__name__.rpartition('.')[2]}: {wish.name} ({NAMES[side]})"
    return pytest.param(wish, side, id=name, marks=marks)


ROWS = [(table, wish) for table in TABLES for wish in table.WISHES]
SIDED = [_row(table, wish, side) for table, wish in ROWS for side in wish.sides]
ALIKE = [
    _row(table, wish, "alike")
    for table, wish in ROWS
    if len(wish.sides) == 2 and not {"lc", "li"} & {*table.NOT_YET.get(wish.name, "").split()}
]


def test_each_row_has_a_name_of_its_own_and_each_mark_a_row() -> None:
    for table in TABLES:
        names = [wish.name for wish in table.WISHES]
        assert len({*names}) == len(names)
        assert {*table.NOT_YET} <= {*names}
        assert {mark for marks in table.NOT_YET.values() for mark in marks.split()} <= {*NAMES}


async def play(
    wish: Wish, side: str, way: str, stored: bool, server: ScriptedServer
) -> tuple[list[Request], Outcome, list[str]]:
    """What one side sent in one way, what came back, and the words of its warnings."""
    if wish.fresh:
        with ScriptedServer() as own:
            return await play(replace(wish, fresh=False), side, way, stored, own)
    replies = iter(wish.replies)

    def script(request: Request) -> Reply:
        answer = next(replies, None)
        if answer is None:
            return error(418, "the script has no further reply")
        return answer.streamed if request.json.get("stream") else answer.whole

    server.default = script
    server.requests.clear()
    model = f"{wish.fields.get('model', MODEL)}-{next(_models)}"  # what was learnt of a model is kept in the process
    plain = replace(wish, fields={name: value for name, value in wish.fields.items() if name != "model"})
    with heard() as warned:
        for _ in range(wish.times):
            outcome = await SIDES[side](plain, way, base_url=server.base_url, model=model, stored=stored)
    return [*server.requests], outcome, [str(one.message) for one in warned]


def stated(request: Request, way: str) -> Json:
    """A body in the form of the tables: without what every request of its way has."""
    body: Json = request.json
    body["model"] = body["model"].rpartition("-")[0] or body["model"]
    if way in STREAMED:
        if body.pop("stream", None) is not True:
            body["stream"] = False
        if body.get("stream_options") == {"include_usage": True}:
            del body["stream_options"]
    return body


def differences(where: str, found: Any, wanted: Any) -> Iterator[str]:
    """Where two values differ: the innermost places, each with what was found and what was wanted."""
    if isinstance(found, dict) and isinstance(wanted, dict) and found.keys() == wanted.keys():
        for name in found:
            yield from differences(f"{where}.{name}", found[name], wanted[name])
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for at, pair in enumerate(zip(found, wanted, strict=True)):
            yield from differences(f"{where}[{at}]", *pair)
    elif wanted != found:
        yield f"{where}: {(found, wanted)}"


def wrong(wish: Wish, side: str, played: tuple[list[Request], Outcome, list[str]], way: str) -> Iterator[str]:
    """What differs from the row, a line for each thing."""
    requests, outcome, warned = played
    wanted = wish.wanted.get(side, Wanted(""))
    sends = wish.sends if wanted.sends is None else wanted.sends
    known = {"model": wish.fields.get("model", MODEL), "messages": [HI]}
    bodies = [{**known, **one} if isinstance(one, dict) else one for one in sends]
    for at, pair in enumerate(itertools.zip_longest((stated(request, way) for request in requests), bodies)):
        yield from differences(f"request {at}", *pair)
    gives = {**NOTHING, **wish.gives, **wanted.gives}
    gives.setdefault("pieced", gives["text"])
    for name, value in gives.items():
        yield from differences(name, getattr(outcome, name), value)
    if outcome.error and not gives["error"]:
        yield outcome.words
    if not all(outcome.ids) or len({*outcome.ids}) < len(outcome.calls):
        yield f"not each call has an id of its own: {outcome.ids}"
    if wish.warns is None and warned:
        yield f"warnings: {warned}"
    if wish.warns not in (None, MAY_WARN) and not any(str(wish.warns).lower() in words.lower() for words in warned):
        yield f"no warning of {wish.warns!r}: {warned}"
    for name, value in wish.heads.items() if requests else ():
        if requests[0].headers.get(name) != value:
            yield f"header {name}: {(requests[0].headers.get(name), value)}"
    if wish.query is not None and (query := requests[0].path.partition("?")[2]) != wish.query:
        yield f"query: {(query, wish.query)}"


def ways(wish: Wish) -> list[tuple[str, bool]]:
    """The ways of asking, those of several turns also with the answers read back from their JSON."""
    return [(way, stored) for way in wish.ways for stored in ((False, True) if wish.then else (False,))]


@pytest.mark.parametrize(("wish", "side"), SIDED)
async def test_a_wish_is_sent_and_answered_rightly(wish: Wish, side: str, server: ScriptedServer) -> None:
    found = []
    for way, stored in ways(wish):
        played = await play(wish, side, way, stored, server)
        found += [f"{way}{', stored' if stored else ''}: {one}" for one in wrong(wish, side, played, way)]
    assert not found, "as (found, wanted):\n" + "\n".join(found)


@pytest.mark.parametrize(("wish", "side"), ALIKE)
async def test_both_adapters_do_the_same(wish: Wish, side: str, server: ScriptedServer) -> None:
    excepted = {name for wanted in wish.wanted.values() for name in wanted.gives}
    names = [name for name in COMPARED if name not in excepted]
    for way, stored in ways(wish):
        requests, outcome, _ = await play(wish, "lc", way, stored, server)
        others, other, _ = await play(wish, "li", way, stored, server)
        assert {name: getattr(outcome, name) for name in names} == {name: getattr(other, name) for name in names}
        if all(wanted.sends is None for wanted in wish.wanted.values()):
            assert [stated(request, way) for request in requests] == [stated(request, way) for request in others]


def test_the_page_on_vendors_says_what_the_tables_hold() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.parity.page writes it anew"
    assert CHINESE.read_text(encoding="utf-8") == chinese_page(), "python -m tests.parity.page writes it anew"
