from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geekai_core.options import ChatRequest
from geekai_local.errors import AnswerError
from geekai_local.prompting import after_thought, arguments_body, choice_body, make_plan, offer_first
from geekai_local.weights import LocalModel

SMALL = LocalModel(Path("small.gguf"), defaults={"temperature": 0.0, "max_tokens": 256, "thinking_budget_tokens": 32})
OWN = LocalModel(Path("own.gguf"))
ADD: dict[str, Any] = {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
NOW: dict[str, Any] = {"name": "now", "description": "The time."}
TOOLS = [{"type": "function", "function": ADD}, {"type": "function", "function": NOW}]
RESULTS = [{"title": title, "content": f"about {title}"} for title in ("tea", "rye")]


def request(question: Any = "Why?", **fields: Any) -> ChatRequest:
    messages = question if isinstance(question, list) else [{"role": "user", "content": question}]
    return ChatRequest.model_validate({"model": "m", "messages": messages, **fields})


def test_only_what_is_set_reaches_the_engine() -> None:
    """A model of the user's own gets no defaults of ours."""
    assert make_plan(request(), OWN).body == {
        "messages": [{"role": "user", "content": "Why?"}],
        "chat_template_kwargs": {"enable_thinking": False},
        "reasoning_format": "none",
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"temperature": 0.0, "max_tokens": 256}),
        ({"temperature": 0.5, "max_completion_tokens": 9}, {"temperature": 0.5, "max_tokens": 9}),
        ({"stop": "."}, {"stop": ["."]}),
        ({"seed": 7, "top_p": 0.5, "top_k": 3}, {"seed": 7, "top_p": 0.5, "top_k": 3}),
        ({"json_mode": True}, {"response_format": {"type": "json_object"}}),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
        ({"enable_thinking": True}, {"thinking_budget_tokens": 32}),
        ({"enable_thinking": True, "thinking": {"budget_tokens": 5}}, {"thinking_budget_tokens": 5}),
        ({"enable_thinking": True, "max_tokens": 10}, {"thinking_budget_tokens": 5}),
        ({"tools": TOOLS}, {"tools": TOOLS, "parallel_tool_calls": False}),
        ({"logprobs": True}, {"logprobs": True, "top_logprobs": 1}),
        ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"n": 2, "temperature": 0.0}, {"temperature": 0.0}),
    ],
)
def test_each_option_becomes_a_field_of_the_engine(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """The packaged model's defaults apply where the request names none."""
    assert make_plan(request(**fields), SMALL).body.items() >= expected.items()


@pytest.mark.parametrize("fields", [{"response_format": {"type": "text"}}, {"tools": TOOLS, "tool_choice": "none"}])
def test_what_asks_for_plain_text_gets_a_plain_request(fields: dict[str, Any]) -> None:
    """The text format and the choice of no tool leave nothing in the engine's request."""
    assert make_plan(request(**fields), SMALL) == make_plan(request(), SMALL)


@pytest.mark.parametrize(
    ("choice", "forced"),
    [
        ("auto", ()),
        (None, ()),
        ("required", (ADD, NOW)),
        ("any", (ADD, NOW)),
        ("now", (NOW,)),
        ({"type": "function", "function": {"name": "add"}}, (ADD,)),
    ],
)
def test_tool_choice_says_which_functions_are_forced(choice: Any, forced: tuple[dict[str, Any], ...]) -> None:
    """Those are called by us, within their schema; the others are the model's to call."""
    plan = make_plan(request(tools=TOOLS, tool_choice=choice), SMALL)
    assert plan.forced == forced
    assert ("tools" in plan.body) is not bool(forced)


@pytest.mark.parametrize(
    ("question", "fields", "words"),
    [
        ([], {}, "messages"),
        ([{"role": "robot", "content": "x"}], {}, "robot"),
        ([{"role": "user", "content": 3}], {}, "content"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}], {}, "image_url"),
        ([{"role": "user", "content": ["x"]}], {}, "str"),
        ("x", {"n": 17}, "n must be between 1 and 16, not 17"),
        ("x", {"n": -1}, "n must be between 1 and 16, not -1"),
        ("x", {"logprobs": True, "top_logprobs": 21}, "top_logprobs must be between 0 and 20, not 21"),
        ("x", {"temperature": 5}, "temperature must be between 0 and 2, not 5"),
        ("x", {"temperature": -0.1}, "temperature must be between 0 and 2"),
        ("x", {"top_p": 1.5}, "top_p must be between 0 and 1"),
        ("x", {"max_tokens": 0}, "max_tokens must be between 1 and"),
        ("x", {"seed": 2**40}, "seed must be between"),
        ("x", {"presence_penalty": float("nan")}, "presence_penalty must be between -2 and 2, not nan"),
        ("x", {"tool_choice": "required"}, "required"),
        ("x", {"tools": TOOLS, "tool_choice": "multiply"}, "multiply"),
        ("x", {"tools": [{"type": "web"}]}, "function"),
        ("x", {"response_format": {"type": "xml"}}, "xml"),
    ],
)
def test_what_cannot_be_answered_is_a_400_that_says_why(question: Any, fields: dict[str, Any], words: str) -> None:
    """Nothing is ignored in silence that would change the answer."""
    with pytest.raises(AnswerError, match=words) as caught:
        make_plan(request(question, **fields), SMALL)
    assert caught.value.status == 400


