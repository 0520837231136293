"""How an answer ended: calls that were cut never run, whichever way LangChain puts them together; the old form."""

import warnings
from typing import Any

import pytest
from langchain_core._api import LangChainBetaWarning
from langchain_core.messages import AIMessageChunk, FunctionMessage, HumanMessage, message_chunk_to_message
from langchain_core.messages.ai import AIMessage

from geekai_testing.replies import Reply, completion, delta, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from tests.langchain.conftest import BRIDGED, EVERY_WAY, STREAMED, WAYS, WHOLE, Make, ask

SOUND = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CUT = {"id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"path": "plan.md", "body": "Step'}}


def answer(way: str, finish: str, *calls: dict[str, Any], content: str | None = "Hi. ", **extra: Any) -> Reply:
    if way in WHOLE:
        return json_reply(completion(content, tool_calls=list(calls) or ..., finish_reason=finish, extra=extra))
    pieces = [delta(tool_calls=[{"index": at, **call}]) for at, call in enumerate(calls)]
    text = [] if content is None else [delta(content)]
    return sse(*text, *pieces, delta(finish_reason=finish, usage=usage(), extra=extra))


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("way", EVERY_WAY)
async def test_a_call_that_the_token_limit_cut_is_invalid_and_says_so(
    server: ScriptedServer, make: Make, way: str, version: str
) -> None:
    server.default = answer(way, "length", SOUND, CUT)
    message = await ask(make(output_version=version), way)
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("f", {"a": 1})]
    [broken] = message.invalid_tool_calls
    assert (broken["name"], broken["id"], broken["args"]) == ("g", "c2", CUT["function"]["arguments"])
    assert "token limit" in str(broken["error"])
    assert message.response_metadata["normalized_finish_reason"] == "length"
    assert message.response_metadata["finish_state"] == "incomplete"
    assert not [block for block in message.content_blocks if block["type"] == "tool_call" and block["name"] == "g"]


@pytest.mark.parametrize("way", STREAMED)
async def test_a_sum_that_began_with_langchain_s_own_chunk_is_as_strict(
    server: ScriptedServer, make: Make, way: str
) -> None:
    server.default = answer(way, "length", CUT)
    model = make()
    chunks = [*model.stream("Hi")] if way == "stream" else [chunk async for chunk in model.astream("Hi")]
    by_one: Any = AIMessageChunk("")
    for chunk in chunks:
        by_one = by_one + chunk
    for total in (by_one, AIMessageChunk("") + chunks[0] + chunks[1:], chunks[0] + chunks[1:]):
        assert type(total) is AIMessageChunk
        assert total.tool_calls == []
        assert len(total.invalid_tool_calls) == 1
        assert type(message_chunk_to_message(total)) is AIMessage
        again = AIMessageChunk.model_validate(total.model_dump())
        assert (again.tool_calls, again.invalid_tool_calls) == ([], [again.invalid_tool_calls[0]])


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_a_sum_without_a_broken_call_is_what_langchain_makes_of_it(
    server: ScriptedServer, make: Make, way: str
) -> None:
    server.default = answer(way, "tool_calls", SOUND)
    message = await ask(make(), way)
    assert message.tool_calls == [{"type": "tool_call", "id": "c1", "name": "f", "args": {"a": 1}}]
    assert message.response_metadata["normalized_finish_reason"] == "tool_call"
    assert "finish_state" not in message.response_metadata


@pytest.mark.parametrize(
    ("word", "normal", "state"),
    [
        ("stop", "stop", None),
        ("MAX_TOKENS", "length", "incomplete"),
        ("sensitive", "content_filter", "incomplete"),
        ("a word of its own", None, None),
    ],
)
@pytest.mark.parametrize("way", WAYS)
async def test_a_vendor_s_word_for_the_end_has_langchain_s_beside_it(
    server: ScriptedServer, make: Make, way: str, word: str, normal: str | None, state: str | None
) -> None:
    server.default = answer(way, word)
    told = (await ask(make(), way)).response_metadata
    found = [told.get(name) for name in ("finish_reason", "normalized_finish_reason", "finish_state")]
    assert found == [word, normal, state]


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_the_old_form_of_a_call_is_taken_and_goes_back_whole(
    server: ScriptedServer, make: Make, way: str
) -> None:
    called = {"name": "f", "arguments": '{"a": 1}'}
    if way in WHOLE:
        reply = answer(way, "function_call", content=None, function_call=called)
    else:
        begun, rest = {"name": "f", "arguments": '{"a":'}, {"arguments": " 1}"}
        pieces = [delta(extra={"function_call": piece}) for piece in (begun, rest)]
        reply = sse(*pieces, delta(finish_reason="function_call", usage=usage()))
    server.default = reply
    functions = [{"name": "f", "parameters": {"type": "object"}}]
    model = make().bind(functions=functions, function_call={"name": "f"})
    message = await ask(model, way)
    assert server.requests[-1].json["functions"] == functions
    assert server.requests[-1].json["function_call"] == {"name": "f"}
    assert message.additional_kwargs["function_call"] == called
    server.default = json_reply(completion("2"))
    model.invoke([HumanMessage("Hi"), message, FunctionMessage(name="f", content="2")])
    assert server.requests[-1].json["messages"][1:] == [
        {"role": "assistant", "content": "", "function_call": called},
        {"role": "function", "name": "f", "content": "2"},
    ]


@pytest.mark.parametrize("way", BRIDGED)
async def test_the_indexes_of_events_are_integers(server: ScriptedServer, make: Make, way: str) -> None:
    server.default = sse(
        delta(reasoning_content="Hm."),
        delta("Hi. "),
        delta(tool_calls=[{"index": 0, **SOUND}]),
        delta(finish_reason="tool_calls", usage=usage(), citations=["https://a.example"]),
    )
    model = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)  # v3 is LangChain's beta
        if way == "v3":
            events: list[Any] = list(model.stream_events("Hi", version="v3"))
        else:
            events = [event async for event in await model.astream_events("Hi", version="v3")]
    blocks = [event["content"] for event in events if "content" in event]
    indexes = [block["index"] for block in blocks if "index" in block]
    assert indexes
    assert all(isinstance(index, int) for index in indexes)


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_the_order_of_blocks_is_the_same_whole_and_streamed(server: ScriptedServer, make: Make, way: str) -> None:
    if way in WHOLE:
        body = completion(
            "Hi [1].", reasoning_content="Hm.", tool_calls=[SOUND], finish_reason="tool_calls",
            citations=["https://a.example"],
        )  # fmt: skip
        server.default = json_reply(body)
    else:
        server.default = sse(
            delta(reasoning_content="Hm."),
            delta("Hi [1]."),
            delta(tool_calls=[{"index": 0, **SOUND}]),
            delta(finish_reason="tool_calls", usage=usage(), citations=["https://a.example"]),
        )
    message = await ask(make(output_version="v1"), way)
    kinds = [block["type"] for block in message.content_blocks]
    assert kinds == ["reasoning", "text", "tool_call", "server_tool_call", "server_tool_result"]
