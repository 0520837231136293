"""A leading inline `<think>…</think>`, or the same in other tags, split from the text that follows it."""

from __future__ import annotations

_OPENINGS = ("<think>", "<thinking>", "<thought>", "<reasoning>", "◁think▷")
_CLOSE = "</think>"


class ThinkSplitter:
    """Feed it content in any pieces; it returns what is reasoning and what is answer.

    Only a tag at the very beginning (after white space) opens the reasoning: later ones are the answer's own text. Some
    servers leave the opening out, so with `hold` a text without it waits for a `</think>` or its end; then the first
    `</think>` ends the reasoning. `unopened`: whether the text was such.

    >>> splitter = ThinkSplitter()
    >>> splitter.feed("<thi"), splitter.feed("nk>so</think>\\n\\nyes")
    (('', ''), ('so', 'yes'))
    """

    __slots__ = ("_close", "_held", "_hold", "_phase", "_tail", "_waiting", "unopened")

    def __init__(self, *, hold: bool = False) -> None:
        self._phase = "before"
        self._close = _CLOSE
        self._held = ""
        self._hold = hold
        self._waiting: list[str] = []
        self._tail = ""
        self.unopened = False

    def feed(self, text: str) -> tuple[str, str]:
        """(reasoning, answer) that `text` adds."""
        if self._phase == "answer":
            return "", text
        if self._phase == "unopened":
            return self._unopened(text)
        text = self._held + text
        self._held = ""
        if self._phase == "before":
            start = text.lstrip()
            begun = start[:16].lower()
            if not start or any(tag.startswith(begun) and tag != begun for tag in _OPENINGS):
                self._held = text
                return "", ""
            opened = next((start[: len(tag)] for tag in _OPENINGS if begun.startswith(tag)), "")
            if not opened:
                if self._hold:
                    self._phase = "unopened"
                    return self._unopened(text)
                self._phase = "answer"
                return "", text
            self._phase, text = "thinking", start[len(opened) :]
            self._close = f"{opened[0]}/{opened[1:]}"
        if self._phase == "thinking":
            return self._thinking(text)
        return self._after(text, "")

    def _unopened(self, text: str) -> tuple[str, str]:
        self._waiting.append(text)
        if _CLOSE not in self._tail + text:
            self._tail = (self._tail + text)[1 - len(_CLOSE) :]
            return "", ""
        self.unopened = True
        reasoning, _, rest = "".join(self._waiting).partition(_CLOSE)
        self._waiting = []
        self._phase = "after"
        return self._after(rest, reasoning.lstrip())

    def _thinking(self, text: str) -> tuple[str, str]:
        reasoning, found, rest = text.partition(self._close)
        if found:
            self._phase = "after"
            return self._after(rest, reasoning)
        keep = next((n for n in range(len(self._close) - 1, 0, -1) if text.endswith(self._close[:n])), 0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], ""

    def _after(self, text: str, reasoning: str) -> tuple[str, str]:
        """The blank lines between the thoughts and the answer belong to neither."""
        text = text.lstrip()
        if text:
            self._phase = "answer"
        return reasoning, text

    def finish(self) -> tuple[str, str]:
        """What was held back for a tag that never came."""
        held, self._held = self._held + "".join(self._waiting), ""
        self._waiting = []
        return (held, "") if self._phase == "thinking" else ("", held)
