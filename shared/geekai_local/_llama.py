"""The child process: one llama.cpp server, until standard input closes.

A process of its own keeps llama.cpp's log, its threads and a crash of it away from the endpoint. Its first line of
input is the settings, its one line of output `{"url": …}` or `{"error": …}`. Whoever holds the other end of its input
cannot leave it behind: when that end closes, however it came to be closed, the child is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

CONTEXT = 4096
"""Tokens of an answer together with its prompt."""
PARALLEL = 2
"""Answers generated at once; further ones wait for their turn."""


def main() -> None:
    """Load, say where, and serve until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    settings = json.loads(sys.stdin.readline())
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # llama.cpp may print, and nobody would read it
        try:
            server = _start(**settings)
            json.dump({"url": server.listening_address}, answer)
        except Exception as error:
            json.dump({"error": str(error)}, answer)
    sys.stdin.read()
    # No destructors: llama.cpp deadlocks when it is stopped within milliseconds of its start.
    os._exit(0)


def _start(path: str, template: str | None, key: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.api_keys = [key]
    params.n_ctx = CONTEXT * PARALLEL  # llama.cpp divides it among the answers
    params.n_parallel = PARALLEL
    threads = max(1, min(4, (os.cpu_count() or 2) // 2))
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads * 2
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.enable_reasoning = 0  # else a template that can think does so by default
    if template:
        params.chat_template = template
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
