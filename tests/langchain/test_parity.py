"""Nothing is lost: whatever the server does, whole and streamed, v1 and v3 give the same answer."""

import asyncio
import copy
import itertools
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk

from geekai_testing.replies import Hold, Json, chunk, completion, delta, json_reply, sse, tool_call, usage
from geekai_testing.scripted import ScriptedServer
from tests.langchain.conftest import BRIDGED, EVERY_WAY, STREAMED, WAYS, WHOLE, Make, ask

URLS = ["https://a.example/tea", "https://b.example/ferry"]
RESULTS = [{"title": "Tea", "link": URLS[0], "content": "Hot.", "media": "a"}, {"title": "Ferry", "link": URLS[1]}]
DETAILS = usage(
    30,
    20,
    3,
    prompt={"cached_tokens": 4, "audio_tokens": 2, "image_tokens": 5, "video_tokens": 6, "citation_tokens": 7},
    completion={"reasoning_tokens": 8, "audio_tokens": 1, "accepted_prediction_tokens": 2},
)
AUDIO = {"id": "audio_1", "data": "UUJDRA==", "expires_at": 1751504400, "transcript": "Hello."}
LOGPROBS = [{"token": t, "logprob": -0.5, "bytes": [1], "top_logprobs": [{"token": t, "logprob": -0.5}]} for t in "ab"]


@dataclass
class Behaviour:
    """One answer, as a whole and in the pieces of a stream; `has` is what must be found in the message."""

    whole: Json
    pieces: list[Json | bytes]
    has: dict[str, Any] = field(default_factory=dict)


def calls(*made: tuple[str, dict[str, Any], str]) -> list[Json]:
    return [{"name": name, "args": args, "id": id_, "type": "tool_call"} for name, args, id_ in made]


TWO = completion(
    None, tool_calls=[tool_call("查天气", {"城市": "北京"}, id="c1"), tool_call("add", {"a": 1, "b": 2}, id="c2")]
)
TWO_CALLS = {"tool_calls": calls(("查天气", {"城市": "北京"}, "c1"), ("add", {"a": 1, "b": 2}, "c2"))}
END = delta(finish_reason="tool_calls", usage=usage())


def pieces_of_two(first: Json, second: Json) -> list[Json | bytes]:
    return [delta(tool_calls=[first]), delta(tool_calls=[second]), END]


