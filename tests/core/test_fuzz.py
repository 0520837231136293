"""Bytes that nobody meant: whatever comes, the readers answer, or raise an error of the tree, and cuts change nothing.

`scripts/fuzz` runs the same for as long as wanted.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from geekai_core.citations import listing, metadata, sources
from geekai_core.collecting import Collected
from geekai_core.counting import count
from geekai_core.endpoints import embed, is_done, rerank, web_search
from geekai_core.errors import GeekAIError, RequestError
from geekai_core.redaction import secrets
from geekai_core.response.answers import Context, read_answer
from geekai_core.response.chats import read_chat, read_task
from geekai_core.response.error_bodies import status_error
from geekai_core.response.rerank import mapped_back
from geekai_core.response.stream_reader import StreamReader
from geekai_core.wire import EmbeddingList, ModelList, RerankList, SearchResultList
from geekai_testing.replies import completion, delta, dumps, usage
from tests.core.stream_cases import CASES, Case

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "250"))
SECRET = "sk-secret-1"
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 250,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

NAMES = st.sampled_from(
    [*completion(), *delta()["choices"][0], *usage(), "message", "content", "error", "data", "results", "x"]
)
TEXTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["stop", "<think>", "</think>", "{", '{"a": 1}', "c1", "f", "=", "QQ==", SECRET, "\ud83d", "\ude00", "失败"]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-2, 2**70), st.floats(), TEXTS)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


def like(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with these fields, each perhaps absent, and perhaps something else in its place, or beside it."""
    shaped = st.fixed_dictionaries({}, optional={name: st.one_of(field, ANYTHING) for name, field in fields.items()})
    return st.one_of(shaped, shaped, shaped, ANYTHING)


CALL = like(
    index=st.integers(0, 2), id=st.sampled_from(["c1", "c2", "c"]), type=st.just("function"),
    function=like(name=st.sampled_from(["f", "g", "fg"]), arguments=TEXTS),
)  # fmt: skip
PART = like(
    role=st.just("assistant"), content=TEXTS, reasoning_content=TEXTS, tool_calls=st.lists(CALL, max_size=3),
    audio=like(data=st.sampled_from(["QQ==", "Q", "QUJD", "!"]), transcript=TEXTS), refusal=TEXTS, citations=st.lists(TEXTS, max_size=3),
)  # fmt: skip
CHOICE = like(
    index=st.integers(0, 2), delta=PART, message=PART, finish_reason=st.sampled_from(["stop", "tool_calls", ""]),
    logprobs=like(content=st.lists(like(token=TEXTS, logprob=st.floats()), max_size=2)),
)  # fmt: skip
CHUNK = like(
    id=TEXTS, object=st.just("chat.completion.chunk"), choices=st.lists(CHOICE, max_size=3), status=TEXTS, error=like(message=TEXTS),
    usage=like(total_tokens=st.integers(0, 9), billed_units=st.floats(0, 2)), citations=st.lists(TEXTS, max_size=3),
    search_results=st.lists(st.dictionaries(NAMES, TEXTS, max_size=2), max_size=2),
)  # fmt: skip


