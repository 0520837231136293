"""What the calls of a block came to, and what one message rests on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook

from geekai_core.citations import Source, sources
from geekai_core.collected import Collected
from langchain_geekai._blocks import message_sources
from langchain_geekai._messages import PROVIDER


@contextmanager
def collect() -> Iterator[Collected]:
    """`with collect() as c:` gathers citations, search results, usage and `billed_units` of every call inside.

    Through chains, agents and threads, sync and async, streamed or not; blocks may be nested. A call that a cache
    answered adds its citations, but no usage, for nothing was billed.

        with collect() as c:
            (prompt | model | StrOutputParser()).invoke({"question": "…"})
        print(c.citations, c.usage, c.billed_units)
    """
    collected = Collected()
    outer = _collecting.get()
    token = _collecting.set(_Collector([*(outer.targets if outer else ()), collected]))
    try:
        yield collected
    finally:
        _collecting.reset(token)


class _Collector(BaseCallbackHandler):
    """Told by LangChain of every call that ends within the block."""

    run_inline = True

    def __init__(self, targets: list[Collected]) -> None:
        self.targets = targets

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        for generation in (generations[0] for generations in response.generations if generations):
            message = generation.message if isinstance(generation, ChatGeneration) else None
            if isinstance(message, AIMessage) and message.response_metadata.get("model_provider") == PROVIDER:
                metadata = message.response_metadata
                cached = "total_cost" in (message.usage_metadata or {})
                answer = {
                    **message.additional_kwargs,
                    "model": metadata.get("model_name"),
                    "usage": None if cached else metadata.get("token_usage"),
                }
                for target in self.targets:
                    target.add(answer)


_collecting: ContextVar[_Collector | None] = ContextVar("geekai_collecting", default=None)
register_configure_hook(_collecting, inheritable=True)


def get_citations(message: BaseMessage) -> list[Source]:
    """The numbered sources that an answer rests on: citations, with the titles and contents that results add.

    A marker such as `[2]` in the text means the source whose `number` is 2.
    """
    return message_sources(message.additional_kwargs)


def get_search_results(message: BaseMessage) -> list[Source]:
    """The search results of an answer as title, url and content; each one as it came is in its `raw`."""
    return sources([], message.additional_kwargs.get("search_results") or [])
