"""Counts the lines that sync and async code have twice: `python scripts/_twins.py` lists the pairs, the longest last.

Twins are functions of one file whose names differ only in what marks the async one (`chat` and `achat`, `drive` and
`drive_async`, those of `Client` and `AsyncClient`). Their bodies are compared line by line, as `ast` lays them out,
without docstrings and without `async`, `await` and these marks in names. Signatures do not count: most are given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ("shared", "langchain_geekai", "llama_index_geekai")
MARKS = re.compile(
    r"\b(async|await) |(?<![A-Za-z])(_*)(?:Async|async_|a(?=[a-z]))|_async\b|\bAsync|(?<=__)a(?=[a-z]+__)"
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def unmarked(text: str) -> str:
    """The text as its synchronous twin would have it; words that merely begin with an a lose it on both sides."""
    return MARKS.sub(lambda mark: mark[2] or "", text)


def functions(node: ast.AST, inside: str = "") -> Iterator[tuple[str, Function]]:
    """Every function below `node`, with its dotted name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            name = f"{inside}.{child.name}"
            if isinstance(child, Function):
                yield name, child
            yield from functions(child, name)
        else:
            yield from functions(child, inside)


def body(function: Function) -> list[str]:
    """The statements, a line each, without the docstring."""
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return [unmarked(line) for statement in statements for line in ast.unparse(statement).splitlines()]


def twins(path: Path) -> Iterator[tuple[int, str]]:
    """How many lines each async function of a file repeats of its twin, and its name."""
    found = list(functions(ast.parse(path.read_text(encoding="utf-8"))))
    sync = {unmarked(name): body(function) for name, function in found if isinstance(function, ast.FunctionDef)}
    for name, function in found:
        if isinstance(function, ast.AsyncFunctionDef) and unmarked(name) in sync:
            matcher = SequenceMatcher(None, sync[unmarked(name)], body(function), autojunk=False)
            yield sum(match.size for match in matcher.get_matching_blocks()), name.lstrip(".")


def all_twins() -> list[tuple[int, str, str]]:
    """The repeated lines of the whole source, with file and name."""
    paths = [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]
    return [(lines, path.relative_to(ROOT).as_posix(), name) for path in paths for lines, name in twins(path)]


if __name__ == "__main__":
    for repeated in sorted(all_twins()):
        print("{:4} {} {}".format(*repeated))
    print(sum(lines for lines, _, _ in all_twins()))
