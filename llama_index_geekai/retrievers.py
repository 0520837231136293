"""`GeekAISearchRetriever`: the web as a retriever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import SecretStr

from geekai_core.citations import Source, sources
from geekai_core.options import SearchOptions
from geekai_core.request.body import search_fields
from geekai_core.wire import SearchResultList
from llama_index_geekai._connection import GeekAIConnection
from llama_index_geekai._sources import nodes

if TYPE_CHECKING:
    import httpx


class WebSearchOptions(TypedDict, total=False):
    """The keywords of `WebSearch`, for editors and checkers; `SearchOptions` and `GeekAIConnection` document them."""

    model: str
    count: int | None
    similarity_top_k: int | None
    intent: bool | None
    domain_filter: str | None
    recency_filter: Literal["noLimit", "oneDay", "oneWeek", "oneMonth", "oneYear"] | None
    content_size: Literal["medium", "high"] | None
    api_key: str | SecretStr | Callable[[], str] | None
    api_base: str | None
    base_url: str | None
    timeout: float | httpx.Timeout | None
    max_retries: int
    total_timeout: float | None
    max_response_bytes: int
    extra_body: dict[str, Any] | None
    default_headers: dict[str, str] | None
    default_query: dict[str, str] | None
    proxy: str | None
    system_key: SecretStr | None
    reuse_client: bool
    http_client: httpx.Client | None
    async_http_client: httpx.AsyncClient | None


class WebSearch(GeekAIConnection, SearchOptions):
    """A web search by GeekAI: what to ask, and the connection to ask it."""

    def search(self, query: str) -> list[Source]:
        """What the web has on `query`, best first."""
        with self._client() as client:
            return self._found(client.web_search(query, **search_fields(self), extra_body=self.extra_body))

    async def asearch(self, query: str) -> list[Source]:
        """`search`, awaiting."""
        async with self._async_client() as client:
            return self._found(await client.web_search(query, **search_fields(self), extra_body=self.extra_body))

    def _found(self, answer: SearchResultList) -> list[Source]:
        return sources([], answer.search_results)


class GeekAISearchRetriever(BaseRetriever):
    """Searches the web and gives the pages as nodes, best first, sync and natively async.

    Options: the fields of `SearchOptions` (`count`, also spelled `similarity_top_k`, `recency_filter`, …) and of the
    connection (`api_key`, `api_base`, `timeout`, …), which stay reachable in `search`. A page's text is the node's;
    its title and URL are in the metadata, with whatever else the server said of it; the n-th page's score is 1/n. A
    page keeps its id from one search to the next. Raises the errors of `geekai_core.errors`, for an unknown option
    `ConfigurationError`.
    """

    def __init__(
        self,
        *,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
        **options: Unpack[WebSearchOptions],
    ) -> None:
        self.search = WebSearch(**options)  # type: ignore[misc]  # similarity_top_k is an alias
        super().__init__(callback_manager=callback_manager, verbose=verbose)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return nodes(self.search.search(query_bundle.query_str))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return nodes(await self.search.asearch(query_bundle.query_str))

    def close(self) -> None:
        """Close the connections of the synchronous client. A later call opens new ones."""
        self.search.close()

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self.search.aclose()
