"""Runs the tests in random order: `pytest -p scripts._shuffle`; SHUFFLE_SEED=7 repeats an order."""

import os
import random

import pytest

SEED = os.environ.get("SHUFFLE_SEED") or str(random.randrange(10**6))


def pytest_report_header() -> str:
    """The seed, to repeat the order."""
    return f"order: SHUFFLE_SEED={SEED}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffle all of them, across the files."""
    random.Random(SEED).shuffle(items)
