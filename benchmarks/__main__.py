"""All groups, one after another: `scripts/bench` makes their environments and calls this.

A full run rewrites `results/run.json`, the tables of `docs/performance.md` and its picture; `--quick` and `--only`
print their tables and change nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import pin
from benchmarks.report import bounds_table, page, picture, sides_table

ROOT = Path(__file__).parent.parent
GROUPS = {"langchain": "benchmarks.langchain_cases", "llama-index": "benchmarks.llama_index_cases"}
ASK_VERSIONS = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


def python(group: str) -> str:
    """The interpreter of a group's environment."""
    return str(ROOT / ".venvs" / f"bench-{group}" / "bin" / "python")


def machine() -> dict[str, Any]:
    """What the numbers were made on; nothing that names the machine."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return {
        "processor": named[1].strip() if named else platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions(group: str) -> dict[str, str]:
    """The releases of what a group's requirements name, and ours."""
    lines = (ROOT / "benchmarks" / f"requirements-{group}.txt").read_text().splitlines()
    names = [re.split(r"[\[=]", line)[0] for line in lines if line and not line.startswith("#")]
    command = [python(group), "-c", ASK_VERSIONS, "geekai", *names]
    found: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Start the server, measure each group in its own environment, stop the server.

    What a group has measured stays, however it ends.
    """
    results: dict[str, Any] = {group: {} for group in GROUPS}
    flags = ["--quick"] * options.quick + (["--only", *options.only] if options.only else [])
    flags += ["--rounds", str(options.rounds)] if options.rounds else []
    # Neither tracing nor a proxy stands between a client and the server.
    unwanted = ("LANGCHAIN_", "LANGSMITH_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PYTHONDONTWRITE")
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(unwanted)}
    command = [sys.executable, "-m", "benchmarks.server"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen(command, preexec_fn=lambda: pin(1), **pipes) as server:  # type: ignore[call-overload]
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            for group, module in GROUPS.items():
                print(f"{group}:", file=sys.stderr, flush=True)
                # As pip leaves an installed package; ours is read from its source folder.
                packages = [ROOT / name for name in ("shared", "langchain_geekai", "llama_index_geekai")]
                subprocess.run([python(group), "-m", "compileall", "-q", *packages], check=True)
                command = [python(group), "-m", module, url, *flags]
                with subprocess.Popen(
                    command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
                ) as measuring:
                    assert measuring.stdout is not None
                    for line in measuring.stdout:
                        results[group] |= json.loads(line, parse_float=lambda text: float(f"{float(text):.4g}"))
                if measuring.returncode:
                    print(f"{group} ended early, with {measuring.returncode}", file=sys.stderr)
        finally:
            server.stdin.close()  # the server ends with it
    return {
        "quick": options.quick,
        "machine": machine(),
        "versions": {group: versions(group) for group in GROUPS},
        "results": results,
    }


def publish(found: dict[str, Any]) -> None:
    """Write a full run where the docs and their test look for it."""
    target = ROOT / "benchmarks" / "results" / "run.json"
    target.write_text(
        re.sub(r"\[\s+([^\[\]]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", json.dumps(found, indent=1)) + "\n"
    )
    for path in (ROOT / "docs" / "performance.md", ROOT / "README.md", ROOT / "README.zh-CN.md"):
        path.write_text(page(path.read_text(encoding="utf-8"), found), encoding="utf-8")
    (ROOT / "docs" / "performance.svg").write_text(picture(found), encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure this package beside its peers.")
    parser.add_argument("--quick", action="store_true", help="two minutes instead of 25, and nothing is written")
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="cases whose name fits these patterns")
    parser.add_argument("--rounds", type=int, metavar="N", help="this many rounds of each case, and nothing is written")
    options = parser.parse_args()
    found = run(options)
    for group, cases in found["results"].items():
        print(f"\n## {group}\n\n{sides_table(cases)}")
    print(f"\n## Bounds\n\n{bounds_table(found['results'])}")
    if not (options.quick or options.only or options.rounds):
        publish(found)


if __name__ == "__main__":
    main()
