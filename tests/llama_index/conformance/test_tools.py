"""C6, C7, C9, C10: tools on the wire, their calls in every shape that servers stream them, and names of any letters."""

from __future__ import annotations

import re
import time
from typing import Any, Generic, TypeVar

import pytest
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from geekai_core import InvalidResponseError
from geekai_testing.replies import completion, delta, json_reply, sse, tool_call
from tests.llama_index.support import CHATS, last, play, reply, responses

WITH_TOOLS = ("chat_with_tools", "achat_with_tools", "stream_chat_with_tools", "astream_chat_with_tools")
STREAMS = ("stream_chat", "astream_chat")


def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


def mul(a: int, b: int = 1) -> int:
    """Multiply two numbers."""
    return a * b


TOOLS = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(mul)]
PARAMETERS = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "b": {"type": "integer", "default": 0},
    },
    "required": ["a"],
}


def pieces(*calls: dict[str, Any]) -> dict[str, Any]:
    return delta(tool_calls=list(calls))


SHAPES = {
    "by index": [
        pieces(tool_call("add", "", id="c1", index=0)),
        pieces(tool_call(arguments='{"a": 1, ', index=0)),
        pieces(tool_call(arguments='"b": 2}', index=0)),
        pieces(tool_call("mul", "", id="c2", index=1)),
        pieces(tool_call(arguments='{"a": 3}', index=1)),
    ],
    "without an index": [
        pieces(tool_call("add", '{"a": 1, ', id="c1")),
        pieces(tool_call(arguments='"b": 2}')),
        pieces(tool_call("mul", '{"a": 3}', id="c2")),
    ],
    "all index 0 with new ids": [
        pieces(tool_call("add", '{"a": 1, "b": 2}', id="c1", index=0)),
        pieces(tool_call("mul", '{"a": 3}', id="c2", index=0)),
    ],
    "two calls in one delta": [
        pieces(tool_call("add", '{"a": 1, "b": 2}', id="c1", index=0), tool_call("mul", '{"a": 3}', id="c2", index=1))
    ],
    "id and name repeated": [
        pieces(tool_call("add", '{"a": 1, ', id="c1", index=0)),
        pieces(tool_call("add", '"b": 2}', id="c1", index=0)),
        pieces(tool_call("mul", '{"a"', id="c2", index=1)),
        pieces(tool_call("mul", ": 3}", id="c2", index=1)),
    ],
    "the name in pieces": [
        pieces(tool_call("a", "", id="c1", index=0)),
        pieces(tool_call("dd", "", index=0)),
        pieces(tool_call(arguments='{"a": 1, "b": 2}', index=0)),
        pieces(tool_call("mu", None, id="c2", index=1)),
        pieces(tool_call("l", None, index=1)),
        pieces(tool_call(arguments='{"a": 3}', index=1)),
    ],
}


@pytest.mark.parametrize("how", STREAMS)
@pytest.mark.parametrize("shape", SHAPES)
async def test_c06_two_streamed_calls_are_told_apart_however_they_come(
    server: Any, llm: Any, how: str, shape: str
) -> None:
    server.play(sse(*SHAPES[shape], delta(finish_reason="tool_calls")))
    response = await last(llm, how)
    found = llm.get_tool_calls_from_response(response)
    assert [(call.tool_id, call.tool_name, call.tool_kwargs) for call in found] == [
        ("c1", "add", {"a": 1, "b": 2}),
        ("c2", "mul", {"a": 3}),
    ]
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    assert [(block.tool_call_id, block.tool_name) for block in blocks] == [("c1", "add"), ("c2", "mul")]
    shown = response.message.additional_kwargs["tool_calls"]
    assert [(call.id, call.type, call.function.name) for call in shown] == [
        ("c1", "function", "add"),
        ("c2", "function", "mul"),
    ]
    assert shown[1].function.arguments == '{"a": 3}'


