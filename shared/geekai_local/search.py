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

CORPUS = Path(__file__).with_name("corpus")
"""The packaged documents."""

MAX_WORDS = 120

_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TERM = re.compile(rf"[{_CHINESE}]+|[^\W{_CHINESE}]+")
_WORD = re.compile(rf"[{_CHINESE}]|[^\s{_CHINESE}]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


class Passage(NamedTuple):
    """A piece of a document, at most `MAX_WORDS` long; a Chinese character counts as a word."""

    title: str
    link: str
    text: str


def read_folder(folder: Path) -> list[Passage]:
    """Every `.md` and `.txt` file below `folder`, as passages, in the order of their names."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".md", ".txt"} and path.is_file())
    return [
        passage
        for path in files
        for passage in split_document(
            path.read_text(encoding="utf-8", errors="replace"), path.stem, path.resolve().as_uri()
        )
    ]


def split_document(text: str, name: str, link: str) -> list[Passage]:
    """Split a document at its headings, then into passages. The title is its first heading, else `name`.

    >>> [tuple(passage) for passage in split_document("# Tea\\n\\nHot.\\n\\n## Price\\n\\n5 crowns.", "tea.md", "x")]
    [('Tea', 'x', 'Hot.'), ('Tea: Price', 'x', '5 crowns.')]
    """
    title, section, body, fenced = "", "", list[str](), False
    passages: list[Passage] = []

    def close() -> None:
        heading = ": ".join(part for part in (title or name, section) if part)
        passages.extend(Passage(heading, link, piece) for piece in _pieces("\n".join(body)))
        body.clear()

    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = re.match(r"#{1,6}\s+(.*)", line)
        if fenced or not heading:
            body.append(line)
            continue
        close()
        if title:
            section = heading[1].strip()
        else:
            title = heading[1].strip()
    close()
    return passages


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
    """Join sentences while they fit; a sentence that is too long by itself is cut between words."""
    piece, size = "", 0
    for sentence in _sentences(text):
        words = len(_WORD.findall(sentence))
        if piece and size + words > MAX_WORDS:
            yield piece.strip()
            piece, size = "", 0
        piece, size = piece + sentence, size + words
    if piece.strip():
        yield piece.strip()


def _sentences(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        line = " ".join(paragraph.split())
        for sentence in _SENTENCE_END.split(line):
            words = list(_WORD.finditer(sentence))
            for at in range(0, len(words), MAX_WORDS):
                cut = sentence[words[at].start() : words[min(at + MAX_WORDS, len(words)) - 1].end()]
                yield cut if re.search(r"[。！？]$", cut) else cut + " "
