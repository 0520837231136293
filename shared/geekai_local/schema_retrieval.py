"""Vectors, scores and pages of the web without a model: texts are near to each other by the words that they share."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable

from geekai_local.replies import Json, Reply, dumps, error, json_reply

SOURCES = ["https://example.com/tea", "https://example.com/lighthouse"]
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def _embeddings(body: Json) -> Reply:
    inputs = body.get("input")
    if not body.get("model") or not inputs:
        return error(400, "model and input are required")
    texts = [
        part if isinstance(part, str) else dumps(part) for part in ([inputs] if isinstance(inputs, str) else inputs)
    ]
    data = [{"index": at, "embedding": _vector(text, body.get("dimensions") or 64)} for at, text in enumerate(texts)]
    tokens = sum(map(_count, texts))
    return json_reply(
        {"model": body["model"], "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    )


def _rerank(body: Json) -> Reply:
    documents = body.get("documents")
    if not body.get("model") or not body.get("query") or not documents:
        return error(400, "model, query and documents are required")
    asked = _vector(body["query"])
    scores = [sum(map(float.__mul__, asked, _vector(text))) for text in documents]
    best = sorted(range(len(scores)), key=lambda at: -scores[at])[: body.get("top_n")]
    results = [{"index": at, "relevance_score": scores[at], "document": documents[at]} for at in best]
    read, query = sum(map(_count, documents)), _count(body["query"])
    usage = {"total_tokens": read + query, "query_tokens": query, "documents_tokens": read}
    return json_reply({"model": body["model"], "results": results, "usage": usage})


def _web_search(body: Json) -> Reply:
    if not body.get("model") or not body.get("prompt"):
        return error(400, "model and prompt are required")
    pages = found_pages(body["prompt"], body.get("count") or 10)
    return json_reply({"id": "search-1", "created": 1751500800, "results": pages})


def found_pages(question: str, count: int) -> list[Json]:
    """So many search results, as GeekAI tells them."""
    links = [*SOURCES, *(f"https://example.com/{number}" for number in range(len(SOURCES) + 1, count + 1))][:count]
    return [
        {"title": f"Page {at}", "link": link, "content": f"{question}: see here.", "media": "example.com"}
        for at, link in enumerate(links, 1)
    ]


def _vector(text: str, dimensions: int = 256) -> list[float]:
    """Of length 1: each word counts at a place of its own, or nearly so."""
    places = [zlib.crc32(word.encode()) % dimensions for word in WORD.findall(text.lower())] or [0]
    length = math.sqrt(sum(places.count(place) ** 2 for place in set(places)))
    return [places.count(place) / length for place in range(dimensions)]


def _count(text: str) -> int:
    return len(WORD.findall(text))


RETRIEVAL: dict[str, Callable[[Json], Reply]] = {
    "/embeddings": _embeddings,
    "/rerank": _rerank,
    "/web_search": _web_search,
}
