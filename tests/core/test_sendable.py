"""A history of any kind becomes one that the strictest server takes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geekai_core.request.messages import NOT_RUN, sendable

Wire = dict[str, Any]

IDS = st.sampled_from(["c1", "c2", "c1", "", None, "call_0"])
ARGUMENTS = st.sampled_from(
    [
        '{"a": 1}',
        "{}",
        "",
        None,
        "null",
        "[]",
        '{"a": ',
        "{'a': 1}",
        '"{\\"a\\": 1}"',
        '{"a": 1} and so on',
        {"b": [1]},
        5,
    ]
)
NAMES = st.sampled_from(["add", "查天气", "x" * 70, "", None])
CONTENT = st.sampled_from(["", "Yes.", None, [{"type": "text", "text": "a"}], [{"type": "text", "text": ""}]])
RESULTS = st.sampled_from(
    ["4", "", [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://a.example/x"}}]]
)


@st.composite
def calls(draw: Any) -> list[Wire]:
    made = []
    for _ in range(draw(st.integers(0, 3))):
        call: Wire = {"function": {"name": draw(NAMES), "arguments": draw(ARGUMENTS)}}
        if draw(st.booleans()):
            call |= {"id": draw(IDS), "type": "function"}
        if draw(st.booleans()):
            call["thought_signature"] = "s"
        made.append(call)
    return made


@st.composite
def histories(draw: Any) -> list[Wire]:
    """Messages in any order: cut at either end, doubled, unanswered, foreign."""
    messages: list[Wire] = []
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["user", "system", "assistant", "assistant", "tool", "tool", "again"]))
        if kind == "again" and messages:
            messages.append(copy.deepcopy(draw(st.sampled_from(messages))))
        elif kind == "assistant":
            message: Wire = {"role": "assistant", "content": draw(CONTENT)}
            if made := draw(calls()):
                message["tool_calls"] = made
            if draw(st.booleans()):
                message["reasoning_content"] = "Hm."
            messages.append(message)
        elif kind == "tool":
            messages.append({"role": "tool", "tool_call_id": draw(IDS), "content": draw(RESULTS)})
        elif kind != "again":
            messages.append({"role": kind, "content": "Hi"})
    return messages


def check_strictly(messages: list[Wire]) -> None:
    """The rules of the strictest servers that are known."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert waiting, "a tool message without its call"
            assert message["tool_call_id"] == waiting.pop(0), "results come in the order of the calls"
            assert isinstance(message["content"], str)
            continue
        assert not waiting, "every call is answered right behind its message"
        if message["role"] != "assistant":
            continue
        found = message.get("tool_calls")
        assert found is None or found, "no empty list of calls"
        assert found or message["content"], "no empty assistant message"
        for call in found or ():
            assert call["type"] == "function"
            assert call["id"]
            assert call["function"]["name"].isascii()
            assert 0 < len(call["function"]["name"]) <= 64
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            waiting.append(call["id"])
    assert not waiting


@given(histories(), st.sampled_from(["tools", "all", "never"]), st.booleans())
@settings(max_examples=600, deadline=None)
def test_whatever_is_in_a_memory_can_be_sent(messages: list[Wire], policy: Any, thinking: bool) -> None:
    before = copy.deepcopy(messages)
    sent = sendable(messages, policy, thinking=thinking)
    check_strictly(sent)
    assert messages == before, "nothing of the caller's is changed"
    assert sendable(sent, policy, thinking=thinking) == sent, "what was sent can be sent again"
    carrying = [message for message in sent if message.get("reasoning_content")]
    assert policy != "never" or not carrying
    users = [m for m in messages if m["role"] == "user"]
    assert [m for m in sent if m["role"] == "user" and m["content"] == "Hi"] == users, "the user's words all go"


def test_a_result_that_comes_late_is_moved_to_its_call_and_one_that_never_came_is_made_up() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    other = {**call, "id": "c2"}
    sent = sendable(
        [
            {"role": "user", "content": "Add."},
            {"role": "assistant", "content": None, "tool_calls": [call, other]},
            {"role": "user", "content": "Well?"},
            {"role": "tool", "tool_call_id": "c2", "content": "4"},
        ]
    )
    assert [(m["role"], m.get("tool_call_id"), m["content"]) for m in sent] == [
        ("user", None, "Add."),
        ("assistant", None, None),
        ("tool", "c1", NOT_RUN),
        ("tool", "c2", "4"),
        ("user", None, "Well?"),
    ]


@pytest.mark.parametrize("count", [200, 2_000])
def test_a_long_history_is_made_sendable_in_one_pass(count: int) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    turn = [
        {"role": "user", "content": "Add."},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "Hm."},
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
    ]
    sent = sendable(turn * count)
    check_strictly(sent)
    assert len(sent) == 3 * count
