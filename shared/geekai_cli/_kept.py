"""A talk that is kept: in memory always, in files where the user names them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from gettext import gettext as _
from pathlib import Path
from typing import Any

from geekai_core import ConfigurationError
from geekai_core.citations import Source
from geekai_core.harmless import harmless


@dataclass
class Kept:
    """The messages so far. `save`: a Markdown file to read; `history`: a file that the next talk goes on from.

    Both grow with each answer.
    """

    model: str | None
    save: Path | None
    history: Path | None
    messages: list[dict[str, Any]] = field(default_factory=list)

    def open(self) -> None:
        """Make the files, and read the history. Raises `ConfigurationError` where that cannot be."""
        try:
            for path in filter(None, (self.save, self.history)):
                os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
            lines = self.history.read_bytes().splitlines() if self.history else []
            for number, line in enumerate(lines, 1):  # noqa: B007  # for the error
                message = json.loads(line)
                self.messages.append({"role": message["role"], "content": message["content"] + ""})
        except OSError as error:
            raise ConfigurationError(_("{} cannot be used: {}").format(error.filename, error.strerror)) from None
        except (ValueError, TypeError, KeyError):
            words = _("line {} of {} is no message: mend or remove it")
            raise ConfigurationError(words.format(number, self.history)) from None

    def add(self, question: str, answer: str, found: Iterable[Source] = ()) -> None:
        """Take in a question and what was answered, with its sources."""
        pair = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        self.messages += pair
        listed = [f"{one.number}. {' '.join(filter(None, (one.title, one.url)))}" for one in found]
        markdown = ["## You", question, f"## {self.model}", answer, *(["\n".join(listed)] if listed else [])]
        _append(self.history, "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in pair))
        _append(self.save, "".join(f"{block}\n\n" for block in markdown))


def _append(path: Path | None, text: str) -> None:
    if path:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(harmless(text))