@pytest.mark.parametrize("how", CHATS)
@pytest.mark.parametrize(
    ("arguments", "kwargs"),
    [(None, {}), ("", {}), ("{}", {}), ("null", {}), ("[]", {}), (" ", {}), ('"{\\"a\\": 1}"', {"a": 1})],
)
async def test_c06_arguments_may_be_null_empty_or_encoded_twice(
    server: Any, llm: Any, how: str, arguments: str | None, kwargs: dict[str, Any]
) -> None:
    call = tool_call("add", arguments, id="c1")
    whole = completion(None, tool_calls=[call])
    play(server, how, whole, [pieces({**call, "index": 0}), delta(finish_reason="tool_calls")])
    for piece in await responses(llm, how):
        found = llm.get_tool_calls_from_response(piece, error_on_no_tool_call=False)
    assert [(call.tool_name, call.tool_kwargs) for call in found] == [("add", kwargs)]


@pytest.mark.parametrize("how", CHATS)
@pytest.mark.parametrize("arguments", ["[1]", "nonsense {", '```json\n{"a": 1}\n```'])
async def test_a_call_with_broken_arguments_never_runs(server: Any, llm: Any, how: str, arguments: str) -> None:
    call = tool_call("add", arguments, id="c1")
    play(server, how, completion(None, tool_calls=[call]), [pieces({**call, "index": 0}), delta(finish_reason="stop")])
    *growing, finished = await responses(llm, how)
    for piece in growing:
        llm.get_tool_calls_from_response(piece, error_on_no_tool_call=False)
    reason = r"add \(not run: the arguments are not one JSON object"
    with pytest.raises(InvalidResponseError, match=f"none can run: {reason}"):
        llm.get_tool_calls_from_response(finished)
    (for_an_agent,) = llm.get_tool_calls_from_response(finished, error_on_no_tool_call=False)
    assert (for_an_agent.tool_id, for_an_agent.tool_kwargs) == ("c1", {})
    assert re.match(reason, for_an_agent.tool_name), "no tool has that name: the agent tells the model"
    (told,) = finished.message.additional_kwargs["invalid_tool_calls"]
    assert (told["id"], told["name"], told["args"]) == ("c1", "add", arguments)


async def test_the_model_is_told_why_one_of_two_calls_was_not_run(server: Any, llm: Any) -> None:
    calls = [tool_call("add", '{"a": 1}', id="c1"), tool_call("mul", '{"a": ', id="c2")]
    server.play(json_reply(completion(None, tool_calls=calls, finish_reason="length")), json_reply(completion("So.")))
    response = llm.chat([ChatMessage("Hi")])
    (found,) = llm.get_tool_calls_from_response(response)
    assert (found.tool_id, found.tool_kwargs) == ("c1", {"a": 1})
    stored = ChatMessage.model_validate_json(response.message.model_dump_json())
    llm.chat(
        [ChatMessage("Hi"), stored, ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": "c1"})]
    )
    _, called, first, second = server.requests[1].json["messages"]
    assert [call["function"]["arguments"] for call in called["tool_calls"]] == ['{"a": 1}', "{}"]
    assert all(call.keys() == {"id", "type", "function"} for call in called["tool_calls"])
    assert (first["tool_call_id"], first["content"]) == ("c1", "3")
    assert (second["tool_call_id"], "token limit" in second["content"]) == ("c2", True)


@pytest.mark.parametrize("how", CHATS)
async def test_c06_a_call_without_an_id_is_given_one(server: Any, llm: Any, how: str) -> None:
    call = tool_call("add", '{"a": 1}')
    play(server, how, completion(None, tool_calls=[call]), [pieces(call), delta(finish_reason="tool_calls")])
    response = await last(llm, how)
    (found,) = llm.get_tool_calls_from_response(response)
    assert found.tool_id
    assert found.tool_id == response.message.additional_kwargs["tool_calls"][0].id


@pytest.mark.parametrize("how", STREAMS)
async def test_c07_every_piece_tells_the_arguments_so_far(server: Any, llm: Any, how: str) -> None:
    text = '{"city": "Beijing", "days": [1, 2, 3], "note": "say \\"hi\\" 你好"}'
    parts = [pieces(tool_call(arguments=letter, index=0)) for letter in text]
    server.play(sse(pieces(tool_call("plan", "", id="c1", index=0)), *parts, delta(finish_reason="tool_calls")))
    seen = [
        llm.get_tool_calls_from_response(piece, error_on_no_tool_call=False)[0].tool_kwargs
        for piece in await responses(llm, how)
    ]
    assert seen[-1] == {"city": "Beijing", "days": [1, 2, 3], "note": 'say "hi" 你好'}
    assert {"city": "Beijing"} in seen
    lengths = [len(str(kwargs)) for kwargs in seen]
    assert lengths == sorted(lengths)


def test_c07_a_response_without_calls_is_an_error_only_where_that_is_asked_for(server: Any, llm: Any) -> None:
    server.play(json_reply(completion("no")))
    response = llm.chat([ChatMessage(content="Hi")])
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="at least one tool call"):
        llm.get_tool_calls_from_response(response)


