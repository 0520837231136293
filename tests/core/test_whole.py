"""Whole answers: validated once, unknown fields kept, every field perhaps null or absent."""

import pytest

from geekai_core.response.accumulate import SEARCH_KEYS
from geekai_testing.replies import completion, json_reply, tool_call, usage
from tests.core.conftest import ASK
from tests.core.stream_cases import b64, strip_none


def test_a_rich_answer_is_read_whole(client, server):
    body = completion(
        "你好",
        reasoning_content="想",
        tool_calls=[tool_call("f", {"a": 1}, id="c1")],
        extra={
            "audio": {"id": "a", "data": b64(b"x"), "expires_at": 1, "transcript": "t"},
            "refusal": None,
            "images": [1],
        },
        usage=usage(billed_units=2, prompt={"citation_tokens": 4}, completion={"reasoning_tokens": 1}),
        citations=["https://a", "https://a", "https://b"],
        search_results=[{"title": "t", "link": "https://a", "icon": None}],
        status="done",
        system_fingerprint="fp",
        service_tier="x",
    )
    body["choices"][0]["logprobs"] = {"content": [{"token": "你", "logprob": -0.5, "bytes": [1], "top_logprobs": []}]}
    server.play(json_reply(body, headers={"x-request-id": "req-9"}))
    answer = client.chat(**ASK)
    message = answer.message
    assert (message.role, message.content, message.reasoning_content) == ("assistant", "你好", "想")
    assert (message.tool_calls[0].id, message.tool_calls[0].function.arguments) == ("c1", '{"a": 1}')
    assert (message.audio.transcript, message.audio.expires_at, message.images) == ("t", 1, [1])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].logprobs.content[0].logprob == -0.5
    assert answer.usage.prompt_tokens_details.citation_tokens == 4
    assert (answer.billed_units, answer.citations) == (2, ["https://a", "https://b"])
    assert answer.search_results == [{"title": "t", "link": "https://a", "icon": None}]
    assert (answer.id, answer.status, answer.service_tier) == ("chatcmpl-1", "done", "x")
    assert (answer.request_id, answer.retry_count) == ("req-9", 0)
    assert answer.raw == body


def test_every_answer_of_n_is_there(client, server):
    body = completion("一")
    body["choices"].append({**body["choices"][0], "index": 1, "message": {"role": "assistant", "content": "二"}})
    server.play(json_reply(body))
    assert [choice.message.content for choice in client.chat(**ASK, n=2).choices] == ["一", "二"]


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"message": None},
        {"message": {}},
        {
            "index": None,
            "finish_reason": None,
            "message": {"content": None, "tool_calls": None, "audio": None},
            "logprobs": None,
        },
    ],
)
def test_every_field_may_be_null_or_absent(client, server, choice):
    server.play(json_reply({"choices": [choice]}))
    answer = client.chat(**ASK)
    assert (answer.message.content, answer.message.tool_calls, answer.usage, answer.billed_units) == (
        "",
        None,
        None,
        None,
    )
    assert (answer.citations, answer.search_results, answer.id) == ([], [], None)


def test_reasoning_without_content_is_an_answer(client, server):
    server.play(json_reply(completion("", reasoning_content="想")))
    assert client.chat(**ASK).message.reasoning_content == "想"


def test_thoughts_are_split_off_when_asked(clients, server):
    server.play(*[json_reply(completion("<think>想</think>\n好"))] * 2)
    answer = clients(split_think=True).chat(**ASK)
    assert (answer.message.reasoning_content, answer.message.content) == ("想", "好")
    assert clients().chat(**ASK).message.content == "<think>想</think>\n好"


@pytest.mark.parametrize("where", ["top", "message"])
@pytest.mark.parametrize("key", SEARCH_KEYS)
def test_search_results_are_found_under_every_key(client, server, key, where):
    found = [{"title": "t", "url": "https://a"}]
    server.play(
        json_reply(completion("好", **{key: found}) if where == "top" else completion("好", extra={key: found}))
    )
    assert client.chat(**ASK).search_results == found


def test_billed_units_may_be_a_fraction(client, server):
    server.play(json_reply(completion("好", usage={**usage(), "billed_units": 1.5, "new_count": 3})))
    answer = client.chat(**ASK)
    assert (answer.billed_units, answer.usage.new_count) == (1.5, 3)


def test_an_answer_without_choices_has_an_empty_message():
    from geekai_core import ChatCompletion

    answer = ChatCompletion(usage={"billed_units": 1})
    assert strip_none(answer.message.model_dump()) == {}
    assert (answer.raw, answer.request_id, answer.retry_count) == ({}, None, 0)
