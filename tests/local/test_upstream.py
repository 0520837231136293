"""The endpoint over another server: GeekAI's extras over what Ollama, vLLM and llama.cpp say, asked by our clients."""

from __future__ import annotations

from typing import Any

import pytest

from geekai_core import APIStatusError
from geekai_core.models import listed_facts
from geekai_core.response.accumulate import Accumulator
from geekai_testing.replies import Hold, chunk, delta, error, json_reply, sse, tool_call
from geekai_testing.scripted import ScriptedServer
from tests.local.conftest import Over, asked, streaming

KEY = "sk-upstream-5f2c9a71e0"
QUESTION = "灰山天文台每周哪一天开放？"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "completion_tokens_details": {"x": 1}}


def both(client: Any, upstream: ScriptedServer, *chunks: Any, **fields: Any) -> list[Any]:
    """The answers to the same, whole and streamed; each is asked of the upstream as it was asked of the endpoint."""
    upstream.play(json_reply(added_up(chunks)), sse(*chunks))
    whole = client.chat(**asked(**fields))
    with streaming(client, **fields) as stream:
        assert list(stream)
    assert [bool(request.json.get("stream")) for request in upstream.requests[-2:]] == [False, True]
    return [whole, stream.answer]


def added_up(chunks: Any) -> dict[str, Any]:
    """The whole answer of a server that would stream these chunks."""
    whole = Accumulator(several=True)
    for each in chunks:
        if isinstance(each, dict):
            whole.feed(each)
    return whole.wire()


def test_an_answer_comes_back_whole_and_streamed(over: Over, upstream: ScriptedServer) -> None:
    """Its words, its end and its usage, under the name that was asked for; nothing was billed."""
    chunks = [delta("", extra={"role": "assistant"}), delta("极"), delta("客", finish_reason="stop")]
    for answer in both(over(), upstream, *chunks, chunk([], usage=USAGE)):
        assert answer.message.content == "极客"
        assert answer.message.role == "assistant"
        assert answer.choices[0].finish_reason == "stop"
        assert answer.model == "qwen3:8b"
        assert answer.raw["usage"] == {**USAGE, "billed_units": 0}


@pytest.mark.parametrize(
    ("given", "sent"),
    [('{"q": "fer', "{}"), ("", "{}"), ("[1]", "{}"), ('{"q": 1}', '{"q": 1}'), ({"q": 1}, '{"q": 1}'), (None, "{}")],
)
def test_a_calls_arguments_are_an_object_when_they_go_on(
    over: Over, upstream: ScriptedServer, given: Any, sent: Any
) -> None:
    """What a model broke off within would be a 500 of the server; all else of the message stays."""

    def history(arguments: Any) -> list[dict[str, Any]]:
        call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": arguments}}
        return [{"role": "user", "content": "?"}, {"role": "assistant", "content": None, "tool_calls": [call]}]

    over().chat(model="m", messages=history(given))
    assert upstream.requests[0].json["messages"] == history(sent)


def test_the_request_goes_on_as_it_came(over: Over, upstream: ScriptedServer) -> None:
    """What an OpenAI-compatible server knows, and what nobody here knows; GeekAI's own fields stay behind."""
    tools = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": None}}}
    passed: dict[str, Any] = {"tools": tools, "tool_choice": "required", "parallel_tool_calls": True, "n": 2}
    passed |= {"response_format": form, "logprobs": True, "top_logprobs": 3, "stop": ["."], "temperature": 0.5}
    picture = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    ours = {"sess_id": "1", "retries": 3, "json_mode": True}
    client = over(key=KEY)
    fields = asked(picture, max_tokens=9, extra_body={"keep_alive": "5m", "min_p": None}, **passed, **ours)
    client.chat(**fields)
    with client.stream(**fields) as stream:
        assert list(stream)
    whole, streamed = upstream.requests
    both_names = {"max_tokens": 9, "max_completion_tokens": 9}
    assert whole.json == {**asked(picture, keep_alive="5m"), **both_names, **passed}
    assert streamed.json == {**whole.json, "stream": True, "stream_options": {"include_usage": True}}
    assert whole.headers["authorization"] == streamed.headers["authorization"] == f"Bearer {KEY}"


