"""One choice of an answer: its deltas or its whole message to state. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from geekai_core.response.audio import AudioPieces
from geekai_core.response.deltas import Delta
from geekai_core.response.extras import Extras
from geekai_core.response.json_text import JsonText
from geekai_core.response.text_parts import TEXT_PARTS, THOUGHT_PARTS, text_of, thoughts
from geekai_core.response.think import ThinkSplitter
from geekai_core.response.tool_calls import ToolCallPiece, ToolCalls

SEARCH_KEYS = ("search_results", "search_result", "web_search", "results")
"""Under which names search results may come, at top level, in a message or in a delta (unknown: all are accepted)."""

_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "thinking_content", "reasoning_text", "thought")
"""Of these, one delta's first counts; `reasoning_details` only where none of them is there."""


_SHAPED = {"audio": Mapping, "refusal": str, "function_call": Mapping, "name": str}
"""Fields of a message that are nothing in another shape; `raw` has them."""


class Choice:
    """The state of one choice. `of_answer`: fields of the whole answer that stood in this choice, to be taken away.

    `split_think`, `json_text`, `one_call`, `tool_names`, `hold_text`: as for `Accumulator`.
    """

    def __init__(
        self,
        split_think: bool,
        json_text: bool,
        one_call: bool,
        tool_names: Mapping[str, str],
        hold_text: bool,
    ) -> None:
        self._one_call = one_call
        self._tool_names = tool_names
        self.of_answer: list[tuple[str, Any]] = []
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
        self.splitter = ThinkSplitter(hold=hold_text) if split_think else None
        self.think = JsonText(self.splitter) if json_text else self.splitter

    def wire(self, index: int) -> dict[str, Any]:
        """The whole choice, in wire form."""
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

    def shown(self, pieces: list[ToolCallPiece]) -> list[ToolCallPiece]:
        """Pieces of calls under the tools' own names; of the first call alone where one was allowed."""
        for piece in pieces:
            piece.name = self._tool_names.get(piece.name, piece.name) if piece.name else piece.name
        return [piece for piece in pieces if piece.slot == 0] if self._one_call else pieces

    def add_finish_reason(self, delta: Delta, value: Any) -> bool:
        """How the choice ended. True if that can be read; so for the methods below: True if something changed."""
        if not value or not isinstance(value, str):
            return False
        again, self.finish_reason = value == self.finish_reason, value
        delta.finish_reason = value
        if self.calls and not again:
            delta.tool_calls = self.shown(self.calls.finish(value, delta.tool_calls or ())) or None
        return True

    def add_message(self, delta: Delta, message: Mapping[str, Any]) -> bool:
        """A whole message. Behind the pieces of a stream it adds only what they did not bring."""
        if self.in_pieces:
            known = {
                "content": self.content, "tool_calls": self.calls, "refusal": self.refusal, "audio": self.audio,
                "function_call": self.function_call, **dict.fromkeys(_REASONING_KEYS, self.reasoning),
                "reasoning_details": self.reasoning,
            }  # fmt: skip
            message = {
                key: value for key, value in message.items() if not known.get(key) and key not in self.message_extra
            }
        return self.add_part(delta, message, whole=True)

    def add_part(self, delta: Delta, part: Mapping[str, Any], whole: bool = False) -> bool:
        """One delta, or one whole message. True if it changed anything."""
        changed = False
        for key, value in part.items():
            if value is None or value == "":
                continue
            if key == "content" and value.__class__ is str:
                if self.think is None:
                    self.content.append(value)
                    delta.content = value
                    changed = True
                else:
                    changed = self.add_text(delta, *self.think.feed(value)) or changed
            elif key in _REASONING_KEYS and value.__class__ is str:
                if key == "reasoning_content" or key == next(one for one in _REASONING_KEYS if part.get(one)):
                    changed = self.add_text(delta, value, "") or changed
            else:
                changed = self._rare(delta, key, value, whole) or changed
        if "reasoning_details" in part and not any(part.get(key) for key in _REASONING_KEYS):
            changed = self.add_text(delta, thoughts(part["reasoning_details"]), "") or changed
        return changed

    def add_text(self, delta: Delta, reasoning: str, content: str) -> bool:
        """The next reasoning, and the next text."""
        if reasoning:
            self.reasoning.append(reasoning)
            delta.reasoning_content = (delta.reasoning_content or "") + reasoning
        if content:
            self.content.append(content)
            delta.content = (delta.content or "") + content
        return bool(reasoning or content)

    def _rare(self, delta: Delta, key: str, value: Any, whole: bool) -> bool:
        """The fields of a delta that most chunks do not have."""
        if key == "tool_calls":
            self.calls = ToolCalls() if self.calls is None else self.calls
            delta.tool_calls = self.shown(self.calls.feed(value, whole=whole)) or None
            return delta.tool_calls is not None
        if key == "role":
            self.role = value if isinstance(value, str) else self.role
            return False
        if key in ("content", *_REASONING_KEYS):
            return self._odd_text(delta, key, value)
        if key in ("audio", "function_call", "refusal") and self._known(delta, key, value):
            return True
        if key in SEARCH_KEYS or key in ("citations", "usage"):
            self.of_answer.append((key, value))
            return False
        if key in _SHAPED and not isinstance(value, _SHAPED[key]):
            return False
        self.message_extra.add(key, value)
        delta.extra = {**(delta.extra or {}), key: value}
        return True

    def _known(self, delta: Delta, key: str, value: Any) -> bool:
        """Audio, a refusal and OpenAI's old form of one call, if they have their promised shape."""
        if key == "audio" and isinstance(value, Mapping):
            self.audio = self.audio or AudioPieces()
            self.audio.feed(value)
            delta.audio = dict(value)
            return True
        if key == "refusal" and isinstance(value, str):
            self.refusal.append(value)
            delta.refusal = value
            return True
        if key == "function_call" and isinstance(value, Mapping):
            self.function_call = ToolCalls() if self.function_call is None else self.function_call
            self.function_call.feed({"function": value})
            delta.extra = {**(delta.extra or {}), key: value}
            return True
        return False

    def _odd_text(self, delta: Delta, key: str, value: Any) -> bool:
        """Content or reasoning that is no text: a list of parts, or, of content, any other value."""
        if isinstance(value, Mapping) and value.get("type") in TEXT_PARTS:
            value = [value]
        if isinstance(value, list):
            return self._content_parts(delta, value, reasoning=key != "content")
        if key != "content":
            return self.add_text(delta, thoughts([value]), "")
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return self.add_text(delta, *(self.think.feed(text) if self.think else ("", text)))

    def _content_parts(self, delta: Delta, parts: list[Any], *, reasoning: bool) -> bool:
        """Content as a list of parts: its texts are the text, its thoughts reasoning; the others are kept."""
        changed = False
        others = []
        for part in parts:
            known = part if isinstance(part, Mapping) else {}
            text = text_of(part)
            if reasoning or known.get("type") in THOUGHT_PARTS or known.get("thought") is True:
                changed = self.add_text(delta, thoughts([part]), "") or changed
            elif text is not None:
                changed = self.add_text(delta, *(self.think.feed(text) if self.think else ("", text))) or changed
            else:
                others.append(part)
        if others:
            self.message_extra.add("content_parts", others)
            delta.extra = {**(delta.extra or {}), "content_parts": others}
        return changed or bool(others)

    def add_logprobs(self, delta: Delta, given: Any) -> bool:
        """Log probabilities of the next tokens; a delta has the lists of them, which alone can be added up."""
        if not isinstance(given, Mapping):
            return False
        delta.logprobs = {key: value for key, value in given.items() if value is None or isinstance(value, list)}
        if self.logprobs is None:
            self.logprobs = {key: [*value] if isinstance(value, list) else value for key, value in given.items()}
            return True
        for key, value in given.items():
            known = self.logprobs.get(key)
            if isinstance(value, list) and isinstance(known, list):
                known.extend(value)
            elif value is not None:
                self.logprobs[key] = value
        return True
