"""The command as a person runs it: in a process of its own, in a pipe or on a terminal, against a scripted endpoint."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from geekai_testing.scripted import ScriptedServer

ROOT = Path(__file__).parent.parent.parent
KEY = "sk-test-5f2c9a71e0"
OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes a terminal that of the process, so that Ctrl-C typed there reaches it."""
LIMIT = 120
"""Seconds of silence after which a command on a terminal is ended."""
COMMAND = [sys.executable, "-m", "geekai_cli"]


def environment(server: ScriptedServer | None = None, **more: str) -> dict[str, str]:
    """Nothing of ours but what the command needs."""
    env = {"PATH": "", "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}", "HOME": "/nowhere", "GEEKAI_API_KEY": KEY}
    if server is not None:
        env["GEEKAI_BASE_URL"] = server.base_url
    return {name: value for name, value in {**env, **more}.items() if value}


class Done:
    """What a command said and how it ended."""

    def __init__(self, out: bytes, err: bytes, code: int) -> None:
        self.out, self.err, self.code = out.decode("utf-8"), err.decode("utf-8"), code
        assert KEY not in self.out + self.err
        assert "Traceback" not in self.err


def geekai(*words: str | bytes, server: ScriptedServer | None = None, stdin: bytes = b"", **env: str) -> Done:
    """The command in a pipe."""
    done = subprocess.run(
        [*COMMAND, *words], input=stdin, capture_output=True, env=environment(server, **env), timeout=60, check=False
    )
    return Done(done.stdout, done.stderr, done.returncode)


def folded(text: str) -> str:
    """`text` with every run of white space as one space: wherever the lines break."""
    return " ".join(text.split())


def on_terminal(
    *words: str,
    server: ScriptedServer,
    typed: str = "",
    until: Callable[[str], bool] = lambda screen: False,
    steps: Iterable[tuple[str, str]] = (),
    columns: int = 200,
    **env: str,
) -> tuple[str, int]:
    """The command on a terminal: all that it showed, and how it ended.

    `typed` is typed once `until` holds of the screen. `steps`: what the screen must show beyond the last step's end, and
    what is typed then.
    """
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    given = environment(server, **{"TERM": "xterm-256color", **env})
    waiting = deque([(until, typed)] if typed else [(partial(_shows, words), key) for words, key in steps])
    with subprocess.Popen(
        [sys.executable, "-ISc", OWN_TERMINAL, *COMMAND, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=given,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        screen, seen = b"", 0
        try:
            while select.select([ours], [], [], LIMIT)[0]:
                screen += os.read(ours, 4096)
                if waiting and waiting[0][0](screen[seen:].decode("utf-8", "ignore")):
                    _until_it_waits(process.pid)
                    os.write(ours, waiting.popleft()[1].encode())
                    seen = len(screen)
            process.kill()
        except OSError:  # Linux's way to say that nobody holds the other end any more
            pass
        finally:
            os.close(ours)
    assert b"Traceback" not in screen
    assert KEY.encode() not in screen
    assert not waiting, screen
    return screen.decode("utf-8").replace("\r\n", "\n"), process.returncode


def _until_it_waits(pid: int) -> None:
    """Return once a process sleeps. Python loses a Ctrl-C that comes just before it waits, until anything else comes."""
    with contextlib.suppress(OSError):  # only Linux says so
        while Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "R":
            os.sched_yield()


def _shows(words: str, screen: str) -> bool:
    return words in screen