def test_one_model_can_stand_for_all_names(over: Over, upstream: ScriptedServer) -> None:
    """`--upstream-model`; and without a key none is sent."""
    assert over(model="llama3.2").chat(**asked()).model == "qwen3:8b"
    assert upstream.requests[0].json["model"] == "llama3.2"
    assert "authorization" not in upstream.requests[0].headers


def test_json_mode_becomes_a_format(over: Over, upstream: ScriptedServer) -> None:
    over().chat({**asked(), "json_mode": True})
    assert upstream.requests[0].json["response_format"] == {"type": "json_object"}
    assert "json_mode" not in upstream.requests[0].json


def test_a_search_puts_numbered_passages_before_the_question(over: Over, upstream: ScriptedServer) -> None:
    """A passage's number is that of its page among the citations, which the answer brings with the results."""
    config = {"return_result": True, "count": 3}
    answers = both(
        over(),
        upstream,
        delta("周六[1]。", finish_reason="stop"),
        question=QUESTION,
        enable_search=True,
        search_config=config,
    )
    for answer, request in zip(answers, upstream.requests, strict=True):
        (message,) = request.json["messages"]
        assert answer.citations[0].endswith("/observatory.zh.md")
        assert len(answer.search_results) == 3
        for result in answer.search_results:
            number = answer.citations.index(result["link"]) + 1
            assert f"[{number}] {result['title']}: {result['content']}" in message["content"]
        assert message["content"].endswith(f"Question: {QUESTION}")
        assert not request.json.keys() & {"enable_search", "search_config"}
        assert answer.billed_units == 1


def test_a_search_keeps_the_parts_and_turns_of_a_conversation(over: Over, upstream: ScriptedServer) -> None:
    """Only the last question changes, and its picture stays; the instruction can be one's own."""
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    turns: list[Any] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "lighthouse steps?"}, picture]},
        {"role": "assistant", "content": "…"},
    ]
    over().chat(model="m", messages=turns, enable_search=True, search_config={"prompt": "照此回答。", "count": 1})
    system, question, answer = upstream.requests[0].json["messages"]
    assert [system, answer] == [turns[0], turns[2]]
    assert question["content"][1:] == turns[1]["content"]
    assert question["content"][0]["text"].startswith("照此回答。\n\nContext:\n[1] ")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_come_through_under_either_name(over: Over, upstream: ScriptedServer, name: str) -> None:
    """llama.cpp and vLLM say `reasoning_content`, Ollama and OpenRouter `reasoning`."""
    reply = [delta(extra={name: "想"}), delta(extra={name: "想", "content": ""}), delta("好", finish_reason="stop")]
    client = over()
    for answer in both(client, upstream, *reply, enable_thinking=True):
        assert (answer.message.reasoning_content, answer.message.content) == ("想想", "好")
    for answer in both(client, upstream, *reply, enable_thinking=True, thinking={"include_thoughts": False}):
        assert (answer.message.reasoning_content, answer.message.content) == (None, "好")


def test_thinking_is_asked_for_in_the_words_of_each_server(over: Over, upstream: ScriptedServer) -> None:
    """And in GeekAI's own; whoever names a template's argument is not overruled."""
    client = over()
    thinking = {"budget_tokens": 64, "reasoning_effort": "low"}
    client.chat(**asked(enable_thinking=True, thinking=thinking))
    client.chat({**asked(enable_thinking=False), "chat_template_kwargs": {"x": 1}})
    client.chat(**asked())
    first, second, third = (request.json for request in upstream.requests)
    given = {"enable_thinking": True, "thinking": thinking, "thinking_budget_tokens": 64, "reasoning_effort": "low"}
    assert first.items() >= {**given, "chat_template_kwargs": {"enable_thinking": True}}.items()
    assert second["chat_template_kwargs"] == {"x": 1}
    assert third.keys() == {"model", "messages"}