def written(value: Any) -> bytes:
    """JSON as a careless server writes it: NaN, and half surrogate pairs as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text).encode()


EVENT = st.one_of(
    CHUNK.map(lambda chunk: b"data: " + written(chunk)),
    st.sampled_from(
        [b"data: [DONE]", b": keep-alive", b"event: error", b"data:", b"data", b"id: 7", b"", b"junk", b"data: {"]
    ),
    st.binary(max_size=12),
)
REAL = st.sampled_from([b"".join(b"data: " + dumps(p).encode() + b"\n\n" for p in case.payloads) for case in CASES])


WRONG = [None, True, 2**70, math.nan, "x", [], {}, [{}], {"x": {}}]


def twists(value: Any, wrong: list[Any]) -> Iterator[Any]:
    """Copies in each of which one value, at any depth, is another or doubled."""
    yield from wrong
    yield [value, value]
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        for twisted in twists(value[key], wrong):
            copy = value.copy()
            copy[key] = twisted
            yield copy


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real stream with some bytes changed, taken out, doubled or put in."""
    data = bytearray(draw(REAL))
    for _ in range(draw(st.integers(1, 6))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        new = draw(
            st.sampled_from(
                [b"", bytes(data[at:end]) * 2, b"\n", b"\r", b"\n\n", b"null", b'"', b"}", b"[", b"\xff", b"0"]
            )
        )
        data[at:end] = new
    return bytes(data)


STREAMS = st.one_of(
    st.tuples(st.lists(EVENT, max_size=8), st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r", b"\n"])).map(
        lambda t: t[1].join(t[0]) + t[1]
    ),
    mutated(),
    st.binary(max_size=60),
)


def outcome(parts: list[bytes], split_think: bool) -> Any:
    """What a stream came to: its deltas as plain values, and its answer or the kind of its error."""
    reader = StreamReader(Context(200, {}, secrets(SECRET), 100_000), split_think=split_think)
    told: list[Any] = []

    def tell(deltas: Any) -> None:
        for one in deltas:
            pieces = [(piece.slot, piece.name, piece.arguments) for piece in one.tool_calls or ()]
            told.append((one.index, one.content, one.reasoning_content, pieces, one.finish_reason, repr(one.extra)))

    try:
        for part in parts:
            tell(reader.feed(part))
            if reader.done:
                break
        tell(reader.end())
        end: Any = str(type(reader.answer()))
    except RequestError as error:
        reader.attach_partial(error, 0)
        end = honest(error)
    return told, end


def honest(error: GeekAIError) -> str:
    """The kind of an error that does not show the key."""
    assert SECRET not in str(error)
    return str(type(error))


@fuzz
@given(STREAMS, st.lists(st.integers(0, 2000), max_size=6), st.booleans())
@example(b'data: {"choices": [{"index": {"a": 1}, "delta": {"content": "x"}}]}\n\n', [], False)
@example(b"\xef\xbb\xbf\xef", [1, 2], False)
def test_a_stream_of_anything_is_read_or_refused_and_cuts_change_nothing(
    data: bytes, at: list[int], split_think: bool
) -> None:
    places = [0, *sorted({place % (len(data) + 1) for place in at}), len(data)]
    whole = outcome([data] if data else [], split_think)
    cut = outcome([data[start:end] for start, end in itertools.pairwise(places) if start < end], split_think)
    assert [item for item in cut[0] if item[3] != [(0, None, "")]] == [
        item for item in whole[0] if item[3] != [(0, None, "")]
    ]
    assert cut[1] == whole[1]


@fuzz
@given(st.one_of(CHUNK.map(written), ANYTHING.map(written), mutated()), st.booleans())
def test_a_whole_answer_of_anything_is_read_or_refused(data: bytes, split_think: bool) -> None:
    read_whole(data, split_think)
    for kind in (EmbeddingList, ModelList, RerankList, SearchResultList):
        with contextlib.suppress(GeekAIError):
            found = read_answer(kind, data, Context(200, {}, secrets(SECRET), 100_000))
            if isinstance(found, RerankList):
                mapped_back(found.results, ["a", "b"])


def read_whole(data: bytes, split_think: bool) -> None:
    context = Context(200, {}, secrets(SECRET), 100_000)
    for read in (read_chat, read_task):
        try:
            answer = read(data, context, {"split_think": split_think})
            assert isinstance(answer.message.content, (str, type(None)))
            answer.model_dump_json()
            is_done(answer)
        except GeekAIError as error:
            honest(error)


@fuzz
@given(st.one_of(ANYTHING.map(written), st.binary(max_size=40)), st.integers(300, 599))
def test_an_error_body_of_anything_is_an_error(data: bytes, status: int) -> None:
    error = status_error(status, {}, data, secrets=secrets(SECRET))
    assert SECRET not in str(error) + str(error.body)
    assert error.status_code == status


@pytest.mark.filterwarnings("ignore:the stream ended without a finish reason")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_any_single_wrong_value_in_a_stream_or_an_answer_is_read_or_refused(case: Case) -> None:
    """Every value of every case, in turn, is something else."""
    payloads = [written(payload) for payload in case.payloads]
    for place, payload in enumerate(case.payloads):
        for twisted in twists(payload, WRONG):
            data = [*payloads[:place], written(twisted), *payloads[place + 1 :], b"[DONE]"]
            outcome([b"".join(b"data: " + one + b"\n\n" for one in data)], split_think=True)
            read_whole(written(twisted), split_think=False)


USED = {"prompt_tokens": 3, "total_tokens": 3, "details": {"a": 1}}
VECTORS = {"data": [{"index": 0, "embedding": [0.5, 1]}, {"index": 1, "embedding": [0.25, -1]}], "usage": USED}
RANKS = [{"index": 0, "relevance_score": 0.9, "document": "a"}, {"index": 1, "relevance_score": 0.1}]
ASKED = {
    "embeddings": (VECTORS, lambda: embed(["a", "b", "c", "d"], "e", {"batch_size": 2, "on_error": "return"})),
    "rerank": ({"results": RANKS, "usage": USED}, lambda: rerank("q", ["a", "b"] * 2, "r", {"batch_size": 2})),
}


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", ASKED)
def test_any_single_wrong_value_in_a_part_of_a_batch_is_read_or_refused(name: str, place: int) -> None:
    """The parts' usage is summed, whatever it holds; so is that of several calls."""
    good, asked = ASKED[name]
    context = Context(200, {}, secrets(SECRET), 100_000)
    for twisted in twists(good, [*WRONG, -1, math.inf, 10**400, "1", [1.5]]):
        batch, collected = asked(), Collected()
        with contextlib.suppress(GeekAIError):
            for start, part in batch.parts():
                batch.done(start, part.read(written(twisted if start == 2 * place else good), context))
            for answer in (batch.answer(), part.read(written(good), context)):
                count(answer, "m", (collected.add,))
        assert repr(collected)


def test_any_single_wrong_value_in_search_results_or_models_is_read_or_refused() -> None:
    page = {"title": "t", "link": "https://a.example", "content": "c", "media": "m", "refer": "1"}
    listed = {"id": "a", "pricing": {"input": 1}, "capabilities": ["x"], "context_window": 5}
    context = Context(200, {}, secrets(SECRET), 100_000)
    search = web_search("q", {"count": 3})
    for twisted in twists({"id": "s", "created": 1, "results": [page]}, WRONG):
        with contextlib.suppress(GeekAIError):
            found = sources([], search.read(written(twisted), context).search_results)
            assert listing(found)
            assert [metadata(source)["number"] for source in found] == [*range(1, len(found) + 1)]
    for twisted in twists({"data": [listed], "total": 1}, WRONG):
        with contextlib.suppress(GeekAIError):
            assert read_answer(ModelList, written(twisted), context).model_dump_json()
