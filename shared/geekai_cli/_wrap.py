"""Streamed text in lines that break between words. Pure: text goes in, text goes out."""

from __future__ import annotations

import re

from rich.cells import cell_len

_WIDE = r"[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]"
_CLOSING = r"[、。，．：；！？）》」』】〕〉”’…]*"
_TOKEN = rf"\n|[^\S\n]+|{_WIDE}{_CLOSING}|(?:(?!{_WIDE})\S)+"
_AS_IT_IS = ("```", "|", "    ", "\t")
"""How a line begins that a break would spoil: a fence, a table's row, code."""


class Wrap:
    r"""Breaks lines at `width` cells. A word that comes in pieces is shown at once.

    Where it grows too long for its line, it is taken back and begins the next one. Code and tables stay as they are,
    and so does a word that is longer than a line.

    >>> wrap = Wrap(10)
    >>> wrap.feed("a bag of wo"), wrap.feed("rds")
    ('a bag of \nwo', 'rds')
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._column = 0
        self._word = ""  # the unfinished word at the end of the line
        self._begin = ""  # of the line as it came
        self._fenced = False

    def feed(self, text: str) -> str:
        """What to write for the next piece of text."""
        return "".join(map(self._token, re.findall(_TOKEN, text)))

    def _token(self, token: str) -> str:
        if token == "\n":
            self._fenced ^= self._begin.lstrip().startswith("```")
            self._column, self._word, self._begin = 0, "", ""
            return token
        if len(self._begin) < 4:
            self._begin += token
        cells = cell_len(token) + 7 * token.count("\t")
        if self._fenced or self._begin.startswith(_AS_IT_IS):
            return token
        blank, wide = token.isspace(), re.match(_WIDE, token)
        grown = token if blank or wide else self._word + token
        room = self._width - self._column
        started, self._word = self._word if grown != token else "", "" if blank or wide else grown[: self._width + 1]
        if cells <= room:
            self._column += cells
            return token
        if blank:  # at the end of a line nobody sees them
            self._column = self._width
            return ""
        if cell_len(grown) > self._width or len(started) >= self._column:
            self._column = (self._column + cells) % self._width
            return token
        self._column = cell_len(grown)
        return "\b \b" * cell_len(started) + "\n" + grown