def test_tool_calls_come_through_one_request_at_a_time(over: Over, upstream: ScriptedServer) -> None:
    """A model that calls for ever is the caller's to stop: the endpoint itself never asks again."""
    pieces = [
        tool_call("now", '{"in": ', id="a", index=0),
        tool_call("add", "{}", id="b", index=1),
        tool_call(arguments='"京"}', index=0),
    ]
    reply = [*(delta(tool_calls=[piece]) for piece in pieces), delta(finish_reason="tool_calls")]
    for answer in both(over(), upstream, *reply):
        assert answer.choices[0].finish_reason == "tool_calls"
        calls = [(call.id, call.function.name, call.function.arguments) for call in answer.message.tool_calls]
        assert calls == [("a", "now", '{"in": "京"}'), ("b", "add", "{}")]
    assert len(upstream.requests) == 2


def test_calls_that_are_all_counted_as_the_first_stay_apart(over: Over, upstream: ScriptedServer) -> None:
    """As Ollama did: their ids tell. A server that gives no place at all is understood, too."""
    same = [delta(tool_calls=[tool_call(name, {"x": 1}, id=name, index=0)]) for name in ("a", "b")]
    none = [delta(tool_calls=[tool_call("c", {}, id="c")])]
    client = over()
    for calls, names in ((same, ["a", "b"]), (none, ["c"])):
        for answer in both(client, upstream, *calls, delta(finish_reason="tool_calls")):
            assert [call.function.name for call in answer.message.tool_calls] == names


def test_several_choices_keep_their_words_apart(over: Over, upstream: ScriptedServer) -> None:
    """llama.cpp interleaves them."""
    logprobs = {
        "content": [{"token": "b", "logprob": -1.5, "bytes": [98], "top_logprobs": [{"token": "c", "logprob": -2}]}]
    }
    reply = [
        *(delta("b", index=1, logprobs=logprobs), delta("a", index=0), delta("B", index=1, finish_reason="stop")),
        *(chunk([], usage=USAGE), delta("A", index=0, finish_reason="length"), chunk([], usage=USAGE)),
    ]
    for answer in both(over(), upstream, *reply, n=2, logprobs=True):
        said = [(choice.index, choice.message.content, choice.finish_reason) for choice in answer.choices]
        assert said == [(0, "aA", "length"), (1, "bB", "stop")]
        assert [token.token for token in answer.choices[1].logprobs.content] == ["b"]
        assert answer.choices[1].logprobs.content[0].top_logprobs == []


@pytest.mark.xfail(strict=True, reason="of several usages that a stream brings, the core keeps the last")
def test_several_choices_keep_their_usage_together(over: Over, upstream: ScriptedServer) -> None:
    """llama.cpp sends one for each when it streams: the prompt counts once, the answers all."""
    ends = [(delta("a", index=n, finish_reason="stop"), chunk([], usage=USAGE)) for n in (1, 0)]
    upstream.play(sse(*[each for end in ends for each in end]))
    with streaming(over(), n=2) as stream:
        assert list(stream)
    usage = stream.answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 6, 13)


@pytest.mark.parametrize(
    ("chunks", "usage"),
    [
        (
            [
                delta("a", usage=USAGE),
                delta("b", finish_reason="stop", usage={**USAGE, "completion_tokens": 4, "total_tokens": 11}),
            ],
            (7, 4, 11),
        ),
        ([delta("a", finish_reason="stop", usage=USAGE)], (7, 3, 10)),
        ([delta("a", finish_reason="stop"), chunk([], usage=None)], (None, None, None)),
    ],
)
def test_usage_is_counted_however_it_comes(over: Over, upstream: ScriptedServer, chunks: list[Any], usage: Any) -> None:
    """Growing with each chunk, with the last one, or not at all, which is not the same as none."""
    for answer in both(over(), upstream, *chunks):
        found = answer.usage
        assert (found.prompt_tokens, found.completion_tokens, found.total_tokens) == usage
        assert found.billed_units == 0


