"""The evaluation: a table of what a judge says, question by question."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples import evaluate
from geekai_testing.replies import Reply, Request, completion, json_reply
from geekai_testing.schema_answers import answer_from_schemas
from geekai_testing.scripted import ScriptedServer

# LlamaIndex's own runner asks for its event loop by a name that LlamaIndex gave up.
pytestmark = pytest.mark.filterwarnings("ignore:asyncio_module:DeprecationWarning:llama_index")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "ferry.md").write_text("The ferry leaves at nine. In winter it leaves at ten.", encoding="utf-8")
    questions = tmp_path / "questions.txt"
    questions.write_text("When does the ferry leave?\n\n谁造的船？\n", encoding="utf-8")
    return tmp_path, questions


def rows(shown: str) -> list[list[str]]:
    """The cells of the table's rows, of their first lines."""
    return [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in shown.splitlines() if "│" in line]


def test_a_file_that_cannot_be_read_is_named_and_left_out(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (files[0] / "latin.md").write_bytes("Café".encode("latin-1"))
    assert [document.text for document in evaluate.read(files[0])] == [(files[0] / "ferry.md").read_text("utf-8")]
    assert f"{files[0] / 'latin.md'} cannot be read, and is left out: " in capsys.readouterr().err


def test_each_question_has_a_row_with_both_verdicts(
    scripted: ScriptedServer, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The judge finds what is said of the ferry right, and what is said of its builder invented."""

    def answer(request: Request) -> Reply:
        if request.route != "/chat/completions":
            return answer_from_schemas(request)
        prompt = str(request.json["messages"])
        if request.json["model"] == "gpt-4o":
            return json_reply(completion("NO" if "[Ida]" in prompt and "piece of information" in prompt else "YES"))
        return json_reply(completion("At nine." if "When does" in prompt else "[Ida]"))

    scripted.default = answer
    evaluate.main(*files, judge="gpt-4o")
    shown = capsys.readouterr().out
    ferry, builder, totals = rows(shown)
    assert ferry == ["When does the ferry leave?", "At nine.", "yes", "yes"]
    assert builder == ["谁造的船？", "[Ida]", "no", "yes"]
    assert totals == ["", "", "1/2", "2/2"]
    chats = [request.json["model"] for request in scripted.requests if request.route == "/chat/completions"]
    assert sorted(chats) == ["gpt-4o"] * 4 + ["gpt-4o-mini"] * 2
    assert re.search(r"9 calls, \d+ tokens", shown)


@pytest.mark.local_model
def test_a_real_model_answers_and_judges(
    local: str, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files[1].write_text("When does the ferry leave?", encoding="utf-8")
    evaluate.main(*files)
    question, *_, totals = rows(capsys.readouterr().out)
    assert {question[2], question[3]} <= {"yes", "no"}
    assert totals[2] in ("0/1", "1/1")
