"""Tool calls, whatever the server does to their pieces: those that the model made, or invalid ones; never another."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geekai_core.response.answers import Context
from geekai_core.response.arguments import InvalidArguments, read_arguments
from geekai_core.response.chats import read_chat
from geekai_core.response.stream_reader import StreamReader
from geekai_core.wire import ChatCompletion
from geekai_testing.replies import Json, completion, delta, dumps, tool_call

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 99), st.text('ab"\\{}[]:, 上\n', max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text("ab{", max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
MADE = st.tuples(
    st.sampled_from(["search", "clock", "weather", "read"]),
    st.one_of(st.just({}), st.dictionaries(st.text('abc{"', min_size=1, max_size=3), VALUES, max_size=3)),
)
INDEXES = ["right", "none", "all 0", "counting pieces", "off by one", "from 1"]
IDS = ["once", "repeated", "renewed", "absent", "empty"]


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[tuple[str, Json]], list[Json], bool]:
    """Calls, the pieces that a server sends of them, and whether the last call's arguments are cut."""
    cut = draw(st.integers(0, 4)) == 4
    indexes, ids, names = draw(st.sampled_from(INDEXES)), draw(st.sampled_from(IDS)), draw(st.booleans())
    crosswise = draw(st.booleans())
    # Without ids and indexes, a call without arguments and the next call of the same tool look like one call.
    alike = indexes in ("none", "all 0") and ids in ("absent", "empty")
    # Pieces that nothing ties to their calls, crosswise: were one call's like another's, or none, another habit would
    # send the same stream.
    tied = indexes in ("right", "from 1") or ids == "repeated" or not crosswise
    apart = [lambda call: call[0]] if alike else []
    apart += [] if tied else [lambda call: dumps(call[1])]
    one = MADE if tied else MADE.filter(lambda call: bool(call[1]))
    made = draw(st.lists(one, min_size=1, max_size=3, unique_by=tuple(apart) or None))
    texts = ["" if tied and not arguments and draw(st.booleans()) else dumps(arguments) for _, arguments in made]
    if cut and texts[-1]:
        texts[-1] = texts[-1][: draw(st.integers(0, len(texts[-1]) - 1))]
    parts = [list(_parts(draw, text)) for text in texts]
    order = [slot for slot, of_call in enumerate(parts) for _ in of_call]
    if crosswise:  # each call opened in its turn
        order = sorted(range(len(parts))) + draw(st.permutations([s for s, p in enumerate(parts) for _ in p[1:]]))
    pieces: list[Json] = []
    begun: set[int] = set()
    for slot in order:
        piece: Json = {"function": {"arguments": parts[slot].pop(0)}}
        first = slot not in begun
        begun.add(slot)
        if first or (names and ids == "repeated"):
            piece["function"]["name"] = made[slot][0]
        if indexes != "none":
            shifted = slot + (not first)
            numbers = {
                "right": slot,
                "all 0": 0,
                "counting pieces": len(pieces),
                "off by one": shifted,
                "from 1": slot + 1,
            }
            piece["index"] = numbers[indexes]
        if ids == "empty":
            piece["id"] = ""
        elif ids == "renewed":
            piece["id"] = f"i{len(pieces)}"
        elif ids == "repeated" or (ids == "once" and first):
            piece["id"] = f"c{slot}"
        pieces.append(piece)
    return made, pieces, cut


def _parts(draw: st.DrawFn, text: str) -> Iterator[str]:
    if draw(st.booleans()):
        yield ""
    places = sorted(draw(st.sets(st.integers(1, max(len(text) - 1, 1)), max_size=4)))
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        yield text[start:end]


def read(payloads: list[Json]) -> ChatCompletion:
    reader = StreamReader(Context(200, {}, None, 10**8))
    for payload in payloads:
        reader.feed(b"data: " + dumps(payload).encode() + b"\n\n")
    reader.feed(b"data: [DONE]\n\n")
    list(reader.end())
    return reader.answer()


def sorted_out(answer: ChatCompletion) -> tuple[list[tuple[str, Json]], list[InvalidArguments]]:
    """The valid calls of an answer, and what makes the others invalid."""
    valid, invalid = [], []
    for call in answer.message.tool_calls or ():
        arguments = read_arguments(call.function.arguments, answer.choices[0].finish_reason)
        if isinstance(arguments, InvalidArguments):
            invalid.append(arguments)
        else:
            valid.append((call.function.name, arguments))
    return valid, invalid


