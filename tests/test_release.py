"""What a release is made of: the sdist and the wheel, the licences, the changelog."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from geekai_core import __version__
from tests.addresses import unreachable

ROOT = Path(__file__).parent.parent
EXTRAS = {"langchain", "llama-index", "fast", "local", "cli", "ray", "test"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    (path,) = dist.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read(f"geekai-{__version__}.dist-info/METADATA"))


def test_the_wheel_says_what_it_needs_and_brings_its_licence(wheel: zipfile.ZipFile, metadata: Message) -> None:
    licence = wheel.read(f"geekai-{__version__}.dist-info/licenses/LICENSE").decode()
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")
    assert metadata["Version"] == __version__
    always = {Requirement(r).name for r in metadata.get_all("Requires-Dist", []) if "extra ==" not in r}
    assert always == {"httpx", "h11", "pydantic"}
    assert {*metadata.get_all("Provides-Extra", [])} == EXTRAS | {"all"}


def test_the_classifiers_name_the_pythons_that_the_matrix_runs(metadata: Message) -> None:
    told = re.findall(r"Python :: (3\.\d+)", str(metadata.get_all("Classifier")))
    (tried,) = re.findall(r'^PYTHONS="([\d. ]+)"', (ROOT / "scripts/_setup").read_text(encoding="utf-8"), re.M)
    assert told == tried.split()


def test_the_sdist_holds_all_that_is_needed_to_build_and_test_it(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "LICENSE",
        "SECURITY.md",
        "CHANGELOG.md",
        "pyproject.toml",
        "scripts/_setup",
        "constraints/3.11.txt",
    } <= names
    for folder in ("shared", "langchain_geekai", "llama_index_geekai", "tests", "docs", "examples", "benchmarks"):
        here = {
            p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob("*") if p.suffix in {".py", ".md", ".txt"}
        }
        assert here <= names
    assert not [name for name in names if ".venv" in name or name.endswith(".pyc")]


def licences() -> dict[str, list[str]]:
    """What each distribution that an extra brings says of its licence, by its name: names of licences, or a whole text."""
    found: dict[str, list[str]] = {}
    waiting = [("geekai", frozenset(EXTRAS))]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # wanted by a marker of another machine
            continue
        told = distribution.metadata.items()
        said = [value for name, value in told if name in ("License", "License-Expression")]
        found[name] = said + [value for name, value in told if name == "Classifier" and value.startswith("License")]
        for wanted in map(Requirement, distribution.requires or ()):
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": e}) for e in extras or {""}):
                waiting.append((canonicalize_name(wanted.name), frozenset(wanted.extras)))
    return found


def test_the_page_on_licences_names_every_direct_dependency_as_its_metadata_does(metadata: Message) -> None:
    wanted = {canonicalize_name(Requirement(r).name) for r in metadata.get_all("Requires-Dist", [])} - {"geekai"}
    page = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+)[^|]*\| (?:`[\w-]+`|always) \| ([\w.-]+) \|$", page, re.MULTILINE)
    assert {name for name, _ in rows} == wanted
    said = licences()
    words = {"BSD-3-Clause": r"BSD|Redistribution and use in source", "Apache-2.0": "Apache", "MIT": "MIT"}
    assert [name for name, licence in rows if not re.search(words[licence], "\n".join(said[name]))] == []


def test_nothing_that_an_extra_brings_is_under_a_licence_that_binds_its_users() -> None:
    # A whole text is known by its first line; the rest may quote the licences of libraries inside a wheel.
    named = {name: "\n".join(text.strip().partition("\n")[0] for text in said) for name, said in licences().items()}
    assert len(named) > 50
    assert {name for name, text in named.items() if re.search(r"\b[AL]?GPL|Affero|GNU", text)} == set()


def test_the_changelog_keeps_its_form_and_knows_this_version() -> None:
    """https://keepachangelog.com: newest first, each version with its date, each change under its kind."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert first == "[Unreleased]"
    parsed = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", heading) for heading in versions]
    numbers = [Version(match[1]) for match in parsed if match]
    assert len(numbers) == len(versions)
    assert numbers == sorted(numbers, reverse=True)
    assert not numbers or numbers[0] <= Version(__version__)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds


@pytest.mark.parametrize(
    ("name", "extra"), [("langchain-geekai", "langchain"), ("llama-index-llms-geekai", "llama-index")]
)
def test_each_frameworks_own_name_brings_this_version_and_holds_no_code(
    name: str, extra: str, metadata: Message, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "scripts/_names.py", str(tmp_path)], cwd=ROOT, check=True)
    folder = tmp_path / name
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)], cwd=folder, check=True)
    module = f"{name.replace('-', '_')}-{__version__}"
    wheel = zipfile.ZipFile(tmp_path / f"{module}-py3-none-any.whl")
    assert {file.partition("/")[0] for file in wheel.namelist()} == {f"{module}.dist-info"}
    found = message_from_bytes(wheel.read(f"{module}.dist-info/METADATA"))
    assert found.get_all("Requires-Dist") == [f"geekai[{extra}]=={__version__}"]
    for field in ("Version", "License-Expression", "Requires-Python", "Classifier", "Project-URL"):
        assert found.get_all(field) == metadata.get_all(field)


@pytest.mark.skipif(sys.platform == "win32", reason="the scripts are bash")
def test_an_audit_that_reaches_no_database_of_weaknesses_says_so_and_makes_nothing() -> None:
    with unreachable() as address:
        proxy = {"https_proxy": address.removesuffix("/v1"), "no_proxy": "", "PYTHON": sys.executable, "VENV": "none"}
        done = subprocess.run(
            ["bash", "scripts/audit"], cwd=ROOT, env={**os.environ, **proxy}, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 2
    assert done.stderr.startswith("api.osv.dev cannot be reached from here, so nothing was audited: ")
    assert not (ROOT / "none").exists()
