"""Runs the features with a peer, in the peer's environment: `python -m tests.servers.peers CLASS`, a server on stdin.

Prints JSON: of each feature, "yes" or what went wrong. Also run for ours, so that a table holds all four alike.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.servers.features import FEATURES
from tests.servers.running import Server
from tests.servers.subjects import OURS, PEERS, Subject


async def fate(made: type[Subject], server: Server, feature: str) -> str:
    """What becomes of one feature."""
    subject = made(server)
    try:
        await FEATURES[feature](subject)
    except Exception as error:
        words = (str(error).strip().splitlines() or [""])[0][:90].replace("|", "/")
        return f"no: {type(error).__name__} {words}".strip()
    finally:
        await subject.close()
    return "yes"


async def fates(made: type[Subject], server: Server, features: list[str]) -> dict[str, str]:
    """All of them, in one event loop: some peers' clients work in no second one."""
    found = {}
    for feature in features:
        found[feature] = await asyncio.wait_for(fate(made, server, feature), 500)
        print(f"{made.name}: {feature}: {found[feature]}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """The command line."""
    made = next(one for one in (*OURS, *PEERS) if one.name == sys.argv[1])
    asked = json.load(sys.stdin)
    server, features = Server(**asked["server"]), asked["features"]
    json.dump(asyncio.run(fates(made, server, features)), sys.stdout)


if __name__ == "__main__":
    main()
