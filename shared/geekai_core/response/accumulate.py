"""Deltas to state: the chunks of a stream, or a whole answer, to one `ChatCompletion`. Pure.

A whole answer is one chunk whose choices hold `message` in place of `delta`, so both ways share every decision here.
`Accumulator.feed` turns a chunk into `Delta`s and remembers; `Accumulator.wire` is the whole answer as a dict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from geekai_core.response.choice import SEARCH_KEYS, Choice
from geekai_core.response.deltas import Delta
from geekai_core.response.usage import merge_usage, normal_usage

_FIRST_WINS = frozenset({"id", "object", "created", "model", "system_fingerprint"})
_NAMES = ("id", "model")


class Accumulator:
    """The state of one answer. `finished` tells whether every choice that began has its finish reason.

    `split_think`: a leading `<think>…</think>` is reasoning. `json_text`: the text is JSON, so a code fence around it
    goes. `one_call`: calls behind the first, which were not allowed, go. `tool_names`: tools' own names, by those that
    travelled. `several`: more than one choice was asked for; else text and calls in two choices are one answer, and the
    first choice has number 0. `hold_text`: as `ThinkSplitter`'s `hold`. `error`: what a choice says of its own failure.
    """

    __slots__ = (
        "_choices", "_hold_text", "_json_text", "_numbers",
        "_one_call", "_settled", "_several", "_split_think", "_tool_names",
        "_top", "error",
    )  # fmt: skip

    def __init__(
        self, *, split_think: bool = False, json_text: bool = False, one_call: bool = False,
        tool_names: Mapping[str, str] | None = None, several: bool = False, hold_text: bool = True,
    ) -> None:  # fmt: skip
        self._choices: dict[int, Choice] = {}
        self._numbers: dict[Any, int] = {}
        self._several = several
        self._hold_text = hold_text
        self._top: dict[str, Any] = {}
        self.error: Any = None
        self._settled = {"choices"}
        self._split_think = split_think
        self._json_text = json_text
        self._one_call = one_call
        self._tool_names = tool_names or {}

    @property
    def started(self) -> bool:
        """Whether any choice has begun."""
        return bool(self._choices)

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first choice that has one."""
        return next((c.finish_reason for c in self._choices.values() if c.finish_reason), None)

    @property
    def opens(self) -> bool:
        """Whether reasoning was split off where it was opened, or there was none."""
        return self._split_think and not any(c.splitter and c.splitter.unopened for c in self._choices.values())

    @property
    def has_content(self) -> bool:
        """Whether anything at all came: text, reasoning, a call, speech, a refusal."""
        return any(
            c.content or c.reasoning or c.calls or c.audio or c.refusal or c.function_call or c.message_extra
            for c in self._choices.values()
        )

    @property
    def finished(self) -> bool:
        """Whether every choice that has begun has its finish reason."""
        return bool(self._choices) and all(c.finish_reason for c in self._choices.values())

    def feed(self, chunk: dict[str, Any]) -> list[Delta]:
        """What `chunk` adds, a `Delta` for each choice that it adds to."""
        if not chunk.keys() <= self._settled:
            for key, value in chunk.items():
                if key not in self._settled and value is not None:
                    self._top_field(key, value)
        deltas = []
        choices = chunk.get("choices")
        for raw_choice in choices if isinstance(choices, list) else ():
            if isinstance(raw_choice, Mapping):
                delta = self._choice(raw_choice, chunk)
                if delta is not None:
                    deltas.append(delta)
        return deltas

    def finish(self, last: dict[str, Any] | None = None) -> list[Delta]:
        """What is left to say at the end: ids that the server never gave, and text held back by `split_think`."""
        deltas = []
        for index, choice in self._choices.items():
            delta = Delta(index, last or {})
            if choice.calls:
                delta.tool_calls = choice.shown(choice.calls.finish(choice.finish_reason)) or None
            if choice.function_call:
                choice.function_call.finish(choice.finish_reason)
            if choice.think:
                choice.add_text(delta, *choice.think.finish())
            if delta.tool_calls or delta.content or delta.reasoning_content:
                deltas.append(delta)
        return deltas

    def wire(self) -> dict[str, Any]:
        """The whole answer as a dict in wire form. A new dict; its values are not copied."""
        top = dict(self._top)
        if "usage" in top:
            top["usage"] = normal_usage(top["usage"])
        if str(top.get("object", "")).endswith(".chunk"):
            top["object"] = str(top["object"]).removesuffix(".chunk")
        top["choices"] = [self._choices[index].wire(index) for index in sorted(self._choices)]
        if self._one_call or self._tool_names:
            for choice in top["choices"]:
                self._show_calls(choice["message"])
        return top

    def _show_calls(self, message: dict[str, Any]) -> None:
        """The same for the calls of a whole message."""
        if calls := message.get("tool_calls"):
            message["tool_calls"] = calls[:1] if self._one_call else calls
            for call in message["tool_calls"]:
                name = call["function"]["name"]
                call["function"]["name"] = self._tool_names.get(name, name)

    def _top_field(self, key: str, value: Any) -> None:
        if key in _FIRST_WINS:
            if value or key not in _NAMES:
                self._top[key] = value
                self._settled.add(key)
        elif key in ("usage", "usageMetadata"):
            if isinstance(value, Mapping):
                merge_usage(self._top.setdefault("usage", {}), value)
            else:
                self._top["usage_raw"] = value
        elif key in SEARCH_KEYS:
            self._sources("search_results", value)
        elif key == "citations":
            self._sources(key, value)
        else:
            self._top[key] = value

    def _sources(self, key: str, value: Any) -> None:
        """The last list that holds anything, without duplicates; other shapes are kept under `<key>_raw`."""
        if isinstance(value, Mapping) and isinstance(value.get("results"), list):
            value = value["results"]
        if not isinstance(value, list) or (key == "search_results" and not all(isinstance(v, Mapping) for v in value)):
            self._top[f"{key}_raw"] = value
        elif value:
            self._top[key] = unique(value)

    def _choice(self, raw: Mapping[str, Any], chunk: dict[str, Any]) -> Delta | None:
        index, part, message = raw.get("index") or 0, raw.get("delta"), raw.get("message")
        if isinstance(part, str) or isinstance(message, str):
            raise TypeError(f"a choice holds {part or message!r:.60}")
        part = part if isinstance(part, Mapping) else {}
        if index.__class__ is not int or index not in self._choices or index in self._numbers:
            index = self._number(index, part or message, raw.get("finish_reason"))
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = Choice(
                self._split_think, self._json_text, self._one_call, self._tool_names, self._hold_text
            )
        delta = Delta(index, chunk)
        changed = False
        if part:
            choice.in_pieces = True
            changed = choice.add_part(delta, part)
        if message and isinstance(message, Mapping):
            changed = choice.add_message(delta, message) or changed
        for key, value in raw.items():
            if value is None or key in ("index", "delta", "message"):
                continue
            if key == "finish_reason":
                changed = choice.add_finish_reason(delta, value) or changed
            elif key == "logprobs":
                changed = choice.add_logprobs(delta, value) or changed
            elif key == "usage":
                self._top_field(key, value)
            elif key == "text" and isinstance(value, str) and not (part or message):  # of the old completions
                changed = choice.add_text(delta, "", value) or changed
            elif key == "error":
                self.error = value or self.error
            else:
                choice.extra[key] = value
        if choice.of_answer:
            for key, value in choice.of_answer:
                self._top_field(key, value)
            choice.of_answer = []
        return delta if changed else None

    def _number(self, given: Any, part: Any, finish_reason: Any) -> int:
        """Under which number a choice is kept that comes under this one. The first is 0 where one was asked for."""
        key = given if isinstance(given, (int, str)) else repr(given)
        if key in self._numbers:
            return self._numbers[key]
        number = len(self._choices)
        if isinstance(given, int) or re.fullmatch("[0-9]{1,4}([.]0)?", str(given)):
            number = int(given) if isinstance(given, int) else int(float(given))
        if not self._several:
            if not self._choices or _completes(self._choices.get(0), part):
                number = 0
            elif not _says(part) and not finish_reason:
                return 0  # it begins with nothing, and may yet belong to the first
        self._numbers[key] = number
        return number


def _says(part: Any) -> bool:
    return isinstance(part, Mapping) and bool(part.get("content") or part.get("tool_calls"))


def _completes(first: Choice | None, part: Any) -> bool:
    """Whether a further choice holds the calls to the first one's text, or its text to the first one's calls."""
    if first is None or not isinstance(part, Mapping):
        return False
    text, calls = bool(part.get("content")), bool(part.get("tool_calls"))
    return (calls and not text and not first.calls) or (text and not calls and bool(first.calls) and not first.content)


def unique(items: Iterable[Any]) -> list[Any]:
    """`items` without those that were there before, in their order.

    >>> unique(["b", "a", "b"])
    ['b', 'a']
    """
    seen: set[str] = set()
    kept = []
    for item in items:
        mark = item if isinstance(item, str) else repr(item)
        if mark not in seen:
            seen.add(mark)
            kept.append(item)
    return kept
