"""The versions that scripts install: `lowest`, as pyproject.toml allows them; `locked`, as a report of pip has them."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest() -> Iterator[str]:
    """The lower bound of each dependency, of the extras too, as a constraint; not pytest's, which tests run with."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = [needs for name, needs in project["optional-dependencies"].items() if name != "test"]
    for requirement in chain(project["dependencies"], *extras):
        if bound := re.match(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)", requirement):
            yield f"{bound[1]}=={bound[2]}"


def locked() -> Iterator[str]:
    """Name and version of all that pip would install, from its report at stdin; the project itself is left out."""
    chosen = {}
    for item in json.load(sys.stdin)["install"]:
        if not item["download_info"].get("dir_info", {}).get("editable"):
            name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
            chosen[name] = item["metadata"]["version"].partition("+")[0]
    return (f"{name}=={version}" for name, version in sorted(chosen.items()))


if __name__ == "__main__":
    print(*{"lowest": lowest, "locked": locked}[sys.argv[1]](), sep="\n")