def _seconds(llm: Any, server: Any, size: int) -> float:
    """CPU for what `FunctionAgent` does with a streamed call of so many bytes, in pieces of four."""
    text = '{"text": "' + "x" * size + '"}'
    parts = [pieces(tool_call(arguments=text[at : at + 4], index=0)) for at in range(0, len(text), 4)]
    server.play(sse(pieces(tool_call("write", "", id="c1", index=0)), *parts, delta(finish_reason="tool_calls")))
    started = time.thread_time()
    for piece in llm.stream_chat([ChatMessage(content="Hi")]):
        found = llm.get_tool_calls_from_response(piece, error_on_no_tool_call=False)
    assert found[0].tool_kwargs == {"text": "x" * size}
    return time.thread_time() - started


def test_c07_a_long_streamed_call_costs_near_linear_time(server: Any, llm: Any) -> None:
    _seconds(llm, server, 400)
    small, large = (min(_seconds(llm, server, pieces) for _ in range(2)) for pieces in (6_000, 24_000))
    assert large / small < 8  # linear is 4, quadratic 16


CHOICES: list[tuple[dict[str, Any], Any]] = [
    ({}, None),
    ({"tool_required": True}, "required"),
    ({"tool_choice": "auto"}, "auto"),
    ({"tool_choice": "none"}, "none"),
    ({"tool_choice": "required"}, "required"),
    ({"tool_choice": "add"}, {"type": "function", "function": {"name": "add"}}),
    (
        {"tool_choice": {"type": "function", "function": {"name": "mul"}}},
        {"type": "function", "function": {"name": "mul"}},
    ),
]


@pytest.mark.parametrize("how", WITH_TOOLS)
@pytest.mark.parametrize(("asked", "sent"), CHOICES)
async def test_c09_the_choice_of_a_tool_reaches_the_wire(
    server: Any, llm: Any, how: str, asked: dict[str, Any], sent: Any
) -> None:
    play(server, how, completion("ok"), [delta("ok", finish_reason="stop")])
    await responses_of(llm, how, tools=TOOLS, user_msg="1 + 2?", **asked)
    body = server.requests[0].json
    assert body.get("tool_choice") in ([None, "auto"] if sent is None else [sent])
    assert body["messages"] == [{"role": "user", "content": "1 + 2?"}]
    function = body["tools"][0]["function"]
    assert body["tools"][0]["type"] == "function"
    assert (function["name"], function["parameters"]) == ("add", PARAMETERS)
    assert "Add two numbers." in function["description"]
    assert "strict" not in function


async def responses_of(llm: Any, how: str, **kwargs: Any) -> list[Any]:
    result = getattr(llm, how)(**kwargs)
    if hasattr(result, "__await__"):
        result = await result
    if hasattr(result, "__aiter__"):
        return [piece async for piece in result]
    return [result] if hasattr(result, "message") else list(result)


@pytest.mark.parametrize("how", WITH_TOOLS)
async def test_c09_no_tools_send_no_trace_of_tools(server: Any, llm: Any, how: str) -> None:
    play(server, how, completion("ok"), [delta("ok", finish_reason="stop")])
    await responses_of(llm, how, tools=[], user_msg="Hi", tool_required=True)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(server.requests[0].json)


@pytest.mark.parametrize("how", WITH_TOOLS)
async def test_c09_strict_closes_the_parameters(server: Any, make: Any, how: str) -> None:
    play(server, how, completion("ok"), [delta("ok", finish_reason="stop")])
    await responses_of(make(strict=True), how, tools=TOOLS, user_msg="Hi")
    function = server.requests[0].json["tools"][0]["function"]
    assert function["strict"] is True
    assert function["parameters"]["additionalProperties"] is False


