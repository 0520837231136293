"""Who hears of every call within a `collect()` block, and what of a call is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook

from geekai_core.citations import Source, metadata
from geekai_core.collecting import Collected
from langchain_geekai._response import PROVIDER


class Collector(BaseCallbackHandler):
    """Told by LangChain of every chat that ends within the block, and by `gather` of every other call."""

    run_inline = True

    def __init__(self, targets: list[Collected]) -> None:
        self.targets = targets

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """Take in the answers of ours."""
        for generation in (generations[0] for generations in response.generations if generations):
            message = generation.message if isinstance(generation, ChatGeneration) else None
            if isinstance(message, AIMessage) and message.response_metadata.get("model_provider") == PROVIDER:
                told = message.response_metadata
                cached = "total_cost" in (message.usage_metadata or {})
                usage = None if cached else told.get("token_usage")
                id = None if cached else told.get("id")
                self.add({**message.additional_kwargs, "id": id, "model": told.get("model_name"), "usage": usage})

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take in one answer, given as a dict with the wire's top-level fields."""
        for target in self.targets:
            target.add(answer)


collecting: ContextVar[Collector | None] = ContextVar("geekai_collecting", default=None)
register_configure_hook(collecting, inheritable=True)


def gather(answer: Mapping[str, Any]) -> None:
    """Tell the running `collect()` blocks of an answer of which no callback of LangChain's tells."""
    if (collector := collecting.get()) is not None:
        collector.add(answer)


def documents(found: Iterable[Source]) -> list[Document]:
    """Sources as documents; `source`, the URL or else the title, is what LangChain's own chains and indexes read."""
    return [
        Document(one.content or "", metadata={**metadata(one), "source": one.url or one.title or ""}) for one in found
    ]
