"""What the calls of a block came to, and what one message rests on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage

from geekai_core import ChatCompletion
from geekai_core.citations import Source, sources
from geekai_core.collecting import Collected
from langchain_geekai._blocks import message_sources
from langchain_geekai._collecting import Collector, collecting, documents


@contextmanager
def collect() -> Iterator[Collected]:
    """`with collect() as c:` gathers citations, search results, usage and `billed_units` of every call inside.

    Of chats, embeddings, reranking and web searches; through chains, agents and threads, sync and async, streamed or
    not; blocks may be nested. A chat that a cache answered adds its citations, but no usage, for nothing was billed.

        with collect() as c:
            (prompt | model | StrOutputParser()).invoke({"question": "…"})
        print(c.citations, c.usage, c.billed_units)
    """
    collected = Collected()
    outer = collecting.get()
    token = collecting.set(Collector([*(outer.targets if outer else ()), collected]))
    try:
        yield collected
    finally:
        collecting.reset(token)


def get_citations(message: BaseMessage) -> list[Source]:
    """The numbered sources that an answer rests on: citations, with the titles and contents that results add.

    A marker such as `[2]` in the text means the source whose `number` is 2.
    """
    return message_sources(message.additional_kwargs)


def get_search_results(message: BaseMessage) -> list[Source]:
    """The search results of an answer as title, url and content; each one as it came is in its `raw`."""
    return sources([], message.additional_kwargs.get("search_results") or [])


def to_documents(answer: BaseMessage | ChatCompletion | Collected) -> list[Document]:
    """The sources of an answer, or of a whole `collect()` block, as documents: its citations and search results.

    The text is what the search results tell of a source, empty for a bare URL; the metadata holds `number` (what a
    marker such as `[1]` means), `title`, `url`, and the rest of the result as it came.
    """
    if isinstance(answer, BaseMessage):
        return documents(get_citations(answer))
    return documents(sources(answer.citations, answer.search_results))
