"""Rerank results, mapped back to their documents."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from geekai_core.wire import RerankResult

_SCORES = ("relevance_score", "score", "similarity")


def read_rows(body: Mapping[str, Any]) -> list[RerankResult]:
    """The scored rows of an answer of `/rerank`, under any of the names that servers have for them; [] where none is.

    >>> [row.relevance_score for row in read_rows({"output": {"results": [{"index": 0, "score": 0.5}]}})]
    [0.5]
    """
    output = body.get("output")
    places = (body.get("results"), body.get("data"), output.get("results") if isinstance(output, Mapping) else output)
    rows = next((rows for rows in places if isinstance(rows, list) and rows), [])
    found = []
    for row in rows:
        if isinstance(row, Mapping):
            score = next((row[name] for name in _SCORES if row.get(name) is not None), None)
            found.append(RerankResult.read({**row, "relevance_score": score}))
    return found if any(row.relevance_score is not None for row in found) else []


def mapped_back(results: Sequence[RerankResult], documents: Sequence[Any]) -> list[RerankResult]:
    """`results`, best first, each with the index of its document in `documents`.

    With some models `index` is the rank, not the input's index (observed, `qwen3-rerank`): it is trusted only where
    the text that the server echoes agrees, or none is echoed; else the text decides, duplicates in their order. A
    result that belongs to no document, or to one that has its score already, is left out. A score that is no number
    becomes None, which comes last.
    """
    texts = [*map(_text, documents)]
    echoed = [_text(result.document) for result in results]
    trusted = all(
        text is None or (_in(r.index, texts) and texts[r.index or 0] == text)
        for r, text in zip(results, echoed, strict=True)
    )
    places: dict[str | None, deque[int]] = defaultdict(deque)
    for place, text in enumerate(texts):
        places[text].append(place)
    mapped: dict[int, RerankResult] = {}
    for result, text in zip(results, echoed, strict=True):
        index = result.index
        if not trusted and text is not None:
            index = places[text].popleft() if places.get(text) else None
        if index is not None and _in(index, texts) and index not in mapped:
            finite = result.relevance_score is not None and math.isfinite(result.relevance_score)
            given = {"index": index, "relevance_score": result.relevance_score if finite else None}
            mapped[index] = result.model_copy(update=given)
    return sorted(mapped.values(), key=score, reverse=True)


def _in(index: Any, documents: Sequence[Any]) -> bool:
    return isinstance(index, int) and 0 <= index < len(documents)


def _text(document: Any) -> str | None:
    text = document.get("text") if isinstance(document, dict) else document
    return text if isinstance(text, str) else None


def score(result: RerankResult) -> float:
    """By what results are ordered; none comes last."""
    return -math.inf if result.relevance_score is None else result.relevance_score
