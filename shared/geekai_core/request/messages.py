"""A history made sendable: whatever an app kept, ours or another integration's, as the strictest server takes it. Pure.

What the strictest servers demand: each call named, with arguments that are a JSON object, answered by its tool message
right behind it, in order; no tool message without its call; no assistant message that is empty; and of the reasoning
as much as `ReasoningHistory` says.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from geekai_core.options import ReasoningHistory
from geekai_core.request.tools import wire_name
from geekai_core.response.arguments import InvalidArguments, read_arguments
from geekai_core.response.tool_calls import openai_form

Wire = dict[str, Any]
Place = tuple[int, int]
"""A call: the position of its message, and its own within it."""

NOT_RUN = "This call was not run."
"""The result of a call that the history never answered."""

NOT_RUN_BECAUSE = "not_run_because"
"""A key of a call that an adapter adds: why no tool was called. It is no part of what is sent, but of that result."""

REASONING = frozenset({"reasoning_content", "reasoning_details"})
"""The fields of a message that hold the model's reasoning."""


def sendable(
    messages: Sequence[Wire], reasoning_history: ReasoningHistory = "tools", *, thinking: bool = False
) -> list[Wire]:
    """The messages of a request, as the strictest server takes them. Nothing given is changed. Linear.

    `thinking`: the model is asked to think, so that each message with calls has a reasoning, if an empty one.

    >>> sendable([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ""}])
    [{'role': 'user', 'content': 'Hi'}]
    """
    if all(map(_is_plain, messages)):
        return list(messages)
    results, orphans = _matched(messages)
    sent: list[Wire] = []
    pictures: list[Wire] = []
    for at, message in enumerate(messages):
        if message["role"] == "assistant":
            _add_pictures(sent, pictures)
            _add_assistant(message, at, results, sent, pictures)
        elif message["role"] != "tool":
            _add_pictures(sent, pictures)
            if message.get("content") or message["role"] != "system":
                sent.append(message)
        elif at in orphans and message.get("content"):
            sent.append({"role": "user", "content": message["content"]})
    _add_pictures(sent, pictures)
    _keep_reasoning(sent, _echoed(sent, reasoning_history), thinking=thinking)
    return sent


def _keep_reasoning(sent: list[Wire], echoed: set[int], *, thinking: bool) -> None:
    """Take the reasoning out of all messages of the model but those echoed; these with calls have one, if empty."""
    thinking = thinking or any(sent[at].keys() & REASONING for at in echoed)
    for at, message in enumerate(sent):
        if message["role"] != "assistant":
            continue
        if at not in echoed:
            for key in REASONING:
                message.pop(key, None)
        elif thinking and "tool_calls" in message and not message.keys() & REASONING:
            message["reasoning_content"] = ""


_PLAIN = {"role", "content", "name"}


def _is_plain(message: Wire) -> bool:
    """Whether a message is sendable as it is, as nearly all are."""
    role = message["role"]
    if role in ("user", "developer"):
        return True
    return role != "tool" and bool(message.get("content")) and message.keys() <= _PLAIN


def _named_calls(message: Wire) -> list[tuple[int, Wire]]:
    """The calls of a message that have a name, with their positions: what has none was never a call."""
    calls = map(openai_form, message.get("tool_calls") or ())
    return [(at, call) for at, call in enumerate(calls) if call["function"].get("name")]


def _matched(messages: Sequence[Wire]) -> tuple[dict[Place, Wire], set[int]]:
    """The result of each call, and the tool messages that are no call's. One that repeats another is neither."""
    waiting: defaultdict[str, deque[Place]] = defaultdict(deque)
    given: dict[str, Any] = {}
    results: dict[Place, Wire] = {}
    orphans: set[int] = set()
    for at, message in enumerate(messages):
        if message["role"] == "assistant":
            for position, call in _named_calls(message):
                waiting[call.get("id") or ""].append((at, position))
        elif message["role"] == "tool":
            known_as = message.get("tool_call_id") or ""
            if waiting[known_as]:
                results[waiting[known_as].popleft()] = message
                given[known_as] = message.get("content")
            elif known_as not in given or given[known_as] != message.get("content"):
                orphans.add(at)
    return results, orphans


