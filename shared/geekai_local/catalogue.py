"""`GET /models`: what this endpoint can answer with, in GeekAI's documented shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from geekai_local import embedding

CHAT = ["tool_calls", "reasoning", "json_mode", "structured_output", "web_search"]


class PageRequest(BaseModel):
    """The query of `GET /models`; how to ask GeekAI for a page is unknown, and these names are a guess."""

    page: int = Field(1, ge=1)
    page_size: int = Field(20, ge=1, le=100)


def entry(id: str, type: str, capabilities: Sequence[str], tokens: int | None, **known: Any) -> dict[str, Any]:
    """One model. `tokens`: its context window, which bounds an answer too. What nobody knows is null."""
    return {
        "id": id,
        "name": id,
        "type": type,
        "status": "available",
        "created": None,
        "owned_by": "local",
        "context_window": tokens,
        "pricing": None,
        "capabilities": list(capabilities),
        "limitations": {"max_tokens": tokens, "max_requests_per_min": None},
        "platform": {"name": "local", "alias": "本机", "website": None},
        **known,
    }


EMBEDDING = entry(embedding.NAME, "embedding", ["embedding", "rerank"], embedding.CONTEXT)


def listed(models: Sequence[dict[str, Any]], wanted: PageRequest) -> dict[str, Any]:
    """One page of `models`; one after the last is empty."""
    start = (wanted.page - 1) * wanted.page_size
    page = list(models[start : start + wanted.page_size])
    return {"object": "list", "data": page, "total": len(models), "page": wanted.page, "page_size": wanted.page_size}
