"""Starts servers as child processes, and waits until they accept connections."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HOST = ".".join(map(str, (127, *os.getpid().to_bytes(3, "big"))))
"""A loopback address that no other process has, so that none takes a port of it."""
ports = itertools.count(20_000)
"""The ports of `HOST`: each server takes the next."""
STARTING = 90
"""Seconds that a server may take until it accepts connections."""


class NotInstalledError(Exception):
    """A server is not on this machine; says how to install it."""


@dataclass(frozen=True)
class Server:
    """Where a running server listens. `url`: the base URL of its API. `slots`: the page on what the llama.cpp
    at the end is doing, and `slots_key` what opens it."""

    url: str
    key: str = "sk-any"
    model: str = "local"
    slots: str = ""
    slots_key: str = ""


def program(name: str, package: str) -> str:
    """The path of a system's program. Raises `NotInstalledError`."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise NotInstalledError(f"{name} is not installed: scripts/servers {package}")
    return path


def python_of(name: str) -> str:
    """The interpreter of a server's environment. Raises `NotInstalledError`."""
    path = ROOT / ".venvs" / f"server-{name}" / "bin" / "python"
    if not path.with_name("installed").exists():
        raise NotInstalledError(f"{name} is not installed: scripts/servers {name}")
    return str(path)


@contextlib.contextmanager
def running(command: Sequence[str], port: int, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """A child process that listens on `port` of `HOST` while the context lasts. Its output is shown where it does not start."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(env or {})})
        try:
            wait_for_port(process, port, output)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_port(process: subprocess.Popen[bytes], port: int, output: object) -> None:
    """Return once the port accepts a connection. Raises `RuntimeError` with what the server printed."""
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
            return
        time.sleep(0.05)
    output.seek(0)  # type: ignore[attr-defined]
    raise RuntimeError(f"{process.args!r} does not listen: {output.read()[-2000:]}")  # type: ignore[attr-defined]
