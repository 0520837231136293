"""One wrong value, anywhere in a rich answer: both adapters read the rest, keep it, and send it back.

Each of some 40 values stands in each place of the answer, whole and streamed. What comes is dumped to JSON, loaded, and
sent back as history; nothing but a `GeekAIError` may end that. A run tries an eighth of them in each of the four ways,
so that each value stands in half of the places; `scripts/fuzz` tries all.
"""

from __future__ import annotations

import copy
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage, messages_from_dict, messages_to_dict
from llama_index.core.base.llms import types as li

import langchain_geekai
import llama_index_geekai
from geekai_core.errors import GeekAIError
from geekai_testing.replies import HEAD, Json, Reply, Request, completion, json_reply, tool_call, usage
from geekai_testing.scripted import ScriptedServer

IN_EVERY_WAY = "FUZZ_EXAMPLES" in os.environ
HUGE = "9" * 5000
"""Stands for a whole number of so many digits, more than Python's own JSON can write."""
DEEP: Any = "x"
for _ in range(80):
    DEEP = [{"a": DEEP}]
WRONG: list[Any] = [
    None, "", "x", " ", "0", "1.5", "null", "\ud83d", "a\x00\x1b[31m", "https://[", "x" * 20_000,
    0, 1, -1, 10**9, 2**63, 10**400, HUGE, 1.5, -0.0, 1e308, math.nan, math.inf, -math.inf, True, False,
    [], [[]], [None], [0], ["x"], [["x", [1]]], [{}], {}, {"a": 1}, {"type": "text"}, {"data": {"a": []}}, {"": None}, DEEP,
]  # fmt: skip


def rich() -> Json:
    """An answer with everything that there is."""
    token = {"token": "He", "logprob": -0.5, "bytes": [72, 101]}
    logprobs = {"content": [{**token, "top_logprobs": [token, {**token, "token": "Hi"}]}], "refusal": None}
    page = {"title": "t", "link": "https://a.example", "content": "c", "media": "m", "icon": "i", "refer": "1"}
    extra = {
        "audio": {"id": "a1", "data": "QUJD", "expires_at": 1751500800, "transcript": "Hello."},
        "images": [{"type": "image_url", "index": 0, "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}],
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example", "start_index": 0}}],
        "name": "n", "refusal": "r", "note": {"a": ["b"]}, "function_call": {"name": "g", "arguments": "{}"},
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "index": 0}],
    }  # fmt: skip
    call = {**tool_call("f", '{"a": 1}', id="c1"), "extra_content": {"google": {"thought_signature": "s"}}}
    details = {"prompt": {"cached_tokens": 3, "cache_write_tokens": 1}, "completion": {"reasoning_tokens": 2}}
    answer = completion(
        "Hello [1].", reasoning_content="Hm.", tool_calls=[call], extra=extra, usage=usage(12, 5, 1, **details),
        citations=["https://a.example", {"url": "https://b.example", "title": "b"}], search_results=[page],
        system_fingerprint="fp", status="succeeded", note={"a": ["b"]},
    )  # fmt: skip
    answer["choices"][0]["logprobs"] = logprobs
    answer["choices"].append({"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi."}})
    return answer


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The path of each value at any depth, itself left out."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (key,)
        yield from ((key, *path) for path in places(value[key]))


