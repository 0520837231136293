"""How answers end, and errors in odd clothes."""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import chunk, completion, delta, json_reply, sse, usage
from tests.parity.form import (
    HELLO,
    STREAMED,
    WHOLE,
    Answer,
    Check,
    Json,
    Wish,
    body,
    holds,
    made,
    refuses,
    says,
    streams,
)
from tests.parity.objects import person
from tests.parity.rungs import BY_SCHEMA

HELLO_TEXT = {"text": "Hello."}
OURS = Check(
    "an error of ours",
    lambda name: name in ("APIStatusError", "ServerError", "StreamInterruptedError", "InvalidResponseError"),
)


def ends(name: str, reply: Answer, **fields: Any) -> Wish:
    return Wish(**{"name": name, "replies": [reply], "gives": HELLO_TEXT, **fields})


BROKEN_OFF = [
    *(
        ends(
            f"finish_reason {reason!r}",
            says("Hel", finish=reason),
            gives={"error": OURS, "words": holds(reason), "partial": "Hel"},
        )
        for reason in (
            *("error", "network_error", "insufficient_system_resource", "server_error", "timeout", "ERROR"),
            *("engine_overloaded", "service_unavailable", "internal_server_error", "MALFORMED_FUNCTION_CALL"),
        )
    ),
    ends(
        "finish_reason 'error' with the choice's own error",
        Answer(
            json_reply(
                {
                    "choices": [
                        {
                            "index": 0,
                            "message": {"content": "Hel"},
                            "finish_reason": "error",
                            "error": {"message": "上游中断", "code": 502},
                        }
                    ]
                }
            ),
            sse(
                delta("Hel"),
                chunk(
                    [{"index": 0, "delta": {}, "finish_reason": "error", "error": {"message": "上游中断", "code": 502}}]
                ),
            ),
        ),
        gives={"error": Check("an error", bool), "words": holds("上游中断"), "partial": "Hel"},
    ),
    ends(
        "a choice's own error without a finish reason",
        Answer(
            json_reply({"choices": [{"index": 0, "message": {"content": "Hel"}, "error": {"message": "died"}}]}),
            sse(delta("Hel"), chunk([{"index": 0, "delta": {}, "finish_reason": None, "error": {"message": "died"}}])),
        ),
        gives={"error": Check("an error", bool), "words": holds("died"), "partial": "Hel"},
    ),
    *(
        ends(f"finish_reason {reason!r}: the text", says("Hel", finish=reason), gives={"text": "Hel", "finish": reason})
        for reason in ("sensitive", "content_filter", "SAFETY", "refusal")
    ),
    *(
        person(
            f"finish_reason {reason!r}: no object",
            says('{"name": "A', finish=reason),
            sends=[BY_SCHEMA],
            gives={"error": Check("an error", bool), "words": holds("refused")},
        )
        for reason in ("sensitive", "content_filter", "SAFETY", "refusal")
    ),
]

LOGIN: Json = {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}
IN_PLACE = [
    ends(
        "base_resp with a code in an answer's place",
        body(LOGIN),
        fields={"max_retries": 1},
        gives={"error": "APIStatusError", "words": holds("login fail", "1004")},
    ),
    ends(
        "base_resp with a code as a stream's only event",
        streams(LOGIN, finish=..., done=False),
        fields={"max_retries": 1},
        gives={"error": "APIStatusError", "words": holds("login fail", "1004")},
        ways=STREAMED,
    ),
    ends(
        "base_resp with a status in an answer's place",
        body({"choices": None, "base_resp": {"status_code": 401, "status_msg": "bad key"}}),
        gives={"error": "AuthenticationError", "words": holds("bad key")},
    ),
    ends(
        "base_resp behind a stream's first text",
        streams(delta("Hel"), LOGIN, finish=..., done=False),
        gives={"error": "APIStatusError", "words": holds("login fail"), "partial": "Hel"},
        ways=STREAMED,
    ),
    ends(
        "base_resp that says all is well",
        says("Hello.", base_resp={"status_code": 0, "status_msg": ""}),
    ),
    ends(
        "code 0 and Success in an answer's place",
        body({"code": 0, "message": "Success", "data": None}),
        gives={"error": "InvalidResponseError"},
        ways=WHOLE,
    ),
    ends(
        "a code that is no status in an answer's place",
        body({"code": 1261, "msg": "Prompt 超长"}),
        gives={"error": Check("an error", bool), "words": holds("超长")},
    ),
]


def detail(name: str, value: Any, *words: str, status: int = 422, **gives: Any) -> Wish:
    plain = Check(
        f"the words {words}, and no printed dict",
        lambda told: all(word in told for word in words) and not any(mark in told for mark in ("{'", "['", "[{")),
    )
    known = {"error": "BadRequestError", "words": plain, **gives}
    return ends(name, body({"detail": value}, status=status), gives=known)


