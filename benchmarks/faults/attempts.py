"""Every fault, tried on one class: `python -m benchmarks.faults.attempts ChatOpenAI` prints what came of each."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from benchmarks.faults.cases import CASES, GOOD, KEY, STREAM, WHOLE, Case
from benchmarks.faults.subjects import FRAMEWORKS, Subject
from geekai_testing.replies import Pause, Reply, delta, error, sse
from geekai_testing.scripted import ScriptedServer

PATIENCE = 15.0
"""Seconds after which a call that was told to give up after one counts as hanging."""

Outcome = dict[str, Any]


def tried(call: Callable[[], Any]) -> Outcome:
    """What came of a call: `text`, or the class and words of its exception, or neither when it hangs."""
    outcome: Outcome = {}

    def run() -> None:
        try:
            outcome["text"] = call()
        except BaseException as failure:
            own = type(failure).__module__.split(".")[0] in FRAMEWORKS
            outcome.update(error=type(failure).__name__, own=own, words=f"{failure}"[:2000])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return dict(outcome)


def judged(case: Case, outcome: Outcome, requests: int) -> str:
    """The table's word for an outcome."""
    times = "" if requests == case.requests else f", after {requests} requests"
    if not outcome:
        return f"**hangs**{times}"
    if "text" in outcome:
        if case.recovers and outcome["text"] == "好":
            return f"answered{times}"
        return f"**lost in silence**: {outcome['text']!r}{times}"
    kind = "honest" if outcome["own"] else "**foreign**"
    lost = "" if case.words.lower() in outcome["words"].lower() else ", **the reason lost**"
    shown = ", **shows the key**" if KEY in outcome["words"] else ""
    return f"{kind}: `{outcome['error']}`{lost}{shown}{times}"


def attempt(name: str, case: Case, way: str) -> str:
    """One fault, one way."""
    with ScriptedServer(lambda request: error(500, "the script is over")) as server:
        server.play(*case.replies(way))
        subject = Subject(name, server.base_url)
        call = subject.whole if way == WHOLE else lambda: "".join(subject.stream())
        return judged(case, tried(call), len(server.requests))


def refused(name: str) -> str:
    """Nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    case = Case("", [], lambda way: [], requests=0)
    return judged(case, tried(Subject(name, f"http://127.0.0.1:{port}/api/v1").whole), 0)


def redirected(name: str) -> str:
    """Where key and prompt go when the server says: elsewhere."""
    with ScriptedServer(lambda request: GOOD[WHOLE]) as elsewhere, ScriptedServer() as server:
        target = elsewhere.base_url.replace("127.0.0.1", "localhost") + "/chat/completions"
        server.play(*[Reply(307, {"location": target})] * 5)
        outcome = tried(Subject(name, server.base_url).whole)
        if not elsewhere.requests:
            return f"honest: `{outcome.get('error')}`, nothing was sent there"
        got = elsewhere.requests[0]
        key = "**the key and the prompt**" if KEY in str(got.headers) else "**the prompt**, without the key,"
        return f"{key} went to the other host"


def left(name: str) -> str:
    """Whether breaking out of a stream closes the connection."""
    with ScriptedServer() as server:
        server.play(sse(*[delta("x"), Pause(0.02)] * 200))
        pieces = Subject(name, server.base_url).stream()
        for _ in pieces:
            break
        del pieces
        return "closed at once" if server.requests[0].client_left.wait(1) else "**stays open**"


def loops(name: str) -> str:
    """One model in two runs of `asyncio.run`."""
    with ScriptedServer(lambda request: GOOD[WHOLE]) as server:
        subject = Subject(name, server.base_url)
        outcomes = [tried(lambda: asyncio.run(subject.awhole())) for _ in range(3)]
        return _all_good(outcomes)


def asleep(name: str) -> str:
    """A stream that falls silent, async: nothing but comments."""
    case = next(case for case in CASES if "keep-alive" in case.name)
    with ScriptedServer() as server:
        server.play(*case.replies(STREAM))
        subject = Subject(name, server.base_url)

        async def read() -> str:
            return "".join([piece async for piece in subject.astream()])

        return judged(case, tried(lambda: asyncio.run(read())), len(server.requests))


def copied(name: str, through: Callable[[Any], Any]) -> str:
    """Whether a model that has been used still works after a copy."""
    with ScriptedServer(lambda request: GOOD[WHOLE]) as server:
        subject = Subject(name, server.base_url)
        subject.whole()

        def use() -> str:
            subject.model = through(subject.model)
            return subject.whole()

        return _all_good([tried(use)])


def _all_good(outcomes: list[Outcome]) -> str:
    bad = next((outcome for outcome in outcomes if outcome.get("text") != "好"), None)
    if bad is None:
        return "works"
    return f"**{'honest' if bad.get('own') else 'foreign'}**: `{bad.get('error', 'hangs')}`"


def everything(name: str) -> dict[str, dict[str, str]]:
    """All faults on one class: row, way, outcome."""
    table = {case.name: {way: attempt(name, case, way) for way in case.ways} for case in CASES}
    table["connection refused"] = {WHOLE: refused(name)}
    table["a redirect to another host"] = {WHOLE: redirected(name)}
    table["async stream: nothing but keep-alive comments"] = {STREAM: asleep(name)}
    table["the caller breaks out of a stream"] = {STREAM: left(name)}
    table["a second and third `asyncio.run`"] = {WHOLE: loops(name)}
    table["pickled after use"] = {WHOLE: copied(name, lambda model: pickle.loads(pickle.dumps(model)))}
    table["deep-copied after use"] = {WHOLE: copied(name, copy.deepcopy)}
    return table


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps(everything(sys.argv[1]), ensure_ascii=False) + "\n")
    sys.stdout.flush()
    os._exit(0)  # whatever hangs still does
