"""Vectors, scores and pages of the web without a model: texts are near to each other by the words that they share."""

from __future__ import annotations

import math
import re
import zlib

from geekai_local.replies import TOKEN, Json, Reply, Request, Responder, dumps, pages, ranking, vectors

SOURCES = ["https://example.com/tea", "https://example.com/lighthouse"]
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def _embeddings(request: Request) -> Reply:
    body = request.json
    given = [body["input"]] if isinstance(body["input"], str) else body["input"]
    texts = [part if isinstance(part, str) else dumps(part) for part in given]
    rows = [_vector(text, body.get("dimensions") or 64) for text in texts]
    return vectors(*rows, tokens=sum(map(count, texts)), model=body["model"])


def _rerank(request: Request) -> Reply:
    query, documents = request.json["query"], request.json["documents"]
    scores = [sum(map(float.__mul__, _vector(query), _vector(text))) for text in documents]
    return ranking(*scores, query_tokens=count(query), documents_tokens=sum(map(count, documents)))(request)


def _web_search(request: Request) -> Reply:
    return pages(*found_pages(request.json["prompt"], request.json.get("count") or 10))


def found_pages(question: str, count: int) -> list[Json]:
    """So many search results, as GeekAI tells them."""
    links = [*SOURCES, *(f"https://example.com/{number}" for number in range(len(SOURCES) + 1, count + 1))][:count]
    return [
        {"title": f"Page {at}", "link": link, "content": f"{question}: see here.", "media": "example.com"}
        for at, link in enumerate(links, 1)
    ]


def count(text: str) -> int:
    """The tokens of a text, roughly."""
    return len(TOKEN.findall(text))


def _vector(text: str, dimensions: int = 256) -> list[float]:
    """Of length 1: each word counts at a place of its own, or nearly so."""
    places = [zlib.crc32(word.encode()) % dimensions for word in WORD.findall(text.lower())] or [0]
    length = math.sqrt(sum(places.count(place) ** 2 for place in set(places)))
    return [places.count(place) / length for place in range(dimensions)]


RETRIEVAL: dict[str, tuple[tuple[str, ...], Responder]] = {
    "/embeddings": (("model", "input"), _embeddings),
    "/rerank": (("model", "query", "documents"), _rerank),
    "/web_search": (("model", "prompt"), _web_search),
}
"""What answers each path, and what it needs to be told."""