def twisted(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    """A copy of `value` with `wrong` at that place."""
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    return value


def written(value: Any) -> bytes:
    """JSON as a careless server writes it: NaN, huge numbers, and half surrogate pairs as escapes."""
    text = json.dumps(value, ensure_ascii=False).replace(f'"{HUGE}"', HUGE)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def whole(answer: Any) -> Reply:
    return Reply(200, {"content-type": "application/json"}, written(answer))


def streamed(answer: Any) -> Reply:
    """The same as a stream: the role, each part of each message by itself, the end of each choice, and the rest."""
    choices = answer.pop("choices", None)
    events: list[Any] = []
    for choice in choices if isinstance(choices, list) else [choices]:
        message = choice.pop("message", None) if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            events.append({**HEAD, "choices": [choice] if isinstance(choices, list) else choices})
            continue
        end = {name: choice.pop(name) for name in ("finish_reason",) if name in choice}
        for name, part in message.items():
            events.append({**HEAD, "choices": [{**choice, "delta": {name: part}}]})
        events.append({**HEAD, "choices": [{**choice, "delta": {}, **end}]})
    events.append({**answer, "choices": []})
    body = b"".join(b"data: " + written(event) + b"\n\n" for event in [*events, "[DONE]"])
    return Reply(200, {"content-type": "text/event-stream"}, body.replace(b'"[DONE]"', b"[DONE]"))


def langchain(llm: Any, form: str) -> Any:
    """Ask, read all that there is to read, store, and ask again; the answer."""
    if form == "whole":
        answer = llm.invoke("Hi")
    else:
        answer, *chunks = llm.stream("Hi")
        for chunk in chunks:
            answer += chunk
    assert isinstance(answer.text, str)
    assert [answer.content_blocks, repr(answer), answer.pretty_repr()]
    langchain_geekai.get_citations(answer)
    langchain_geekai.get_search_results(answer)
    (loaded,) = messages_from_dict(json.loads(json.dumps(messages_to_dict([answer]))))
    history: list[Any] = []
    for one in (answer, loaded, type(answer).model_validate_json(answer.model_dump_json())):
        results = [ToolMessage("1", tool_call_id=call["id"]) for call in one.tool_calls]
        history += [HumanMessage("Hi"), one, *results, HumanMessage("And?")]
    llm.invoke(history)
    return answer


def llama_index(llm: Any, form: str) -> Any:
    """The same."""
    asked = [li.ChatMessage("Hi")]
    answers = [llm.chat(asked)] if form == "whole" else [*llm.stream_chat(asked)]
    answer = answers[-1]
    calls = llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
    assert [answer.message.content, repr(answer), str(answer)]
    llama_index_geekai.get_citations(answer)
    llama_index_geekai.get_search_results(answer)
    for one in answers:
        one.model_dump_json()
    results = [li.ChatMessage("1", role="tool", tool_call_id=call.tool_id) for call in calls]
    history: list[Any] = []
    for message in (answer.message, li.ChatMessage.model_validate_json(answer.message.model_dump_json())):
        history += [*asked, message, *results, li.ChatMessage("And?")]
    llm.chat(history)
    return answer.message


SIDES: dict[str, tuple[Callable[[Any, str], Any], Callable[[str], Any]]] = {
    "lc": (
        langchain,
        lambda url: langchain_geekai.ChatGeekAI(model="m", api_key="k", base_url=url, max_retries=0),
    ),
    "li": (
        llama_index,
        lambda url: llama_index_geekai.GeekAI(
            model="m", api_key="k", api_base=url, max_retries=0, context_window=9999, citation_blocks=True
        ),
    ),
}
WAYS = [(side, form) for side in SIDES for form in ("whole", "stream")]


def tries(way: int) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The places and values of one way."""
    for row, path in enumerate(places(rich())):
        for column, wrong in enumerate(WRONG):
            if IN_EVERY_WAY or (row + column) % (2 * len(WAYS)) == way:
                yield path, wrong


def unreadable(request: Request) -> list[str]:
    """What of a request's body no strict server reads: NaN, infinities, half surrogate pairs."""
    odd: list[str] = []
    body = json.loads(request.body, parse_constant=lambda word: odd.append(word))
    return [*odd, *re.findall("[\ud800-\udfff]", json.dumps(body, ensure_ascii=False))]


@pytest.mark.parametrize(("side", "form"), WAYS)
def test_one_wrong_value_anywhere_costs_no_more_than_itself(side: str, form: str) -> None:
    use, make = SIDES[side]
    failures: list[str] = []
    with ScriptedServer() as server:
        llm = make(server.base_url)
        for path, wrong in tries(WAYS.index((side, form))):
            reply = (whole if form == "whole" else streamed)(twisted(rich(), path, wrong))
            server.play(reply)
            server.default = lambda request: json_reply(completion("Yes."))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    use(llm, form)
                except GeekAIError:
                    pass
                except Exception as exc:
                    failures.append(f"{path} = {str(wrong)[:40]!r}: {type(exc).__name__}: {str(exc)[:150]}")
            for one in caught:
                if one.category is not UserWarning or "Pydantic" in str(one.message):
                    failures.append(f"{path} = {str(wrong)[:40]!r}: {one.category}: {str(one.message)[:150]}")
            odd = [word for request in server.requests for word in unreadable(request)]
            failures += [f"{path} = {str(wrong)[:40]!r}: {word} was sent" for word in odd]
            server.requests.clear()
        llm.close()
    assert not failures, f"{len(failures)}:\n" + "\n".join(failures[:400])


ODD_IMAGES = [
    "cat.png", "/etc/hosts", "file:///etc/hosts", "FILE:/etc/hosts", "C:\\cat.png", "//a.example/cat.png", "https://a:99999/c.png",
    "https://[", "data:text/html;base64,QUJD", "data:image/png,raw", "data:image/png;base64,!!", "data:;base64,", "javascript:alert(1)",
    "blob:https://a.example/1", "ftp://a.example/c.png", "QUJ",
]  # fmt: skip
GOOD_IMAGES = [
    "QUJD", "data:;base64,QUJD", "DATA:image/png;base64,QUJD", "data:image/png;base64,QUJD", "HTTPS://a.example/c.png"
]  # fmt: skip


@pytest.mark.parametrize("shape", ["object", "text", "bare"])
@pytest.mark.parametrize(("side", "form"), WAYS)
def test_an_image_in_an_odd_form_stays_as_it_came_and_costs_neither_this_answer_nor_the_next(
    side: str, form: str, shape: str
) -> None:
    """Above all, no path or scheme of the server's choice becomes an image that an app would read here."""
    use, make = SIDES[side]
    with ScriptedServer(lambda request: json_reply(completion("Yes."))) as server:
        llm = make(server.base_url)
        for url in [*ODD_IMAGES, *GOOD_IMAGES]:
            given = {"type": "image_url", "image_url": {"url": url} if shape == "object" else url}
            images = [url if shape == "bare" else given]
            server.play((whole if form == "whole" else streamed)(completion("Here.", extra={"images": images})))
            answer = use(llm, form)
            assert answer.additional_kwargs["images" if side == "lc" else "output_images"] == images
            if side == "li":
                blocks = [block for block in answer.blocks if isinstance(block, li.ImageBlock)]
                assert len(blocks) == (url in GOOD_IMAGES and shape != "bare"), url
            assert server.requests[-1].json["messages"][-1]["content"] == "And?"
        llm.close()
