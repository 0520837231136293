"""A thousand streams at once, against a server in a process of its own: all complete, and nothing is left."""

import asyncio
import contextlib
import gc
import json
import os
import subprocess
import sys

import pytest

from geekai_core import AsyncClient
from tests.core.conftest import ASK, KEY

resource = pytest.importorskip("resource", reason="this system has no limits to raise")

STREAMS = 1000
NEEDED = STREAMS + 200


class Served:
    """A scripted server in a process of its own, that tells its counts."""

    def __init__(self, *options: str) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.core.load_server", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
        self.base_url = self._process.stdout.readline().strip()

    def counts(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def stop(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture
def served():
    served = Served("--gap-ms", "30", "--chunks", "5")
    yield served
    served.stop()


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < NEEDED:
        pytest.skip(f"only {hard} files may be open here")
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, NEEDED), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_files():
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
def test_a_thousand_streams_at_once_all_complete_and_free_what_they_used(served, many_files, transport, monkeypatch):
    if transport == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    expected = "".join(f"word{number} " for number in range(5))

    async def read(client):
        async with client.stream(**ASK) as stream:
            return "".join([piece.content or "" async for piece in stream])

    async def main():
        async with AsyncClient(api_key=KEY, base_url=served.base_url, timeout=60) as client:
            return await asyncio.gather(*(read(client) for _ in range(STREAMS)))

    before, memory = open_files(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert asyncio.run(main()) == [expected] * STREAMS
    gc.collect()
    assert open_files() <= before + 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000  # KiB: some 0.1 MB a stream at most
    counts = served.counts()
    assert counts["requests"] == STREAMS
    assert counts["open"] == 0
