"""The agent: its tools, its steps, its limit."""

from __future__ import annotations

import re

import pytest

from examples import agent
from geekai_testing.replies import completion, error, json_reply, tool_call
from geekai_testing.scripted import ScriptedServer


def test_it_searches_counts_and_answers_with_a_source(
    scripted: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = [
        tool_call("geekai_search", {"query": "灯塔 建成"}, id="one"),
        tool_call("days_between", {"first": "2024-02-28", "last": "2024-03-01"}, id="two"),
    ]
    found = {"id": "s", "created": 1, "results": [{"title": "灯塔", "link": "https://a.example", "content": "1874 年"}]}
    scripted.play(json_reply(found), path="/web_search")
    scripted.play(json_reply(completion(None, tool_calls=calls)), json_reply(completion("建于 1874 年 [1]。")))
    agent.main("灯塔是哪年建的？")
    shown = capsys.readouterr().out
    assert "→ geekai_search(query='灯塔 建成')" in shown
    assert "[1] 灯塔" in shown
    assert "    2\n" in shown
    assert "建于 1874 年 [1]。" in shown
    assert "3 calls, 34 tokens" in shown
    chats = [request.json for request in scripted.requests if request.route == "/chat/completions"]
    (search,) = [request.json for request in scripted.requests if request.route == "/web_search"]
    assert search["prompt"] == "灯塔 建成"
    assert search["count"] == 3
    assert [tool["function"]["name"] for tool in chats[0]["tools"]] == ["geekai_search", "today", "days_between"]
    answers = {message["tool_call_id"]: message["content"] for message in chats[1]["messages"][-2:]}
    assert answers["two"] == "2"
    assert "1874 年" in answers["one"]


def test_it_asks_no_more_often_than_it_may(scripted: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that calls tools for ever."""
    scripted.default = lambda request: json_reply(completion(None, tool_calls=[tool_call("today", {}, id="again")]))
    agent.main("What day is it?", steps=3)
    assert len(scripted.requests) == 3
    assert "run limit (3/3)" in capsys.readouterr().out


def test_a_tool_s_wrong_arguments_are_told_to_the_model(scripted: ScriptedServer) -> None:
    wrong = [tool_call("days_between", {"first": "yesterday", "last": "2024-03-01"}, id="one")]
    scripted.play(json_reply(completion(None, tool_calls=wrong)), json_reply(completion("I cannot tell.")))
    agent.main("How long ago was yesterday?")
    assert "first" in scripted.requests[1].json["messages"][-1]["content"]


def test_a_failure_is_named(scripted: ScriptedServer) -> None:
    scripted.play(error(401, "密钥无效"))
    with pytest.raises(SystemExit, match=r"^AuthenticationError: HTTP 401: 密钥无效"):
        agent.main("?")


@pytest.mark.local_model
def test_with_a_real_model_it_ends_within_its_limit(local: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The small model often calls the wrong tool; it must come to an end all the same."""
    agent.main("When was the lighthouse built?", steps=2)
    shown = capsys.readouterr().out
    calls, tokens = re.findall(r"(\d+) calls, (\d+) tokens", shown)[0]
    assert 1 <= int(calls) <= 4
    assert int(tokens) > 0