ERRORS = [
    *(
        ends(
            f"an error in the form {value}",
            body(value, status=400),
            gives={"error": "BadRequestError", "words": holds("bad input")},
        )
        for value in (
            {"title": "bad input"},
            {"Code": "InvalidParameter", "Message": "bad input"},
            {"error": "invalid_request", "error_description": "bad input"},
            [{"error": {"message": "bad input", "code": 400}}],
            {"error": {"error": {"message": "bad input"}}},
            {"message": ["bad input", "and more"]},
        )
    ),
    *(
        ends(
            f"an error behind the first text: {event}",
            streams(delta("Hel"), event, finish=...),
            gives={"error": Check("an error", bool), "words": holds("upstream died"), "partial": "Hel"},
            ways=STREAMED,
        )
        for event in (
            {"error": "upstream died"},
            {"error": [{"message": "upstream died"}]},
            {"type": "error", "error": {"type": "overloaded_error", "message": "upstream died"}},
            {**delta(""), "error": {"message": "upstream died"}},
            {"code": 500, "message": "upstream died"},
        )
    ),
    detail("detail as a text", "no such field", "no such field"),
    detail("detail as an object", {"message": "too many", "code": "x9"}, "too many", "x9"),
    detail("detail as an object with an error", {"error": "too many"}, "too many", status=400),
    detail(
        "detail as a list",
        [{"type": "missing", "loc": ["body", "model"], "msg": "Field required", "input": {"a": 1}}],
        "Field required",
        "model",
    ),
    detail(
        "detail as a list of two",
        [{"loc": ["body", "n"], "msg": "too big"}, {"loc": ["body", "top_p"], "msg": "too small"}],
        "too big",
        "too small",
        "top_p",
    ),
    detail("detail as a list of texts", ["too big", "too small"], "too big", "too small"),
    *(
        ends(
            f"an error whose code {code!r} is its status",
            refuses("No.", code=code),
            gives={
                "error": "BadRequestError",
                "words": Check("HTTP 400: No.", lambda told: "No." in told and "(400)" not in told),
            },
        )
        for code in ("400", 400)
    ),
    ends(
        "an error whose code is a text",
        refuses("No.", code="E17"),
        gives={"error": "BadRequestError", "words": holds("E17", "No.")},
    ),
    ends(
        "an error whose message is an object",
        body({"error": {"message": {"text": "too many"}}}, status=400),
        gives={
            "error": "BadRequestError",
            "words": Check("too many", lambda told: "too many" in told and "{'" not in told),
        },
    ),
]

EVENTS = [
    ends(
        "events for a whole request",
        Answer(sse(delta("Hel"), delta("lo."), delta(finish_reason="stop", usage=usage())), HELLO.streamed),
    ),
    ends(
        "events for a whole request, with calls",
        Answer(
            sse(
                delta(tool_calls=[{"index": 0, **made("weather", '{"city": ')}]),
                delta(tool_calls=[{"index": 0, "function": {"arguments": '"Lyon"}'}}]),
                delta(finish_reason="tool_calls"),
            ),
            says(None, calls=[made("weather", '{"city": "Lyon"}')]).streamed,
        ),
        gives={"calls": [("weather", {"city": "Lyon"})]},
    ),
    ends(
        "an error as an event for a whole request",
        Answer(sse({"error": {"message": "busy", "code": 503}}), sse({"error": {"message": "busy", "code": 503}})),
        gives={"error": "ServerError", "words": holds("busy")},
    ),
    ends("a whole answer to a streamed request", body(completion("Hello."))),
    *(
        ends(f"the whole message after its deltas, {where}", reply, ways=STREAMED)
        for where, reply in (
            (
                "with the end",
                streams(
                    delta("Hel"),
                    delta("lo."),
                    chunk(
                        [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]
                    ),
                    finish=...,
                ),
            ),
            ("behind the end", streams(delta("Hello."), delta(finish_reason="stop"), completion("Hello."), finish=...)),
            (
                "beside a delta",
                streams(
                    delta("Hel"),
                    chunk(
                        [
                            {
                                "index": 0,
                                "delta": {"content": "lo."},
                                "message": {"content": "Hello."},
                                "finish_reason": "stop",
                            }
                        ]
                    ),
                    finish=...,
                ),
            ),
            ("which is all", streams(completion("Hello."), finish=...)),
        )
    ),
    ends(
        "the whole message after its deltas, with calls",
        streams(
            delta(tool_calls=[{"index": 0, **made("weather", '{"city": "Lyon"}')}]),
            completion(None, tool_calls=[made("weather", '{"city": "Lyon"}')]),
            finish=...,
        ),
        gives={"calls": [("weather", {"city": "Lyon"})]},
        ways=STREAMED,
    ),
    *(
        ends(
            f"an event {shown} among the others",
            streams(delta("Hel"), event, delta("lo."), finish="stop"),
            ways=STREAMED,
        )
        for shown, event in (
            ("that is an empty list", "[]"),
            ("that is a list", '["x"]'),
            ("of ping", b"event: ping\ndata: {}\n\n"),
            ("of ping with its type", b'event: ping\ndata: {"type": "ping"}\n\n'),
            ("of comments", b": keep-alive\n\n"),
            ("that is null", "null"),
        )
    ),
]

ENDLESS = streams(delta("Hel"), finish=...)
WITHOUT = [
    ends(
        "nothing at all before [DONE]",
        streams(delta(None), finish=...),
        gives={"error": OURS},
        ways=STREAMED,
        fresh=True,
    ),
    ends("only [DONE]", streams(finish=...), gives={"error": OURS}, ways=STREAMED, fresh=True),
    ends(
        "no finish reason from a server that was never heard to give one",
        ENDLESS,
        gives={"text": "Hel"},
        warns="finish",
        ways=STREAMED,
        fresh=True,
    ),
    Wish(
        name="no finish reason from a server that was heard to give one",
        replies=[HELLO, ENDLESS],
        times=2,
        sends=[{}, {}],
        gives={"error": "StreamInterruptedError", "partial": "Hel"},
        ways=STREAMED,
        fresh=True,
    ),
    Wish(
        name="twice no finish reason",
        replies=[ENDLESS, ENDLESS],
        times=2,
        sends=[{}, {}],
        gives={"text": "Hel"},
        warns="finish",
        ways=STREAMED,
        fresh=True,
    ),
    ends("no [DONE] behind a finish reason", streams(delta("Hello."), finish="stop", done=False), ways=STREAMED),
]

WISHES = [*BROKEN_OFF, *IN_PLACE, *ERRORS, *EVENTS, *WITHOUT]

NOT_YET: dict[str, str] = {}
