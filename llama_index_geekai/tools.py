"""`GeekAISearchToolSpec`: a web search for agents."""

from __future__ import annotations

from typing import Unpack

from llama_index.core.tools.tool_spec.base import BaseToolSpec

from geekai_core.citations import listing
from llama_index_geekai.retrievers import WebSearch, WebSearchOptions


class GeekAISearchToolSpec(BaseToolSpec):
    """The web as a tool: `GeekAISearchToolSpec().to_tool_list()` for an agent, which calls it sync or natively async.

    Options: as for `GeekAISearchRetriever`. What was found is found again by `collect()`.
    """

    spec_functions = [("web_search", "aweb_search")]  # noqa: RUF012  # as the base class declares it

    def __init__(self, **options: Unpack[WebSearchOptions]) -> None:
        self.search = WebSearch(**options)  # type: ignore[misc]  # similarity_top_k is an alias

    def web_search(self, query: str) -> str:
        """Search the web. Returns numbered sources with title, URL and content; cite them by number, such as [1].

        :param query: What to search for, in the language of the pages wanted.
        """
        return listing(self.search.search(query))

    async def aweb_search(self, query: str) -> str:
        """`web_search`, awaiting."""
        return listing(await self.search.asearch(query))
