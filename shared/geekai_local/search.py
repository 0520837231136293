"""Full-text search over a folder of Markdown and text files: SQLite's FTS5, ranked by BM25.

FTS5 does not split Chinese into words, and its trigrams find no word of two characters. So each run of Chinese is
indexed as overlapping pairs of characters, and asked for likewise.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from geekai_local.errors import StartError

CORPUS = Path(__file__).with_name("corpus")
"""The packaged documents."""

MAX_WORDS = 120

_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TERM = re.compile(rf"[{_CHINESE}]+|[^\W{_CHINESE}]+")
_WORD = re.compile(rf"[{_CHINESE}]|[^\s{_CHINESE}]+")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.*?)\s*$", re.MULTILINE)
_SENTENCE_ENDS = ".!?。！？"


class Passage(NamedTuple):
    """A piece of a document, at most `MAX_WORDS` long; a Chinese character counts as a word."""

    title: str
    link: str
    text: str


def read_folder(folder: Path) -> list[Passage]:
    """Every `.md` and `.txt` file below `folder`, as passages, in the order of their names. Raises `StartError`."""
    if not folder.is_dir():
        raise StartError(f"no such folder: {folder}")
    passages = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".md", ".txt"} and path.is_file():
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise StartError(f"cannot read {path}: {error.strerror}") from error
            passages += split_document(text, path.stem, path.resolve().as_uri())
    return passages


def split_document(text: str, name: str, link: str) -> list[Passage]:
    """Split a document at its headings, then into passages. The title is its first heading, else `name`.

    >>> [tuple(passage) for passage in split_document("# Tea\\n\\nHot.\\n\\n## Price\\n\\n5 crowns.", "tea.md", "x")]
    [('Tea', 'x', 'Hot.'), ('Tea: Price', 'x', '5 crowns.')]
    """
    before, *rest = _HEADING.split(text)  # then headings and what follows each of them, in turn
    title = rest[0] if rest else name
    headings = [title, title, *(f"{title}: {heading}" for heading in rest[2::2])]
    bodies = [before, *rest[1::2]]
    return [
        Passage(heading, link, piece)
        for heading, body in zip(headings, bodies, strict=False)
        for piece in _pieces(body)
    ]


class SearchIndex:
    """An index in memory. `search` takes milliseconds and may be called from any one thread at a time."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(terms, title UNINDEXED, link UNINDEXED, text UNINDEXED,"
            " tokenize = 'porter unicode61')"
        )
        rows = ((" ".join(_terms(f"{p.title}\n{p.text}")), *p) for p in passages)
        self._db.executemany("INSERT INTO passages VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def search(self, query: str, count: int = 10) -> list[dict[str, str]]:
        """The best passages for `query`, best first, in the shape of GeekAI's search results."""
        terms = dict.fromkeys(_terms(query))
        # One Chinese character alone is no pair: it asks for the pairs that begin with it.
        match = " OR ".join(f'"{term}"*' if re.fullmatch(f"[{_CHINESE}]", term) else f'"{term}"' for term in terms)
        if not match:
            return []
        rows = self._db.execute(
            "SELECT title, link, text FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?", (match, count)
        )
        return [
            {"title": title, "link": link, "content": text, "refer": f"ref_{number}"}
            for number, (title, link, text) in enumerate(rows, 1)
        ]


def _terms(text: str) -> Iterator[str]:
    for run in _TERM.findall(text):
        if re.match(f"[{_CHINESE}]", run) and len(run) > 1:
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        else:
            yield run


def _pieces(text: str) -> Iterator[str]:
    """Pieces of at most `MAX_WORDS`, cut after the last sentence that fits, else between two words."""
    line = " ".join(text.split())
    words = list(_WORD.finditer(line))
    while words:
        ends = [at for at, word in enumerate(words[:MAX_WORDS], 1) if word[0][-1] in _SENTENCE_ENDS]
        size = len(words) if len(words) <= MAX_WORDS else max(ends, default=MAX_WORDS)
        yield line[words[0].start() : words[size - 1].end()]
        words = words[size:]
