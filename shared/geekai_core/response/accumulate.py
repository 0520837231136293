"""Deltas to state: the chunks of a stream, or a whole answer, to one `ChatCompletion`. Pure.

A whole answer is one chunk whose choices hold `message` in place of `delta`, so both ways share every decision here.
`Accumulator.feed` turns a chunk into `Delta`s and remembers; `Accumulator.wire` is the whole answer as a dict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from geekai_core.response.audio import AudioPieces
from geekai_core.response.extras import Extras
from geekai_core.response.json_text import JsonText
from geekai_core.response.think import ThinkSplitter
from geekai_core.response.tool_calls import ToolCallPiece, ToolCalls

SEARCH_KEYS = ("search_results", "search_result", "web_search", "results")
"""Under which names search results may come, at top level, in a message or in a delta (unknown: all are accepted)."""

_FIRST_WINS = frozenset({"id", "object", "created", "model", "system_fingerprint"})
_REASONING_KEYS = ("reasoning_content", "reasoning")


class Delta:
    """What one chunk adds to one choice. Fields that it does not add to are None.

    `index`: the choice. `content`, `reasoning_content`, `refusal`: the next text. `tool_calls`: normalised pieces.
    `audio`: the piece as it came. `logprobs`: of these tokens. `extra`: unknown fields of the delta. `raw`: the chunk.
    """

    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallPiece] | None = None
    audio: dict[str, Any] | None = None
    logprobs: dict[str, Any] | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    extra: dict[str, Any] | None = None

    def __init__(self, index: int, raw: dict[str, Any]) -> None:
        self.index = index
        self.raw = raw

    def __repr__(self) -> str:
        return f"Delta({', '.join(f'{name}={value!r}' for name, value in vars(self).items() if name != 'raw')})"


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
    travelled.
    """

    __slots__ = ("_choices", "_json_text", "_one_call", "_settled", "_split_think", "_tool_names", "_top")

    def __init__(
        self, *, split_think: bool = False, json_text: bool = False, one_call: bool = False,
        tool_names: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._choices: dict[int, _Choice] = {}
        self._top: dict[str, Any] = {}
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
        for raw_choice in chunk.get("choices") or ():
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
            self._top[key] = value
            self._settled.add(key)
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

    def _choice(self, raw: Any, chunk: dict[str, Any]) -> Delta | None:
        index = raw.get("index") or 0
        choice = self._choices.get(index)
        if choice is None:
            if not isinstance(index, int):
                raise TypeError(f"a choice's index is {index!r}")
            choice = self._choices[index] = _Choice(self._split_think, self._json_text)
        delta = Delta(index, chunk)
        part = raw.get("delta")
        told = self._part(choice, delta, part) if part else False
        if not part and (message := raw.get("message")):
            told = self._part(choice, delta, message, whole=True)
        for key, value in raw.items():
            if value is None or key in ("index", "delta", "message"):
                continue
            if key == "finish_reason":
                if value:
                    if not isinstance(value, str):
                        raise TypeError(f"a finish reason is {value!r}")
                    choice.finish_reason = delta.finish_reason = value
                    told = True
                    if choice.calls:
                        delta.tool_calls = choice.calls.finish(value, delta.tool_calls or ()) or None
            elif key == "logprobs":
                choice.logprobs = _joined_logprobs(choice.logprobs, value)
                delta.logprobs = value
                told = True
            else:
                choice.extra[key] = value
        return delta if told else None

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
            elif key == "role":
                choice.role = value
            elif key in _REASONING_KEYS and isinstance(value, str):
                if key == "reasoning_content" or not part.get("reasoning_content"):
                    told = self._add_text(choice, delta, value, "") or told
            else:
                told = self._rare(choice, delta, key, value, whole) or told
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
        if key == "audio" and isinstance(value, Mapping):
            choice.audio = choice.audio or AudioPieces()
            choice.audio.feed(value)
            delta.audio = dict(value)
            return True
        if key == "refusal" and isinstance(value, str):
            choice.refusal.append(value)
            delta.refusal = value
            return True
        if key == "content" and isinstance(value, list):
            return self._content_parts(choice, delta, value)
        if key in SEARCH_KEYS or key == "citations":
            self._top_field(key, value)
            return False
        if key == "function_call" and isinstance(value, Mapping):  # OpenAI's old form of one call
            choice.function_call = ToolCalls() if choice.function_call is None else choice.function_call
            choice.function_call.feed({"function": value})
        else:
            choice.message_extra.add(key, value)
        delta.extra = {**(delta.extra or {}), key: value}
        return True

    def _content_parts(self, choice: _Choice, delta: Delta, parts: list[Any]) -> bool:
        """Content as a list of parts: its text is the text; the parts that are no text are kept."""
        text = "".join(p.get("text") or "" for p in parts if isinstance(p, Mapping) and p.get("type") == "text")
        others = [p for p in parts if not (isinstance(p, Mapping) and p.get("type") == "text")]
        told = self._add_text(choice, delta, "", text)
        if others:
            choice.message_extra.add("content_parts", others)
            delta.extra = {**(delta.extra or {}), "content_parts": others}
        return told or bool(others)


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


def _joined_logprobs(known: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    if known is None:
        return {key: list(value) if isinstance(value, list) else value for key, value in given.items()}
    for key, value in given.items():
        if isinstance(value, list) and isinstance(known.get(key), list):
            known[key].extend(value)
        elif value is not None:
            known[key] = value
    return known


def join(deltas: list[Delta]) -> list[Delta]:
    """Neighbouring deltas of one choice that hold nothing but text of one kind, joined into one."""
    joined: list[Delta] = []
    for delta in deltas:
        last = joined[-1] if joined else None
        if last is not None and _joinable(last) and _joinable(delta) and last.index == delta.index:
            if delta.content is not None and last.reasoning_content is None:
                last.content = (last.content or "") + delta.content
                continue
            if delta.reasoning_content is not None and last.content is None:
                last.reasoning_content = (last.reasoning_content or "") + delta.reasoning_content
                continue
        joined.append(delta)
    return joined


def _joinable(delta: Delta) -> bool:
    """Only text, and of one kind."""
    return (
        (delta.content is None) != (delta.reasoning_content is None)
        and delta.tool_calls is None
        and delta.finish_reason is None
        and delta.logprobs is None
        and delta.audio is None
        and delta.refusal is None
        and delta.extra is None
    )
