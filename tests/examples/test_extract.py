"""Extraction: every document becomes a line or a named failure, and no more are asked at a time than may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from examples import extract
from geekai_testing.replies import Pause, Reply, Request, completion, dumps, error, json_reply, usage
from geekai_testing.scripted import ScriptedServer
from tests.examples.documents import pdf


def document(request: Request) -> str:
    return str(request.json["messages"][-1]["content"])


def facts(request: Request) -> Reply:
    """After a tenth of a second; the title is the document's first line."""
    found = {"kind": "place", "year": 1874, "title": document(request).splitlines()[0]}
    reply = json_reply(completion(dumps(found), usage=usage(20, 10)))
    reply.before = [Pause(0.1)]
    return reply


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_documents_become_lines_as_they_are_done_within_the_bound(
    scripted: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "documents"
    (folder / "deeper").mkdir(parents=True)
    for number in range(8):
        (folder / f"{number}.md").write_text(f"灯塔 {number}\n建于 1874 年。", encoding="utf-8")
    pdf(folder / "deeper/harbour.pdf", "The harbour", "It was built in 1874.")
    scripted.default = facts
    extract.main(folder, tmp_path / "facts.jsonl", at_once=3)

    found = lines(tmp_path / "facts.jsonl")
    assert len(found) == 9
    assert {"file": str(folder / "3.md"), "kind": "place", "year": 1874, "title": "灯塔 3"} in found
    assert {row["title"] for row in found if row["file"].endswith(".pdf")} == {"The harbour"}
    assert all(request.json["response_format"]["json_schema"]["name"] == "Facts" for request in scripted.requests)
    times = [request.received_at for request in scripted.requests]
    assert max(sum(time - 0.1 < other <= time for other in times) for time in times) <= 3
    shown = capsys.readouterr().err.rpartition("\r")[2]
    assert "9/9" in shown
    assert "failed=0, tokens=270" in shown


def test_what_fails_is_named_and_the_rest_stands(scripted: ScriptedServer, tmp_path: Path) -> None:
    """A document that cannot be read, one that the server refuses, one whose answer is no object of this kind."""
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    for name in ("good", "refused", "wrong"):
        (tmp_path / f"{name}.md").write_text(name, encoding="utf-8")

    def answer(request: Request) -> Reply:
        if "refused" in document(request):
            return error(400, "内容违规")
        return json_reply(completion('{"kind": "cloud"}')) if "wrong" in document(request) else facts(request)

    scripted.default = answer
    with pytest.raises(SystemExit) as ended:
        extract.main(tmp_path, tmp_path / "facts.jsonl")
    failures = {
        Path(line.partition(": ")[0]).name: line
        for line in str(ended.value).splitlines()
        if ".md:" in line or ".pdf:" in line
    }
    assert set(failures) == {"broken.pdf", "refused.md", "wrong.md"}
    assert "BadRequestError: HTTP 400: 内容违规" in failures["refused.md"]
    assert [row["title"] for row in lines(tmp_path / "facts.jsonl")] == ["good"]


def test_a_full_disk_ends_the_asking_and_is_named(scripted: ScriptedServer, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.md").write_text(f"Lighthouse {number}", encoding="utf-8")
    scripted.default = facts
    with pytest.raises(SystemExit, match=r"/dev/full cannot be written: .*Errno 28"):
        extract.main(tmp_path, Path("/dev/full"), at_once=3)
    assert len(scripted.requests) < 12, "the first ones, and what was under way"


@pytest.mark.local_model
def test_a_real_model_fills_the_fields(local: str, tmp_path: Path) -> None:
    (tmp_path / "lighthouse.md").write_text("The lighthouse at Cape Torv was built in 1874.", encoding="utf-8")
    pdf(tmp_path / "ferry.pdf", "The ferry to Maren has sailed since 1921.")
    extract.main(tmp_path, tmp_path / "facts.jsonl", at_once=2)
    rows = lines(tmp_path / "facts.jsonl")
    assert {Path(row["file"]).name for row in rows} == {"lighthouse.md", "ferry.pdf"}
    assert all(extract.Facts(**row).title for row in rows)
