"""The page on scale shows what was measured, and reckons with it."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from benchmarks.scale.table import page
from geekai_testing.replies import Pause, completion, json_reply
from geekai_testing.scripted import ScriptedServer

ROOT = Path(__file__).parent.parent.parent


def test_the_page_shows_the_committed_run() -> None:
    text = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    assert page(text, json.loads((ROOT / "benchmarks/scale/results.json").read_text(encoding="utf-8"))) == text
    assert text.count("\n") <= 80


async def test_the_measurement_keeps_so_many_in_flight_and_counts_every_row() -> None:
    pytest.importorskip("ray", reason="needs the extra `ray`")
    reply = json_reply(completion("Hi"))
    reply.before = [Pause(0.1)]
    with ScriptedServer(lambda request: reply) as server:
        measure = importlib.import_module("benchmarks.scale.__main__").in_one_process
        run = await measure(server.base_url, at_once=4, rows=12)
        times = [request.received_at for request in server.requests[4:]]
    assert len(times) == run["rows"] == 12
    assert max(sum(time - 0.1 < other <= time for other in times) for time in times) <= 4
    assert run["seconds"] >= 0.3
    assert run["cpu_ms"] > 0
