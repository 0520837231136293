"""JSON that models and servers write: broken escapes, fences, prose around it, values cut short. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from geekai_core.errors import EXCERPT, InvalidResponseError
from geekai_core.response.think import ThinkSplitter
from geekai_core.wire import Message

_ESCAPE = (
    rb'(?s)\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u(?P<first>[dD][89abAB]..)(?P<end>")?|u(?P<second>[dD][c-fC-F]..)|.)'
)
"""One escape of a JSON string: a whole surrogate pair, either half alone, or any other."""


class Surrogates:
    r"""Mends JSON that holds half a surrogate pair, which no text may: servers send it when they cut a stream there.

    A first half that ends a string waits for its second half, which begins a later one; any other becomes U+FFFD.

    >>> pairs = Surrogates()
    >>> pairs.mend(rb'{"content": "so \ud83d"}'), pairs.mend(rb'{"content": "\ude00!"}')
    (b'{"content": "so "}', b'{"content": "\\ud83d\\ude00!"}')
    """

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = b""

    def mend(self, content: bytes) -> bytes:
        """`content` with whole pairs only."""
        return re.sub(_ESCAPE, self._escape, content)

    def _escape(self, found: re.Match[bytes]) -> bytes:
        first, end, second = found.groups()
        if first and end:
            self._half = rb"\u" + first
            return bytes(end)
        if second and self._half:
            half, self._half = self._half, b""
            return half + found[0]
        return rb"\ufffd" if first or second else found[0]


_FENCE = r"(?m)^[ \t]*+(?P<fence>`{3,}+|~{3,}+)[ \t]*+[\w+-]*+[ \t]*+\r?\n?(?=\s*+[{\[])"


_SURROGATE = (
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""Escapes; `half` is one that stands for half a character, which no text may hold."""


def whole_characters(text: str) -> str:
    r"""A text of JSON with U+FFFD for each escape that stands for half a character.

    >>> whole_characters(r'{"a": "\ud83d!"}')
    '{"a": "\\ufffd!"}'
    """
    if "\\u" not in text:
        return text
    return re.sub(_SURROGATE, lambda found: r"\ufffd" if found["half"] else found[0], text)


_OPENING = re.compile(r"[{\[]")


_THINK_END = "</think>"


_MAX_STARTS = 200
"""How many braces of a prose are tried as the start of JSON: bounds the work on a long text without any."""


def strip_fences(text: str) -> str:
    """The JSON within a Markdown code fence, closed or not, with or without prose around it; other text unchanged.

    >>> strip_fences('Here it is:\\n```json\\n{"a": 1}\\n```')
    '{"a": 1}'
    """
    match = _opening_fence(text)
    if match is None:
        return text
    inner = text[match.end() :]
    closing = re.search(rf"^[ \t]*{match['fence']}", inner, re.MULTILINE)
    end = closing.start() if closing else inner.rfind(match["fence"])
    return (inner if end < 0 else inner[:end]).strip()


def _opening_fence(text: str) -> re.Match[str] | None:
    return None if text.lstrip()[:1] in ("{", "[") else re.search(_FENCE, text)


def read_json(text: str, kind: type | tuple[type, ...] = (dict, list)) -> Any:
    """The JSON value that a model wrote, parsed strictly, whatever stands around it.

    Takes plain JSON, JSON in a fence, JSON after or within prose (the longest value there), behind `<think>…</think>`,
    JSON that was encoded twice, and line breaks within strings. `kind`: which values count. Raises
    `InvalidResponseError` with an excerpt when there is none.
    """
    text = whole_characters(text)
    answer = text.rpartition(_THINK_END)[2]
    answer = answer if answer.strip() else text
    for candidate in dict.fromkeys((text, answer, strip_fences(answer))):
        value = parsed_json(candidate)
        if isinstance(value, str) and not isinstance("", kind):
            value = parsed_json(value)
        if isinstance(value, kind):
            return value
    within = [found for found in _embedded(answer) if isinstance(found[1], kind)]
    if within:
        return max(within, key=lambda found: found[0])[1]
    excerpt = text.strip()[:EXCERPT]
    raise InvalidResponseError(f"the answer holds no JSON of the kind asked for: {excerpt!r}", excerpt=excerpt)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(number: str) -> float:
    return float(number) if abs(float(number)) < math.inf else _no_constant(number)


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant, parse_float=_finite)


NO_JSON = object()
"""In place of a value: the text is no JSON."""


