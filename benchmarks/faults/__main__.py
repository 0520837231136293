"""All four classes, each in its environment: `scripts/faults` makes those and calls this.

Rewrites `results.json` and the table of `docs/reliability.md`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.compare.tables import put

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OURS = {"ChatGeekAI": None, "GeekAI": None}
PEERS = {"ChatOpenAI": "langchain", "OpenAILike": "llama-index"}
ORDER = ["ChatGeekAI", "ChatOpenAI", "GeekAI", "OpenAILike"]
VERSIONS = [
    "langchain-core",
    "langchain-openai",
    "llama-index-core",
    "llama-index-llms-openai-like",
    "openai",
    "httpx",
    "httpx-aiohttp",
]
ASK_VERSIONS = f"""
import importlib.metadata as m, json
found = {{}}
for name in {VERSIONS!r}:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""

Table = dict[str, dict[str, str]]


def python(group: str | None) -> str:
    """The interpreter of a group's environment; ours is this one."""
    found = os.environ.get(f"FAULTS_{group.upper().replace('-', '_')}") if group else sys.executable
    return found or str(ROOT / ".venvs" / f"compare-{group}" / "bin" / "python")


def run(group: str | None, *command: str) -> str:
    """What a command of that interpreter prints last."""
    path = os.pathsep.join([str(ROOT / "shared"), str(ROOT)])
    done = subprocess.run(
        [python(group), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


def cell(outcome: dict[str, str]) -> str:
    """One word where all ways agree."""
    if len(set(outcome.values())) == 1:
        return next(iter(outcome.values()))
    return "; ".join(f"{way}: {what}" for way, what in outcome.items())


def table(results: dict[str, Table]) -> str:
    """A line for each fault, a column for each class; below, how many were reported honestly or borne."""
    lines = [f"| | {' | '.join(ORDER)} |", f"|---{'|---' * len(ORDER)}|"]
    for fault in results[ORDER[0]]:
        lines.append(f"| {fault} | {' | '.join(cell(results[name][fault]) for name in ORDER)} |")
    cells = {name: [what for row in results[name].values() for what in row.values()] for name in ORDER}
    good = [f"**{sum('**' not in what for what in cells[name])} of {len(cells[name])}**" for name in ORDER]
    return "\n".join([*lines, f"| **borne, or reported honestly** | {' | '.join(good)} |"])


def main() -> None:
    """Try, keep, tabulate."""
    groups = OURS | PEERS
    results: dict[str, Table] = {}
    for name in ORDER:
        sys.stderr.write(f"{name}…\n")
        results[name] = json.loads(run(groups[name], "-m", "benchmarks.faults.attempts", name))
    versions = {name: json.loads(run(groups[name], "-c", ASK_VERSIONS)) for name in ORDER}
    (HERE / "results.json").write_text(
        json.dumps({"versions": versions, "faults": results}, ensure_ascii=False, indent=1) + "\n"
    )
    page = ROOT / "docs" / "reliability.md"
    page.write_text(put(page.read_text(), {"faults": table(results)}))


if __name__ == "__main__":
    main()
