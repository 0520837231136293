"""The main job, end to end: the demo with the real local model, as a newcomer starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "examples/demo.py"


@pytest.mark.local_model
def test_the_demo_answers_through_both_frameworks_and_scores_at_least_ten() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GEEKAI_")}
    env |= {"PYTHONIOENCODING": "utf-8", "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, str(DEMO)], env=env, capture_output=True, encoding="utf-8", timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for framework in ("LangChain", "LlamaIndex"):
        (right,) = re.findall(rf"{framework}: (\d+) of 20 right", done.stdout)
        assert int(right) >= 10
        assert len(re.findall(rf"(?m)^wrong, {framework}: .+\? → ", done.stdout)) == 20 - int(right)
    assert len(re.findall(r"departures\(\{'season': '(?:summer|winter)'\}\)", done.stdout)) == 2
    assert "```" not in done.stdout, "a tool's result is put in words"
    assert "[1] " in done.stdout
    assert re.search(r"\d+ calls, [\d,]+ tokens in, [\d,]+ out, billed_units \(searches\): 2", done.stdout)
    assert "Warning" not in done.stdout + done.stderr
    commands = done.stdout.rpartition("Use it in your app: ")[2].splitlines()[1:]
    assert 'base_url="http://127.0.0.1:8421/api/v1"' in commands[1]
    assert subprocess.run([*commands[0].split(), "--help"], capture_output=True, check=False).returncode == 0
