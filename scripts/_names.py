"""Writes the projects of the two distributions that only bring this one, under the names that each ecosystem looks for.

    python scripts/_names.py FOLDER    makes FOLDER/langchain-geekai and FOLDER/llama-index-llms-geekai

They hold no code. Each depends on `geekai` of the same version, with the extra of its framework.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = {"langchain-geekai": ("langchain", "LangChain"), "llama-index-llms-geekai": ("llama-index", "LlamaIndex")}
PROJECT = """\
[build-system]
requires = ["hatchling>=1.26"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"
description = "GeekAI (极客智坊) for {framework}: brings geekai[{extra}], which holds the code."
readme = "README.md"
license = "MIT"
license-files = ["LICENSE"]
requires-python = "{python}"
classifiers = {classifiers}
dependencies = ["geekai[{extra}]=={version}"]

[project.urls]
{urls}

[tool.hatch.build.targets.wheel]
bypass-selection = true
"""
README = """\
# {name}

GeekAI (极客智坊) for {framework}. This brings `geekai`, where the code is, with its extra {extra}:
`pip install {name}` is `pip install "geekai[{extra}]"`.

```python
from {module} import {cls}
```
"""
CLASSES = {"langchain": ("langchain_geekai", "ChatGeekAI"), "llama-index": ("llama_index_geekai", "GeekAI")}


def version() -> str:
    """This project's."""
    text = (ROOT / "shared/geekai_core/_version.py").read_text(encoding="utf-8")
    (found,) = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return found


def write(folder: Path) -> None:
    """Both projects, ready to be built."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, (extra, framework) in NAMES.items():
        module, cls = CLASSES[extra]
        known = {"name": name, "extra": extra, "framework": framework, "module": module, "cls": cls}
        known |= {"version": version(), "python": ours["requires-python"], "classifiers": ours["classifiers"]}
        known["urls"] = "\n".join(f'"{title}" = "{url}"' for title, url in ours["urls"].items())
        project = folder / name
        project.mkdir(parents=True)
        (project / "pyproject.toml").write_text(PROJECT.format(**known), encoding="utf-8")
        (project / "README.md").write_text(README.format(**known), encoding="utf-8")
        (project / "LICENSE").write_text((ROOT / "LICENSE").read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
