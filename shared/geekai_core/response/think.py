"""A leading inline `<think>…</think>`, split from the text that follows it."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkSplitter:
    """Feed it content in any pieces; it returns what is reasoning and what is answer.

    Only a tag at the very beginning (after white space) opens the reasoning: later ones are the answer's own text.

    >>> splitter = ThinkSplitter()
    >>> splitter.feed("<thi"), splitter.feed("nk>so</think>\\n\\nyes")
    (('', ''), ('so', 'yes'))
    """

    __slots__ = ("_held", "_phase")

    def __init__(self) -> None:
        self._phase = "before"
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """(reasoning, answer) that `text` adds."""
        if self._phase == "answer":
            return "", text
        text = self._held + text
        self._held = ""
        if self._phase == "before":
            start = text.lstrip()
            if not start or (len(start) < len(_OPEN) and _OPEN.startswith(start)):
                self._held = text
                return "", ""
            if not start.startswith(_OPEN):
                self._phase = "answer"
                return "", text
            self._phase, text = "thinking", start[len(_OPEN) :]
        if self._phase == "thinking":
            return self._thinking(text)
        return self._after(text, "")

    def _thinking(self, text: str) -> tuple[str, str]:
        reasoning, found, rest = text.partition(_CLOSE)
        if found:
            self._phase = "after"
            return self._after(rest, reasoning)
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
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
        held, self._held = self._held, ""
        return (held, "") if self._phase == "thinking" else ("", held)
