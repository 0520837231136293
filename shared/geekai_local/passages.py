"""A document's text becomes passages, each short enough for a small model's prompt. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_WORDS = 120

CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""The ranges of Chinese characters, for a regular expression's class."""
_WORD = re.compile(rf"[{CHINESE}]|[^\s{CHINESE}]+")
_WRAPPED = re.compile(rf"(?<=[{CHINESE}，。、；：？！]) (?=[{CHINESE}])")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.*)$", re.MULTILINE)
_SENTENCE_ENDS = ".!?。！？"


class Passage(NamedTuple):
    """A piece of a document, at most `MAX_WORDS` long; a Chinese character counts as a word."""

    title: str
    link: str
    text: str


def split_document(text: str, name: str, link: str) -> list[Passage]:
    """Split a document at its headings, then into passages. The title is its first heading, else `name`.

    >>> [tuple(passage) for passage in split_document("# Tea\\n\\nHot.\\n\\n## Price\\n\\n5 crowns.", "tea.md", "x")]
    [('Tea', 'x', 'Hot.'), ('Tea: Price', 'x', '5 crowns.')]
    """
    before, *rest = map(str.strip, _HEADING.split(text))  # then headings and what follows each of them, in turn
    title = rest[0] if rest else name
    headings = [title, title, *(f"{title}: {heading}" for heading in rest[2::2])]
    bodies = [before, *rest[1::2]]
    return [
        Passage(heading, link, piece)
        for heading, body in zip(headings, bodies, strict=False)
        for piece in _pieces(body)
    ]


def _pieces(text: str) -> Iterator[str]:
    """Pieces of at most `MAX_WORDS`, cut after the last sentence that fits, else between two words."""
    line = _WRAPPED.sub("", " ".join(text.split()))  # a line that ends within Chinese text is no space
    words = list(_WORD.finditer(line))
    start = 0
    while start < len(words):
        end = min(start + MAX_WORDS, len(words))
        if end < len(words):
            sentences = [at for at in range(start + 1, end + 1) if words[at - 1][0][-1] in _SENTENCE_ENDS]
            end = max(sentences, default=end)
        yield line[words[start].start() : words[end - 1].end()]
        start = end
