"""The arguments of a tool call: their pieces to one text, and that text to the object that the tool is called with.

Pure, and linear in what came. Nothing is guessed: what is not strictly one JSON object is an invalid call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from geekai_core.errors import EXCERPT
from geekai_core.response.finish import normal_finish_reason
from geekai_core.response.json_text import NO_JSON, json_values, parsed_json, whole_characters

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_EMPTY_TEXTS = frozenset({"", "null", "{}", "[]", '""', '"null"', '"[]"', '"{}"'})
_MOST_ENCODINGS = 4
"""How often JSON may have been encoded as a string of JSON; twice has been seen."""


class InvalidArguments(NamedTuple):
    """Arguments with which no tool may run: their `text` as it came, and the `reason`, for the model or a person."""

    text: str
    reason: str


def read_arguments(arguments: Any, finish_reason: str | None = None) -> dict[str, Any] | InvalidArguments:
    r"""The arguments of a finished call, read strictly: the one way to decide whether a tool may be called with them.

    `arguments`: JSON text, an object, or nothing. `finish_reason`: how the answer ended, in any vendor's word. Nothing
    at all, in any spelling, is `{}`; JSON that was encoded twice and a repeated object are that object.

    >>> read_arguments('{"city": "Lyon"}'), read_arguments("null"), read_arguments('"{\\"a\\": 1}"')
    ({'city': 'Lyon'}, {}, {'a': 1})
    >>> read_arguments('{"city": "Ly', "length").reason
    'the arguments were cut at the token limit [raise max_tokens]'
    """
    if isinstance(arguments, Mapping):
        return dict(arguments)
    if arguments is not None and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False, default=str)
    text = arguments or ""
    cut = normal_finish_reason(finish_reason) == "length"
    if not text.strip():
        return InvalidArguments(text, _CUT) if cut else {}
    if text.endswith(MIXED):
        return InvalidArguments(text, _MIXED)
    value = _decoded(text)
    if isinstance(value, dict):
        return value
    return InvalidArguments(text, _CUT if cut else f"the arguments are not one JSON object: {text.strip()[:EXCERPT]!r}")


MIXED = "\n[mixed with another call's]"
"""Ends the text of arguments of which it cannot be known whose they are."""
_MIXED = "the server mixed the arguments of several calls: whose they are cannot be known"
_CUT = "the arguments were cut at the token limit [raise max_tokens]"


def _decoded(text: str) -> Any:
    """What a text of arguments stands for: an object, or else no valid arguments."""
    value: Any = text
    for _ in range(_MOST_ENCODINGS):
        value = _one_of(json_values(value))
        if not isinstance(value, str) or value in _EMPTY:
            break
    return {} if value in _EMPTY else value


def _one_of(values: list[Any]) -> Any:
    """The one value among repetitions of it and empty ones."""
    found: Any = None
    for value in values:
        if value is NO_JSON:
            return NO_JSON
        if value in _EMPTY or value == found:
            continue
        if found is not None:
            return NO_JSON
        found = value
    return found


class _Brackets:
    """Where a JSON value that comes in pieces ends."""

    __slots__ = ("depth", "ended", "escaped", "in_string")

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = self.escaped = self.ended = False

    def feed(self, text: str) -> int:
        """The index behind the value's end, or -1 where it does not end within `text`."""
        position = int(self.escaped)
        self.escaped = False
        while found := (_WITHIN_STRING if self.in_string else _OUTSIDE).search(text, position):
            position = found.end()
            mark = found[0]
            if mark == "\\":
                self.escaped = position == len(text)
                position += 1
                continue
            if mark == '"':
                self.in_string = not self.in_string
            else:
                self.depth += 1 if mark in "{[" else -1
            if not self.in_string and self.depth <= 0:
                self.ended = True
                return position
        return -1


_WITHIN_STRING = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\]]')


class GrowingArguments:
    """The arguments of one streamed call. What cannot yet be known to belong to them is held back until the end.

    Held back are: a placeholder (`{}`, `null`) until the real ones come or the end; whatever is no object; what follows
    a whole object; a piece that repeats all that came before it, with more behind it (cumulative arguments).
    """

    __slots__ = ("_brackets", "_first", "_held", "_parts", "_sent", "_size", "_streaming")

    def __init__(self) -> None:
        self._held: list[str] = []
        self._streaming = False
        self._sent = 0
        self._begin()

    def _begin(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._first = ""
        self._brackets = _Brackets()

    def __bool__(self) -> bool:
        return self._size > 0

    @property
    def complete(self) -> bool:
        """Whether a whole JSON value has come."""
        return self._brackets.ended or (self._size < 9 and "".join(self._parts).strip() == "null")

    def add(self, piece: str) -> str:
        """Take in a piece that is not empty; returns what is certain by now."""
        if not self._held and self._size < 9 and "".join(self._parts).strip() in _EMPTY_TEXTS:
            self._begin()
        if self._held or self._brackets.ended or (len(piece) >= self._size > 0 and self._repeats(piece)):
            if piece.strip():
                self._held.append(piece)
            return ""
        end = self._brackets.feed(piece)
        if end >= 0 and piece[end:].strip():
            self._held.append(piece[end:])
            piece = piece[:end]
        self._parts.append(piece)
        self._size += len(piece)
        if self._streaming:
            self._sent += len(piece)
            return piece
        self._first = self._first or piece.lstrip()[:1]
        self._streaming = self._first == "{" and '"' in piece
        return self._send("".join(self._parts)) if self._streaming else ""

    def _send(self, text: str) -> str:
        """What of the whole text was not given out yet."""
        left = text[self._sent :]
        self._sent = len(text)
        return left

    def _repeats(self, piece: str) -> bool:
        return piece.startswith("".join(self._parts))

    @property
    def text(self) -> str:
        """Everything that came, as it came; after `end`, the whole."""
        return "".join((*self._parts, *self._held))

    @property
    def surplus(self) -> bool:
        """Whether something came behind a whole object that does not belong to it."""
        return bool(self._held) and self._brackets.ended and _one_of(json_values(self.text)) is NO_JSON

    def end(self, finish_reason: str | None, *, mixed: bool = False) -> str:
        """Settle the whole text, which is one JSON object if that can be known; returns what is left to give out.

        `mixed`: they are perhaps another call's. Then they are none.
        """
        text = self.text.removesuffix(MIXED) + MIXED if mixed else self._settled("".join(self._parts), finish_reason)
        if not self._streaming and text and text.lstrip()[:1] != "{":
            value = read_arguments(text, finish_reason)
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else text
        text = whole_characters(text)
        self._parts, self._held = [text], []
        return self._send(text)

    def _settled(self, begun: str, finish_reason: str | None) -> str:
        whole = self.text
        if not self._held:
            return whole
        value = _one_of(json_values(whole))
        if self._brackets.ended and value is not NO_JSON:
            return begun if begun.strip() not in _EMPTY_TEXTS else json.dumps(value, ensure_ascii=False)
        if self._brackets.ended:
            return whole
        longest = self._held[-1]
        cut = normal_finish_reason(finish_reason) == "length"
        if value is NO_JSON and not cut and _cumulative(begun, self._held) and parsed_json(longest) is not NO_JSON:
            return longest
        return whole


def _cumulative(begun: str, pieces: list[str]) -> bool:
    """Whether each piece holds all that came before it."""
    return all(piece.startswith(known) for known, piece in zip([begun, *pieces], pieces, strict=False))
