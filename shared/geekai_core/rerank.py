"""Rerank results, mapped back to their documents."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from geekai_core.wire import RerankResult


def mapped_back(results: Sequence[RerankResult], documents: Sequence[str]) -> list[RerankResult]:
    """`results`, best first, each with the index of its document in `documents`.

    With some models `index` is the rank, not the input's index (observed, `qwen3-rerank`): it is trusted only where
    the text that the server echoes agrees, or none is echoed; else the text decides, duplicates in their order. A
    result that belongs to no document, or to one that has its score already, is left out. A score that is no number
    becomes None, which comes last.
    """
    trusted = all(
        _text(r) is None or (_in(r.index, documents) and documents[r.index or 0] == _text(r)) for r in results
    )
    places: dict[str, deque[int]] = defaultdict(deque)
    for place, document in enumerate(documents):
        places[document].append(place)
    mapped: dict[int, RerankResult] = {}
    for result in results:
        text = _text(result)
        index = result.index
        if not trusted and text is not None:
            index = places[text].popleft() if places.get(text) else None
        if index is not None and _in(index, documents) and index not in mapped:
            finite = result.relevance_score is not None and math.isfinite(result.relevance_score)
            given = {"index": index, "relevance_score": result.relevance_score if finite else None}
            mapped[index] = result.model_copy(update=given)
    return sorted(mapped.values(), key=score, reverse=True)


def _in(index: Any, documents: Sequence[str]) -> bool:
    return isinstance(index, int) and 0 <= index < len(documents)


def _text(result: RerankResult) -> str | None:
    document = result.document
    text = document.get("text") if isinstance(document, dict) else document
    return text if isinstance(text, str) else None


def score(result: RerankResult) -> float:
    """By what results are ordered; none comes last."""
    return -math.inf if result.relevance_score is None else result.relevance_score
