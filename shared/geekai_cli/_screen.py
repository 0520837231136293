"""The only way out: no text that this command writes is obeyed by a terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

from geekai_cli._wrap import Wrap
from geekai_core import ConfigurationError
from geekai_core.harmless import harmless


class Screen:
    """Standard output: styled and wrapped on a terminal, and byte for byte as it is anywhere else.

    `is_terminal` is decided by what it is alone, `styled` also by NO_COLOR and TERM=dumb.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self.is_terminal = sys.stdout.isatty()
        self.styled = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.console = Console(
            force_terminal=self.is_terminal,
            color_system="auto" if self.styled else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._wrap = Wrap(self.console.width)
        self._last = "\n"

    def write(self, text: str, style: str | None = None) -> None:
        """Write now, without a line's end."""
        if not text:
            return
        self._last = text[-1]  # first, since Ctrl-C may come right after
        if self.is_terminal:
            text = self._wrap.feed(harmless(text))
            kept = text.lstrip("\b ") if text.startswith("\b") else text
            sys.stdout.write(text[: len(text) - len(kept)])  # which rich would leave out
            self.console.out(kept, style=style, end="")
        else:
            sys.stdout.write(text)
            sys.stdout.flush()

    def line(self, text: str, indent: int = 0) -> None:
        """Write one line, whatever line breaks are in it. On a terminal, what it wraps to is indented."""
        text = harmless(text, one_line=True)
        if self.is_terminal:
            text = Wrap(max(self.console.width - indent, 1)).feed(text).replace("\n", "\n" + " " * indent)
        self.write(text + "\n")

    def end_line(self) -> None:
        """Begin a new line, unless at the beginning of one."""
        if self._last != "\n":
            self.write("\n")


def note(text: str) -> None:
    """Write one line on stderr; on a terminal it breaks between words."""
    text = harmless(text, one_line=True)
    if sys.stderr.isatty():
        text = Wrap(shutil.get_terminal_size().columns).feed(text)
    print(text, file=sys.stderr)


def complain(error: Exception) -> None:
    """Say on stderr what went wrong: in one line, and on a terminal with each line to be copied by itself."""
    ours = isinstance(error, ConfigurationError) and sys.stderr.isatty()
    first, *more = str(error).splitlines() if ours else [str(error)]
    note(f"geekai: {first}")
    for line in more:
        note(line)


def print_json(value: Any) -> None:
    """Print JSON; Chinese stays Chinese."""
    print(harmless(json.dumps(value, ensure_ascii=False, indent=2)))
