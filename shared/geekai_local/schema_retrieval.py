"""Vectors, scores and pages of the web without a model: texts are near to each other by the words that they share."""

from __future__ import annotations

import math
import re
import zlib

from geekai_local.replies import Json, Reply, Request, Responder, dumps, error, pages, ranking, vectors

SOURCES = ["https://example.com/tea", "https://example.com/lighthouse"]
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def _embeddings(request: Request) -> Reply:
    body = request.json
    given, model = body.get("input"), body.get("model")
    if not model or not given:
        return error(400, "model and input are required")
    texts = [part if isinstance(part, str) else dumps(part) for part in ([given] if isinstance(given, str) else given)]
    rows = [_vector(text, body.get("dimensions") or 64) for text in texts]
    return vectors(*rows, tokens=sum(map(_count, texts)), model=model)


def _rerank(request: Request) -> Reply:
    body = request.json
    query, documents = body.get("query"), body.get("documents")
    if not body.get("model") or not query or not documents:
        return error(400, "model, query and documents are required")
    scores = [sum(map(float.__mul__, _vector(query), _vector(text))) for text in documents]
    read = sum(map(_count, documents))
    return ranking(*scores, query_tokens=_count(query), documents_tokens=read)(request)


def _web_search(request: Request) -> Reply:
    body = request.json
    if not body.get("model") or not body.get("prompt"):
        return error(400, "model and prompt are required")
    return pages(*found_pages(body["prompt"], body.get("count") or 10))


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


RETRIEVAL: dict[str, Responder] = {
    "/embeddings": _embeddings,
    "/rerank": _rerank,
    "/web_search": _web_search,
}
