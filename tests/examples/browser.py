"""Headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --remote-debugging-port=0"
)
WAIT = 30.0
"""Seconds for anything: a busy machine starts a browser slowly."""


class Page:
    """One page: scripts run in it, and it can be looked at and closed."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol, and what it returned."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (message := json.loads(self._socket.recv(timeout=WAIT))).get("id") != number:
            pass
        assert "error" not in message, message
        return dict(message["result"])

    def run(self, script: str) -> Any:
        """The value of an expression in the page; of a promise, what it comes to."""
        result = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script: str) -> Any:
        """The first value of an expression that is true in JavaScript's eyes."""
        return self.run(
            f"new Promise((done, failed) => {{ setTimeout(() => failed('never: ' + document.body.innerText), {WAIT * 900});"
            f" const look = () => {{ const found = {script}; found ? done(found) : setTimeout(look, 20) }}; look() }})"
        )


@contextmanager
def opened(url: str, profile: Path) -> Iterator[Page]:
    """A page of a new browser. Skips the test where there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine")
    command = [chromium, *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_page_address(profile), proxy=None, max_size=None) as socket:
                page = Page(socket)
                page.command("Page.navigate", url=url)
                page.until("document.readyState === 'complete'")
                yield page
        finally:
            process.terminate()


def _page_address(profile: Path) -> str:
    """Where the browser's page listens, once the browser has written its port."""
    deadline = time.monotonic() + WAIT
    written = profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        if written.exists() and (lines := written.read_text().split()):
            found = httpx.get(f"http://127.0.0.1:{lines[0]}/json", trust_env=False).json()
            if pages := [page["webSocketDebuggerUrl"] for page in found if page["type"] == "page"]:
                return str(pages[0])
        time.sleep(0.05)
    raise TimeoutError("Chromium did not start")
