"""Deltas to state: the chunks of a stream, or a whole answer, to one `ChatCompletion`. Pure.

A whole answer is one chunk whose choices hold `message` in place of `delta`, so both ways share every decision here.
`Accumulator.feed` turns a chunk into `Delta`s and remembers; `Accumulator.wire` is the whole answer as a dict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from geekai_core.response.audio import AudioPieces
from geekai_core.response.deltas import Delta
from geekai_core.response.extras import Extras
from geekai_core.response.json_text import JsonText
from geekai_core.response.text_parts import TEXT_PARTS, THOUGHT_PARTS, thoughts
from geekai_core.response.think import ThinkSplitter
from geekai_core.response.tool_calls import ToolCallPiece, ToolCalls
from geekai_core.response.usage import merge_usage, normal_usage

SEARCH_KEYS = ("search_results", "search_result", "web_search", "results")
"""Under which names search results may come, at top level, in a message or in a delta (unknown: all are accepted)."""

_FIRST_WINS = frozenset({"id", "object", "created", "model", "system_fingerprint"})
_NAMES = ("id", "model")
_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "thinking_content")
"""Of these, one delta's first counts; `reasoning_details` only where none of them is there."""


class _Choice:
    """The state of one choice."""

    def __init__(self, split_think: bool, json_text: bool) -> None:
        self.content: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.calls: ToolCalls | None = None
        self.audio: AudioPieces | None = None
        self.logprobs: dict[str, Any] | None = None
        self.finish_reason: str | None = None
        self.role = "assistant"
        self.extra: dict[str, Any] = {}
        self.in_pieces = False
        self.function_call: ToolCalls | None = None
        self.message_extra = Extras()
        think = ThinkSplitter() if split_think else None
        self.think = JsonText(think) if json_text else think

    def wire(self, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {"role": self.role, "content": "".join(self.content)}
        if not self.content and (self.calls or self.audio):
            message["content"] = None
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = self.calls.wire()
        if self.audio:
            message["audio"] = self.audio.wire()
        if self.refusal:
            message["refusal"] = "".join(self.refusal)
        if self.function_call:
            message["function_call"] = self.function_call.wire()[0]["function"]
        message.update(self.message_extra.wire())
        choice: dict[str, Any] = {"index": index, "finish_reason": self.finish_reason, "message": message}
        if self.logprobs:
            choice["logprobs"] = self.logprobs
        choice.update(self.extra)
        return choice


class Accumulator:
    """The state of one answer. `finished` tells whether every choice that began has its finish reason.

    `split_think`: a leading `<think>…</think>` is reasoning. `json_text`: the text is JSON, so a code fence around it
    goes. `one_call`: calls behind the first, which were not allowed, go. `tool_names`: tools' own names, by those that
    travelled. `several`: more than one choice was asked for; else text and calls in two choices are one answer, and the
    first choice has number 0. `error`: what a choice says of its own failure.
    """

    __slots__ = (
        "_choices", "_json_text", "_numbers", "_one_call", "_settled", "_several", "_split_think", "_tool_names",
        "_top", "error",
    )  # fmt: skip

    def __init__(
        self, *, split_think: bool = False, json_text: bool = False, one_call: bool = False,
        tool_names: Mapping[str, str] | None = None, several: bool = False,
    ) -> None:  # fmt: skip
        self._choices: dict[int, _Choice] = {}
        self._numbers: dict[Any, int] = {}
        self._several = several
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
    def told(self) -> bool:
        """Whether anything at all was said: text, reasoning, a call, speech, a refusal."""
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
                delta.tool_calls = self._shown(choice.calls.finish(choice.finish_reason)) or None
            if choice.function_call:
                choice.function_call.finish(choice.finish_reason)
            if choice.think:
                self._add_text(choice, delta, *choice.think.finish())
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

    def _shown(self, pieces: list[ToolCallPiece]) -> list[ToolCallPiece]:
        """Pieces of calls under the tools' own names; of the first call alone where one was allowed."""
        for piece in pieces:
            piece.name = self._tool_names.get(piece.name, piece.name) if piece.name else piece.name
        return [piece for piece in pieces if piece.slot == 0] if self._one_call else pieces

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
        elif key == "usage":
            if isinstance(value, Mapping):
                merge_usage(self._top.setdefault(key, {}), value)
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
            choice = self._choices[index] = _Choice(self._split_think, self._json_text)
        delta = Delta(index, chunk)
        told = False
        if part:
            choice.in_pieces = True
            told = self._part(choice, delta, part)
        if message and isinstance(message, Mapping):
            told = self._message(choice, delta, message) or told
        for key, value in raw.items():
            if value is None or key in ("index", "delta", "message"):
                continue
            if key == "finish_reason":
                told = self._finish_reason(choice, delta, value) or told
            elif key == "logprobs":
                told = _add_logprobs(choice, delta, value) or told
            elif key == "usage":
                self._top_field(key, value)
            elif key == "error":
                self.error = value or self.error
            else:
                choice.extra[key] = value
        return delta if told else None

    def _number(self, given: Any, part: Any, finish_reason: Any) -> int:
        """Under which number a choice is kept that comes under this one. The first is 0 where one was asked for."""
        key = given if isinstance(given, (int, str)) else repr(given)
        if key in self._numbers:
            return self._numbers[key]
        number = (
            int(float(given))
            if isinstance(given, int) or re.fullmatch("[0-9]{1,4}([.]0)?", str(given))
            else len(self._choices)
        )
        if not self._several:
            if not self._choices or _completes(self._choices.get(0), part):
                number = 0
            elif not _says(part) and not finish_reason:
                return 0  # it begins with nothing, and may yet belong to the first
        self._numbers[key] = number
        return number

    def _finish_reason(self, choice: _Choice, delta: Delta, value: Any) -> bool:
        if not value or not isinstance(value, str):
            return False
        choice.finish_reason = delta.finish_reason = value
        if choice.calls:
            delta.tool_calls = self._shown(choice.calls.finish(value, delta.tool_calls or ())) or None
        return True

    def _message(self, choice: _Choice, delta: Delta, message: Mapping[str, Any]) -> bool:
        """A whole message. Behind the pieces of a stream it adds only what they did not bring."""
        if choice.in_pieces:
            known = {
                "content": choice.content, "tool_calls": choice.calls, "refusal": choice.refusal, "audio": choice.audio,
                "function_call": choice.function_call, **dict.fromkeys(_REASONING_KEYS, choice.reasoning),
                "reasoning_details": choice.reasoning,
            }  # fmt: skip
            message = {
                key: value for key, value in message.items() if not known.get(key) and key not in choice.message_extra
            }
        return self._part(choice, delta, message, whole=True)

    def _part(self, choice: _Choice, delta: Delta, part: Mapping[str, Any], whole: bool = False) -> bool:
        """One delta, or one whole message. True if it told anything."""
        told = False
        for key, value in part.items():
            if value is None or value == "":
                continue
            if key == "content" and value.__class__ is str:
                if choice.think is None:
                    choice.content.append(value)
                    delta.content = value
                    told = True
                else:
                    told = self._add_text(choice, delta, *choice.think.feed(value)) or told
            elif key in _REASONING_KEYS and value.__class__ is str:
                if key == "reasoning_content" or key == next(one for one in _REASONING_KEYS if part.get(one)):
                    told = self._add_text(choice, delta, value, "") or told
            else:
                told = self._rare(choice, delta, key, value, whole) or told
        if "reasoning_details" in part and not any(part.get(key) for key in _REASONING_KEYS):
            told = self._add_text(choice, delta, thoughts(part["reasoning_details"]), "") or told
        return told

    @staticmethod
    def _add_text(choice: _Choice, delta: Delta, reasoning: str, content: str) -> bool:
        if reasoning:
            choice.reasoning.append(reasoning)
            delta.reasoning_content = (delta.reasoning_content or "") + reasoning
        if content:
            choice.content.append(content)
            delta.content = (delta.content or "") + content
        return bool(reasoning or content)

    def _rare(self, choice: _Choice, delta: Delta, key: str, value: Any, whole: bool) -> bool:
        """The fields of a delta that most chunks do not have."""
        if key == "tool_calls":
            choice.calls = ToolCalls() if choice.calls is None else choice.calls
            delta.tool_calls = self._shown(choice.calls.feed(value, whole=whole)) or None
            return delta.tool_calls is not None
        if key == "role":
            choice.role = value if isinstance(value, str) else choice.role
            return False
        if key in ("content", *_REASONING_KEYS):
            return self._odd_text(choice, delta, key, value)
        if key in ("audio", "function_call", "refusal") and self._known(choice, delta, key, value):
            return True
        if key in SEARCH_KEYS or key == "citations":
            self._top_field(key, value)
            return False
        if key in _SHAPED and not isinstance(value, _SHAPED[key]):
            return False
        choice.message_extra.add(key, value)
        delta.extra = {**(delta.extra or {}), key: value}
        return True

    @staticmethod
    def _known(choice: _Choice, delta: Delta, key: str, value: Any) -> bool:
        """Audio, a refusal and OpenAI's old form of one call, if they have their promised shape."""
        if key == "audio" and isinstance(value, Mapping):
            choice.audio = choice.audio or AudioPieces()
            choice.audio.feed(value)
            delta.audio = dict(value)
            return True
        if key == "refusal" and isinstance(value, str):
            choice.refusal.append(value)
            delta.refusal = value
            return True
        if key == "function_call" and isinstance(value, Mapping):
            choice.function_call = ToolCalls() if choice.function_call is None else choice.function_call
            choice.function_call.feed({"function": value})
            delta.extra = {**(delta.extra or {}), key: value}
            return True
        return False

    def _odd_text(self, choice: _Choice, delta: Delta, key: str, value: Any) -> bool:
        """Content or reasoning that is no text: a list of parts, or, of content, any other value."""
        if isinstance(value, list):
            return self._content_parts(choice, delta, value, reasoning=key != "content")
        if key != "content":
            return self._add_text(choice, delta, thoughts([value]), "")
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return self._add_text(choice, delta, *(choice.think.feed(text) if choice.think else ("", text)))

    def _content_parts(self, choice: _Choice, delta: Delta, parts: list[Any], *, reasoning: bool) -> bool:
        """Content as a list of parts: its texts are the text, its thoughts reasoning; the others are kept."""
        told = False
        others = []
        for part in parts:
            kind = part.get("type") if isinstance(part, Mapping) else None
            if reasoning or kind in THOUGHT_PARTS:
                told = self._add_text(choice, delta, thoughts([part]), "") or told
            elif isinstance(part, str) or kind in TEXT_PARTS:
                text = part if isinstance(part, str) else part.get("text")
                if isinstance(text, str):
                    told = (
                        self._add_text(choice, delta, *(choice.think.feed(text) if choice.think else ("", text)))
                        or told
                    )
            else:
                others.append(part)
        if others:
            choice.message_extra.add("content_parts", others)
            delta.extra = {**(delta.extra or {}), "content_parts": others}
        return told or bool(others)


_SHAPED = {"audio": Mapping, "refusal": str, "function_call": Mapping, "name": str}
"""Fields of a message that are nothing in another shape; `raw` has them."""


def _says(part: Any) -> bool:
    return isinstance(part, Mapping) and bool(part.get("content") or part.get("tool_calls"))


def _completes(first: _Choice | None, part: Any) -> bool:
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


def _add_logprobs(choice: _Choice, delta: Delta, given: Any) -> bool:
    if not isinstance(given, Mapping):
        return False
    delta.logprobs = dict(given)
    if choice.logprobs is None:
        choice.logprobs = {key: [*value] if isinstance(value, list) else value for key, value in given.items()}
        return True
    for key, value in given.items():
        known = choice.logprobs.get(key)
        if isinstance(value, list) and isinstance(known, list):
            known.extend(value)
        elif value is not None:
            choice.logprobs[key] = value
    return True
