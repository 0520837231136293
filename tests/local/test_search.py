from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from examples.demo import Question, read_questions
from geekai_local import search
from geekai_local.documents import Documents
from geekai_local.embedding import Embedder
from geekai_local.passages import MAX_WORDS, Passage, split_document
from geekai_local.search import CORPUS, SearchIndex, pages


@pytest.fixture(scope="module")
def corpus() -> Iterator[SearchIndex]:
    with closing(SearchIndex(Documents(CORPUS).passages)) as index:
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
    found = pages(corpus.find(query), 1)
    assert [Path(result["link"]).name.split(".")[0] for result in found] == ([page] if page else [])


@pytest.mark.parametrize("query", ["", "!?", '"', "NEAR(", "a AND", "*", "title:x", "\x00", "-"])
def test_any_text_is_a_query(corpus: SearchIndex, query: str) -> None:
    """What means something to FTS5 is searched for as plain words."""
    assert isinstance(pages(corpus.find(query)), list)


def test_results_have_the_shape_of_geekai(corpus: SearchIndex) -> None:
    """Title, link, content and a reference by rank, at most as many as asked for."""
    results = pages(corpus.find("ticket crowns"), 3)
    assert [result["refer"] for result in results] == ["ref_1", "ref_2", "ref_3"]
    assert all(result.keys() == {"title", "link", "content", "refer"} for result in results)
    assert results[0]["link"].startswith("file:///")


def test_every_question_is_answered_by_its_page_and_found_by_search(corpus: SearchIndex) -> None:
    """Each expected string stands in the page that is named, and a search for two passages brings it."""
    questions = read_questions()
    assert len(questions) == 20
    for question in questions:
        assert question.is_right((CORPUS / question.page).read_text(encoding="utf-8"))
        assert any(question.is_right(result["content"]) for result in pages(corpus.find(question.text), 2)), (
            question.text
        )


def test_a_page_is_one_result_with_one_number(corpus: SearchIndex) -> None:
    """However many of its passages match; at most two of them are shown."""
    found = corpus.find("ferry ticket crowns harbour")
    results = pages(found)
    assert len(results) < len(found)
    assert len({result["link"] for result in results}) == len(results)
    assert [result["refer"] for result in results] == [f"ref_{number}" for number in range(1, len(results) + 1)]
    many = pages([Passage("t", "l", text) for text in "abc"] + [Passage("u", "m", "d"), Passage("t", "l", "e")], 1)
    assert many == [{"title": "t", "link": "l", "content": "a\n\nb", "refer": "ref_1"}]


@pytest.mark.parametrize(
    "query", ["what is it", "How are you?", "The", "tell me about this", "这个是什么", "为什么呢", "的"]
)
def test_stop_words_find_nothing(corpus: SearchIndex, query: str) -> None:
    assert corpus.find(query) == []


INN = Passage("旅馆", "inn", "客人可以携带猫狗等小动物过夜，每晚另付二十元。")
PAGES = [
    *(
        Passage("早餐", "food", "早餐七点到九点供应，有粥、包子和咖啡。"),
        Passage("停车", "cars", "停车场在后院，免费。"),
    ),
    *(
        INN,
        Passage("Payment", "bill", "Payment terms are thirty days net."),
        Passage("Ferry", "ferry", "It departs from the harbour at nine, in winter at ten."),
    ),
]


@pytest.mark.local_model
@pytest.mark.parametrize(
    ("query", "link"),
    [
        ("带宠物住宿", "inn"),
        ("Can I bring my dog to the hotel?", "inn"),
        ("When does the boat leave?", "ferry"),
        ("轮船几点走", "ferry"),
        ("Who is the president of France?", None),
        ("zzzzqqq", None),
        ("你好", None),
    ],
)
def test_what_means_the_same_is_found_without_a_common_word(query: str, link: str | None) -> None:
    """In either language, across both; what has nothing to do with any page finds none."""
    with closing(SearchIndex(PAGES, Embedder())) as index:
        assert [passage.link for passage in index.find(query)][:1] == ([link] if link else [])


@pytest.mark.local_model
def test_a_large_folder_is_searched_before_all_its_vectors_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """One search makes some, those that match by their words first; the others follow, or come by `prepare`."""
    monkeypatch.setattr(search, "_MISSING", 1)
    others = [Passage(f"Page {n}", f"{n}", f"Number {n} has nothing to say. 第{n}页。") for n in range(4)]
    with closing(SearchIndex([*others, INN], Embedder())) as index:
        assert [passage.link for passage in index.find("客人的动物")] == ["inn"]
        assert [passage.link for passage in index.find("带宠物住宿")] == ["inn"]


def test_an_answer_is_right_that_holds_an_expected_string() -> None:
    """Whatever its case, and not inside a longer number."""
    height = Question("How high is Grey Hill?", ["212"], "island.md")
    assert height.is_right("It is 212 metres high.")
    assert not height.is_right("It is 2120 metres high.")
