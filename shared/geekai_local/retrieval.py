"""`/embeddings`, `/rerank` and `/web_search`: what may be asked, and the answers in GeekAI's shape.

The rerank model is the embedding model: a document's score is the cosine between its vector and the query's. So short
a model tells what a text is about, and not much more. The web that is searched is the folder of documents.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from geekai_core.options import SearchConfig
from geekai_core.wire import Json
from geekai_local.embedding import DIMENSIONS, NAME, Embedder
from geekai_local.engine import Engine
from geekai_local.errors import AnswerError
from geekai_local.prompting import part_text
from geekai_local.search import Library, pages
from geekai_local.weights import Upstream

_ASKING = {"search_query", "classification", "clustering"}
"""The intents that take e5's prefix for a query: its authors want it for whatever is no passage."""

_listed = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)


class EmbedRequest(BaseModel):
    """The body of `POST /embeddings` (documented)."""

    model: str
    input: Annotated[list[str | Json], _listed, Field(min_length=1)]
    dimensions: int | None = Field(None, ge=1)
    intent: Literal["search_document", "search_query", "classification", "clustering", "image"] | None = None


class RerankRequest(BaseModel):
    """The body of `POST /rerank` (documented)."""

    model: str
    query: str
    documents: list[str] = Field(min_length=1)
    top_n: int | None = Field(None, ge=1)


class WebSearchRequest(SearchConfig):
    """The body of `POST /web_search` (observed); what a folder of documents cannot heed is accepted."""

    model: str
    prompt: str
    count: int = Field(10, ge=1, le=50)


async def embed(request: EmbedRequest, engine: Engine, embedder: Embedder) -> Json:
    """The vectors of the input, of length 1 however many dimensions are asked for. Raises `AnswerError`."""
    if isinstance(engine.model, Upstream) and (model := engine.model.embedding_model):
        with engine.shielded():  # without the intent, which no other server knows
            answer = await engine.client.embed(request.input, model=model, dimensions=request.dimensions)
        return {"object": "list", **answer.model_dump(exclude_none=True)}
    if (request.dimensions or 0) > DIMENSIONS:
        raise AnswerError(400, "invalid_request", f"dimensions: the local model has {DIMENSIONS}, not more")
    texts = [part if isinstance(part, str) else part_text(part) for part in request.input]
    vectors, tokens = await embedder.embed(texts, query=request.intent in _ASKING)
    vectors = vectors[:, : request.dimensions]
    vectors /= (vectors**2).sum(axis=1, keepdims=True) ** 0.5
    return {
        "object": "list",
        "model": NAME,
        "data": [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(vectors.tolist())],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


async def rerank(request: RerankRequest, embedder: Embedder) -> Json:
    """The documents that come nearest to the query, best first. Raises `AnswerError`."""
    (query,), query_tokens = await embedder.embed([request.query], query=True)
    vectors, read = await embedder.embed(request.documents)
    scores: list[float] = (vectors @ query).tolist()
    ranked = sorted(range(len(scores)), key=lambda at: scores[at], reverse=True)[: request.top_n]
    return {
        "model": NAME,
        "results": [{"index": at, "relevance_score": scores[at], "document": request.documents[at]} for at in ranked],
        "usage": {"total_tokens": query_tokens + read, "query_tokens": query_tokens, "documents_tokens": read},
    }


async def web_search(request: WebSearchRequest, library: Library) -> Json:
    """The documents that the prompt finds, as pages of the web."""
    results = pages(await asyncio.to_thread(library.find, request.prompt), request.count)
    return {"id": f"search-{uuid.uuid4().hex}", "created": int(time.time()), "results": results}
