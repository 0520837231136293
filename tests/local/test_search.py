from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from geekai_local.errors import StartError
from geekai_local.questions import read_questions
from geekai_local.search import CORPUS, MAX_WORDS, Passage, SearchIndex, read_folder, split_document


@pytest.fixture(scope="module")
def corpus() -> Iterator[SearchIndex]:
    with closing(SearchIndex(read_folder(CORPUS))) as index:
        yield index


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("", []),
        ("# Only a title", []),
        ("No title here.", [("notes", "No title here.")]),
        (
            "# Tea\nHot.\n## Price\nFive.\n## Leaves\nGreen.",
            [("Tea", "Hot."), ("Tea: Price", "Five."), ("Tea: Leaves", "Green.")],
        ),
        ("One line\r\nof two.\r\n\r\nAnother paragraph.", [("notes", "One line of two. Another paragraph.")]),
        ("# 茶\n\n绿茶。红茶！", [("茶", "绿茶。红茶！")]),
    ],
)
def test_a_document_is_split_at_its_headings(text: str, passages: list[tuple[str, str]]) -> None:
    """Each section is a passage under the document's title."""
    assert [(title, found) for title, _, found in split_document(text, "notes", "link")] == passages


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("One two three. " * 50, [120, 30]),
        ("word " * 300, [120, 120, 60]),
        ("长" * 300, [120, 120, 60]),
        ("三个字。" * 50, [120, 80]),
    ],
)
def test_a_passage_is_never_longer_than_the_limit(text: str, lengths: list[int]) -> None:
    """Sentences stay whole while they fit; one that is too long is cut; a Chinese character counts as a word."""
    passages = split_document(text, "n", "l")
    assert [len(re.findall(r"[\u4e00-\u9fff。]|[^\s\u4e00-\u9fff。]+", p.text)) for p in passages] == lengths
    assert max(lengths) <= MAX_WORDS


def test_nothing_of_a_document_is_lost_in_the_splitting() -> None:
    """The passages of the corpus hold every word of its pages but the headings."""
    for page in CORPUS.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        kept = "".join(p.text for p in split_document(text, page.stem, ""))
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert "".join(kept.split()) == "".join("".join(lines).split())


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("博物馆", "museum"),
        ("门票", None),
        ("海鹦什么时候筑巢", "birds"),
        ("租自行车多少钱", "bicycles"),
        ("天文台几点开放？", "observatory"),
        ("船", "museum"),
        ("keepers of the lighthouse", "lighthouse"),
        ("HERRING", "market"),
    ],
)
def test_short_queries_find_their_page(corpus: SearchIndex, query: str, page: str | None) -> None:
    """Chinese is found by two-character words and by single ones, English by its stems, whatever the case."""
    found = corpus.search(query, 1)
    assert [Path(result["link"]).name.split(".")[0] for result in found] == ([page] if page else [])


@pytest.mark.parametrize("query", ["", "!?", '"', "NEAR(", "a AND", "*", "title:x", "\x00", "-"])
def test_any_text_is_a_query(corpus: SearchIndex, query: str) -> None:
    """What means something to FTS5 is searched for as plain words."""
    assert isinstance(corpus.search(query), list)


def test_results_have_the_shape_of_geekai(corpus: SearchIndex) -> None:
    """Title, link, content and a reference by rank, at most as many as asked for."""
    results = corpus.search("ticket crowns", 3)
    assert [result["refer"] for result in results] == ["ref_1", "ref_2", "ref_3"]
    assert all(result.keys() == {"title", "link", "content", "refer"} for result in results)
    assert results[0]["link"].startswith("file:///")


def test_every_question_is_answered_by_its_page_and_found_by_search(corpus: SearchIndex) -> None:
    """Each expected string stands in the page that is named, and a search for two passages brings it."""
    questions = read_questions()
    assert len(questions) == 20
    for question in questions:
        assert question.is_right((CORPUS / question.page).read_text(encoding="utf-8"))
        assert any(question.is_right(result["content"]) for result in corpus.search(question.text, 2)), question.text


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that nobody can read, root neither")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "港.md").symlink_to("/proc/self/mem")
    with pytest.raises(StartError, match=r"cannot read .*港\.md: \w"):
        read_folder(tmp_path)


def test_a_folder_is_read_to_its_depth(tmp_path: Path) -> None:
    """Markdown and text files of all subfolders are read, others are not, and bad bytes do no harm."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.md").write_bytes(b"# A\nfirst \xff")
    (tmp_path / "deep" / "b.txt").write_text("second", encoding="utf-8")
    (tmp_path / "c.py").write_text("third", encoding="utf-8")
    assert read_folder(tmp_path) == [
        Passage("A", (tmp_path / "a.md").as_uri(), "first \ufffd"),
        Passage("b", (tmp_path / "deep" / "b.txt").as_uri(), "second"),
    ]
