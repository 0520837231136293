"""What holds for every example: it is short, and says how it is run and what its arguments are."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
OF_THEIR_OWN = {"demo", "observability", "third_adapter"}  # they have no options, and tests of their own

LINES = {"bulk_ray": 140}  # what a run of days must bear
LINES |= {
    "chat": 105,
    "rag_folder": 95,
    "rag_folder_llama_index": 95,
    "hybrid_rag": 85,
    "extract": 85,
}  # full disks, broken files


def test_every_example_is_found() -> None:
    assert len(EXAMPLES) >= 11


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - OF_THEIR_OWN))
def test_an_example_is_short_and_says_how_it_is_run(name: str) -> None:
    text = (ROOT / f"examples/{name}.py").read_text(encoding="utf-8")
    assert text.count("\n") <= LINES.get(name, 80)
    assert f"\n    python examples/{name}.py" in text
    assert "`geekai-local`" in text


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - OF_THEIR_OWN))
def test_an_example_tells_its_arguments(name: str) -> None:
    if name == "bulk_ray":
        pytest.importorskip("ray", reason="needs the extra `ray`")
    app = typer.Typer()
    app.command()(importlib.import_module(f"examples.{name}").main)
    told = CliRunner().invoke(app, ["--help"])
    assert told.exit_code == 0, told.output
    assert "--model" in told.output


@pytest.mark.parametrize("name", ["hybrid_rag", "rag_folder", "rag_folder_llama_index"])
def test_a_mistyped_folder_is_told(name: str, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(importlib.import_module(f"examples.{name}").main)
    told = CliRunner().invoke(app, [str(tmp_path / "mistyped"), "When?"])
    assert told.exit_code == 2
    assert "does not exist" in " ".join(re.findall(r"[^\s│]+", told.output)), "typer frames and breaks its lines"
