"""Search over passages: SQLite's FTS5, ranked by BM25, together with the nearness of their vectors to the question's.

FTS5 does not split Chinese into words, and its trigrams find no word of two characters. So each run of Chinese is
indexed as overlapping pairs of characters, and a question likewise.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from geekai_local.documents import Documents
from geekai_local.errors import AnswerError
from geekai_local.passages import CHINESE, Passage

if TYPE_CHECKING:
    from geekai_local.embedding import Embedder

CORPUS = Path(__file__).with_name("corpus")
"""The packaged documents."""

_TERM = re.compile(rf"[{CHINESE}]+|[^\W{CHINESE}]+")
_STOP = frozenset(Path(__file__).with_name("stop_words.txt").read_text(encoding="utf-8").split())
_PARTICLES = "的了吗呢吧么"
"""A pair of Chinese characters that holds one of them is no word; nor is one of them alone."""

_FAR = (0.075, 0.045)
"""Nearness below which a passage has nothing to do with the question: for a question in any language but Chinese, and
in Chinese. Measured with the packaged pages: what belongs together is at 0.095 and 0.05 or more."""
_LEXICAL = 0.05
"""What the best match of words adds to the nearness of vectors."""
_MOST = 50
"""Passages that one search finds."""
_MOST_TERMS = 200
"""Words of a question that are looked for."""
_MISSING = 64
"""Passages whose vectors one search may wait for: some four seconds. The rest are for `Library.prepare`."""
_PER_PAGE = 2
"""Passages that one result shows of its page: more would fill a prompt."""


def pages(passages: Iterable[Passage], count: int = _MOST) -> list[dict[str, str]]:
    """Search results in GeekAI's shape, best first: one for each page, at most `count`."""
    found: dict[str, list[Passage]] = {}
    for passage in passages:
        if passage.link in found or len(found) < count:
            found.setdefault(passage.link, []).append(passage)
    return [
        {
            "title": best.title,
            "link": link,
            "content": "\n\n".join(passage.text for passage in [best, *others][:_PER_PAGE]),
            "refer": f"ref_{number}",
        }
        for number, (link, [best, *others]) in enumerate(found.items(), 1)
    ]


class SearchIndex:
    """An index in memory over `passages`; one thread at a time may use it. Without `embedder`, words alone count."""

    def __init__(self, passages: Iterable[Passage], embedder: Embedder | None = None) -> None:
        self._passages = list(passages)
        self._embedder = embedder
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute("CREATE VIRTUAL TABLE passages USING fts5(terms, tokenize = 'porter unicode61')")
        rows = ((at, " ".join(_terms(f"{p.title}\n{p.text}"))) for at, p in enumerate(self._passages))
        self._db.executemany("INSERT INTO passages (rowid, terms) VALUES (?, ?)", rows)

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def find(self, query: str) -> list[Passage]:
        """The passages that have to do with `query`, best first; none where it holds nothing but stop words."""
        lexical = self._lexical(query)
        near = self._near(query, lexical)
        far = _FAR[bool(re.search(f"[{CHINESE}]", query))]
        score = {
            at: near.get(at, 0.0) + _LEXICAL * lexical.get(at, 0.0)
            for at in lexical.keys() | {at for at, nearness in near.items() if nearness >= far}
        }
        return [self._passages[at] for at in sorted(score, key=lambda at: (-score[at], at))[:_MOST]]

    def _lexical(self, query: str) -> dict[int, float]:
        """The passages that hold words of the query; 1 for the best."""
        words = (term for term in _terms(query.lower()) if not _is_stop_word(term))
        terms = dict.fromkeys(itertools.islice(words, _MOST_TERMS))
        # One Chinese character alone is no pair: it asks for the pairs that begin with it.
        match = " OR ".join(f'"{term}"*' if re.fullmatch(f"[{CHINESE}]", term) else f'"{term}"' for term in terms)
        if not match:
            return {}
        rows = self._db.execute(
            "SELECT rowid, rank FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?", (match, _MOST)
        ).fetchall()
        return {at: rank / rows[0][1] for at, rank in rows}

    def _near(self, query: str, first: Iterable[int]) -> dict[int, float]:
        """How near the passages are whose vectors are known, those of `first` before all others."""
        if self._embedder is None or not any(_terms(query)):
            return {}
        order = list(dict.fromkeys([*first, *range(len(self._passages))]))
        try:
            nearness = self._embedder.nearness(query, [embedded_text(self._passages[at]) for at in order], _MISSING)
        except AnswerError:  # the model is not installed: words alone count
            return {}
        return {at: value for at, value in zip(order, nearness, strict=True) if value is not None}


class Library:
    """The documents below a folder, or of one file, and their index, which is made anew when they have changed.

    Any thread may call it. Raises `StartError` where there is nothing to read.
    """

    def __init__(self, docs: Path, embedder: Embedder | None = None) -> None:
        self.documents = Documents(docs)
        self.embedder = embedder
        self._index = SearchIndex(self.documents.passages, embedder)
        self._lock = threading.Lock()

    def find(self, query: str) -> list[Passage]:
        """`SearchIndex.find` over the documents as they are now."""
        with self._lock:
            if self.documents.scan():
                with closing(self._index):
                    self._index = SearchIndex(self.documents.passages, self.embedder)
            return self._index.find(query)

    def prepare(self) -> None:
        """Make the vectors of all passages, which takes some 50 ms each, so that no search waits for them."""
        with suppress(AnswerError):  # no model, no vectors
            if self.embedder:
                self.embedder.prepare(map(embedded_text, self.documents.passages))

    def close(self) -> None:
        """Forget the index."""
        self._index.close()


def embedded_text(passage: Passage) -> str:
    """The text of a passage that its vector stands for."""
    return f"{passage.title}\n{passage.text}"


def _is_stop_word(term: str) -> bool:
    return term in _STOP or any(particle in term for particle in _PARTICLES)


def _terms(text: str) -> Iterator[str]:
    for run in _TERM.findall(text):
        if re.match(f"[{CHINESE}]", run) and len(run) > 1:
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        else:
            yield run