def _echoed(messages: Sequence[Wire], reasoning_history: ReasoningHistory) -> set[int]:
    """The positions of the assistant messages whose reasoning goes back.

    With "tools", those of every turn that called tools (DeepSeek's and Kimi's rule). A turn begins with a message of
    the user; one right behind a tool's result, such as a picture that the tool made, belongs to the turn.
    """
    assistants = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    if reasoning_history != "tools":
        return set(assistants) if reasoning_history == "all" else set()
    echoed: set[int] = set()
    turn: list[int] = []
    called = False
    for at, message in enumerate(messages):
        if message["role"] == "user" and not (at and messages[at - 1]["role"] == "tool"):
            turn, called = [], False
        elif message["role"] == "assistant":
            turn.append(at)
            called = called or bool(_named_calls(message))
            if called:
                echoed.update(turn)
                turn = []
    return echoed


def _add_assistant(
    message: Wire, at: int, results: Mapping[Place, Wire], sent: list[Wire], pictures: list[Wire]
) -> None:
    """Add what the model said, and the results of its calls; nothing where it said nothing."""
    calls = _named_calls(message)
    called = message.get("function_call")
    read = {"tool_calls", "audio", "function_call", *REASONING}
    wire = {key: value for key, value in message.items() if key not in read}
    wire |= {key: message[key] for key in REASONING if message.get(key)}
    _add_speech(wire, message.get("audio"))
    if calls:
        wire["content"] = wire.get("content") or None
    elif isinstance(called, Mapping) and called.get("name"):
        wire["function_call"] = _function(called)
    elif not (wire.get("content") or "audio" in wire):
        return
    sent.append(wire)
    if not calls:
        return
    wire["tool_calls"] = []
    ids: set[str] = set()
    for position, call in calls:
        id = call.get("id") or ""
        id = f"call_{at}_{position}" if id in ids | {""} else id
        ids.add(id)
        known = {"id": id, "type": call.get("type") or "function", "function": _function(call["function"])}
        wire["tool_calls"].append({key: value for key, value in call.items() if key != NOT_RUN_BECAUSE} | known)
        result = results.get((at, position)) or {"content": f"{NOT_RUN} {_why_not_run(call)}".rstrip()}
        sent.append(_result(result, id, pictures))


def _why_not_run(call: Wire) -> str:
    read = read_arguments(call["function"].get("arguments"))
    return call.get(NOT_RUN_BECAUSE) or (read.reason if isinstance(read, InvalidArguments) else "")


def _function(function: Mapping[str, Any]) -> Wire:
    return {**function, "name": wire_name(str(function["name"])), "arguments": object_text(function.get("arguments"))}


def object_text(arguments: Any) -> str:
    """Arguments as the text of a JSON object: what a tool can have been called with, else "{}".

    >>> object_text({"a": 1}), object_text('{"a":1}'), object_text('{"a": '), object_text(None)
    ('{"a": 1}', '{"a":1}', '{}', '{}')
    """
    read = read_arguments(arguments)
    if isinstance(read, InvalidArguments):
        return "{}"
    if isinstance(arguments, str) and _is_json(arguments, read):
        return arguments
    try:
        return json.dumps(read, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):  # of another integration: dates, bytes, numbers that JSON has no word for
        return to_json(read, inf_nan_mode="null", bytes_mode="base64", fallback=str).decode()


def _is_json(text: str, value: Any) -> bool:
    try:
        return bool(from_json(text) == value)
    except ValueError:
        return False


def _result(message: Wire, id: str, pictures: list[Wire]) -> Wire:
    """A tool's result as text; its media, which servers take of users only, are kept for a message of the user."""
    content = message.get("content") or ""
    if isinstance(content, list):
        texts = [part for part in content if part.get("type") == "text"]
        pictures += [part for part in content if part.get("type") != "text"]
        content = texts  # with their marks, such as `cache_control`
        if not any(part.keys() - {"type", "text"} for part in texts):
            content = "\n".join(part.get("text") or "" for part in texts)
        content = content or ("See the next message of the user." if pictures else "")
    kept = {key: value for key, value in message.items() if key not in ("role", "tool_call_id", "content")}
    return {"role": "tool", "tool_call_id": id, "content": content, **kept}


def _add_pictures(sent: list[Wire], pictures: list[Wire]) -> None:
    """Add the media of the tool results above, once no further result follows."""
    if pictures:
        sent.append({"role": "user", "content": pictures[:]})
        pictures.clear()


def _add_speech(wire: Wire, speech: Any) -> None:
    """Name earlier speech by its id while the server keeps it; afterwards its transcript stands for it."""
    if not isinstance(speech, Mapping):
        return
    until = speech.get("expires_at")
    if speech.get("id") and not (isinstance(until, (int, float)) and until <= time.time()):
        wire["audio"] = {"id": speech["id"]}
        if wire.get("content") == speech.get("transcript"):
            wire["content"] = ""  # the speech says it
    elif not wire.get("content"):
        wire["content"] = speech.get("transcript") or ""
