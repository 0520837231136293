"""Where text goes: styled on a terminal, and byte for byte as it is anywhere else."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console


class Screen:
    """Standard output. `is_terminal` is decided by what it is alone, whatever the environment wishes."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._last = "\n"
        self.console = Console(force_terminal=self.is_terminal, highlight=False, markup=False, emoji=False)

    def write(self, text: str, style: str | None = None) -> None:
        """Write now, without a line's end. On a terminal no text is obeyed: an escape in it is made visible."""
        self._last = text[-1]  # first, since Ctrl-C may come right after
        if self.is_terminal:
            self.console.out(text.replace("\x1b", "␛"), style=style, end="")
        else:
            sys.stdout.write(text)
            sys.stdout.flush()

    def end_line(self) -> None:
        """Begin a new line, unless at the beginning of one."""
        if self._last != "\n":
            self.write("\n")


def complain(error: Exception) -> None:
    """Say on stderr, in one line, what went wrong."""
    print(f"geekai: {' '.join(str(error).split())}", file=sys.stderr)


def print_json(value: Any) -> None:
    """Print JSON; Chinese stays Chinese."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
