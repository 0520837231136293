"""Which `collect()` blocks are running, and what they are given where a call or a stream ends."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeAlias

from geekai_core.wire import Answer, ChatCompletion, Json, SearchResultList

Blocks: TypeAlias = tuple[Callable[[Json], None], ...]
"""How each of several blocks takes in an answer: `Collected.add`."""

running: ContextVar[Blocks] = ContextVar("geekai_collecting", default=())
"""The blocks around the code that runs; tasks, and threads that carry the context, inherit them."""


def count(answer: Answer, model: str | None = None, blocks: Blocks | None = None) -> None:
    """Add an answer to the running blocks, or to those given. `model`: the requested one, for an answer without."""
    if blocks := running.get() if blocks is None else blocks:
        summary = {"model": model, **answer.model_dump(include={"id", "model", "usage"}, exclude_none=True)}
        if isinstance(answer, ChatCompletion):
            summary |= {"citations": answer.citations, "search_results": answer.search_results}
        elif isinstance(answer, SearchResultList):
            summary["search_results"] = answer.search_results
        for add in blocks:
            add(summary)
