"""The versions that the scripts install are fixed for each Python, and are what pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = re.findall(r"Python :: (3\.\d+)", str(PROJECT["project"]["classifiers"]))


def pins(python: str) -> dict[str, str]:
    """The version of each package; a line of the file that is more than that fails here."""
    first, *lines = (ROOT / f"constraints/{python}.txt").read_text(encoding="utf-8").splitlines()
    assert first.startswith("#")
    pairs = [re.fullmatch(r"([a-z0-9-]+)==([\w.!]+)", line) for line in lines]
    assert all(pairs), "names and versions only"
    return {pair[1]: pair[2] for pair in pairs if pair}


def wanted() -> list[Requirement]:
    """What the project, its extras and its tools name themselves."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    build = PROJECT["build-system"]["requires"]
    named = chain(project["dependencies"], *project["optional-dependencies"].values(), groups["dev"], build, ["pip"])
    return [requirement for requirement in map(Requirement, named) if requirement.name != "geekai"]


@pytest.mark.parametrize("python", PYTHONS)
def test_every_python_has_a_version_of_all_that_is_installed(python: str) -> None:
    """`scripts/lock` after a change of dependencies."""
    fixed = pins(python)
    for requirement in wanted():
        version = fixed.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is missing"
        assert requirement.specifier.contains(version), f"{requirement} does not allow {version}"


def test_there_is_no_file_for_a_python_that_is_none_of_ours() -> None:
    assert {path.stem for path in (ROOT / "constraints").iterdir()} == {*PYTHONS}