BEHAVIOURS = {
    "usage with the last piece": Behaviour(
        completion("Hello.", usage=DETAILS),
        [delta("Hel"), delta("lo."), delta(finish_reason="stop", usage=DETAILS)],
        {"usage": ("audio", "cache_read", "image", "video", "citation"), "billed_units": 3, "token_usage": DETAILS},
    ),
    "usage after the last piece": Behaviour(
        completion("Hello.", usage=DETAILS),
        [delta("Hello."), delta(finish_reason="stop"), chunk([], usage=DETAILS)],
        {"billed_units": 3},
    ),
    "usage that grows with each piece": Behaviour(
        completion("Hello.", usage=DETAILS),
        [
            delta("Hel", usage=usage(30, 1)),
            delta("lo.", usage=usage(30, 2)),
            delta(finish_reason="stop", usage=DETAILS),
        ],
        {"billed_units": 3, "token_usage": DETAILS},
    ),
    "no usage": Behaviour(
        {key: value for key, value in completion("Hello.").items() if key != "usage"},
        [delta("Hello."), delta(finish_reason="stop")],
    ),
    "a fraction of billed units": Behaviour(
        completion("Hello.", usage=usage(billed_units=0.5)),
        [delta("Hello.", usage=usage(billed_units=0.5)), delta(finish_reason="stop", usage=usage(billed_units=0.5))],
        {"billed_units": 0.5},
    ),
    "reasoning before the text": Behaviour(
        completion("Yes.", reasoning_content="Let me think. 好的"),
        [
            delta(extra={"role": "assistant"}),
            delta(None, reasoning_content="Let me "),
            delta("", reasoning_content="think. 好的"),
            delta("Yes."),
            delta(finish_reason="stop", usage=usage()),
        ],
        {"reasoning_content": "Let me think. 好的"},
    ),
    "citations with the first piece": Behaviour(
        completion("Tea [1].", citations=URLS),
        [delta("Tea ", citations=URLS), delta("[1]."), delta(finish_reason="stop", usage=usage())],
        {"citations": URLS},
    ),
    "citations repeated with each piece": Behaviour(
        completion("Tea [1].", citations=URLS),
        [
            delta("Tea ", citations=URLS),
            delta("[1].", citations=URLS),
            delta(finish_reason="stop", citations=URLS, usage=usage()),
        ],
        {"citations": URLS},
    ),
    "citations after the text, and results": Behaviour(
        completion("Tea [1], ferry【2】.", citations=URLS, search_results=RESULTS),
        [
            delta("Tea [1], "),
            delta("ferry【2】."),
            delta(finish_reason="stop", citations=URLS, search_results=RESULTS, usage=usage()),
        ],
        {"citations": URLS, "search_results": RESULTS},
    ),
    "results within the message": Behaviour(
        completion("Tea.", extra={"search_result": RESULTS}),
        [delta("Tea."), delta(extra={"search_result": RESULTS}), delta(finish_reason="stop", usage=usage())],
        {"search_results": RESULTS},
    ),
    "audio": Behaviour(
        completion(None, extra={"audio": {**AUDIO, "data": "QUJDRA=="}}),
        [
            delta(extra={"audio": {"id": "audio_1", "transcript": "Hel"}}),
            delta(extra={"audio": {"data": "QUI=", "transcript": "lo."}}),
            delta(extra={"audio": {"data": "Q0Q=", "expires_at": 1751504400}}),
            delta(finish_reason="stop", usage=usage()),
        ],
        {"audio": {**AUDIO, "data": "QUJDRA=="}},
    ),
    "log probabilities": Behaviour(
        {**(answer := completion("ab")), "choices": [{**answer["choices"][0], "logprobs": {"content": LOGPROBS}}]},
        [
            delta("a", logprobs={"content": LOGPROBS[:1]}),
            delta("b", logprobs={"content": LOGPROBS[1:]}),
            delta(finish_reason="stop", usage=usage()),
        ],
        {"logprobs": {"content": LOGPROBS}},
    ),
    "a refusal": Behaviour(
        completion(None, extra={"refusal": "I cannot do that."}),
        [
            delta(extra={"refusal": "I cannot "}),
            delta(extra={"refusal": "do that."}),
            delta(finish_reason="stop", usage=usage()),
        ],
        {"refusal": "I cannot do that."},
    ),
    "images": Behaviour(
        completion(
            "Here.", extra={"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}]}
        ),
        [
            delta("Here."),
            delta(extra={"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}]}),
            delta(finish_reason="stop", usage=usage()),
        ],
        {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}]},
    ),
    "fields that nobody knows": Behaviour(
        {
            **(answer := completion("Hi.", extra={"mood": {"good": True}}, service_tier="fast", trace={"x": [1]})),
            "system_fingerprint": "fp_1",
            "choices": [{**answer["choices"][0], "native_finish_reason": "end", "content_filter": {"hate": False}}],
        },
        [
            delta("Hi.", service_tier="fast", system_fingerprint="fp_1", extra={"mood": {"good": True}}),
            {
                **(last := delta(finish_reason="stop", service_tier="fast", trace={"x": [1]}, usage=usage())),
                "choices": [{**last["choices"][0], "native_finish_reason": "end", "content_filter": {"hate": False}}],
            },
        ],
        {
            "mood": {"good": True},
            "service_tier": "fast",
            "trace": {"x": [1]},
            "system_fingerprint": "fp_1",
            "native_finish_reason": "end",
            "content_filter": {"hate": False},
        },
    ),
    "cut by the token limit": Behaviour(
        completion("Hel", finish_reason="length"),
        [delta("Hel"), delta(finish_reason="length", usage=usage())],
        {"finish_reason": "length"},
    ),
    "nothing but the end": Behaviour(completion(""), [delta("", finish_reason="stop", usage=usage())]),
    "comments, empty choices and nulls between the pieces": Behaviour(
        completion("Hello."),
        [
            b": keep-alive\n\n",
            chunk([]),
            delta(None, reasoning_content=None, tool_calls=None),
            delta("Hel"),
            b": keep-alive\n\n",
            delta("lo."),
            delta("", finish_reason="stop", usage=usage()),
        ],
    ),
    "two calls, numbered": Behaviour(
        TWO,
        [
            delta(None, tool_calls=[tool_call("查天气", "", id="c1", index=0)]),
            delta(tool_calls=[tool_call(arguments='{"城市":', index=0)]),
            delta(tool_calls=[tool_call(arguments='"北京"}', index=0), tool_call("add", '{"a":', id="c2", index=1)]),
            delta(tool_calls=[tool_call(arguments=' 1, "b": 2}', index=1)]),
            END,
        ],
        TWO_CALLS,
    ),
    "two calls, not numbered": Behaviour(
        TWO,
        pieces_of_two(tool_call("查天气", {"城市": "北京"}, id="c1"), tool_call("add", {"a": 1, "b": 2}, id="c2")),
        TWO_CALLS,
    ),
    "two calls, all number 0": Behaviour(
        TWO,
        pieces_of_two(
            tool_call("查天气", {"城市": "北京"}, id="c1", index=0),
            tool_call("add", {"a": 1, "b": 2}, id="c2", index=0),
        ),
        TWO_CALLS,
    ),
    "id and name repeated with each piece": Behaviour(
        completion(None, tool_calls=[tool_call("add", {"a": 1}, id="c1")]),
        [
            delta(tool_calls=[tool_call("add", '{"a"', id="c1", index=0)]),
            delta(tool_calls=[tool_call("add", ": 1}", id="c1", index=0)]),
            END,
        ],
        {"tool_calls": calls(("add", {"a": 1}, "c1"))},
    ),
    "arguments as an object, or none": Behaviour(
        completion(
            None,
            tool_calls=[
                {"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}},
                tool_call("now", None, id="c2"),
            ],
        ),
        [
            delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "add", "arguments": {"a": 1}}}]),
            delta(tool_calls=[tool_call("now", None, id="c2", index=1)]),
            END,
        ],
        {"tool_calls": calls(("add", {"a": 1}, "c1"), ("now", {}, "c2"))},
    ),
    "reasoning, text, a call with a signature": Behaviour(
        completion(
            "Let me see.",
            reasoning_content="A tool.",
            tool_calls=[
                {**tool_call("add", {"a": 1}, id="c1"), "extra_content": {"google": {"thought_signature": "s"}}}
            ],
            citations=URLS,
        ),
        [
            delta(reasoning_content="A tool."),
            delta("Let me see."),
            delta(
                tool_calls=[
                    {
                        **tool_call("add", '{"a": 1}', id="c1", index=0),
                        "extra_content": {"google": {"thought_signature": "s"}},
                    }
                ]
            ),
            {**END, "citations": URLS},
        ],
        {
            "tool_calls": calls(("add", {"a": 1}, "c1")),
            "tool_call_extras": {"c1": {"extra_content": {"google": {"thought_signature": "s"}}}},
        },
    ),
}


