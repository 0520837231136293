"""A run as the tables of `docs/scale.md`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

MEASURED = (
    "| way | in flight | rows | rows a second | of what the answers allow | CPU a row | before the first request |\n"
    "|---|---|---|---|---|---|---|"
)
RECKONED = (
    "| machines × actors × requests each | in flight | rows a second | a million rows | the key must allow a minute |\n"
    "|---|---|---|---|---|"
)
ROWS, ANSWER, TOKENS, CORES = 1_000_000, 5.0, 600, 4
"""The job that the second table reckons with: seconds and tokens of a row, cores of a machine."""
CLUSTERS = ((1, 1, 32), (1, 4, 128), (4, 4, 128), (16, 4, 128))


def measured(run: Mapping[str, Any]) -> str:
    """Each way's speed, and its part of what so many in flight could reach at most; what a row costs; where it was."""
    rate = 1 / cpu_seconds(run)
    cost = f"**A row costs {1000 / rate:.1f} ms of CPU: a core can make {rate:,.0f} rows a second.**"
    lines = [MEASURED, *(_line(one, run["answer_seconds"]) for one in run["runs"])]
    return "\n".join([*lines, "", f"{cost} {_about(run)}"])


def _line(one: Mapping[str, Any], answer: float) -> str:
    speed = one["rows"] / one["seconds"]
    share = speed * answer / one["at_once"]
    cpu = f"{one['cpu_ms']:.1f} ms" if "cpu_ms" in one else ""
    start = f"{one['start']:.0f} s" if "start" in one else ""
    return f"| {one['way']} | {one['at_once']} | {one['rows']:,} | {speed:,.0f} | {share:.0%} | {cpu} | {start} |"


def cpu_seconds(run: Mapping[str, Any]) -> float:
    """What a row costs, where more than one is in flight: the median of the runs in one process."""
    return statistics.median(one["cpu_ms"] for one in run["runs"] if "cpu_ms" in one and one["at_once"] > 1) / 1000


def reckoned(run: Mapping[str, Any]) -> str:
    """A line for each cluster: the least of what the answers and the cores allow."""
    lines = [RECKONED]
    for machines, actors, requests in CLUSTERS:
        in_flight = machines * actors * requests
        speed = min(in_flight / ANSWER, machines * CORES / cpu_seconds(run))
        size = f"{machines} × {actors} × {requests} | {in_flight:,}"
        key = f"{speed * 60:,.0f} requests, {speed * 60 * TOKENS / 1e6:,.1f} million tokens"
        lines.append(f"| {size} | {speed:,.0f} | {ROWS / speed / 3600:.1f} hours | {key} |")
    return "\n".join(lines)


def _about(run: Mapping[str, Any]) -> str:
    """Where and with what it was measured."""
    machine, load = run["machine"], run["load"]
    listed = ", ".join(f"{name} {version}" for name, version in sorted(run["versions"].items()))
    busy = f"while {load:.0f} other processes wanted them" if load > machine["cores"] else "with little else to do"
    return f"On {machine['processor']}, {machine['cores']} cores {busy}; Python {machine['python']}, {listed}."


def page(text: str, run: Mapping[str, Any]) -> str:
    """The page with the run's parts put between their marks."""
    for part in (measured, reckoned):
        before, opened, rest = text.partition(f"<!-- {part.__name__} -->\n")
        _, closed, after = rest.partition(f"<!-- /{part.__name__} -->\n")
        assert opened
        assert closed
        text = f"{before}{opened}{part(run)}\n{closed}{after}"
    return text