@pytest.mark.parametrize("wrap", [lambda text: text, json.dumps], ids=["text", "encoded twice"])
@pytest.mark.parametrize("arguments", [{}, {"city": "Lyon"}, {"a": {"b": ["}", '"', "\\"]}, "c": None}])
def test_arguments_that_are_one_object_are_valid(wrap: Any, arguments: Json) -> None:
    assert read_arguments(wrap(dumps(arguments))) == arguments
    assert read_arguments(arguments) == arguments
    assert read_arguments(dumps(arguments) * 3 + "\n") == arguments
    assert read_arguments("{}" + dumps(arguments) + "}") == arguments


@pytest.mark.parametrize("nothing", [None, "", "  \n", "null", '"null"', "[]", '"[]"', '""', [], {}, '"{}"', " {} "])
def test_no_arguments_in_any_spelling_are_an_empty_object(nothing: Any) -> None:
    assert read_arguments(nothing, "tool_calls") == {}


@pytest.mark.parametrize(
    "broken",
    [
        '{"path": "plan', "{'a': 1}", '{"a": 1}{"b": 2}', '{"a": 1} and so on', "[1]", "1", '"text"', '{"a": NaN}', "{",
        '{"a": {"a": 1}', [1], 7, True, '{"a": 1,}', "[" * 5000, '{"a": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_other_arguments_are_invalid_and_the_reason_says_why(broken: Any) -> None:
    for reason in ("tool_calls", None, "stop"):
        read = read_arguments(broken, reason)
        assert isinstance(read, InvalidArguments)
        assert "not one JSON object" in read.reason
    for reason in ("length", "MAX_TOKENS", "model_length"):
        read = read_arguments(broken, reason)
        assert isinstance(read, InvalidArguments)
        assert "token limit" in read.reason


def test_arguments_that_had_not_begun_at_the_token_limit_are_cut() -> None:
    assert isinstance(read_arguments("", "length"), InvalidArguments)
    assert read_arguments("{}", "length") == {}


def test_half_a_character_in_arguments_is_replaced() -> None:
    assert read_arguments(r'{"a": "\ud83d", "b": "\ud83d\ude00"}') == {"a": "\ufffd", "b": "😀"}
    assert read_arguments(json.dumps(r'{"a": "\ude00"}')) == {"a": "\ufffd"}


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ([tool_call("f", "{}", id="c"), tool_call("f", '{"a": 1}', id="c")], ["f", "f"]),
        ([tool_call("f"), tool_call("g", {"a": 1})], ["f", "g"]),
        ([tool_call("f", id="c", index=0), tool_call("f", "{}", id="c", index=0)], ["f", "f"]),
        ([{"id": "", "type": "function"}, {"function": {"name": "", "arguments": "{}"}}, tool_call("f", "{}")], ["f"]),
        ([None, 5, "x", [], tool_call("f", "{}")], ["f"]),
        ({}, []),
        ("", []),
        (tool_call("f", {"a": 1}), ["f"]),
    ],
)
def test_each_entry_of_a_whole_message_is_a_call_of_its_own(entries: Any, names: list[str]) -> None:
    body = completion("好", tool_calls=None)
    body["choices"][0]["message"]["tool_calls"] = entries
    message = read_chat(dumps(body).encode(), Context(200, {}, None, 10**6)).message
    calls = message.tool_calls or []
    assert [call.function.name for call in calls] == names
    assert len({call.id for call in calls}) == len(calls)
    assert all(call.id for call in calls)
    assert message.content == "好"


def test_a_fragment_that_may_be_another_call_s_makes_the_calls_invalid() -> None:
    """Names, then arguments that nothing ties to them: that each came once in order is a guess, and is not made."""
    pieces = [tool_call("f", ""), tool_call("g", ""), tool_call(arguments='{"a": 1}'), tool_call(arguments='{"b": 1}')]
    answer = read([*(delta(None, tool_calls=[piece]) for piece in pieces), delta(finish_reason="tool_calls")])
    valid, invalid = sorted_out(answer)
    assert valid == []
    assert len(invalid) == 2
    assert "mixed the arguments of several calls" in invalid[0].reason


@given(streams(), st.integers(1, 3))
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES == 300, suppress_health_check=[HealthCheck.too_slow]
)
def test_a_stream_yields_the_calls_that_were_made_or_invalid_ones(stream: Any, together: int) -> None:
    made, pieces, cut = stream
    groups = [pieces[start : start + together] for start in range(0, len(pieces), together)]
    answer = read(
        [*(delta(None, tool_calls=group) for group in groups), delta(finish_reason="length" if cut else "tool_calls")]
    )
    valid, invalid = sorted_out(answer)
    left = [*made[:-1]] if cut else [*made]
    for call in valid:
        assert call in left, (pieces, valid)
        left.remove(call)
    assert invalid or not left, (pieces, valid)
    assert len({call.id for call in answer.message.tool_calls or ()}) == len(answer.message.tool_calls or ())
