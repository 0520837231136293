"""Every Python block of the documentation runs, in its document's order, against a scripted endpoint."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

from geekai_local.scripted import ScriptedServer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_python_block_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer() as server:
        monkeypatch.setenv("GEEKAI_API_KEY", "sk-docs")
        monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
        names: dict[str, object] = {"__name__": "__docs__"}
        for block in blocks(page):
            exec(compile(block, str(page), "exec"), names)
        assert server.requests


WITH_EXAMPLES = [
    ".".join(path.relative_to(root).with_suffix("").parts)
    for root, package in ((ROOT / "shared", "geekai_*"), (ROOT, "langchain_geekai"), (ROOT, "llama_index_geekai"))
    for path in sorted(root.glob(f"{package}/*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_every_example_of_a_docstring_is_true(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_both_readmes_hold_the_same_commands_and_headings() -> None:
    """The Chinese README says the same: as many headings and blocks, the same shell commands."""
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))

    def shell(text: str) -> list[str]:
        found = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        return [line.split("#")[0].strip() for block in found for line in block.splitlines()]

    assert shell(english) == shell(chinese)
    assert len(re.findall(r"^#+ ", english, re.MULTILINE)) == len(re.findall(r"^#+ ", chinese, re.MULTILINE))
    assert len(blocks(ROOT / "README.md")) == len(blocks(ROOT / "README.zh-CN.md"))


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") <= 130


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target
