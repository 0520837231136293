"""What the calls of a block came to, and what one answer rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from llama_index.core.schema import NodeWithScore, TextNode

from geekai_core.citations import Source, metadata, sources
from geekai_core.collecting import collect

__all__ = ["collect", "get_citations", "get_search_results", "to_nodes"]


def get_citations(response: object) -> list[Source]:
    """The numbered sources that an answer rests on: citations, with the titles and contents that results add.

    A marker such as `[2]` in the text means the source whose `number` is 2. `response`: a `ChatResponse`, a
    `CompletionResponse`, a `ChatMessage`, or an agent's output.
    """
    return sources(_listed(response, "citations"), _listed(response, "search_results"))


def get_search_results(response: object) -> list[Source]:
    """The search results of an answer as title, url and content; each one as it came is in its `raw`."""
    return sources([], _listed(response, "search_results"))


def to_nodes(response: object) -> list[NodeWithScore]:
    """What `get_citations` finds, as nodes: the source's text, or its title or URL where only that came.

    `node.metadata` has `number`, which a marker such as `[2]` in the answer means, `title`, `url`, and whatever else
    the server said of it. The n-th source's score is 1/n, so that the order outlives sorting.
    """
    return nodes(get_citations(response), numbered=True)


def nodes(found: list[Source], *, numbered: bool = False) -> list[NodeWithScore]:
    """Sources as nodes. `numbered` is for those of an answer; to a search the same page is the same node, on whichever
    place it was found, so that results can be fused."""
    made = []
    for source in found:
        text = source.content or source.title or source.url or ""
        kept = {key: value for key, value in metadata(source).items() if isinstance(value, (str, int, float))}
        if not numbered:
            del kept["number"]
        node = TextNode(
            id_=str(uuid5(NAMESPACE_URL, f"{source.url}\n{text}")),
            text=text,
            metadata=kept,
            excluded_llm_metadata_keys=[key for key in kept if key not in ("title", "url")],
            excluded_embed_metadata_keys=[key for key in kept if key != "title"],
        )
        made.append(NodeWithScore(node=node, score=1 / source.number))
    return made


def _listed(response: object, name: str) -> list[Any]:
    message = getattr(response, "response", None)  # an agent's
    for holder in (response, message):
        for place in (getattr(holder, "additional_kwargs", None), getattr(holder, "raw", None)):
            if isinstance(place, Mapping) and isinstance(place.get(name), list):
                return list(place[name])
    return []
