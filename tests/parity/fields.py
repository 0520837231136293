"""What an answer holds beside its text, on its way back: speech, vendors' fields of calls, reasoning details."""

from __future__ import annotations

from typing import Any

from geekai_testing.replies import delta
from tests.parity.form import (
    HELLO,
    HI,
    STREAMED,
    WEATHER,
    Check,
    Json,
    Wish,
    made,
    result,
    says,
    says_user,
    streams,
    user,
    wire_call,
    wire_calls,
    wire_result,
)

LYON = '{"city": "Lyon"}'
SPEECH = {"id": "audio_1", "data": "UUJDRA==", "expires_at": 4102444800, "transcript": "Hello."}
SPOKEN = Check(
    "speech by its id",
    lambda message: (
        message["role"] == "assistant"
        and message.get("audio") == {"id": "audio_1"}
        and message.get("content") in (None, "", "Hello.")
    ),
)
W_SAID = {"role": "assistant", "content": "Hello."}


def spoken(name: str, speech: Json, wire: Any) -> Wish:
    """An answer in speech, and its form in the next request."""
    replies = [says(None, extra={"audio": speech}, finish="stop"), HELLO]
    return Wish(
        name=name, replies=replies, then=[[user("So?")]], sends=[{}, {"messages": [HI, wire, says_user("So?")]}]
    )


SPEECHES = [
    spoken("earlier speech that the server still has", SPEECH, SPOKEN),
    spoken("earlier speech whose time is over", {**SPEECH, "expires_at": 1751504400}, W_SAID),
    spoken("earlier speech that never ends", {**SPEECH, "expires_at": None}, SPOKEN),
    spoken("earlier speech without an id", {**SPEECH, "id": None}, W_SAID),
]

SIGNED = {"extra_content": {"google": {"thought_signature": "s1"}}}
ANSWERED = [[result("sunny")]]


def back(name: str, reply: Any, *calls: Json, **fields: Any) -> Wish:
    """An answer with calls, and their form in the next request."""
    sends = [
        {"tools": [WEATHER.wire()]},
        {"tools": [WEATHER.wire()], "messages": [HI, wire_calls(*calls), wire_result("sunny")]},
    ]
    return Wish(
        **{"name": name, "tools": [WEATHER], "replies": [reply, HELLO], "then": ANSWERED, "sends": sends, **fields}
    )


def in_pieces(*given: Json) -> Any:
    return streams(*(delta(tool_calls=[{"index": 0, **one}]) for one in given))


FIELDS = [
    back(
        "a call's signature", says(None, calls=[made("weather", LYON, **SIGNED)]), wire_call("weather", LYON, **SIGNED)
    ),
    back(
        "a call's signature as plain text",
        says(None, calls=[made("weather", LYON, thought_signature="s1")]),
        wire_call("weather", LYON, thought_signature="s1"),
    ),
    back(
        "a call's signature in the last piece",
        in_pieces(made("weather", '{"city": '), {"function": {"arguments": '"Lyon"}'}}, SIGNED),
        wire_call("weather", LYON, **SIGNED),
        ways=STREAMED,
    ),
    back(
        "a call's two fields in two pieces",
        in_pieces(made("weather", "", mark=7), {"function": {"arguments": LYON}, **SIGNED}),
        wire_call("weather", LYON, mark=7, **SIGNED),
        ways=STREAMED,
    ),
    # Arguable: the function is a part of the call.
    back(
        "a field within a call's function",
        says(
            None,
            calls=[{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": LYON, "sign": "s"}}],
        ),
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": LYON, "sign": "s"}},
    ),
    Wish(
        name="two calls' signatures, each its own",
        replies=[says(None, calls=[made("weather", LYON, sign="s1"), made("weather", LYON, "c2", sign="s2")]), HELLO],
        then=[[result("sunny"), result("rainy", "c2")]],
        sends=[
            {},
            {
                "messages": [
                    HI,
                    wire_calls(wire_call("weather", LYON, sign="s1"), wire_call("weather", LYON, "c2", sign="s2")),
                    wire_result("sunny"),
                    wire_result("rainy", "c2"),
                ]
            },
        ],
    ),
]


def detailed(*words: str) -> Check:
    """An assistant's message that carries reasoning details which say this in all."""

    def holds(message: Any) -> bool:
        details = message.get("reasoning_details") if isinstance(message, dict) else None
        return isinstance(details, list) and "".join(
            one.get("text") or one.get("data") or "" for one in details
        ) == "".join(words)

    return Check(f"a message with the reasoning details {words}", holds)


def details(name: str, given: list[Json], says_so: str, *words: str, pieces: Any = None) -> Wish:
    calls = [made("weather", LYON)]
    reply = says(None, calls=calls, extra={"reasoning_details": given}, pieces=pieces)
    sends = [{}, {"messages": [HI, detailed(*words), wire_result("sunny")]}]
    return Wish(
        name=name,
        replies=[reply, says("Hello.", reasoning=says_so or ...)],
        then=ANSWERED,
        sends=sends,
        gives={"text": "Hello.", "reasoning": says_so},
    )


THOUGHT = {"type": "reasoning.text", "text": "Hm.", "signature": "s", "index": 0}
SECRET = {"type": "reasoning.encrypted", "data": "Z2Vo", "id": "r1", "index": 1}
DETAILS = [
    details("reasoning details in the loop", [THOUGHT], "", "Hm."),
    details("encrypted reasoning details in the loop", [SECRET], "", "Z2Vo"),
    details(
        "reasoning details in pieces",
        [THOUGHT],
        "",
        "Hm.",
        pieces=[
            delta(extra={"reasoning_details": [{**THOUGHT, "text": "H"}]}),
            delta(extra={"reasoning_details": [{**THOUGHT, "text": "m."}]}),
            delta(tool_calls=[{"index": 0, **made("weather", LYON)}]),
        ],
    ),
    Wish(
        name="reasoning details are shown as reasoning",
        replies=[says("Yes.", extra={"reasoning_details": [THOUGHT, SECRET]})],
        gives={"text": "Yes.", "reasoning": "Hm."},
    ),
    Wish(
        name="a summary among reasoning details is shown",
        replies=[says("Yes.", extra={"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}]})],
        gives={"text": "Yes.", "reasoning": "Hm."},
    ),
    Wish(
        name="reasoning beside its details is shown once",
        replies=[says("Yes.", extra={"reasoning": "Hm.", "reasoning_details": [THOUGHT]})],
        gives={"text": "Yes.", "reasoning": "Hm."},
    ),
]

WISHES = [*SPEECHES, *FIELDS, *DETAILS]

NOT_YET: dict[str, str] = {}
