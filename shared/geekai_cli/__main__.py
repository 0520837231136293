"""The command `geekai`: what must be true before any of it runs."""

from __future__ import annotations

import gettext
import io
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 the request failed, 2 used or set up wrongly, 130 interrupted."""
    gettext.bindtextdomain("geekai", Path(__file__).parent / "locale")
    gettext.textdomain("geekai")
    try:
        import rich  # noqa: F401  # loaded by the commands, when they print

        from geekai_cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.stderr.write(f'geekai: {error.name} is not installed: pip install ".[cli]" in the clone\n')
        sys.exit(2)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # UTF-8 whatever the locale says: answers may be Chinese anywhere
            stream.reconfigure(encoding="utf-8", errors="replace")
    warnings.showwarning = _warn
    app(args=[_mended(word) for word in (sys.argv[1:] if argv is None else argv)], prog_name="geekai")


def _warn(message: Warning | str, *place: object, **more: object) -> None:
    """Print a warning as one line, without the place in our code."""
    from geekai_cli._screen import note

    note(f"geekai: {message}")


def _mended(word: str) -> str:
    """An argument that a locale without Chinese could not read, read as UTF-8."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


if __name__ == "__main__":
    main()
