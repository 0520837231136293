"""All groups of peers, one after another: `scripts/compare` makes their environments and calls this.

Rewrites `results/*.json` and the tables of the pages in `docs/` that `PARTS` names.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.compare.tables import conformance_table, fate_parts, peer_parts, put, rows_table

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OTHERS = ", usage asked for"
LANGCHAIN = {
    "langchain": [
        "ChatOpenAI",
        "ChatOpenAI, `stream_usage=True`",
        "ChatDeepSeek, `stream_usage=True`",
        "ChatXAI",
        "ChatPerplexity",
        "ChatOpenRouter",
        "langchain-dev-utils",
    ],
    "litellm": ["ChatLiteLLM"],
}
LLAMA_INDEX = {
    "llama-index": ["OpenAILike", f"OpenAILike{OTHERS}", f"DeepSeek{OTHERS}"],
    "llama-index-openrouter": [f"OpenRouter{OTHERS}", f"Perplexity{OTHERS}"],
}
OURS = {"langchain": "ChatGeekAI", "llama-index": "GeekAI"}
ROWS = {"langchain": ["ChatGeekAI", "ChatOpenAI", "ChatDeepSeek"], "litellm": ["ChatLiteLLM"]}
ROWS_OF_LLAMA_INDEX = {"llama-index": ["GeekAI", "OpenAILike"]}
SUBJECTS = {"OpenAILike": "benchmarks.compare.openai_like:subject", "GeekAI": "tests.llama_index.subject:geekai"}


def run(group: str, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A module of ours in a group's environment, over the sources as they are."""
    python = ROOT / ".venvs" / f"compare-{group}" / "bin" / "python"
    path = os.pathsep.join([str(ROOT / "shared"), str(ROOT)])
    known = {name: value for name, value in os.environ.items() if not name.startswith("LANG")}
    return subprocess.run(
        [str(python), "-m", *command],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**known, "PYTHONPATH": path, **environment}, check=False,
    )  # fmt: skip


def pinned(groups: dict[str, list[str]]) -> dict[str, str]:
    """The releases that the requirements name."""
    text = "\n".join((HERE / f"requirements-{group}.txt").read_text() for group in groups)
    return dict(re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE))


def fates(module: str, groups: dict[str, list[str]]) -> dict[str, Any]:
    """Of each class, of each field, what became of it; ours is asked in the first group's environment."""
    found: dict[str, Any] = {}
    first = next(iter(groups))
    for group, names in [*groups.items(), (first, [OURS[first]])]:
        print(f"{group}: {', '.join(names)}", file=sys.stderr, flush=True)
        done = run(group, f"benchmarks.compare.{module}", *names)
        done.check_returncode()
        found |= json.loads(done.stdout)
    return {"releases": pinned(groups), "fates": found}


def conformance() -> dict[str, Any]:
    """Of each subject, how many of the suite's tests passed and failed, by their numbers C1 to C24."""
    counted: dict[str, Any] = {}
    for name, subject in SUBJECTS.items():
        print(f"conformance: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            settings = ("-o", "addopts=", "-o", "filterwarnings=", "-p", "no:cacheprovider", "--timeout", "30", "-q")
            command = ("pytest", "tests/llama_index/conformance", *settings, "--tb=no", f"--junitxml={report}")
            run("llama-index", *command, LLAMA_INDEX_SUBJECT=subject)
            tests = [*ElementTree.parse(report).getroot().iter("testcase")]  # we wrote it
        passed, failed = Counter[str](), Counter[str]()
        for test in tests:
            number = re.match(r"test_c(\d+)", test.get("name", ""))
            bad = test.find("failure") is not None or test.find("error") is not None
            (failed if bad else passed)[number[1].lstrip("0") if number else "other"] += 1
        counted[name] = {"passed": dict(sorted(passed.items())), "failed": dict(sorted(failed.items()))}
    return counted


def rows() -> dict[str, Any]:
    """Of each class, of each of the parity tables, how many rows are right; each class in a process of its own."""
    found: dict[str, Any] = {}
    for group, names in [*ROWS.items(), *ROWS_OF_LLAMA_INDEX.items()]:
        for name in names:
            print(f"rows: {name}", file=sys.stderr, flush=True)
            done = run(group, "benchmarks.compare.rows", name)
            done.check_returncode()
            found |= json.loads(done.stdout)
    return found


Tell = Callable[[Any], dict[str, str]]
PARTS: dict[str, tuple[Callable[[], Any], dict[str, Tell]]] = {
    "langchain": (
        lambda: fates("langchain_peers", LANGCHAIN),
        {
            "compare-langchain.md": fate_parts,
            "migrate-from-chatdeepseek.md": peer_parts("ChatDeepSeek, `stream_usage=True`", OURS["langchain"]),
        },
    ),
    "llama-index": (lambda: fates("llama_index_peers", LLAMA_INDEX), {"compare-llama-index.md": fate_parts}),
    "conformance": (
        conformance,
        {"compare-llama-index.md": lambda found: {"conformance": conformance_table(found)}},
    ),
    "rows": (
        rows,
        {
            "compare-langchain.md": lambda found: {"rows": rows_table(found, [*chain.from_iterable(ROWS.values())])},
            "compare-llama-index.md": lambda found: {
                "rows": rows_table(found, [*chain.from_iterable(ROWS_OF_LLAMA_INDEX.values())])
            },
        },
    ),
}
"""How a part is found, and what it puts into which pages."""


def main() -> None:
    """Ask everybody, or those of the parts that are named, and write what was found."""
    parser = argparse.ArgumentParser(prog="scripts/compare", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: all")
    for name in parser.parse_args().parts or PARTS:
        find, pages = PARTS[name]
        found = find()
        written = json.dumps(found, indent=1, ensure_ascii=False)
        (HERE / "results" / f"{name}.json").write_text(written + "\n", encoding="utf-8")
        for page, tell in pages.items():
            path = ROOT / "docs" / page
            path.write_text(put(path.read_text(encoding="utf-8"), tell(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
