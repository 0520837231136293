"""The only way out: no text that this command writes is obeyed by a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from gettext import gettext as _

from rich.cells import cell_len

from geekai_cli._wrap import Wrap
from geekai_core import ConfigurationError
from geekai_core.harmless import harmless

STYLES = {"dim": "2", "green": "32", "yellow": "33", "red": "1;31"}


class Screen:
    """Standard output: styled and wrapped on a terminal, and byte for byte as it is anywhere else.

    `is_terminal` is decided by what it is alone, `styled` also by NO_COLOR and TERM=dumb.
    """

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self.styled = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
        self.width = shutil.get_terminal_size().columns
        self._wrap = Wrap(self.width)
        self._last = "\n"

    def write(self, text: str, style: str = "") -> None:
        """Write now, without a line's end."""
        if not text:
            return
        self._last = text[-1]  # first, since Ctrl-C may come right after
        if self.is_terminal:
            text = self._wrap.feed(harmless(text))
        sys.stdout.write(f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style and self.styled else text)
        sys.stdout.flush()

    def line(self, text: str, indent: int = 0) -> None:
        """Write one line, whatever line breaks are in it. On a terminal, what it wraps to is indented."""
        text = harmless(text, one_line=True)
        if self.is_terminal:
            text = Wrap(max(self.width - indent, 1)).feed(text).replace("\n", "\n" + " " * indent)
        self.write(text + "\n")

    def end_line(self) -> None:
        """Begin a new line, unless at the beginning of one."""
        if self._last != "\n":
            self.write("\n")


def note(text: str) -> None:
    """Write one line on stderr; on a terminal it breaks between words."""
    text = harmless(text, one_line=True)
    print(Wrap(shutil.get_terminal_size().columns).feed(text) if sys.stderr.isatty() else text, file=sys.stderr)


def complain(error: Exception) -> None:
    """Say on stderr what went wrong: in one line, and on a terminal with each line to be copied by itself."""
    ours = isinstance(error, ConfigurationError) and sys.stderr.isatty()
    words = f"geekai: {words_of(error)}"
    for line in words.splitlines() if ours else [words]:
        note(line)


def words_of(error: Exception) -> str:
    """An error's words, those of our own in the user's language: the whole, or a hint in brackets."""
    return re.sub(r"[^\[\]]+", lambda part: _(part[0]), str(error))


def padded(text: str, width: int) -> str:
    """`text` and blanks, `width` cells in all."""
    return text + " " * (width - cell_len(text))


def print_json(value: object) -> None:
    """Print JSON; Chinese stays Chinese."""
    print(harmless(json.dumps(value, ensure_ascii=False, indent=2, default=str)))
