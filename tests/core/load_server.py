"""A scripted server in a process of its own, for load tests: the same words for everybody."""

from __future__ import annotations

import argparse
import contextlib
import sys

from geekai_testing.replies import Pause, Reply, Request, Responder, completion, delta, dumps, json_reply, sse
from geekai_testing.scripted import ScriptedServer


def _load_answers(delay: float, gap: float, chunks: int) -> Responder:
    """For load tests: the same words for everybody, after a delay, with a gap after each chunk of a stream."""
    words = [f"word{number} " for number in range(chunks)]

    def answer(request: Request) -> Reply:
        reply = json_reply(completion("".join(words)))
        if request.json.get("stream"):
            steps = [step for word in words for step in (delta(word), Pause(gap))]
            reply = sse(*steps, delta(finish_reason="stop"))
        reply.before = [Pause(delay)]
        return reply

    return answer


def main() -> None:
    """Print the base URL, then one line of counts for each line that is read, until standard input ends."""
    options = argparse.ArgumentParser(prog="python -m tests.core.load_server", description=__doc__)
    options.add_argument("--delay-ms", type=float, default=0, help="before the first byte of each answer")
    options.add_argument("--gap-ms", type=float, default=0, help="after each chunk of a stream")
    options.add_argument("--chunks", type=int, default=20, help="of content in each answer")
    given = options.parse_args()
    with contextlib.suppress(ImportError, ValueError, OSError):  # where there is no such limit, or no right to raise it
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with ScriptedServer(_load_answers(given.delay_ms / 1000, given.gap_ms / 1000, given.chunks)) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            counts = {"requests": len(server.requests), "opened": server.connections, "open": server.open_connections}
            sys.stdout.write(dumps(counts) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
