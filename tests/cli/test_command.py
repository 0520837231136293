"""What every command shares: a quick start, the missing extra, `geekai serve`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from geekai_core import __version__
from tests.cli.command import environment, geekai


def python(code: str) -> subprocess.CompletedProcess[str]:
    """`code` in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=60, check=False
    )


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["chat", "--help"], ["models", "--help"]])
def test_help_and_version_load_neither_the_frameworks_nor_httpx(words: list[str]) -> None:
    heavy = ("httpx", "langchain_core", "llama_index", "uvicorn", "starlette")
    code = f"import sys\nfrom geekai_cli.__main__ import main\ntry: main({words!r})\nexcept SystemExit as end: "
    done = python(f"{code}print(end.code, [n for n in {heavy!r} if n in sys.modules])")
    assert done.stdout.endswith("0 []\n"), done.stderr
    assert done.stdout.startswith(f"geekai {__version__}" if words == ["--version"] else "Usage: geekai ")


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(library: str) -> None:
    run = "import runpy; sys.argv[1:] = ['models']; runpy.run_module('geekai_cli', run_name='__main__')"
    done = python(f"import sys; sys.modules[{library!r}] = None\n{run}")
    assert done.stderr == f'geekai: {library} is not installed: pip install ".[cli]" in the clone\n'
    assert done.returncode == 2


def test_serve_hands_its_options_to_the_local_endpoint(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    done = geekai("serve", "--port", "0", "--gguf", str(tmp_path / "broken.gguf"))
    assert (done.out, done.code) == ("", 2)
    assert done.err.startswith("geekai-local: ")
    assert "broken.gguf" in done.err
    assert done.err.count("\n") == 1
    helped = geekai("serve", "--help")
    assert "--install-weights" in helped.out
    assert helped.code == 0
