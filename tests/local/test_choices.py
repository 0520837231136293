"""Several choices, log probabilities and background tasks of the local model, asked by our own clients."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from geekai_core import AuthenticationError, BadRequestError, NotFoundError, TaskFailedError
from geekai_local.serving import serve
from tests.local.conftest import Caller, connected

pytestmark = pytest.mark.local_model

WORD = {"type": "json_schema", "json_schema": {"name": "word", "schema": {"const": ["kelp"]}}}


def asked(question: str = "Tell me a word.", **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": question}], **fields}


def streamed(client: Any, **fields: Any) -> Any:
    with client.stream(**asked(**fields)) as stream:
        assert list(stream)
    return stream.answer


@pytest.mark.parametrize("ask", [lambda client, **fields: client.chat(**asked(**fields)), streamed])
def test_more_choices_than_the_engine_takes_at_once(client: Any, ask: Any) -> None:
    """Each has its place, its end, and its words; the prompt's tokens count once, the answers' all."""
    one, three = (ask(client, n=n, max_tokens=5, seed=7, temperature=0.0) for n in (1, 3))
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert {choice.message.content for choice in three.choices} == {one.message.content}
    assert {(choice.message.role, choice.finish_reason) for choice in three.choices} == {("assistant", "length")}
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens == 3 * one.usage.completion_tokens == 15
    assert three.usage.total_tokens == one.usage.prompt_tokens + 15


def test_a_stream_of_several_choices_has_one_usage(caller: Caller) -> None:
    """It is the last chunk; search results come once, each choice begins with its role."""
    options = {"include_usage": True}
    chunks = caller.stream("Tea?", n=2, max_tokens=3, enable_search=True, stream_options=options)
    assert [chunk["choices"] for chunk in chunks if "usage" in chunk] == [[]]
    assert "usage" in chunks[-1]
    assert sum("citations" in chunk for chunk in chunks) == 1
    begun = [c["choices"][0]["index"] for c in chunks[:-1] if "role" in c["choices"][0]["delta"]]
    assert begun == [0, 1]


def test_every_choice_makes_its_own_forced_call(client: Any) -> None:
    function = {
        "name": "set",
        "parameters": {"type": "object", "properties": {"on": {"const": True}}, "required": ["on"]},
    }
    tools = [{"type": "function", "function": function}]
    answer = client.chat(**asked(tools=tools, tool_choice="required", n=2))
    calls = [call for choice in answer.choices for call in choice.message.tool_calls]
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [("set", {"on": True})] * 2
    assert calls[0].id != calls[1].id


@pytest.mark.parametrize("ask", [lambda client, **fields: client.chat(**asked(**fields)), streamed])
@pytest.mark.parametrize("top", [None, 0, 3])
def test_each_token_comes_with_its_log_probability(client: Any, ask: Any, top: int | None) -> None:
    """And with as many alternatives as were asked for; the tokens make up the answer."""
    answer = ask(client, response_format=WORD, logprobs=True, top_logprobs=top)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == answer.message.content == '["kelp"]'
    assert all(token.logprob <= 0 and math.isfinite(token.logprob) for token in tokens)
    assert {len(token.top_logprobs) for token in tokens} == {top or 0}


def test_thoughts_have_no_log_probabilities_and_neither_has_who_asked_for_none(client: Any) -> None:
    thinking = {"enable_thinking": True, "thinking": {"budget_tokens": 4}}
    thoughtful = client.chat(**asked("Why is the sky blue?", logprobs=True, max_tokens=60, **thinking))
    spoken = "".join(token.token for token in thoughtful.choices[0].logprobs.content)
    assert thoughtful.message.reasoning_content
    assert spoken.strip() == thoughtful.message.content.strip()
    assert client.chat(**asked(max_tokens=1)).choices[0].logprobs is None


def test_a_background_task_is_fetched_when_it_is_done(client: Any) -> None:
    """It is pending at once, whoever asks; its answer is the one that a waiting caller would get."""
    task = client.submit(**asked(response_format=WORD, n=2))
    assert (task.status, task.choices) == ("pending", [])
    done = client.wait(task.id, timeout=60)
    assert (done.id, done.status) == (task.id, "succeed")
    assert [choice.message.content for choice in done.choices] == ['["kelp"]'] * 2
    assert done.usage.total_tokens > 0
    assert client.fetch(task.id).message.content == '["kelp"]'


def test_a_task_that_fails_says_why(client: Any) -> None:
    task = client.submit(model="m", messages=[{"role": "robot", "content": "x"}])
    with pytest.raises(TaskFailedError, match="robot") as caught:
        client.wait(task.id, timeout=60)
    assert caught.value.code == "invalid_request"


def test_what_is_no_task_and_what_cannot_be_one(client: Any) -> None:
    """An unknown id is a 404; a task cannot stream."""
    with pytest.raises(NotFoundError, match="no such task"):
        client.fetch("task-1")
    with (
        pytest.raises(BadRequestError, match="must not be true together"),
        client.stream({**asked(), "background": True, "stream": True}),
    ):
        pass


def test_a_task_is_fetched_with_the_key_alone(mode: str) -> None:
    with (
        serve(api_key="secret") as url,
        connected(url, mode, api_key="wrong") as client,
        pytest.raises(AuthenticationError),
    ):
        client.fetch("task-1")
