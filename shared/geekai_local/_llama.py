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


def main() -> None:
    """Load, say where, and serve until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    settings = json.loads(sys.stdin.readline())
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    try:
        server = _start(settings)
        line = {"url": server.listening_address}
    except Exception as error:
        line = {"error": str(error)}
    answer.write(json.dumps(line) + "\n")
    answer.flush()
    if "url" in line:
        sys.stdin.read()
    # No destructors: llama.cpp deadlocks when it is stopped within milliseconds of its start.
    os._exit(0)


def _start(settings: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.api_keys = [settings["key"]]
    params.n_ctx = settings["context"] * settings["parallel"]  # llama.cpp divides it among the slots
    params.n_parallel = settings["parallel"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"] * 2
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.verbosity = 0
    params.ui = False
    params.endpoint_slots = False
    params.enable_reasoning = 0  # else a template that can think does so by default
    if settings["template"]:
        params.chat_template = settings["template"]
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
