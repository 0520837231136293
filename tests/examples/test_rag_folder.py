"""RAG over a folder, in both frameworks: what is embedded on the first, second and third run, and what is answered."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from pathlib import Path
from types import ModuleType

import pytest
from qdrant_client import QdrantClient

from examples import rag_folder, rag_folder_llama_index
from geekai_testing.replies import delta, sse
from geekai_testing.scripted import ScriptedServer
from tests.examples.documents import pdf

EXAMPLES = pytest.mark.parametrize("example", [rag_folder, rag_folder_llama_index], ids=["langchain", "llama_index"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents of one passage each: Markdown in a folder of its own, Chinese, a PDF."""
    made = tmp_path / "documents"
    (made / "deeper").mkdir(parents=True)
    (made / "deeper/lighthouse.md").write_text("# Lighthouse\n\nThe lighthouse was built in 1874.\n", encoding="utf-8")
    (made / "tea.md").write_text("# 茶园\n\n茶园每年四月采茶。\n", encoding="utf-8")
    pdf(made / "ferry.pdf", "The ferry leaves at nine.", "In winter it leaves at ten.")
    return made


def embedded(server: ScriptedServer) -> list[str]:
    """The texts that were embedded since the last look, but for what is asked each time."""
    inputs = [text for request in server.requests if request.route == "/embeddings" for text in request.json["input"]]
    server.requests.clear()
    return [text for text in inputs if text not in ("When?", "How long is a vector?")]


@EXAMPLES
def test_only_what_changed_is_embedded_again(
    scripted: ScriptedServer, folder: Path, tmp_path: Path, example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    run = {"folder": folder, "question": "When?", "store": tmp_path / "vectors"}
    example.main(**run)
    first = embedded(scripted)
    assert len(first) == 3
    assert "In winter it leaves at ten." in "".join(first)
    assert "3 passages embedded" in capsys.readouterr().out

    example.main(**run)
    assert embedded(scripted) == []
    shown = capsys.readouterr().out
    assert "0 passages embedded" in shown
    assert all(place in shown for place in ("deeper/lighthouse.md, page 1", "tea.md, page 1", "ferry.pdf, page 1"))

    (folder / "tea.md").write_text("# 茶园\n\n茶园每年五月采茶。\n", encoding="utf-8")
    (folder / "ferry.pdf").unlink()
    example.main(**run)
    (changed,) = embedded(scripted)
    assert "五月" in changed
    assert "ferry.pdf" not in capsys.readouterr().out

    example.main(**run)
    (asked,) = [request.json["messages"] for request in scripted.requests if request.route == "/chat/completions"]
    assert "五月" in str(asked)
    assert "四月" not in str(asked)
    assert embedded(scripted) == []


@EXAMPLES
def test_a_folder_without_text_ends_the_run_before_anything_is_deleted(
    scripted: ScriptedServer, folder: Path, tmp_path: Path, example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty := tmp_path / "empty").mkdir()
    example.main(folder, "When?", tmp_path / "vectors")
    scripted.requests.clear()
    with pytest.raises(SystemExit, match="No text"):
        example.main(empty, "When?", tmp_path / "vectors")
    assert scripted.requests == []
    example.main(folder, "When?", tmp_path / "vectors")
    assert embedded(scripted) == []


@EXAMPLES
@pytest.mark.local_model
def test_a_real_model_answers_from_the_folder(
    local: str,
    folder: Path,
    tmp_path: Path,
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(example, "COUNT", 2)
    example.main(folder, "When was the lighthouse built?", tmp_path / "vectors")
    said = capsys.readouterr().out.partition("passages embedded")[2].partition("\n")[2]
    answer, _, places = said.rpartition("\n\n")
    assert answer.strip()
    assert "deeper/lighthouse.md, page 1" in places.splitlines()[0]


@EXAMPLES
def test_a_file_that_cannot_be_read_is_named_and_left_out(
    scripted: ScriptedServer, folder: Path, tmp_path: Path, example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Latin-1 for UTF-8, a cut PDF, an empty one, a folder that is named like a document."""
    (folder / "latin.md").write_bytes("Café à la carte".encode("latin-1"))
    (folder / "cut.pdf").write_bytes((folder / "ferry.pdf").read_bytes()[:200])
    (folder / "empty.pdf").write_bytes(b"")
    (folder / "folder.md").mkdir()
    example.main(folder, "When?", tmp_path / "vectors")
    shown = capsys.readouterr()
    for name in ("latin.md", "cut.pdf", "empty.pdf", "folder.md"):
        assert f"{folder / name} cannot be read, and is left out: " in shown.err
    assert "3 passages embedded" in shown.out
    assert len(embedded(scripted)) == 3


@pytest.mark.parametrize("write", ["upsert", "upload_points", "delete"])
@EXAMPLES
def test_after_a_run_that_broke_off_between_two_writes_the_store_holds_what_the_folder_holds(
    scripted: ScriptedServer,
    folder: Path,
    tmp_path: Path,
    example: ModuleType,
    write: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The run of a changed folder ends ahead of each kind of write; the folder changes again before the next run."""

    def broken_off(*args: object, **settings: object) -> None:
        raise KeyboardInterrupt

    run = {"folder": folder, "question": "When?", "store": tmp_path / "vectors"}
    example.main(**run)
    (folder / "tea.md").write_text("# 茶园\n\n" + "茶园每年五月采茶。" * 60, encoding="utf-8")
    (folder / "ferry.pdf").rename(tmp_path / "away.pdf")
    with monkeypatch.context() as patched:
        patched.setattr(QdrantClient, write, broken_off)
        with suppress(KeyboardInterrupt):
            example.main(**run)

    (folder / "tea.md").write_text("# 茶园\n\n茶园每年六月采茶。\n", encoding="utf-8")
    (tmp_path / "away.pdf").rename(folder / "ferry.pdf")
    example.main(**run)
    kept = sorted(held(tmp_path / "vectors"))
    assert len(kept) == 3
    assert [any(word in text for text in kept) for word in ("1874", "六月", "at nine", "五月", "四月")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    scripted.requests.clear()
    example.main(**run)
    assert embedded(scripted) == []
    assert "0 passages embedded, 0 removed, 3 as before" in capsys.readouterr().out


def held(store: Path) -> list[str]:
    """What stands in the store, passage by passage."""
    with closing(QdrantClient(path=str(store))) as client:
        (name,) = (found.name for found in client.get_collections().collections)
        points, _ = client.scroll(name, limit=100)
        return [json.dumps(point.payload, ensure_ascii=False) for point in points]


def test_an_answer_commands_no_terminal(
    scripted: ScriptedServer, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for example in (rag_folder, rag_folder_llama_index):
        scripted.play(sse(delta("At \x1b"), delta("[31mnine\x9b", finish_reason="stop")), path="/chat/completions")
        example.main(folder, "When?", tmp_path / example.__name__)
        assert "At ␛[31mnine\\u009b" in capsys.readouterr().out


def test_a_long_text_is_cut_where_it_hurts_least() -> None:
    text = "One. " * 60 + "\n\n" + "Two words " * 50 + "\n\n" + "茶" * 1300
    assert [len(passage) for passage in rag_folder.PASSAGE.findall(text)] == [300, 500, 600, 600, 100]
    assert "".join(rag_folder.PASSAGE.findall(text)).replace(" ", "") == "".join(text.split())
