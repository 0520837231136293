"""Citation markers, sources and annotations."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_core.citations import Annotation, annotations, listing, markers, metadata, sources


def found(text: str) -> list[tuple[str, int]]:
    return [(text[m.start : m.end], m.number) for m in markers(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tea[1] is hot.", [("[1]", 1)]),
        ("水[^2]是湿的。", [("[^2]", 2)]),
        ("水【3】是湿的", [("【3】", 3)]),
        ("[^4^]", [("[^4^]", 4)]),
        ("so【1†source】", [("【1†source】", 1)]),
        ("so【2†L5-L10】", [("【2†L5-L10】", 2)]),
        ("[citation:7] [ref_2]【ref 3】", [("[citation:7]", 7), ("[ref_2]", 2), ("【ref 3】", 3)]),
        ("both[1][2].", [("[1]", 1), ("[2]", 2)]),
        ("both[1, 2]", [("[1, 2]", 1), ("[1, 2]", 2)]),
        ("all[1，3-5]", [("[1，3-5]", n) for n in (1, 3, 4, 5)]),
        ("once[1,1-2]", [("[1,1-2]", 1), ("[1,1-2]", 2)]),
        ("[see [1]]", [("[1]", 1)]),
        ("Vitamin C[1], it's[2], 50%[3], _so_[4]", [("[1]", 1), ("[2]", 2), ("[3]", 3), ("[4]", 4)]),
        ("Great![1]", [("[1]", 1)]),
        ("as in[1](Smith)", [("[1]", 1)]),
    ],
)
def test_every_usual_marker_is_found(text: str, expected: list[tuple[str, int]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1](https://a.example/x_(y)) and", "[1](https://a.example/x_(y))"),
        ('[1](https://a.example "A title").', '[1](https://a.example "A title")'),
        ("[[1]](https://a.example).", "[[1]](https://a.example)"),
        ("[[1]].", "[[1]]"),
    ],
)
def test_a_linked_number_is_a_marker_with_its_link(text: str, expected: str) -> None:
    assert found(text) == [(expected, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "a[1] and my_list[2] and matrix x[1][2]",
        "变量a[1]",
        "data[1] = 5, data[1] += 5, items[1].append(3)",
        "`[1]` and ``[2] ` [3]``",
        "```python\n[1]\n```",
        "  ~~~\n[1]\n~~~  ",
        "```\n[1] in a fence that never ends",
        "```json",
        "![1](https://a.example/i.png)",
        "[^1]: https://a.example\n[2]: https://b.example",
        r"\[1]",
        "[0] [0, 1] [] [x] [-1] [1.5] [1234]",
        "【3:1†source】",
        "【1†a\nb】",
    ],
)
def test_what_is_no_marker_is_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "`code` so[1]",
        "a lone ` backtick\n\nso[1] `",
        "```\ncode[2]\n```\nso[1]",
        '```json {"a": [2]}``` so[1]',
        "~~~\n```\n[2]\n~~~\nso[1]",
        "````\n```\n[2]\n````\nso[1]",
    ],
)
def test_markers_after_code_are_found(text: str) -> None:
    assert found(text) == [("[1]", 1)]


PIECES = st.sampled_from(
    [
        "[1]",
        "[2",
        "]",
        "【3】",
        "`",
        "```\n",
        "\n",
        "\n\n",
        "a",
        "中",
        " ",
        "!",
        "(",
        ")",
        "\\",
        "https://x",
        "_",
        "=",
        "^",
    ]
)


@given(st.lists(PIECES).map("".join))
def test_spans_are_in_order_and_never_overlap_but_for_lists(text: str) -> None:
    spans = [(m.start, m.end) for m in markers(text)]
    assert spans == sorted(spans)
    assert all(a == b or a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert all(str(m.number) in text[m.start : m.end] for m in markers(text))


@given(st.text(alphabet=st.characters(exclude_characters="`~!\\[【^_"), max_size=40), st.integers(1, 999))
def test_a_marker_after_a_full_stop_is_found_whatever_stands_before(text: str, number: int) -> None:
    before = text + "."
    assert markers(f"{before}[{number}]") == [(len(before), len(before) + len(f"[{number}]"), number)]


@pytest.mark.parametrize(
    "unit", ["[", "[1,", "`a\n\n", "`a`` ", "```\n", "[1](https://a(a", "【1†", "_a", "\n \t", "![1]"]
)
def test_a_long_text_takes_time_in_proportion(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        best = 1e9
        for _ in range(3):
            began = time.process_time()
            markers(text)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(80_000) < 8 * 6 * max(seconds(10_000), 1e-3)


def test_citations_keep_their_numbers_and_take_title_and_content_from_the_results() -> None:
    results = [
        {"link": "https://b.example", "title": "B", "content": "about B", "media": "b"},
        {"url": "https://a.example", "name": "A", "snippet": "about A"},
        {"link": "https://c.example", "title": "C", "content": "about C"},
    ]
    merged = sources(["https://a.example/", "https://b.example"], results)
    assert [(s.number, s.url, s.title, s.content) for s in merged] == [
        (1, "https://a.example/", "A", "about A"),
        (2, "https://b.example", "B", "about B"),
        (3, "https://c.example", "C", "about C"),
    ]
    assert [s.raw for s in merged] == [results[1], results[0], results[2]]


@pytest.mark.parametrize(
    ("citation", "expected"),
    [
        ("https://a.example", ("https://a.example", None, None)),
        ("www.a.example", ("www.a.example", None, None)),
        ("第三章", (None, "第三章", None)),
        ({"url": "https://a.example", "title": "A"}, ("https://a.example", "A", None)),
        ({"url_citation": {"url": "https://a.example", "title": "A"}}, ("https://a.example", "A", None)),
        ({"uri": " https://a.example ", "title": "", "text": "words"}, ("https://a.example", None, "words")),
        ({"url": 3}, (None, None, None)),
        (7, (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_a_citation_of_any_shape_keeps_its_place(citation: object, expected: tuple[str | None, ...]) -> None:
    first, second = sources([citation, "https://z.example"], [])
    assert (first.url, first.title, first.content) == expected
    assert first.raw is citation
    assert second.number == 2


def test_results_alone_are_numbered_as_they_come_even_when_a_page_comes_twice() -> None:
    results = [{"link": "https://a.example", "content": text} for text in ("one", "two", "two")]
    assert [(s.number, s.content) for s in sources([], results)] == [(1, "one"), (2, "two"), (3, "two")]


def test_another_passage_of_a_cited_page_is_kept_and_a_repeated_one_is_not() -> None:
    results = [{"link": "https://a.example", "content": text} for text in ("one", "two", "one")]
    assert [(s.number, s.content) for s in sources(["https://a.example"], results)] == [(1, "one"), (2, "two")]


@given(st.lists(st.sampled_from(["https://a.example", "https://b.example/", "x", 1])), st.lists(st.sampled_from("abc")))
def test_sources_are_numbered_without_a_gap_and_begin_with_the_citations(cited: list[object], pages: list[str]) -> None:
    merged = sources(cited, [{"link": f"https://{page}.example"} for page in pages])
    assert [s.number for s in merged] == list(range(1, len(merged) + 1))
    assert len(merged) >= len(cited)
    assert [s.url for s in merged[: len(cited)]] == [s.url for s in sources(cited, [])]


def test_annotations_name_marker_spans_then_the_sources_without_marker() -> None:
    """`text[start_index:end_index]` is the marker."""
    text = "水是湿的[2]，真的【2】。[9]"
    known = sources(["https://a.example"], [{"link": "https://b.example", "title": "B", "content": "wet"}])
    assert annotations(text, known) == [
        Annotation("https://b.example", "B", 4, 7, "wet", 2),
        Annotation("https://b.example", "B", 10, 13, "wet", 2),
        Annotation("https://a.example", None, None, None, None, 1),
    ]
    assert annotations(text, []) == []


def test_a_document_tells_all_of_a_source_but_nulls_and_its_own_text() -> None:
    result = {"link": " https://a.example ", "name": "A", "snippet": " wet ", "text": "more", "icon": None, "rank": 7}
    first, second = sources(["https://a.example", "第三章"], [result])
    assert first.content == "wet"
    assert metadata(first) == {
        "link": " https://a.example ", "name": "A", "text": "more", "rank": 7,
        "number": 1, "title": "A", "url": "https://a.example",
    }  # fmt: skip
    assert metadata(second) == {"number": 2, "title": "第三章"}


def test_a_model_reads_sources_by_number_with_what_is_known_of_each() -> None:
    found = sources([], [{"title": "水", "link": "https://a.example", "content": "湿的。"}, {"content": "Hot."}, {}])
    assert listing(found) == "[1] 水\nhttps://a.example\n湿的。\n\n[2]\nHot.\n\n[3]"
    assert listing([]) == "Nothing was found."
