"""docs/local-endpoint.md and its Chinese twin say what the real model says: the same in form, not in words."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import REAL, ROOT, blocks, fences

pytestmark = pytest.mark.local_model

PAGES = [ROOT / "docs" / REAL, ROOT / "docs/zh" / REAL]


def form(output: str) -> list[str]:
    """The lines of an output; what stands above a list of sources are words of the model's own, however many."""
    *words, last = output.splitlines()
    return ["Words.", last] if last.startswith("[") and any(words) else [*words, last]


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_the_blocks_of_the_page_print_what_it_shows(page: Path, base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words where it shows some, and the same citations; what is scripted, word for word."""
    monkeypatch.setenv("GEEKAI_BASE_URL", base_url)
    monkeypatch.setenv("GEEKAI_API_KEY", "any")
    names: dict[str, dict[str, object]] = {"": {"__name__": "__docs__"}}
    compared = []
    for tab, code, output in blocks(page):
        names[tab] = {**names[""], **names.get(tab, {})}
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, str(page), "exec"), names[tab])
        if output is not None:
            assert form(printed.getvalue()) == form(output)
            compared.append(form(output))
    assert compared[:2] == [["Words.", "['ferry.md']"]] * 2
    assert len(compared) == 3


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_it_starts_as_the_page_shows(page: Path, tmp_path: Path) -> None:
    """But for the port."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("# A\nfirst\n# B\nsecond")
    (notes / "b.txt").write_text("third")
    (notes / "photo.png").touch()
    shown = next(text for language, text in fences(page) if language == "text").splitlines(keepends=True)
    command = [sys.executable, "-m", "geekai_local", "--port", "0", "--docs", "notes"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = [process.stdout.readline() for _ in shown]
        process.kill()
    assert [re.sub(r"(127.0.0.1:)\d+", r"\g<1>8421", line) for line in printed] == shown