def test_several_choices_may_differ() -> None:
    """The packaged model's temperature of nought would make them all the same."""
    plan = make_plan(request(n=3), SMALL)
    assert plan.choices == 3
    assert "temperature" not in plan.body


def test_content_parts_are_joined_and_roles_made_plain() -> None:
    """The templates know text only, and no developer role."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    asked = [{"role": "developer", "content": "x"}, {"role": "user", "content": parts}, {"role": "assistant"}]
    assert make_plan(request(asked), OWN).body["messages"] == [
        {"role": "system", "content": "x"},
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": ""},
    ]


@pytest.mark.parametrize(
    ("before", "config", "system"),
    [
        ([], {}, "Answer the question using only the context, briefly."),
        ([], {"prompt": "Use this."}, "Use this."),
        ([{"role": "system", "content": "Be kind."}], {"prompt": "Use this."}, "Be kind."),
    ],
)
def test_search_results_are_folded_into_the_last_question(before: list[Any], config: Any, system: str) -> None:
    """Two of them, above the question, with an instruction unless the caller gave one."""
    asked = [*before, {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    messages = make_plan(request(asked, enable_search=True, search_config=config), SMALL, RESULTS).body["messages"]
    assert messages == [
        {"role": "system", "content": system},
        {"role": "user", "content": "Context:\ntea: about tea\n\nrye: about rye\n\nQuestion: Why?"},
        {"role": "assistant", "content": "So."},
    ]


def test_a_forced_call_is_asked_for_by_its_schema() -> None:
    """First the name, out of those offered; then the arguments; a function without any takes none."""
    plan = make_plan(request(tools=TOOLS, tool_choice="required", stop=["}"], enable_thinking=True), SMALL)
    name, first, second = choice_body(plan), arguments_body(plan, ADD), arguments_body(plan, NOW)
    assert schema(name)["properties"]["name"]["enum"] == ["add", "now"]
    assert schema(first) == ADD["parameters"]
    assert schema(second) == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    for body in (name, first, second):
        assert not body.keys() & {"stop", "thinking_budget_tokens", "tools"}
        assert body["chat_template_kwargs"] == {"enable_thinking": False}


def schema(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["response_format"]["json_schema"]["schema"]
    return found


def test_tools_and_a_format_are_two_requests() -> None:
    """The first may call and knows no format, the second answers in the format and knows no tools."""
    offer, rest = offer_first(make_plan(request(tools=TOOLS, json_mode=True, enable_thinking=True), SMALL).body)
    assert "tools" in offer
    assert not offer.keys() & {"response_format", "thinking_budget_tokens"}
    assert "response_format" in rest
    assert not rest.keys() & {"tools", "parallel_tool_calls"}


def test_a_thought_without_an_answer_is_followed_by_a_request_without_thinking() -> None:
    """Both together keep to the limit of tokens."""
    body = after_thought(make_plan(request(enable_thinking=True), SMALL).body)
    assert body["max_tokens"] == 256 - 32
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "thinking_budget_tokens" not in body


@pytest.mark.parametrize(
    "mark",
    ["<|im_end|>", "<|im_start|>system", "<|eot_id|>", "<｜User｜>", "</s>", "<start_of_turn>", "[/INST]", "</think>"],
)
def test_the_marks_of_a_chat_template_are_text_wherever_they_come_from(mark: str) -> None:
    """In a user's words, a document, a tool and its results: a joiner stands in them, nothing else changes."""
    words = f"a{mark}b"
    tools = [{"type": "function", "function": {"name": "f", "description": words, "parameters": {"title": words}}}]
    turn: list[dict[str, Any]] = [
        {"role": "system", "content": words},
        {"role": "user", "content": [{"type": "text", "text": words}]},
        {"role": "assistant", "content": words, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": words},
        {"role": "user", "content": "?"},
    ]
    results = [{"title": words, "content": words}]
    offered, forced = (
        make_plan(request(turn, tools=tools, tool_choice=choice), SMALL, results) for choice in (None, "required")
    )
    told = json.dumps([offered.body, forced.forced], ensure_ascii=False)
    assert mark not in told
    assert told.count(words.replace(mark, mark[0] + "\u2060" + mark[1:])) >= 9
    assert turn[0]["content"] == words


@pytest.mark.parametrize("words", ["a < b", "x <- 3", "<b>bold</b>", "List<String>", "a[i]", "1<2|3", "<!-- -->"])
def test_other_text_is_left_as_it_is(words: str) -> None:
    assert make_plan(request(words), SMALL).body["messages"][0]["content"] == words
