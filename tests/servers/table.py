"""What each adapter, and each framework's peer, makes of each server: `python -m tests.servers.table [SERVER …]`.

The peers run in the environments that `scripts/compare` made; without one, its column is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict

from tests.servers import servers
from tests.servers.features import FEATURES
from tests.servers.running import ROOT, NotInstalledError, Server

ENVIRONMENTS = {"ChatOpenAI": "compare-langchain", "OpenAILike": "compare-llama-index"}
NEEDS_SLOTS = "leaving a stream ends it"


@contextmanager
def litellm_before_llama_cpp() -> Iterator[Server]:
    """LiteLLM's proxy in front of llama.cpp."""
    with servers.llama_cpp() as behind, servers.litellm(servers.through_litellm(behind)) as server:
        yield Server(server.url, server.key, slots=behind.slots, slots_key=behind.key)


SERVERS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "llama.cpp": servers.llama_cpp,
    "LiteLLM before llama.cpp": litellm_before_llama_cpp,
}


def fates(name: str, server: Server) -> dict[str, str]:
    """Of one class, what becomes of each feature."""
    environment = ENVIRONMENTS.get(name)
    python = str(ROOT / ".venvs" / environment / "bin" / "python") if environment else sys.executable
    path = os.pathsep.join([str(ROOT / "shared"), str(ROOT)])
    asked = json.dumps({"server": asdict(server), "features": [*FEATURES]})
    done = subprocess.run(
        [python, "-m", "tests.servers.peers", name],
        input=asked, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, check=True,
    )  # fmt: skip
    found: dict[str, str] = json.loads(done.stdout)
    return found


def main(wanted: list[str]) -> None:
    """Print a table for each server that is installed."""
    here = [name for name, environment in ENVIRONMENTS.items() if (ROOT / ".venvs" / environment).is_dir()]
    names = ["ChatGeekAI", "GeekAI", *here]
    for title, start in SERVERS.items():
        if wanted and title not in wanted:
            continue
        print(f"\n## {title}\n\n| | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
        try:
            with start() as server:
                columns = [fates(name, server) for name in names]
        except NotInstalledError as reason:
            print(reason)
            continue
        for feature in FEATURES:
            print(f"| {feature} | {' | '.join(column[feature] for column in columns)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
