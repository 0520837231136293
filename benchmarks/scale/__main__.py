"""`python -m benchmarks.scale` measures, in two minutes, and writes `results.json` and the tables of `docs/scale.md`.

The server is a process of its own. A row is a question of two words and an answer of a hundred bytes.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray

from benchmarks.__main__ import machine
from benchmarks.scale.table import page
from examples import bulk_ray
from langchain_geekai import ChatGeekAI

ROOT = Path(__file__).parent.parent.parent
PAGE, RESULTS = ROOT / "docs/scale.md", Path(__file__).parent / "results.json"
ANSWER = 0.2
"""Seconds that the server takes for each answer."""
ROUNDS = 20
"""Rows for each request in flight: a run takes four seconds at least."""
PACKAGES = ("geekai", "httpx", "httpx-aiohttp", "langchain-core", "ray")


@contextmanager
def served() -> Iterator[str]:
    """The benchmarks' server in its own process; the address of its answers of 100 bytes."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/whole-100-{ANSWER * 1000:.0f}"
        process.stdin.close()  # it ends with its standard input


class Timed(bulk_ray.Asker):
    """The example's actor; its first batch leaves a file."""

    async def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        with suppress(FileExistsError):
            (self.folder / f"began-{os.getpid()}").touch(exist_ok=False)
        return await super().__call__(batch)


async def in_one_process(url: str, at_once: int, rows: int) -> dict[str, Any]:
    """`abatch` of one model in one event loop."""
    model = ChatGeekAI(model="bench", api_key="sk-bench", base_url=url)
    await model.abatch(["Warm up."] * at_once)
    began, cpu = time.perf_counter(), time.process_time()
    await model.abatch([f"Question {number}?" for number in range(rows)], {"max_concurrency": at_once})
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    await model.aclose()
    return {"way": "one process", "at_once": at_once, "rows": rows, "seconds": seconds, "cpu_ms": spent / rows * 1000}


def on_ray(actors: int, at_once: int, rows: int) -> dict[str, Any]:
    """The example as it is. Seconds from the first batch on; what comes before them, the actors' start, is `start`."""
    with tempfile.TemporaryDirectory() as folder:
        questions, answers = Path(folder, "questions.jsonl"), Path(folder, "answers")
        lines = [json.dumps({"id": str(number), "question": f"Question {number}?"}) for number in range(rows)]
        questions.write_text("\n".join(lines))
        began = time.time()
        bulk_ray.main(questions, answers, actors=actors, at_once=at_once)
        ended = time.time()
        first = min(path.stat().st_mtime for path in answers.glob("began-*"))
    way = f"Ray, {actors} actor{'s' * (actors > 1)}"
    return {"way": way, "at_once": actors * at_once, "rows": rows, "seconds": ended - first, "start": first - began}


def measure() -> list[dict[str, Any]]:
    """All the runs."""
    bulk_ray.Asker = Timed
    with served() as url, tempfile.TemporaryDirectory(prefix="ray-") as folder:
        runs = [asyncio.run(in_one_process(url, at_once, at_once * ROUNDS)) for at_once in (1, 8, 32, 64, 128, 256)]
        os.environ.update(GEEKAI_API_KEY="sk-bench", GEEKAI_BASE_URL=url, RAY_AUTH_MODE="disabled")
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80 * 2**20, _temp_dir=folder)
        runs += [on_ray(actors, 32, actors * 32 * ROUNDS) for actors in (1, 2, 4)]
        ray.shutdown()
    return runs


def main() -> None:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    load = os.getloadavg()[0]
    run = {"machine": machine(), "load": load, "versions": versions, "answer_seconds": ANSWER, "runs": measure()}
    RESULTS.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), run), encoding="utf-8")


if __name__ == "__main__":
    main()
