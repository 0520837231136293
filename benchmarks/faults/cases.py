"""The faults, and what a client should make of each. Nothing here knows a framework."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from geekai_testing.replies import Cut, Hold, Pause, Reply, completion, delta, dumps, error, json_reply, sse

KEY = "sk-fault-0f3b6a9d"
WHOLE, STREAM = "whole", "stream"
NICE = dumps(completion("好")).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
BODY = dumps(completion("一二三")).encode()
EVENT = f"data: {dumps(delta('一'))}\n\n".encode()
GOOD = {WHOLE: json_reply(completion("好")), STREAM: sse(delta("好"), delta(finish_reason="stop"))}
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass
class Case:
    """A fault: what the server does to a request of a kind, and what must be seen of it.

    `words`: what the error must say. `recovers`: the answer comes all the same. `requests`: how many are right.
    """

    name: str
    ways: Sequence[str]
    replies: Callable[[str], list[Reply]]
    words: str = ""
    recovers: bool = False
    requests: int = 1


def always(*replies: Reply) -> Callable[[str], list[Reply]]:
    return lambda way: list(replies)


def then_good(*replies: Reply) -> Callable[[str], list[Reply]]:
    return lambda way: [*replies, GOOD[way]]


def raw(start: bytes, again: bytes = b"") -> Reply:
    """These bytes and no others; `again`: behind them these, five times a second, for ever."""
    return Reply(
        framing="raw", body=itertools.chain([start], itertools.cycle([again, Pause(0.2)])) if again else [start]
    )


BOTH = (WHOLE, STREAM)
CASES = [
    Case('402 with GeekAI\'s body `{"message": …}`', BOTH, always(error(402, "余额不足", shape="message")), "余额不足"),
    Case("401 whose message repeats the key", BOTH, always(error(401, f"bad key {KEY}")), "bad key"),
    Case("503 twice, then the answer", BOTH, then_good(error(503, "忙"), error(503, "忙")), recovers=True, requests=3),
    Case("reset before the answer, then the answer", BOTH, then_good(Reply(before=[Cut()])), recovers=True, requests=2),
    Case("silent until the read limit", BOTH, always(*[Reply(before=[Hold()])] * 9), "time"),
    Case("whole body broken off", [WHOLE], always(*[Reply(body=[BODY[:60], Cut()], length=999, framing="length")] * 9)),
    Case("whole body cut, connection ended in order", [WHOLE], always(Reply(body=BODY[:90], framing="close"))),
    Case(
        '200 with `{"error": {…}}`',
        BOTH,
        always(json_reply({"error": {"message": "余额不足", "code": 402}})),
        "余额不足",
    ),
    Case('200 with `{"message": …}`', BOTH, always(json_reply({"message": "服务端异常，请重试"})), "服务端异常"),
    Case(
        "200 with a proxy's HTML page",
        BOTH,
        always(Reply(headers={"content-type": "text/html"}, body=PAGE)),
        "502 Bad Gateway",
    ),
    Case("200 with an empty body", BOTH, always(Reply())),
    Case(
        "garbage behind a complete answer", [WHOLE], always(raw(HEAD % len(NICE) + NICE + b"\0garbage")), recovers=True
    ),
    Case(
        "an illegal header that repeats the key",
        BOTH,
        always(*[raw(f"HTTP/1.1 200 OK\r\n{KEY} x\r\n\r\n".encode())] * 9),
    ),
    Case("a head that drips without end", BOTH, lambda way: [raw(b"HTTP/1.1 200 OK\r\n", again=b"x: 1\r\n")], "time"),
    Case("`choices: []`", [WHOLE], always(json_reply({**completion("x"), "choices": []}))),
    Case("`choices: null`", [WHOLE], always(json_reply({**completion("x"), "choices": None}))),
    Case("blank lines, then the answer", [WHOLE], always(json_reply(completion("好"), blank_lines=3)), recovers=True),
    Case("a whole JSON answer to a stream request", [STREAM], always(json_reply(completion("好"))), recovers=True),
    Case(
        'stream: error event `{"error": {…}}`',
        [STREAM],
        always(sse(delta("一"), {"error": {"message": "额度用完"}})),
        "额度用完",
    ),
    Case(
        'stream: error event `{"message": …}`',
        [STREAM],
        always(sse(delta("一"), {"message": "服务端异常"})),
        "服务端异常",
    ),
    Case(
        "stream: ends without finish reason and `[DONE]`", [STREAM], always(sse(delta("一"), delta("二"), done=False))
    ),
    Case("stream: broken off", [STREAM], always(sse(delta("一"), delta("二"), Cut(), done=False))),
    Case("stream: last event cut", [STREAM], always(sse(delta("一"), EVENT[:40], done=False))),
    Case("stream: falls silent", [STREAM], always(sse(delta("一"), Hold(), done=False)), "time"),
    Case(
        "stream: nothing but keep-alive comments",
        [STREAM],
        lambda way: [
            Reply(
                headers={"content-type": "text/event-stream"},
                framing="chunked",
                body=itertools.chain([EVENT], itertools.cycle([b": keep-alive\n\n", Pause(0.2)])),
            )
        ],
        "time",
    ),
]
