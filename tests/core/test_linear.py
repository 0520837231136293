"""Work on a text, or on an answer's parts, grows with their size and no faster: nobody's answer stalls a program."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from geekai_core.citations import annotations, listing, markers, sources
from geekai_core.harmless import harmless, shown_address
from geekai_core.redaction import redact, secrets
from geekai_core.request.hints import warn_undescribed
from geekai_core.response.answers import Context
from geekai_core.response.arguments import read_arguments
from geekai_core.response.chats import read_chat
from geekai_core.response.error_bodies import plain_text, status_error
from geekai_core.response.json_text import FenceStripper, Surrogates, partial_json, read_json, strip_fences
from geekai_core.response.sse import SSEDecoder
from geekai_core.response.stream_reader import StreamReader
from geekai_core.response.think import ThinkSplitter
from geekai_testing.replies import Json, completion, delta, dumps, tool_call

SIZE = 1_500
COUNT = itertools.count()
FLOOR = 0.02
"""Seconds of CPU below which a run is too short to be compared."""
PUMPS = [
    "`", "```", "``` ", "```\n", "~~~", " ", "\n", "\t", "\n \t", "[", "]", "[[", "[1", "[1]", "[1, 2]", "[1-9]", "[1-999]", "[1,",
    "【1†", "【1】", "[1](http://a", "[1](http://(a", '[1](http://a "', "[^1]: ", "(", ")", "{", "}", '{"a":', '"', "\\", "\\u", r"\ud83d",
    "<", "<a", "<script>", "</", "<think>", "</think>", "x_", "_x", "f(", ") -> ", "data: ", "sk-1", "a1", "@", "://", "=", "上下文", "1-",
]  # fmt: skip
HEADS = ["", "```", "f(", "[1](http://", "<", '{"a": "']
TEXTS: dict[str, Callable[[str], Any]] = {
    "strip_fences": strip_fences,
    "read_json": lambda text: _quietly(read_json, text),
    "partial_json": partial_json,
    "FenceStripper": lambda text: _in_pieces(FenceStripper(), text),
    "ThinkSplitter": lambda text: _in_pieces(ThinkSplitter(), text),
    "read_arguments": read_arguments,
    "markers": markers,
    "annotations": lambda text: annotations(text, sources(["https://a.example"], [])),
    "harmless": harmless,
    "shown_address": shown_address,
    "redact": lambda text: (redact(text, secrets("sk-1")), redact(text, secrets("sk-123456789"))),
    "plain_text": plain_text,
    "status_error": lambda text: status_error(400, {}, text.encode()),
    "Surrogates": lambda text: Surrogates().mend(text.encode()),
    "SSEDecoder": lambda text: [SSEDecoder().feed(text.encode())],
    "tool descriptions": lambda text: warn_undescribed(
        {"function": {"name": "f", "description": f"{text}{next(COUNT)}"}}
    ),
}


def _quietly(read: Callable[[str], Any], text: str) -> None:
    with contextlib.suppress(ValueError):
        read(text)


def _in_pieces(splitter: Any, text: str) -> None:
    for start in range(0, len(text), 3):
        splitter.feed(text[start : start + 3])
    splitter.finish()


def seconds(work: Callable[[], Any]) -> float:
    """CPU of this thread, the least of a few runs: others on the machine do not count."""

    def once() -> float:
        start = time.thread_time()
        work()
        return time.thread_time() - start

    return min(once() for _ in range(2))


def assert_linear(work: Callable[[int], Any], size: int) -> None:
    """Four times the size takes at most some eight times the work; a quadratic one takes 16 times, a cubic one 64."""
    if (large := seconds(lambda: work(4 * size))) > FLOOR:
        small = seconds(lambda: work(size))
        assert large < 9 * small + FLOOR, f"{size}: {small:.3f} s, {4 * size}: {large:.3f} s"


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_text_function_is_linear_in_adversarial_repeats(name: str) -> None:
    for head in HEADS:
        for pump in PUMPS:
            texts = {size: head + pump * (size // len(pump)) + "!" for size in (SIZE, 4 * SIZE)}
            try:
                assert_linear(lambda size, texts=texts: TEXTS[name](texts[size]), SIZE)  # type: ignore[misc]
            except AssertionError as error:
                raise AssertionError(f"{name} of {head!r} and many {pump!r}: {error}") from None


def context() -> Context:
    return Context(200, {}, None, 10**9)


def whole(answer: Json) -> Any:
    return read_chat(dumps(answer).encode(), context())


def streamed(payloads: list[Json]) -> Any:
    reader = StreamReader(context())
    for payload in payloads:
        reader.feed(b"data: " + dumps(payload).encode() + b"\n\n")
    reader.feed(b"data: [DONE]\n\n")
    list(reader.end())
    return reader.answer()


TOKENS = [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -1.0}]}]
STOP = delta(finish_reason="stop")
PARTS: dict[str, Callable[[int], Any]] = {
    "calls, whole": lambda n: whole(completion(None, tool_calls=[tool_call("f", {"a": i}, id=f"c{i}") for i in range(n)])),
    "calls, streamed": lambda n: streamed(
        [*(delta(None, tool_calls=[tool_call("f", {"a": i}, id=f"c{i}", index=i)]) for i in range(n)), STOP]
    ),
    "calls without ids and indexes": lambda n: streamed(
        [*(delta(None, tool_calls=[tool_call("f", {"a": i})]) for i in range(n)), STOP]
    ),
    "calls never finished": lambda n: streamed(
        [*(delta(None, tool_calls=[tool_call("f", '{"a"', index=i)]) for i in range(n)), STOP]
    ),
    "a finish reason with each call": lambda n: streamed(
        [delta(None, tool_calls=[tool_call("f", "{}", id=f"c{i}", index=i)], finish_reason="tool_calls") for i in range(n)]
    ),
    "pieces of arguments": lambda n: streamed(
        [delta(None, tool_calls=[tool_call("f", '{"a": "', id="c", index=0)])]
        + [delta(None, tool_calls=[tool_call("f", "}x", id="c", index=0)])] * n
        + [STOP]
    ),
    "blanks for arguments": lambda n: streamed(
        [delta(None, tool_calls=[tool_call("f", " ", id="c", index=0)])] * n + [STOP]
    ),
    "whole arguments again and again": lambda n: streamed(
        [delta(None, tool_calls=[tool_call("f", '{"a": 1}', id="c", index=0)])] * n + [STOP]
    ),
    "an unknown text": lambda n: streamed([delta("x", extra={"note": f"{i}"}) for i in range(n)] + [STOP]),
    "an unknown list": lambda n: streamed([delta("x", extra={"note": [i]}) for i in range(n)] + [STOP]),
    "an unknown object": lambda n: streamed([delta("x", extra={"note": {"a": f"{i}"}}) for i in range(n)] + [STOP]),
    "parts of content": lambda n: streamed([delta([{"type": "image", "n": i}]) for i in range(n)] + [STOP]),  # type: ignore[arg-type]
    "log probabilities": lambda n: streamed(
        [delta("a", index=i % 8, logprobs={"content": TOKENS}) for i in range(n)] + [delta(finish_reason="stop", index=i) for i in range(8)]
    ),
    "choices": lambda n: streamed([delta("a", index=i, finish_reason="stop") for i in range(n)]),
    "sources": lambda n: sources([f"https://a.example/{i}" for i in range(n)], [{"link": f"https://a.example/{n - i}"} for i in range(n)]),
    "results alike": lambda n: sources(["https://a.example"] * n, [{"link": "https://a.example", "content": str(i)} for i in range(n)]),
    "a listing": lambda n: listing(sources([], [{"title": "t", "content": "c"}] * n)),
    "side fields of a wrong type": lambda n: whole(
        {**completion("x"), "search_results": [], "choices": [{"index": i, "message": {"content": "x"}, "logprobs": {"content": [{"token": i}]}} for i in range(n)]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_an_answer_is_read_in_time_linear_in_its_parts(name: str) -> None:
    assert_linear(PARTS[name], 500)


def test_a_hundred_thousand_markers_that_expand_are_bounded_by_the_sources() -> None:
    found = sources(["https://a.example", "https://b.example"], [])
    start = time.thread_time()
    assert {one.number for one in annotations("[1-50] [7-999] " * 50_000, found)} == {1, 2}
    assert time.thread_time() - start < 20
