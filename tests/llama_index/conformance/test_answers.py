"""C1 to C5 and C8: identity, and that nothing of an answer is lost, whole or streamed, in all eight methods."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from llama_index.core.base.llms.types import MessageRole, TextBlock, ThinkingBlock
from llama_index.core.llms import LLM, ChatMessage
from llama_index.core.llms.function_calling import FunctionCallingLLM

from geekai_testing.replies import chunk, completion, delta, json_reply, sse, tool_call, usage
from tests.llama_index.support import CHATS, COMPLETIONS, USER, last, play, responses

URLS = ["https://a.example/panda", "https://b.example/大熊猫"]
USAGE = usage(
    30, 12, 2, prompt={"cached_tokens": 7, "citation_tokens": 11}, completion={"reasoning_tokens": 6, "audio_tokens": 1}
)
TOP = {"citations": URLS, "usage": USAGE, "system_fingerprint": "fp_1"}
WHOLE = completion("Pandas live in China.[1]", reasoning_content="I should look.", **TOP)
CHUNKS = [
    delta(None, reasoning_content="I ", extra={"role": "assistant"}),
    delta(reasoning_content="should "),
    delta(reasoning_content="look."),
    delta("Pandas "),
    delta("live in "),
    delta("China.[1]"),
    delta(finish_reason="stop"),
    chunk([], **TOP),
]


def thinking(message: ChatMessage) -> list[ThinkingBlock]:
    return [block for block in message.blocks if isinstance(block, ThinkingBlock)]


def test_c01_it_is_a_function_calling_llm_for_a_model_that_nobody_knows(make: Any) -> None:
    llm = make(model="no-such-vendor/model:x*y", context_window=9000, max_tokens=77)
    assert isinstance(llm, FunctionCallingLLM)
    assert isinstance(llm, LLM)
    metadata = llm.metadata
    assert (metadata.model_name, metadata.context_window, metadata.num_output) == ("no-such-vendor/model:x*y", 9000, 77)
    assert metadata.is_chat_model
    assert metadata.is_function_calling_model
    assert metadata.system_role == MessageRole.SYSTEM
    assert llm.class_name() == type(llm).class_name() != "base_component"


@pytest.mark.parametrize("model", ["ERNIE-4.5-turbo", "spark-max"])
def test_c01_models_that_cannot_call_functions_are_told_apart(make: Any, model: str) -> None:
    assert not make(model=model).metadata.is_function_calling_model
    assert make(model=model, is_function_calling_model=True).metadata.is_function_calling_model


def test_c01_an_unknown_context_window_is_a_usable_guess(make: Any) -> None:
    assert make().metadata.context_window >= 16_000
    assert make().metadata.num_output == -1


@pytest.mark.parametrize("how", CHATS)
async def test_c02_a_chat_keeps_reasoning_usage_citations_and_finish_reason(server: Any, llm: Any, how: str) -> None:
    play(server, how, WHOLE, CHUNKS)
    response = await last(llm, how)
    assert response.message.role == MessageRole.ASSISTANT
    assert response.message.content == "Pandas live in China.[1]"
    assert [(block.content, block.num_tokens) for block in thinking(response.message)] == [("I should look.", 6)]
    assert response.raw["usage"] == USAGE
    assert response.raw["citations"] == URLS
    extra = response.additional_kwargs
    assert (extra["prompt_tokens"], extra["completion_tokens"], extra["total_tokens"]) == (30, 12, 42)
    assert (extra["billed_units"], extra["citation_tokens"], extra["finish_reason"]) == (2, 11, "stop")
    assert extra["usage"] == USAGE
    assert extra["citations"] == URLS == response.message.additional_kwargs["citations"]
    assert type(response.raw) is dict
    assert response.raw["choices"][0]["message"]["reasoning_content"] == "I should look."


@pytest.mark.parametrize("how", COMPLETIONS)
async def test_c02_a_completion_keeps_the_same(server: Any, llm: Any, how: str) -> None:
    play(server, how, WHOLE, CHUNKS)
    response = await last(llm, how)
    assert response.text == "Pandas live in China.[1]"
    extra = response.additional_kwargs
    assert (extra["prompt_tokens"], extra["billed_units"], extra["citations"]) == (30, 2, URLS)
    assert extra["reasoning_content"] == "I should look."
    assert response.raw["usage"] == USAGE
    assert server.requests[0].json["messages"] == [{"role": "user", "content": "Where do pandas live?"}]


async def test_c02_the_last_piece_of_a_stream_is_the_whole_response(server: Any, llm: Any) -> None:
    found = []
    for how in CHATS:
        play(server, how, WHOLE, CHUNKS)
        response = await last(llm, how)
        found.append((response.message, response.additional_kwargs, response.logprobs, response.raw["choices"]))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("how", ["stream_chat", "astream_chat"])
async def test_c03_pieces_are_cumulative_and_their_deltas_add_up(server: Any, llm: Any, how: str) -> None:
    play(server, how, WHOLE, CHUNKS)
    pieces = await responses(llm, how)
    assert "".join(piece.delta or "" for piece in pieces) == pieces[-1].message.content
    text = ""
    for piece in pieces:
        text += piece.delta or ""
        assert (piece.message.content or "") == text
    thought = [piece.additional_kwargs.get("thinking_delta") or "" for piece in pieces]
    assert [part for part in thought if part] == ["I ", "should ", "look."]
    assert [piece.raw for piece in pieces[:6]] == CHUNKS[:6]


@pytest.mark.parametrize("how", ["stream_chat", "astream_chat"])
async def test_c03_a_piece_once_given_out_never_changes(server: Any, llm: Any, how: str) -> None:
    call = tool_call("add", '{"a": 1, ', id="call_1", index=0)
    chunks = [*CHUNKS[:6], delta(tool_calls=[call]), delta(tool_calls=[tool_call(arguments='"b": 2}', index=0)])]
    server.play(sse(*chunks, delta(finish_reason="tool_calls")))
    kept, pieces = [], []
    result = getattr(llm, how)(USER)
    async for piece in _iterate(result):
        pieces.append(piece)
        kept.append(copy.deepcopy(piece))
    assert pieces == kept


async def _iterate(result: Any) -> Any:
    if hasattr(result, "__await__"):
        async for piece in await result:
            yield piece
    else:
        for piece in result:
            yield piece


FIRST = {
    "the role alone": [delta("", extra={"role": "assistant"}), delta("Hi")],
    "null content with reasoning": [delta(None, reasoning_content="Hm"), delta("Hi")],
    "content at once": [delta("Hi", extra={"role": "assistant"})],
    "an empty list of choices": [chunk([]), delta("Hi")],
}


@pytest.mark.parametrize("how", ["stream_chat", "astream_chat"])
@pytest.mark.parametrize("first", FIRST)
async def test_c04_a_stream_may_begin_in_any_way(server: Any, llm: Any, how: str, first: str) -> None:
    server.play(sse(*FIRST[first], delta(finish_reason="stop")))
    pieces = await responses(llm, how)
    assert pieces[-1].message.content == "Hi"
    assert "".join(piece.delta or "" for piece in pieces) == "Hi"
    if "reasoning" in first:
        assert pieces[0].additional_kwargs["thinking_delta"] == "Hm"
        assert thinking(pieces[-1].message)[0].content == "Hm"


@pytest.mark.parametrize("how", ["stream_chat", "astream_chat"])
async def test_c04_a_stream_may_begin_with_a_tool_call(server: Any, llm: Any, how: str) -> None:
    server.play(
        sse(delta(tool_calls=[tool_call("add", {"a": 1}, id="c1", index=0)]), delta(finish_reason="tool_calls"))
    )
    response = await last(llm, how)
    assert response.message.content is None
    assert not [block for block in response.message.blocks if isinstance(block, TextBlock)]
    assert llm.get_tool_calls_from_response(response)[0].tool_kwargs == {"a": 1}


PLACES = {
    "first chunk": [delta("Hi", **TOP), delta(finish_reason="stop")],
    "last choice chunk": [delta("Hi"), delta(finish_reason="stop", **TOP)],
    "a chunk without choices": [delta("Hi"), delta(finish_reason="stop"), chunk([], **TOP)],
    "a chunk with null choices": [delta("Hi"), delta(finish_reason="stop"), {**chunk([], **TOP), "choices": None}],
    "every chunk": [delta("Hi", **TOP), delta("", **TOP), delta(finish_reason="stop", **TOP)],
    "inside the delta": [delta("Hi", extra={"citations": URLS}), delta(finish_reason="stop", usage=USAGE)],
}


@pytest.mark.parametrize("how", ["stream_chat", "astream_chat"])
@pytest.mark.parametrize("place", PLACES)
async def test_c05_usage_and_citations_may_come_anywhere(server: Any, llm: Any, how: str, place: str) -> None:
    server.play(sse(*PLACES[place]))
    response = await last(llm, how)
    assert response.message.content == "Hi"
    assert response.raw["usage"] == USAGE
    assert response.raw["citations"] == URLS
    assert response.additional_kwargs["citations"] == URLS


@pytest.mark.parametrize("how", CHATS)
async def test_c08_the_callers_history_is_left_alone(server: Any, llm: Any, how: str) -> None:
    history = [ChatMessage(role="system", content="Be brief."), *USER]
    before = copy.deepcopy(history)
    play(server, how, WHOLE, CHUNKS)
    await last(llm, how, history)
    assert history == before


async def test_c08_the_history_given_beside_a_message_is_left_alone(server: Any, llm: Any) -> None:
    history = [ChatMessage(role="system", content="Be brief.")]
    server.play(json_reply(WHOLE), json_reply(WHOLE))
    llm.chat_with_tools([], "Hi", chat_history=history)
    await llm.achat_with_tools([], "Hi", chat_history=history)
    assert len(history) == 1
    assert [message["role"] for message in server.requests[0].json["messages"]] == ["system", "user"]
