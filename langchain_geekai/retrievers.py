"""`GeekAISearchRetriever`: the web, searched by GeekAI, as LangChain documents."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from geekai_core.citations import Source, sources
from geekai_core.options import SearchOptions
from geekai_core.request.body import search_fields
from langchain_geekai._connection import GeekAIConnection
from langchain_geekai._errors import langchain_errors
from langchain_geekai._sources import documents


class Searching(GeekAIConnection, SearchOptions):
    """What the retriever and the tool share: a search."""

    def _fields(self, given: dict[str, Any]) -> dict[str, Any]:
        called = {"count" if name == "k" else name: value for name, value in given.items()}
        return {**search_fields(self), "extra_body": self.extra_body, **called}

    def _search(self, query: str, **given: object) -> list[Source]:
        fields = self._fields(given)
        with langchain_errors():
            return sources([], self._clients()[0].web_search(query, **fields).search_results)

    async def _asearch(self, query: str, **given: object) -> list[Source]:
        fields = self._fields(given)
        with langchain_errors():
            return sources([], (await self._clients()[1].web_search(query, **fields)).search_results)


class GeekAISearchRetriever(Searching, BaseRetriever):
    """Finds pages of the web.

    ```python
    from langchain_geekai import GeekAISearchRetriever

    retriever = GeekAISearchRetriever(count=5, recency_filter="oneWeek")
    for page in retriever.invoke("When does the ferry leave?", count=3):
        print(page.metadata["number"], page.metadata["title"], page.metadata["url"], page.page_content)
    ```

    Any field of `SearchOptions` may be given per call, too; `k` is another name for `count`. A document holds a page's
    text; its metadata `number` (its rank, from 1 on), `title`, `url`, and the rest of the result as it came. Searches
    are billed; `collect()` gathers what was found. Errors: each is GeekAI's and LangChain's at once, see
    `geekai_core.errors`. A pickled object carries its key: treat it as a secret.
    """

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **given: object
    ) -> list[Document]:
        return documents(self._search(query, **given))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **given: object
    ) -> list[Document]:
        return documents(await self._asearch(query, **given))
