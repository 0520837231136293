"""What the calls of a block came to, and what one message rests on."""

from __future__ import annotations

from collections.abc import Iterable

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage

from geekai_core import ChatCompletion
from geekai_core.citations import Source, metadata, sources
from geekai_core.collecting import Collected, collect
from langchain_geekai._blocks import message_sources

__all__ = ["collect", "get_citations", "get_search_results", "to_documents"]


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

    The text is what the search results hold of a source, empty for a bare URL; the metadata holds `number` (what a
    marker such as `[1]` means), `title`, `url`, and the rest of the result as it came.
    """
    if isinstance(answer, BaseMessage):
        return documents(get_citations(answer))
    return documents(sources(answer.citations, answer.search_results))


def documents(found: Iterable[Source]) -> list[Document]:
    """Sources as documents; `source`, the URL or else the title, is what LangChain's own chains and indexes read."""
    return [
        Document(one.content or "", metadata={**metadata(one), "source": one.url or one.title or ""}) for one in found
    ]