def test_the_models_of_the_upstream_are_listed_in_geekais_shape(over: Over, upstream: ScriptedServer) -> None:
    """What it tells, and null for the rest; the local embedding model comes last; pages are ours."""
    listed = [{"id": f"m{n}", "object": "model", "created": 5, "owned_by": "库"} for n in range(30)]
    upstream.default = lambda request: json_reply(
        {"object": "list", "data": [{**listed[0], "max_model_len": 4000}, *listed[1:]]}
    )
    client = over(key=KEY)
    models = client.models()
    assert [model.id for model in models] == [f"m{n}" for n in range(30)] + ["multilingual-e5-small"]
    assert listed_facts(models[0])["context_window"] == 4000
    assert (models[1].created, models[1].owned_by, models[1].context_window, models[1].capabilities) == (
        5,
        "库",
        None,
        None,
    )
    assert {(request.method, request.route) for request in upstream.requests} == {("GET", "/models")}
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_embeddings_come_from_the_upstream_only_when_asked_for(over: Over, upstream: ScriptedServer) -> None:
    """Then its model is named, GeekAI's intent stays behind, and its errors keep their words."""
    vectors = {"object": "list", "data": [{"index": 0, "embedding": [0.6, 0.8]}], "usage": {"prompt_tokens": 2}}
    upstream.play(json_reply(vectors), error(400, "太长"), json_reply({"data": None}), path="/embeddings")
    client = over(embedding_model="bge-m3")
    assert client.embed("你好", model="x", intent="search_query", dimensions=1024).data[0].embedding == [0.6, 0.8]
    assert upstream.requests[0].json == {"model": "bge-m3", "input": ["你好"], "dimensions": 1024}
    for words in ("太长", "0 vectors"):
        with pytest.raises(APIStatusError, match=words):
            client.embed("你好", model="x")
    assert len(upstream.requests) == 3


@pytest.mark.local_model
def test_the_local_model_embeds_beside_an_upstream(over: Over, upstream: ScriptedServer) -> None:
    client = over()
    assert len(client.embed("你好", model="x").data[0].embedding) == 384
    assert client.rerank("a", ["b"], model="x").model == "multilingual-e5-small"
    assert client.web_search("lighthouse").results
    assert upstream.requests == []


@pytest.mark.local_model
def test_one_endpoint_can_stand_over_another(over: Over, base_url: str) -> None:
    """A real model behind two of them: thoughts, a schema, logprobs and choices pass through both."""
    client = over(base_url, key="any-key")
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": ["the same"]}}}
    whole = client.chat(**asked("Hi", response_format=form, n=2, logprobs=True))
    assert [choice.message.content for choice in whole.choices] == ['["the same"]'] * 2
    assert "".join(token.token for token in whole.choices[1].logprobs.content).endswith('["the same"]')  # with a fence
    thoughtful = client.chat(**asked("Why is the sky blue?", enable_thinking=True, max_tokens=40))
    assert thoughtful.message.reasoning_content
    assert thoughtful.message.content
    assert [model.id for model in client.models()] == ["SmolLM2-135M-Instruct.Q4_1", "multilingual-e5-small"]


def test_a_stream_is_over_when_it_says_so(over: Over, upstream: ScriptedServer) -> None:
    """Though the connection stays open."""
    both(over(), upstream, delta("a", finish_reason="stop"), "[DONE]", Hold())


@pytest.mark.parametrize("pieces", [["```json", "\n", '{"a": ', "1}", "\n```"], ['"a', ' b"'], ["```", '{"a": 1}']])
def test_json_in_a_fence_comes_without_it(over: Over, upstream: ScriptedServer, pieces: list[str]) -> None:
    """Held back until it can be told from prose; each choice gets its own, once, with its log probabilities."""
    tokens = {"content": [{"token": "t", "logprob": -1.0, "top_logprobs": []}]}
    chunks = [delta(piece, index=index, logprobs=tokens) for piece in pieces for index in (0, 1)]
    ends = [delta(index=index, finish_reason="stop") for index in (0, 1)]
    upstream.play(sse(*chunks, *ends, chunk([], usage=USAGE)))
    client = over()
    with streaming(client, n=2, logprobs=True, response_format={"type": "json_object"}) as stream:
        assert list(stream)
    bare = "".join(pieces).removeprefix("```json").strip("`\n")
    assert [choice.message.content for choice in stream.answer.choices] == [bare, bare]
    assert [len(choice.logprobs.content) for choice in stream.answer.choices] == [len(pieces)] * 2