def play(server: ScriptedServer, behaviour: Behaviour, way: str) -> None:
    server.play(json_reply(behaviour.whole, blank_lines=2) if way in WHOLE else sse(*behaviour.pieces))


def told(message: AIMessage) -> dict[str, Any]:
    """What a message says, whichever way it came; what LangChain adds is left out."""
    metadata = {key: value for key, value in message.response_metadata.items() if key != "output_version"}
    return {
        "text": str(message.text),
        "additional_kwargs": message.additional_kwargs,
        "response_metadata": metadata,
        "usage_metadata": message.usage_metadata,
        "tool_calls": message.tool_calls,
        "invalid_tool_calls": message.invalid_tool_calls,
        "blocks": blocks(message),
    }


def blocks(message: AIMessage) -> dict[str, Any]:
    """Content blocks by type, without the indices by which LangChain merges them."""
    by_type: dict[str, Any] = {}
    for block in message.content_blocks:
        by_type.setdefault(block["type"], []).append({k: v for k, v in block.items() if k != "index"})
    return by_type


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("name", BEHAVIOURS)
async def test_every_way_of_asking_gives_the_same_answer(
    server: ScriptedServer, make: Make, name: str, way: str
) -> None:
    behaviour = BEHAVIOURS[name]
    play(server, behaviour, "invoke")
    whole = told(make().invoke("Hi"))
    play(server, behaviour, way)
    assert told(await ask(make(), way)) == whole
    found = {**whole, **whole["response_metadata"], **whole["additional_kwargs"]}
    for key, value in behaviour.has.items():
        if key == "usage":
            assert set(value) == set(whole["usage_metadata"]["input_token_details"])
        else:
            assert found[key] == value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", BEHAVIOURS)
