"""Rounds that take turns, timed in CPU and wall time; one JSON object a case."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fnmatch
import functools
import gc
import inspect
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Work = Callable[[], Any]
"""Does the work once. May return an awaitable; may return seconds `(cpu, wall)` that it measured itself."""


@dataclass
class Case:
    """One piece of work and the sides that do it. `units`: what one run counts, such as its chunks."""

    name: str
    unit: str
    units: int
    sides: Callable[[], dict[str, Work]]
    rounds: int = 5
    quick: bool = False
    """Also part of `--quick`."""


@dataclass
class Options:
    """What a group is run with. `url`: the server. `only`: patterns of case names."""

    url: str
    quick: bool
    only: list[str] = field(default_factory=list)
    rounds: int | None = None
    """Instead of each case's own."""


@contextlib.contextmanager
def without_aiohttp() -> Iterator[None]:
    """Inside, the `fast` extra looks as if it were not installed."""
    names = ("httpx_aiohttp", "aiohttp")
    kept = {name: sys.modules.get(name) for name in names}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in kept.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


def pin(core: int) -> None:
    """Keep this process on one core where the system allows it, and let it open many sockets."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def timed(loop: asyncio.AbstractEventLoop, work: Work) -> tuple[float, float]:
    """CPU and wall seconds of one run."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    if inspect.isawaitable(result):
        result = loop.run_until_complete(ensure(result))
    spent = time.process_time() - cpu, time.perf_counter() - wall
    return result if isinstance(result, tuple) else spent


async def ensure(awaitable: Awaitable[Any]) -> Any:
    """An awaitable as a coroutine."""
    return await awaitable


LONGEST = 240
"""Seconds that one run of one side may take."""


def _too_long(*_: object) -> None:
    raise TimeoutError(f"it took more than {LONGEST} s")


def run_case(case: Case, loop: asyncio.AbstractEventLoop, options: Options) -> dict[str, Any]:
    """One run of each side to warm up, then rounds in which the sides take turns, in another order each.

    A side that fails leaves the case, and says why under `failed`; the others go on.
    """
    sides, failed = case.sides(), {}
    spent: dict[str, dict[str, list[float]]] = {name: {"cpu": [], "wall": []} for name in sides}
    for turn in range(-1, options.rounds or (min(case.rounds, 3) if options.quick else case.rounds)):
        names = list(sides)
        for name in names[turn % len(names) :] + names[: turn % len(names)] if names else ():
            signal.alarm(LONGEST)
            try:
                cpu, wall = timed(loop, sides[name])
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"[:200]
                del sides[name], spent[name]
                continue
            finally:
                signal.alarm(0)
            if turn >= 0:
                spent[name]["cpu"].append(cpu / case.units)
                spent[name]["wall"].append(wall / case.units)
    return {"unit": case.unit, "units": case.units, "sides": spent, **({"failed": failed} if failed else {})}


def run_group(cases: Callable[[Options], list[Case]]) -> None:
    """The command line of a group: prints `{case: …}` as JSON, a line a case, and what it is at on standard error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--rounds", type=int)
    options = Options(**vars(parser.parse_args()))
    pin(0)
    signal.signal(signal.SIGALRM, _too_long)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # Clients that are collected with their connections open say so; a failed run raises all the same.
    loop.set_exception_handler(lambda loop, context: None)
    for case in cases(options):
        chosen = not options.only or any(fnmatch.fnmatch(case.name, pattern) for pattern in options.only)
        if chosen and (case.quick or not options.quick):
            began = time.perf_counter()
            print(f"  {case.name}", end="", file=sys.stderr, flush=True)
            print(json.dumps({case.name: run_case(case, loop, options)}), flush=True)
            print(f" ({time.perf_counter() - began:.0f} s)", file=sys.stderr, flush=True)
    os._exit(0)  # some peers' clients complain when they are collected after their loop


def child_cpu(code: str) -> tuple[float, float]:
    """CPU and wall seconds of a fresh interpreter that runs `code`."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - wall


def child_memory(code: str, url: str) -> tuple[float, float]:
    """MiB of memory that a fresh interpreter which runs `code` ends with. Twice: it stands in for both times."""
    tail = "\nimport re\nprint(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1], flush=True)"
    tail += "\nimport os\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", code + tail, url], check=True, capture_output=True, text=True)
    size = int(done.stdout.split()[-1]) / 1024
    return size, size


def child_count(module: str, name: str) -> tuple[float, float]:
    """The number that a module of ours prints in a fresh interpreter. Twice, as `child_memory` does."""
    done = subprocess.run([sys.executable, "-m", module, name], check=True, capture_output=True, text=True)
    count = float(done.stdout.split()[-1])
    return count, count


@functools.cache
def child_instructions(code: str) -> tuple[float, float]:
    """Millions of instructions of a fresh interpreter that runs `code`, counted once by valgrind. Twice, as above."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", code]
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    (count,) = re.findall(r"Collected : (\d+)", done.stderr)
    return int(count) / 1e6, int(count) / 1e6


def valgrind() -> bool:
    """Whether instructions can be counted here."""
    return shutil.which("valgrind") is not None


def linux() -> bool:
    """Whether memory can be read from /proc."""
    return Path("/proc/self/status").exists()