@pytest.mark.parametrize("how", WITH_TOOLS)
@pytest.mark.parametrize("parallel", [True, False])
async def test_c09_parallel_calls_are_trimmed_to_one_where_one_is_allowed(
    server: Any, llm: Any, how: str, parallel: bool
) -> None:
    calls = [tool_call("add", '{"a": 1}', id="c1", index=0), tool_call("mul", '{"a": 3}', id="c2", index=1)]
    server.play(reply(how, completion(None, tool_calls=calls), [pieces(*calls), delta(finish_reason="tool_calls")]))
    found = await responses_of(llm, how, tools=TOOLS, user_msg="Hi", allow_parallel_tool_calls=parallel)
    assert server.requests[0].json["parallel_tool_calls"] is parallel
    expected = 2 if parallel else 1
    assert len(llm.get_tool_calls_from_response(found[-1])) == expected
    assert len(found[-1].message.additional_kwargs["tool_calls"]) == expected


def test_c09_predict_and_call_runs_the_tool_that_was_called(server: Any, llm: Any) -> None:
    calls = [tool_call("add", '{"a": 1, "b": 2}', id="c1"), tool_call("mul", '{"a": 3}', id="c2")]
    server.play(json_reply(completion(None, tool_calls=calls)))
    assert str(llm.predict_and_call(TOOLS, "1 + 2?")) == "3"


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    """A box."""

    value: T


def _weather() -> list[FunctionTool]:
    def 查天气(city: str) -> str:  # noqa: N802
        """查询一个城市的天气。"""
        return f"{city}：晴"

    def 查汇率(pair: str) -> str:  # noqa: N802
        """查询汇率。"""
        return "7.1"

    return [FunctionTool.from_defaults(查天气), FunctionTool.from_defaults(查汇率)]


@pytest.mark.parametrize("how", WITH_TOOLS)
async def test_c10_chinese_tool_names_go_out_as_distinct_ascii_and_come_back(server: Any, llm: Any, how: str) -> None:
    tools = _weather()

    def answer(request: Any) -> Any:
        name = request.json["tools"][1]["function"]["name"]
        call = tool_call(name, '{"pair": "USD/CNY"}', id="c1", index=0)
        return reply(how, completion(None, tool_calls=[call]), [pieces(call), delta(finish_reason="tool_calls")])

    server.play(answer)
    found = await responses_of(llm, how, tools=tools, user_msg="美元？")
    sent = [tool["function"]["name"] for tool in server.requests[0].json["tools"]]
    assert len(set(sent)) == 2
    assert all(name.isascii() and len(name) <= 64 for name in sent)
    (call,) = llm.get_tool_calls_from_response(found[-1])
    assert (call.tool_name, call.tool_kwargs) == ("查汇率", {"pair": "USD/CNY"})
    assert found[-1].message.additional_kwargs["tool_calls"][0].function.name == "查汇率"


def test_c10_a_chinese_name_is_the_same_in_the_choice_and_in_the_history(server: Any, llm: Any) -> None:
    server.play(json_reply(completion("好")))
    history = [
        ChatMessage(role="user", content="天气？"),
        ChatMessage(
            role="assistant",
            blocks=[ToolCallBlock(tool_call_id="c1", tool_name="查天气", tool_kwargs={"city": "北京"})],
        ),
        ChatMessage(role="tool", content="晴", additional_kwargs={"tool_call_id": "c1"}),
    ]
    llm.chat_with_tools(_weather(), chat_history=history, tool_choice="查天气")
    body = server.requests[0].json
    name = body["tools"][0]["function"]["name"]
    assert body["tool_choice"]["function"]["name"] == name
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == name
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"city": "北京"}'
    assert body["messages"][2] == {"role": "tool", "content": "晴", "tool_call_id": "c1"}


def test_c10_a_generic_pydantic_model_is_a_tool_like_any_other(server: Any, llm: Any) -> None:
    from llama_index.core.program import FunctionCallingProgram
    from llama_index.core.prompts import PromptTemplate

    def answer(request: Any) -> Any:
        name = request.json["tools"][0]["function"]["name"]
        return json_reply(completion(None, tool_calls=[tool_call(name, '{"value": 7}', id="c1")]))

    server.play(answer)
    program = FunctionCallingProgram.from_defaults(Box[int], prompt=PromptTemplate("{x}"), llm=llm)
    assert program(x="seven") == Box[int](value=7)