async def test_v1_content_says_the_same_as_the_blocks_of_an_ordinary_answer(
    server: ScriptedServer, make: Make, name: str, way: str
) -> None:
    behaviour = BEHAVIOURS[name]
    play(server, behaviour, "invoke")
    whole = told(make().invoke("Hi"))
    play(server, behaviour, way)
    answer = await ask(make(output_version="v1"), way)
    assert isinstance(answer.content, list)
    assert answer.content == answer.content_blocks
    assert told(answer) == whole


@pytest.mark.parametrize("way", STREAMED)
async def test_each_piece_arrives_by_itself_as_it_comes(server: ScriptedServer, make: Make, way: str) -> None:
    play(server, BEHAVIOURS["reasoning before the text"], way)
    model = make()
    chunks = list(model.stream("Hi")) if way == "stream" else [chunk async for chunk in model.astream("Hi")]
    assert [(c.content, c.additional_kwargs.get("reasoning_content")) for c in chunks] == [
        ("", "Let me "),
        ("", "think. 好的"),
        ("Yes.", None),
        ("", None),
    ]
    assert [c.chunk_position for c in chunks] == [None, None, None, "last"]
    assert len({c.id for c in chunks}) == 1


async def test_log_probabilities_arrive_with_their_tokens(server: ScriptedServer, make: Make) -> None:
    play(server, BEHAVIOURS["log probabilities"], "stream")
    chunks = list(make().stream("Hi"))
    assert [c.response_metadata.get("logprobs") for c in chunks] == [
        {"content": LOGPROBS[:1]},
        {"content": LOGPROBS[1:]},
        None,
    ]


async def test_blocks_stand_in_their_order_with_spans_of_the_text(server: ScriptedServer, make: Make) -> None:
    body = completion("Tea [1], ferry【2】.", reasoning_content="Hm.", citations=URLS, search_results=RESULTS)
    server.play(json_reply(body))
    answer = make().invoke("Hi")
    found = [{**RESULTS[0], "url": URLS[0]}, {"title": "Ferry", "url": URLS[1]}]
    found[0] = {"title": "Tea", "url": URLS[0], "content": "Hot."}
    assert answer.content_blocks == [
        {"type": "reasoning", "reasoning": "Hm."},
        {
            "type": "text",
            "text": "Tea [1], ferry【2】.",
            "annotations": [
                {
                    "type": "citation",
                    "url": URLS[0],
                    "title": "Tea",
                    "start_index": 4,
                    "end_index": 7,
                    "cited_text": "Hot.",
                    "extras": {"number": 1},
                },
                {
                    "type": "citation",
                    "url": URLS[1],
                    "title": "Ferry",
                    "start_index": 14,
                    "end_index": 17,
                    "extras": {"number": 2},
                },
            ],
        },
        {"type": "server_tool_call", "id": "web_search", "name": "web_search", "args": {}},
        {"type": "server_tool_result", "tool_call_id": "web_search", "status": "success", "output": found},
    ]


