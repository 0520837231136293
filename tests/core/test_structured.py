"""Structured output: reading the JSON that a model wrote."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_core.errors import InvalidResponseError
from geekai_core.request.structured import Rung
from geekai_core.response.json_text import answer_json, partial_json, read_json, strip_fences
from geekai_core.wire import Message

TEXT = st.text(alphabet=st.sampled_from('ab中"\\{}[]`: ,\n\t</think>0'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
PLAIN = OBJECTS.filter(lambda value: "</think>" not in str(value))
"""A text that speaks of the tag itself is only read where nothing stands around it."""
WRAPPINGS = [
    "{}",
    "\n {} \n",
    "```json\n{}\n```",
    "```\n{}\n```\nHope this helps!",
    "~~~json\r\n{}\n~~~",
    "```json\n{}",
    "Here it is:\n\n```JSON\n{}\n```",
    "<think>\nMaybe not so.\n</think>\n\n{}",
    '<think>{{"draft": true}}</think>{}',
    "thoughts without a beginning</think>```json\n{}\n```",
]


def wrapped(wrapping: str, written: str) -> str:
    return wrapping.replace("{{", "{").replace("}}", "}").replace("{}", written)


@given(PLAIN, st.sampled_from(WRAPPINGS), st.sampled_from([None, 2]))
def test_json_is_read_whatever_stands_around_it(value: dict[str, Any], wrapping: str, indent: int | None) -> None:
    assert read_json(wrapped(wrapping, json.dumps(value, indent=indent))) == value


@given(value=PLAIN.filter(bool), ascii_only=st.booleans())
def test_json_within_prose_is_read(value: dict[str, Any], ascii_only: bool) -> None:
    text = f"Sure [1], {{name}} as asked: {json.dumps(value, ensure_ascii=ascii_only)} — that is all [2][3, 4]."
    assert read_json(text) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "</think>"}', {"a": "</think>"}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('{"a": "one\ntwo"}', {"a": "one\ntwo"}),
        ('{"a": "\\ud83d!"}', {"a": "\ufffd!"}),
        ('{"a": "\\ud83d\\ude00 \\\\ud83d"}', {"a": "😀 \\ud83d"}),
        ('such as {"a": 1}, but better {"a": 1, "b": 2}', {"a": 1, "b": 2}),
        ('these: [{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("[1, 2]", [1, 2]),
        ("{}", {}),
        ('中文前缀：{"答案": "北京"}。', {"答案": "北京"}),
        ("<think>{" + '{"a": 1}', {"a": 1}),
    ],
)
def test_json_in_unusual_clothes_is_read(text: str, expected: Any) -> None:
    assert read_json(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot do that [1].",
        "42",
        '"words"',
        "null",
        '{"a": {"b": 1}, "c": "unfin',
        '{"a": {"b": 1}\n\nHope this helps',
        '{"a": NaN, "b": {"c": 1}}',
        '{"a": {"b": 1}, c: 2}',
        "{'a': 1}",
        "[" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"a": ' + "9" * 5_000 + "}",
    ],
)
def test_an_answer_without_json_is_an_honest_error(text: str) -> None:
    """A part of a broken value is never taken for the value."""
    with pytest.raises(InvalidResponseError) as caught:
        read_json(text)
    assert caught.value.excerpt == text.strip()[:500]


def test_the_wanted_kind_may_be_chosen() -> None:
    assert read_json('{"a": 1}', dict) == {"a": 1}
    assert read_json("42", int) == 42
    assert read_json('"{}"', str) == "{}"
    assert read_json('see [{"a": 1}] and {"b": 2, "c": [{"longer": "than the other"}]}', list) == [{"a": 1}]
    with pytest.raises(InvalidResponseError):
        read_json("[1]", dict)


@given(st.text(alphabet=st.sampled_from('{}[]",:`~\\\n ab1<>/think'), max_size=60))
def test_no_text_makes_the_readers_fail_with_another_error(text: str) -> None:
    partial_json(text)
    strip_fences(text)
    with contextlib.suppress(InvalidResponseError):
        assert isinstance(read_json(text), (dict, list))


@pytest.mark.parametrize("unit", ["{", '{"a":', "[1]", "```\n", "</think>", '"', '{"a": 1} ', "{ "])
def test_a_long_text_is_read_in_bounded_time(unit: str) -> None:
    began = time.process_time()
    with contextlib.suppress(InvalidResponseError):
        read_json(unit * (300_000 // len(unit)))
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ("Here:\n```\n[1]\n```\nBye", "[1]"),
        ('```json\n{"a": "x\\n```\\n"}\n```', '{"a": "x\\n```\\n"}'),
        ('```json\n{"a": 1', '{"a": 1'),
        ('```json {"a": 1}```', '{"a": 1}'),
        ('````\n{"a": "```"}\n````', '{"a": "```"}'),
        ('{"a": "```json\\n{}```"}', '{"a": "```json\\n{}```"}'),
        ("```python\nprint()\n```", "```python\nprint()\n```"),
        ("no fence", "no fence"),
        ("", ""),
    ],
)
def test_fences_around_json_are_stripped_and_other_text_is_left(text: str, expected: str) -> None:
    assert strip_fences(text) == expected


def test_a_fence_within_a_string_ends_no_partial_json() -> None:
    assert partial_json('```json\n{"```": null}') == {"```": None}
    assert partial_json('```json {"a": "}```"}``` so') == {"a": "}```"}


@given(PLAIN, st.sampled_from(WRAPPINGS))
def test_partial_json_grows_and_ends_in_the_whole(value: dict[str, Any], wrapping: str) -> None:
    """At every split: nothing yet, or an object whose fields, but for the last one begun, are those of the whole."""
    text = wrapped(wrapping, json.dumps(value))
    finished = 0
    for end in range(len(text) + 1):
        part = partial_json(text[:end])
        if part is None or "</think>" in text[end:]:
            continue
        keys = list(part)
        assert keys == list(value)[: len(keys)]
        assert all(part[key] == value[key] for key in keys[:-1])
        assert len(keys[:-1]) >= finished - 1
        finished = max(finished, len(keys[:-1]))
    assert partial_json(text) == value


def test_an_unfinished_string_is_shown_as_far_as_it_goes() -> None:
    assert partial_json('Sure: {"a": 1, "b": "hel') == {"a": 1, "b": "hel"}
    assert partial_json('[{"a": "x') == [{"a": "x"}]


@pytest.mark.parametrize("text", ["", "Sure", "```json\n", '<think>{"a": 1}', '{"a": 1,}', "<think"])
def test_what_is_no_json_yet_is_none(text: str) -> None:
    assert partial_json(text) is None


def message(**fields: Any) -> Message:
    return Message.model_validate({"role": "assistant", **fields})


def call(arguments: str | None) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "Joke", "arguments": arguments}}


@pytest.mark.parametrize(
    ("answer", "rung", "expected"),
    [
        (message(content='{"a": 1}'), "json_schema", {"a": 1}),
        (message(content='```json\n{"a": 1}\n```'), "json_mode", {"a": 1}),
        (message(tool_calls=[call('{"a": 1}')]), "function_calling", {"a": 1}),
        (message(tool_calls=[call('{"a": 1}')], content='{"b": 2}'), "function_calling", {"a": 1}),
        (message(tool_calls=[call('{"a": 1}')], content='{"b": 2}'), "json_mode", {"b": 2}),
        (message(tool_calls=[call('{"a": 1}')], content="Calling."), "json_schema", {"a": 1}),
        (message(tool_calls=[call("{broken"), call('{"a": 1}')]), "function_calling", {"a": 1}),
        (message(tool_calls=[call(None)]), "function_calling", {}),
        (message(content='Sure: {"a": 1}'), "function_calling", {"a": 1}),
        (message(content="", reasoning_content='So {"a": 1} it is.'), "prompt", {"a": 1}),
    ],
)
def test_an_answer_is_read_wherever_the_model_put_it(answer: Message, rung: Rung, expected: Any) -> None:
    assert answer_json(answer, rung) == expected


def test_the_reasoning_is_no_answer_where_there_is_one() -> None:
    with pytest.raises(InvalidResponseError, match="I will not"):
        answer_json(message(content="I will not.", reasoning_content='{"a": 1}'), "json_mode")


def test_an_empty_answer_and_a_refusal_are_honest_errors() -> None:
    with pytest.raises(InvalidResponseError, match=r"^the answer is empty$"):
        answer_json(message(content=None), "json_schema")
    with pytest.raises(InvalidResponseError, match="the answer is empty: not that"):
        answer_json(message(content=None, refusal="not that"), "json_schema")