def parsed_json(text: str) -> Any:
    """The JSON value that a text is, line breaks within strings allowed; `NO_JSON` where it is none."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return NO_JSON


def json_values(text: str) -> list[Any]:
    """The JSON values that a text is, one behind the other; `NO_JSON` is the last where something else follows.

    Closing brackets too many are nothing: some servers close an object once too often.

    >>> json_values('{"a": 1}{"a": 1}}'), json_values("[1] 2 x")[:2]
    ([{'a': 1}, {'a': 1}], [[1], 2])
    """
    text = whole_characters(text)
    values: list[Any] = []
    position = 0
    while position < len(text):
        if text[position] in " \t\r\n" or (values and text[position] in "}]"):
            position += 1
            continue
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            value, position = NO_JSON, len(text)
        values.append(value)
    return values


def _embedded(text: str) -> Iterator[tuple[int, Any]]:
    """(length, value) of the JSON objects and arrays within a text, but for citation markers.

    What a broken or unfinished value holds is never taken for the answer: the search goes on behind the error.
    """
    position = 0
    for _ in range(_MAX_STARTS):
        start = _OPENING.search(text, position)
        if start is None:
            return
        try:
            value, position = _DECODER.raw_decode(text, start.start())
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated"):
                return
            position = max(error.pos, start.end())
        except (ValueError, RecursionError):
            return
        else:
            if isinstance(value, dict) or not all(isinstance(item, int) for item in value):
                yield position - start.start(), value


def partial_json(text: str) -> Any | None:
    """A JSON value that is still being written, as far as it goes; None while that is nothing.

    Unfinished strings are included as far as they go; a fence, prose or `<think>…</think>` before it is passed over.

    >>> partial_json('```json\\n{"a": 1, "b": "hel')
    {'a': 1, 'b': 'hel'}
    """
    _, closed, answer = text.rpartition(_THINK_END)
    if not closed and answer.lstrip().startswith("<think>"):
        return None
    fence = _opening_fence(answer)  # a closing one ends nothing: it may stand within a string, and is no JSON
    answer = answer[fence.end() if fence else 0 :].lstrip()
    if answer[:1] not in ("{", "["):
        answer = "".join(answer.partition("{")[1:])
    try:
        return from_json(answer, allow_partial="trailing-strings")
    except ValueError:
        return None


class JsonText:
    """An answer's text where JSON was asked for: what `think` splits off, and the rest without its code fence."""

    __slots__ = ("_fence", "_think")

    def __init__(self, think: ThinkSplitter | None) -> None:
        self._think = think
        self._fence = FenceStripper()

    def feed(self, text: str) -> tuple[str, str]:
        """(reasoning, answer) that `text` adds."""
        reasoning, text = self._think.feed(text) if self._think else ("", text)
        return reasoning, self._fence.feed(text)

    def finish(self) -> tuple[str, str]:
        """What was held back."""
        reasoning, text = self._think.finish() if self._think else ("", "")
        return reasoning, self._fence.feed(text) + self._fence.finish()


class FenceStripper:
    """`unfenced` for a stream: feed it text in any pieces. JSON passes at once, anything else waits for its end.

    >>> fenced = FenceStripper()
    >>> fenced.feed("```json\\n{"), fenced.feed("}\\n```"), fenced.finish()
    ('', '', '{}')
    """

    def __init__(self) -> None:
        self._held: list[str] | None = []
        self._first = ""

    def feed(self, text: str) -> str:
        """What is certain by now."""
        if self._held is None:
            return text
        self._held.append(text)
        self._first = self._first or text.lstrip()[:1]
        if self._first not in ("{", "["):
            return ""
        released, self._held = "".join(self._held), None
        return released

    def finish(self) -> str:
        """What was held back."""
        return strip_fences("".join(self._held or ()))


def cut_short(text: str) -> InvalidResponseError:
    """The error for an answer that does not fit and whose `finish_reason` is `length`: to ask again would not help."""
    hint = "the model repeats itself: ask it otherwise, or another model" if _repeats(text) else "raise max_tokens"
    excerpt = text.strip()[:EXCERPT]
    return InvalidResponseError(f"the answer was cut at the token limit [{hint}]: {excerpt!r}", excerpt=excerpt)


def _repeats(text: str) -> bool:
    """Whether a text ends in one piece of at most 60 characters, again and again; the last time it may be cut.

    >>> _repeats('{"sum": "' + "3 + 4 = 7, " * 6 + "3 +"), _repeats('{"x": ' + " " * 80), _repeats("1000000 metres")
    (True, True, False)
    """
    tail = text[-300:]
    return any(
        len(tail) >= (length := max(5 * size, 40)) and tail[-length:-size] == tail[size - length :]
        for size in range(1, 61)
    )


def answer_json(message: Message, rung: str, kind: type | tuple[type, ...] = (dict, list)) -> Any:
    """The JSON value of an answer, wherever the model put it: a tool call's arguments, the text, or, where there is
    neither, the reasoning. Raises `InvalidResponseError`."""
    called = [call.function.arguments or "{}" for call in message.tool_calls or [] if call.function]
    texts = [text for text in (message.content, message.reasoning_content) if text and text.strip()][:1]
    places = [*called, *texts] if rung == "function_calling" else [*texts, *called]
    failure: InvalidResponseError | None = None
    for text in places:
        try:
            return read_json(text, kind)
        except InvalidResponseError as error:
            failure = failure or error
    raise failure or InvalidResponseError(f"the answer is empty{': ' + message.refusal if message.refusal else ''}")


def words_of(message: Message) -> str:
    """The JSON that a message holds, or is to hold: a tool call's arguments, else the text."""
    called = next((call.function.arguments for call in message.tool_calls or () if call.function), None)
    return called or message.content or ""
