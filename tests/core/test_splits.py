"""However the network cuts a stream, the deltas and the answer are the same. Pure, so that every cut can be tried."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geekai_core.redaction import secrets
from geekai_core.response.answers import Context
from geekai_core.response.sse import SSEDecoder
from geekai_core.response.stream_reader import StreamReader
from geekai_core.response.think import ThinkSplitter
from geekai_testing.replies import dumps
from tests.core.stream_cases import CASES, Case, check

NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])


def written(case: Case, newline: str = "\n", comments: bool = False, bom: bool = False, done: bool = True) -> bytes:
    """A case as the bytes of a stream."""
    noise = f": keep-alive{newline}{newline}" if comments else ""
    events = [
        f"{noise}data: {payload if isinstance(payload, str) else dumps(payload)}{newline}{newline}"
        for payload in [*case.payloads, *(["[DONE]"] if done else [])]
    ]
    return ("\ufeff" * bom + "".join(events)).encode()


def read(parts: list[bytes], **how: Any) -> tuple[list[Any], Any]:
    """All deltas, as plain values, and the answer."""
    reader = StreamReader(Context(200, {}, secrets("sk-secret-1"), 2**26), **how)
    deltas = []
    for part in parts:
        deltas += reader.feed(part)
        if reader.done:
            break
    deltas += reader.end()
    plain = [(d.index, d.content, d.reasoning_content, str(d.tool_calls), d.finish_reason, d.extra) for d in deltas]
    return without_made_ids(plain), reader.answer()


def without_made_ids(plain: list[Any]) -> list[Any]:
    return [item for item in plain if "'call_" not in item[3]]


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = [0, *sorted({place % (len(data) + 1) for place in at}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stream_read_byte_by_byte_and_cut_once_anywhere_is_the_same(case: Case):
    data = written(case, newline="\r\n", comments=True)
    expected, answer = read([data], **case.settings)
    check(case, answer)
    bytewise, answer = read([data[i : i + 1] for i in range(len(data))], **case.settings)
    assert bytewise == expected
    check(case, answer)
    for place in range(1, len(data), 7):
        assert read([data[:place], data[place:]], **case.settings)[0] == expected


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(CASES), NEWLINES, st.booleans(), st.booleans(), st.lists(st.integers(0, 5000), max_size=12))
def test_a_stream_cut_anywhere_is_the_same(case: Case, newline: str, comments: bool, bom: bool, at: list[int]):
    data = written(case, newline, comments, bom)
    expected, _ = read([written(case)], **case.settings)
    deltas, answer = read(cut(data, at), **case.settings)
    assert deltas == expected
    check(case, answer)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20), min_size=1),
    NEWLINES,
    st.lists(st.integers(0, 500), max_size=8),
)
def test_the_decoder_gives_back_what_was_written(texts: list[str], newline: str, at: list[int]):
    """Any text but line ends: U+2028, U+0085 and vertical tabs end nothing."""
    data = "".join(f"data: {text}{newline}{newline}" for text in texts).encode()
    decoder = SSEDecoder()
    payloads = [payload for part in cut(data, at) for payload in decoder.feed(part)] + decoder.flush()
    assert payloads == [text.encode() for text in texts]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.lists(st.integers(0, 60), max_size=8))
def test_thoughts_are_split_off_wherever_they_are_cut(thought: str, said: str, at: list[int]):
    thought, said = thought.replace("</think>", ""), said.lstrip()
    text = f" <think>{thought}</think>\n\n{said}"
    places = [0, *sorted({place % (len(text) + 1) for place in at}), len(text)]
    splitter = ThinkSplitter()
    parts = [splitter.feed(text[start:end]) for start, end in itertools.pairwise(places)] + [splitter.finish()]
    assert "".join(part[0] for part in parts) == thought
    assert "".join(part[1] for part in parts) == said


def test_an_event_of_many_megabytes_in_small_reads_takes_time_in_proportion():
    """No byte is copied at each read: four times the event in four times the reads takes some four times as long."""
    import time

    def seconds(size: int) -> float:
        data = b"data: " + b"x" * size + b"\n\n"
        decoder = SSEDecoder()
        start = time.process_time()
        for at in range(0, len(data), 1000):
            decoder.feed(data[at : at + 1000])
        return time.process_time() - start

    small = min(seconds(2_000_000) for _ in range(3))
    assert seconds(8_000_000) < 12 * small + 0.05
