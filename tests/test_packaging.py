"""What is installed, and what an import costs and loads."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(code: str) -> subprocess.CompletedProcess[str]:
    """`code` in a Python of its own, without a key."""
    env = {"PATH": "", "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}", "HOME": "/nowhere"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)


def test_the_wheel_holds_exactly_the_packages(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert tops == {
        "geekai_core",
        "geekai_testing",
        "geekai_local",
        "geekai_cli",
        "langchain_geekai",
        "llama_index_geekai",
    }
    for package in tops:
        assert f"{package}/py.typed" in names
    (entries,) = (name for name in names if name.endswith("/entry_points.txt"))
    for entry in ("geekai = geekai_cli.__main__:main", "[pytest11]\ngeekai = geekai_testing.pytest_plugin"):
        assert entry in zipfile.ZipFile(wheel).read(entries).decode()
    assert any(name.startswith("geekai_local/corpus/") and name.endswith(".md") for name in names)


@pytest.mark.parametrize("package", ["geekai_core", "langchain_geekai", "llama_index_geekai"])
def test_all_names_what_a_package_offers(package: str) -> None:
    module = importlib.import_module(package)
    assert len(module.__all__) == len(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("geekai_core", ("langchain_core", "llama_index", "httpx")),
        ("geekai_core, langchain_geekai", ("llama_index", "langchain")),
        ("geekai_core, llama_index_geekai", ("langchain_core",)),
    ],
)
def test_importing_one_side_never_loads_the_other(imported: str, absent: tuple[str, ...]) -> None:
    done = run(f"import sys, {imported}; print([n for n in {absent!r} if n in sys.modules])")
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("adapter", "framework", "extra"),
    [
        ("langchain_geekai", "langchain_core", 'pip install ".[langchain]"'),
        ("llama_index_geekai", "llama_index", 'pip install ".[llama-index]"'),
    ],
)
def test_an_adapter_without_its_framework_says_which_extra_is_missing(adapter: str, framework: str, extra: str) -> None:
    done = run(f"import sys; sys.modules[{framework!r}] = None\nimport {adapter}")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("ImportError")
    assert extra in done.stderr


@pytest.mark.parametrize("package", ["geekai_core", "langchain_geekai", "llama_index_geekai"])
def test_an_import_opens_no_socket_and_needs_no_key(package: str) -> None:
    code = "import socket\ndef no(*a, **k): raise AssertionError('a socket')\nsocket.socket.connect = no\n"
    assert run(f"{code}import {package}").returncode == 0


@pytest.mark.parametrize(
    ("package", "before"),
    [
        ("langchain_geekai", "get_citations"),
        ("llama_index_geekai", "get_citations"),
        ("llama_index_geekai", "GeekAIRerank"),
    ],
)
def test_a_name_that_is_imported_late_is_the_same_whatever_was_imported_before_it(package: str, before: str) -> None:
    """The function `collect` stands in a submodule of its name."""
    code = f"from {package} import {before}\nfrom {package} import collect\nprint(callable(collect))"
    assert run(code).stdout == "True\n"


def test_what_an_llm_does_not_need_is_not_imported_with_it() -> None:
    code = "import sys, llama_index_geekai as it; names = {f'{it.__name__}.{n}' for n in it._LAZY.values()}"
    done = run(f"{code}; print(len(names), names & set(sys.modules)); it.GeekAIRerank; print(names & set(sys.modules))")
    assert done.stdout == "4 set()\n{'llama_index_geekai.rerank'}\n", done.stderr