@pytest.mark.parametrize("way", WHOLE)
async def test_broken_arguments_become_an_invalid_call(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(json_reply(completion(None, tool_calls=[tool_call("add", '{"a": ', id="c1")])))
    answer = await ask(make(), way)
    assert answer.tool_calls == []
    (broken,) = answer.invalid_tool_calls
    assert (broken["name"], broken["args"], broken["id"]) == ("add", '{"a": ', "c1")
    assert broken["error"]


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_a_call_without_an_id_gets_one(server: ScriptedServer, make: Make, way: str) -> None:
    nameless = tool_call("add", {"a": 1})
    play(server, Behaviour(completion(None, tool_calls=[nameless]), [delta(tool_calls=[nameless]), END]), way)
    (made,) = (await ask(make(), way)).tool_calls
    assert made["id"].startswith("call_")


@pytest.mark.parametrize("way", ["generate", "agenerate"])
async def test_all_of_several_answers_are_generations(server: ScriptedServer, make: Make, way: str) -> None:
    body = completion("One.")
    body["choices"] += [{**copy.deepcopy(body["choices"][0]), "index": 1}]
    body["choices"][1]["message"]["content"] = "Two."
    server.play(json_reply(body))
    model = make(n=2)
    asked = [[("user", "Hi")]]
    messages = [model._convert_input(one).to_messages() for one in asked]
    result = model.generate(messages) if way == "generate" else await model.agenerate(messages)
    assert [generation.text for generation in result.generations[0]] == ["One.", "Two."]
    assert result.llm_output == {"token_usage": usage() | {"billed_units": 0}, "model_name": "geekai-test"}


@pytest.mark.parametrize("way", [*STREAMED, *BRIDGED])
async def test_a_stream_carries_the_first_answer_and_keeps_the_others(
    server: ScriptedServer, make: Make, way: str
) -> None:
    both = [delta("One."), delta("Two.", index=1), delta(finish_reason="stop"), delta(finish_reason="stop", index=1)]
    server.play(sse(*both))
    answer = await ask(make(n=2), way)
    assert answer.text == "One."
    (other,) = answer.response_metadata["other_choices"]
    assert other["message"]["content"] == "Two."


@given(
    st.data(),
    st.text(max_size=30),
    st.text(max_size=30),
    st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3), max_size=2),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_an_answer_is_cut_it_adds_up_to_the_whole(
    server: ScriptedServer, make: Make, data: st.DataObject, text: str, reasoning: str, arguments: list[dict[str, Any]]
) -> None:
    def cut(whole: str) -> list[str]:
        at = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=4)))
        return [whole[i:j] for i, j in itertools.pairwise([0, *at, len(whole)])]

    made = [tool_call(f"t{n}", args, id=f"c{n}") for n, args in enumerate(arguments)]
    pieces = [delta(reasoning_content=part) for part in cut(reasoning)] + [delta(part) for part in cut(text)]
    for n, call in enumerate(made):
        pieces.append(delta(tool_calls=[tool_call(f"t{n}", "", id=f"c{n}", index=n)]))
        pieces += [delta(tool_calls=[tool_call(arguments=p, index=n)]) for p in cut(call["function"]["arguments"])]
    reason = "tool_calls" if made else "stop"
    whole = completion(text, reasoning_content=reasoning, tool_calls=made, finish_reason=reason)
    server.play(json_reply(whole), sse(*pieces, delta(finish_reason=reason, usage=usage())))
    model = make()
    total = AIMessageChunk("")
    answer = model.invoke("Hi")
    for part in model.stream("Hi"):
        total += part
    assert told(total) == told(answer)


@pytest.mark.parametrize("way", STREAMED)
async def test_leaving_a_stream_closes_its_connection_at_once(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(sse(delta("Hel"), Hold(), done=False))
    if way == "stream":
        for _ in make().stream("Hi"):
            break
    else:
        async with aclosing(make().astream("Hi")) as stream:
            async for _ in stream:
                break
    assert await asyncio.to_thread(server.requests[0].client_left.wait, 5)


async def test_a_cancelled_call_closes_its_connection_at_once(server: ScriptedServer, make: Make) -> None:
    server.play(sse(delta("Hel"), Hold(), done=False))
    task = asyncio.create_task(make(streaming=True).ainvoke("Hi"))
    assert await asyncio.to_thread(server.wait_for, lambda s: bool(s.requests))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.requests[0].client_left.wait, 5)
