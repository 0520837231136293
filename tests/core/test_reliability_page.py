"""`docs/reliability.md` names tests that exist, and holds the results that were committed."""

import ast
import json
import re
from pathlib import Path

from benchmarks.faults.__main__ import table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists():
    for line in PAGE.splitlines():
        links = re.findall(r"\]\((\.\./tests/[\w/]+\.py)\)", line)
        names = {name for link in links for name in functions(ROOT / "docs" / link)}
        assert set(re.findall(r"`(test_\w+)`", line)) <= names, line


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_the_table_is_that_of_the_committed_run_and_ours_is_honest_throughout():
    results = json.loads((ROOT / "benchmarks" / "faults" / "results.json").read_text(encoding="utf-8"))["faults"]
    assert table(results) in PAGE
    for ours in ("ChatGeekAI", "GeekAI"):
        assert not [what for row in results[ours].values() for what in row.values() if "**" in what]
