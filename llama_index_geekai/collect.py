"""What the calls of a block came to, and what one answer rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from geekai_core.citations import Source, sources
from geekai_core.collected import Collected
from llama_index_geekai._events import collecting


@contextmanager
def collect() -> Iterator[Collected]:
    """`with collect() as c:` gathers citations, search results, usage and `billed_units` of every GeekAI call inside.

    Through query and chat engines, agents and threads, sync and async. A stream begun inside is counted when it ends,
    also after the block. Blocks may be nested, and know nothing of the calls of other tasks and threads.
    """
    collected = Collected()
    token = collecting.set((*collecting.get(), collected))
    try:
        yield collected
    finally:
        collecting.reset(token)


def get_citations(response: Any) -> list[Source]:
    """The numbered sources that an answer rests on: citations, with the titles and contents that results add.

    A marker such as `[2]` in the text means the source whose `number` is 2. `response`: a `ChatResponse`, a
    `CompletionResponse`, a `ChatMessage`, or an agent's output.
    """
    return sources(_listed(response, "citations"), _listed(response, "search_results"))


def get_search_results(response: Any) -> list[Source]:
    """The search results of an answer as title, url and content; each one as it came is in its `raw`."""
    return sources([], _listed(response, "search_results"))


def _listed(response: Any, name: str) -> list[Any]:
    message = getattr(response, "response", None)  # an agent's
    for holder in (response, message):
        for place in (getattr(holder, "additional_kwargs", None), getattr(holder, "raw", None)):
            if isinstance(place, Mapping) and isinstance(place.get(name), list):
                return list(place[name])
    return []
