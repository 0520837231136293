"""A talk that is kept: in memory always, in files where the user names them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from geekai_core import ConfigurationError
from geekai_core.citations import Source
from geekai_core.harmless import harmless


class Kept:
    """The messages so far. `save`: a Markdown file to read; `history`: a file that the next talk goes on from.

    Both grow with each answer. Raises `ConfigurationError` where one cannot be written or read.
    """

    def __init__(self, system: str | None, model: str | None, save: Path | None, history: Path | None) -> None:
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        self._model = model
        self._save = save
        self._history = history
        try:
            for path in (save, history):
                if path:
                    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
            if history:
                self.messages += _read(history)
        except OSError as error:
            raise ConfigurationError(f"{error.filename} cannot be used: {error.strerror}") from None

    def add(self, question: str, answer: str, found: Iterable[Source] = ()) -> None:
        """Take in a question and what was answered, with its sources."""
        pair = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        self.messages += pair
        if self._history:
            _append(self._history, "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in pair))
        if self._save:
            listed = "".join(f"{one.number}. {' '.join(filter(None, (one.title, one.url)))}\n" for one in found)
            text = f"## You\n\n{question}\n\n## {self._model}\n\n{answer}\n\n{listed and listed + chr(10)}"
            _append(self._save, text)


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(harmless(text))


def _read(path: Path) -> list[dict[str, Any]]:
    messages = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            message = json.loads(line)
            messages.append({"role": message["role"], "content": message["content"] + ""})
        except (ValueError, TypeError, KeyError):
            raise ConfigurationError(f"line {number} of {path} is no message of a talk: mend or remove it") from None
    return messages
