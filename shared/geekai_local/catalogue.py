"""What this endpoint can answer with, `GET /models`, in GeekAI's documented shape; and what that costs: nothing."""

from __future__ import annotations

from pydantic import BaseModel, Field

from geekai_core.wire import Json, ModelInfo
from geekai_local import embedding
from geekai_local._llama import CONTEXT
from geekai_local.engine import Engine
from geekai_local.errors import AnswerError
from geekai_local.weights import Upstream

CHAT = ["tool_calls", "reasoning", "json_mode", "structured_output", "web_search"]


class PageRequest(BaseModel):
    """The query of `GET /models`; how to ask GeekAI for a page is unknown, and these names are a guess."""

    page: int = Field(1, ge=1)
    page_size: int = Field(20, ge=1, le=100)


def _entry(id: str, type: str, capabilities: list[str] | None, tokens: int | None) -> Json:
    """One model. `tokens`: its context window, which bounds an answer too. What nobody knows is null."""
    named = {"id": id, "name": id, "type": type, "status": "available", "created": None, "owned_by": "local"}
    sizes = {"context_window": tokens, "pricing": None, "capabilities": capabilities}
    limits = {"max_tokens": tokens, "max_requests_per_min": None}
    return {**named, **sizes, "limitations": limits, "platform": {"name": "local", "alias": "本机", "website": None}}


async def models(wanted: PageRequest, engine: Engine) -> Json:
    """One page of the chat models and the embedding model; one after the last is empty. Raises `AnswerError`."""
    if isinstance(engine.model, Upstream):
        with engine.shielded():
            found = [_translated(each) for each in await engine.client.models()]
    else:
        found = [_entry(engine.model.name, "chat", CHAT, CONTEXT)]
    found.append(_entry(embedding.NAME, "embedding", ["embedding", "rerank"], embedding.CONTEXT))
    page = found[(wanted.page - 1) * wanted.page_size :][: wanted.page_size]
    return {"data": page, "total": len(found), **wanted.model_dump()}


async def nothing(engine: Engine, name: str) -> Json:
    """A bill's amount or the balance: no coins, for answers of this machine cost none. Raises `AnswerError`."""
    if isinstance(engine.model, Upstream):
        raise AnswerError(501, "not_implemented", "what an upstream charges is not known here")
    return {name: 0}


def _translated(model: ModelInfo) -> Json:
    """A model as an upstream lists it, in GeekAI's shape; vLLM tells the context window, others less."""
    known = model.model_dump(exclude_none=True)
    ours = _entry(model.id, "chat", None, known.get("max_model_len"))
    return ours | {name: known[name] for name in ours.keys() & known.keys()}
