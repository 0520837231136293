"""Hybrid RAG: both sides are searched, and one list of citations stands under the answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.documents import Document

from examples import hybrid_rag
from geekai_testing.replies import completion, json_reply
from geekai_testing.scripted import ScriptedServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.md").write_text("# Ferry\n\nThe ferry leaves at nine.\n\nTea is hot.\n", encoding="utf-8")
    return tmp_path


def test_a_file_that_cannot_be_read_is_named_and_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "latin.md").write_bytes("Café".encode("latin-1"))
    assert {document.metadata["title"] for document in hybrid_rag.read(folder)} == {"notes"}
    assert f"{folder / 'latin.md'} cannot be read, and is left out: " in capsys.readouterr().err


def test_sources_of_both_sides_are_cited_by_one_list(
    scripted: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = {"title": "轮渡公告", "link": "https://harbour.example", "content": "The ferry leaves at ten in winter."}
    scripted.play(json_reply({"id": "1", "created": 1, "results": [page]}), path="/web_search")
    scripted.play(
        json_reply(
            {"results": [{"index": i, "relevance_score": score} for i, score in ((2, 0.9), (1, 0.8), (0, 0.7))]}
        ),
        path="/rerank",
    )
    scripted.play(
        json_reply(completion("At ten in winter [3], else at nine [2, 3]. See [9].")), path="/chat/completions"
    )
    hybrid_rag.main(folder, "When does the ferry leave?")
    bodies = {request.route: request.json for request in scripted.requests}
    assert bodies["/web_search"]["prompt"] == "When does the ferry leave?"
    assert bodies["/rerank"]["documents"][0] == page["content"]
    assert set(bodies["/rerank"]["documents"][1:]) == {"# Ferry\n\nThe ferry leaves at nine.", "Tea is hot."}
    assert bodies["/chat/completions"]["messages"][1]["content"].startswith("Context:\n[1] ")
    answer, _, cited = capsys.readouterr().out.partition("\n\n")
    assert answer == "At ten in winter [1], else at nine [2][1]. See ."
    assert cited.splitlines()[0] == "[1] 轮渡公告 (https://harbour.example)"
    assert cited.splitlines()[1].startswith("[2] notes (notes.md)")
    assert len(cited.splitlines()) == 2


def test_a_folder_without_text_ends_the_run_at_once(scripted: ScriptedServer, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="No text"):
        hybrid_rag.main(tmp_path, "When?")
    assert scripted.requests == []


def test_citations_are_numbered_in_the_order_of_their_use() -> None:
    found = [Document(name) for name in "abc"]
    assert hybrid_rag.renumbered("x [3] y [1, 3] `a[2]` [7]", found) == ("x [1] y [2][1] `a[2]` ", [found[2], found[0]])
    assert hybrid_rag.renumbered("I do not know.", found) == ("I do not know.", found)


@pytest.mark.local_model
def test_a_real_model_answers_from_both_sides(
    local: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hybrid_rag, "COUNT", 2)
    hybrid_rag.main(folder, "When does the ferry leave?")
    answer, _, cited = capsys.readouterr().out.rpartition("\n\n")
    assert answer.strip()
    assert cited.startswith("[1] ")
