"""`collect()`: what several calls came to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from geekai_core.client import AsyncClient, Client
from geekai_core.costs import Costs, Progress, acosts_of, costs_of
from geekai_core.counting import running
from geekai_core.response.accumulate import unique
from geekai_core.response.usage import sum_into


class Collected:
    """Citations, search results and usage of every call inside a `with collect() as c:` block.

    `calls`: one dict per finished call, in the order of their ends, with `id`, `model`, `usage`,
    `citations`, `search_results`. The properties sum them up. Threads may add at the same time.
    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Collected(calls={len(self.calls)}, usage={self.usage}, billed_units={self.billed_units})"

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take in one answer, given as a dict with the wire's top-level fields."""
        usage = answer.get("usage")
        kept = {"id": answer.get("id"), "model": answer.get("model")}
        kept["usage"] = dict(usage) if isinstance(usage, Mapping) else {}
        for name in ("citations", "search_results"):
            kept[name] = list(answer.get(name) or [])
        with self._lock:
            self.calls.append(kept)

    @property
    def citations(self) -> list[Any]:
        """The citations of all calls, without duplicates, in their order."""
        return unique(citation for call in self.calls for citation in call["citations"])

    @property
    def search_results(self) -> list[dict[str, Any]]:
        """The search results of all calls as they came, without duplicates, in their order."""
        return unique(result for call in self.calls for result in call["search_results"])

    @property
    def usage(self) -> dict[str, Any]:
        """Tokens of all calls, details too, summed field by field; `billed_units` is among them."""
        total: dict[str, Any] = {}
        for call in self.calls:
            sum_into(total, call["usage"])
        return total

    @property
    def billed_units(self) -> int | float:
        """Billed searches of all calls, not money."""
        units: int | float = self.usage.get("billed_units", 0)
        return units

    def costs(self, client: Client | None = None, *, on_progress: Progress | None = None) -> Costs:
        """What the calls really cost: asks GeekAI for each one's bill, one after another. Nothing asks by itself.

        `client`: one with a system key; by default one is made from the environment. `on_progress` is called with the
        number of calls that are done, and of all. A missing bill stands in `failed`; a refused key is raised.
        """
        return costs_of([call["id"] for call in self.calls], client, on_progress)

    async def acosts(
        self, client: AsyncClient | None = None, *, on_progress: Progress | None = None, max_concurrency: int = 8
    ) -> Costs:
        """`costs`, awaiting; at most `max_concurrency` requests at a time."""
        return await acosts_of([call["id"] for call in self.calls], client, on_progress, max_concurrency)


@contextmanager
def collect() -> Iterator[Collected]:
    """`with collect() as c:` gathers citations, search results, usage and `billed_units` of every call inside.

    Of chats, embeddings, reranking and web searches, by whichever framework or client; through chains, engines, agents
    and threads that carry the context, sync and async. A stream begun inside is counted when it ends, also after the
    block. Where an answer took several requests, each that was answered counts. Blocks may be nested, and know nothing
    of the calls of other tasks and threads. A chat that LangChain's cache answered adds its sources, but no usage, for
    nothing was billed.

        with collect() as c:
            (prompt | model | StrOutputParser()).invoke({"question": "…"})
        print(c.citations, c.usage, c.billed_units)
    """
    collected = Collected()
    token = running.set((*running.get(), collected.add))
    try:
        yield collected
    finally:
        running.reset(token)
