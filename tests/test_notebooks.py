"""The notebooks run, show what is stored in them, and have the form that each ecosystem publishes."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from tests.notebooks import NOTEBOOKS, ROOT, executed

LAYOUT = {
    "chat_geekai": ["Overview", "Setup", "Instantiation", "Invocation", "Chaining", "API reference"],
    "geekai_llm": ["Setup", "Basic usage", "Streaming", "Async", "Function calling", "Structured prediction"],
}
"""Headings of LangChain's page for a chat model, and of LlamaIndex's example for an LLM, in their order."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_running_it_shows(path: Path) -> None:
    """`scripts/notebooks` stores it anew."""
    stored = nbformat.read(path, as_version=4)
    assert executed(path).cells == stored.cells
    shown = [cell for cell in stored.cells if cell.cell_type == "code" and cell.outputs]
    assert len(shown) >= 8


def test_the_notebooks_have_the_form_that_their_ecosystems_publish() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(LAYOUT)
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        headings = [heading for heading in re.findall(r"^## (.+)$", text, re.MULTILINE) if heading in LAYOUT[path.stem]]
        assert headings == LAYOUT[path.stem]
        for target in re.findall(r"\]\((\.\.[^)#]+)", text):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_path_and_no_address_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert not re.search(r"/(home|root|Users|work|tmp)/|127\.0\.0\.1|sk-notebook", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_at_its_top_that_its_answers_are_scripted(path: Path) -> None:
    assert "answers in this notebook is scripted" in nbformat.read(path, as_version=4).cells[0].source
