"""What the strictest servers demand of a request's messages, as one check of a body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.parity.form import Check, Json


def faults(messages: list[Json]) -> Iterator[str]:
    """What a strict server would refuse: calls without their answers in order, arguments that are no object, …"""
    open_calls: list[Any] = []
    for at, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            if not open_calls or message.get("tool_call_id") != open_calls.pop(0):
                yield f"message {at} answers no call, or not the next one"
            continue
        if open_calls:
            yield f"message {at} comes before the answers to {open_calls}"
        open_calls = []
        if role == "assistant":
            calls = message.get("tool_calls") or []
            if not calls and not message.get("content") and not message.get("audio"):
                yield f"message {at}, an assistant's, is empty"
            if len({call.get("id") for call in calls}) < len(calls):
                yield f"message {at} has calls with the same id"
            yield from (f"message {at}: {fault}" for call in calls for fault in _call_faults(call))
            open_calls = [call.get("id") for call in calls]
        elif role not in ("user", "system", "developer") or not message.get("content"):
            yield f"message {at} has an unknown role, or is empty"
    if open_calls:
        yield f"nothing answers {open_calls}"


def _call_faults(call: Json) -> Iterator[str]:
    if not call.get("id") or not call["function"].get("name") or call.get("type") != "function":
        yield "a call without id, name or type"
    try:
        sound = isinstance(json.loads(call["function"]["arguments"]), dict)
    except (TypeError, ValueError):
        sound = False
    if not sound:
        yield "a call whose arguments are no JSON object"


def sendable(*words: str) -> Check:
    """A body whose messages a strict server takes, and which still holds these words."""

    def holds(body: Json) -> bool:
        told = json.dumps(body["messages"], ensure_ascii=False)
        return not [*faults(body["messages"])] and all(word in told for word in words)

    return Check(f"messages that a strict server takes, with {words}", holds)


OBJECT = Check("the text of a JSON object", lambda text: isinstance(json.loads(text), dict))
