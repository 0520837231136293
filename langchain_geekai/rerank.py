"""`GeekAIRerank`: GeekAI's rerank models in LangChain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import Field

from geekai_core.wire import RerankList
from langchain_geekai._batched import Batched

Rankable = str | Document | dict[str, Any]
Ranked = dict[str, Any]
"""`index`: which of the documents; `relevance_score`: higher is nearer, or None where the server gave no number."""


class GeekAIRerank(Batched, BaseDocumentCompressor):
    """Puts documents in order by how well they answer a query, and keeps the best.

    ```python
    from langchain_geekai import GeekAIRerank

    reranker = GeekAIRerank(model="bge-reranker-v2-m3", top_n=1)
    print(reranker.rerank(["Tea is hot.", "The ferry leaves at nine."], "When does the ferry leave?"))
    ```

    Or, over a retriever, as the `base_compressor` of a `ContextualCompressionRetriever`. Documents that come back are
    copies with `metadata["relevance_score"]`; the scale is the model's. An empty list sends nothing. Usage is gathered
    by `collect()`. Errors: each is GeekAI's and LangChain's at once, see `geekai_core.errors`. A pickled object carries
    its key: treat it as a secret.
    """

    top_n: int | None = Field(default=3, ge=1)
    """How many documents to keep; None keeps all. Three is what LangChain's other rerankers keep."""
    batch_size: int | None = Field(default=None, ge=1)
    """At most this many documents in one request. Default: all."""

    def _arguments(self, documents: Sequence[Rankable], model: str | None, top_n: int | None) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("retries", "extra_body", "batch_size")}
        fields = {**own, "model": model or self.model, "top_n": self.top_n if top_n == -1 else top_n}
        return {**fields, "documents": [_text(document) for document in documents]}

    def _ranked(self, answer: RerankList, inputs: int) -> list[Ranked]:
        self._missing(answer, inputs)
        return [{"index": one.index, "relevance_score": one.relevance_score} for one in answer.results]

    def rerank(
        self, documents: Sequence[Rankable], query: str, *, model: str | None = None, top_n: int | None = -1
    ) -> list[Ranked]:
        """The best documents as `{"index", "relevance_score"}`, best first. A dict's text is its `text`, or its JSON.

        `model`, `top_n`: in place of the object's own; None is all documents.
        """
        with self._sending("Reranking", len(documents)) as sending:
            answer = self._clients()[0].rerank(query, **self._arguments(documents, model, top_n), **sending)
        return self._ranked(answer, len(documents))

    async def arerank(
        self, documents: Sequence[Rankable], query: str, *, model: str | None = None, top_n: int | None = -1
    ) -> list[Ranked]:
        """`rerank`, awaiting."""
        with self._sending("Reranking", len(documents)) as sending:
            answer = await self._clients()[1].rerank(query, **self._arguments(documents, model, top_n), **sending)
        return self._ranked(answer, len(documents))

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Copies of the best documents, best first, with their scores in `metadata["relevance_score"]`."""
        return [_scored(documents[one["index"]], one) for one in self.rerank(documents, query)]

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """`compress_documents`, awaiting."""
        return [_scored(documents[one["index"]], one) for one in await self.arerank(documents, query)]


def _text(document: Rankable) -> str:
    if isinstance(document, Document):
        return document.page_content
    if isinstance(document, dict):
        text = document.get("text")
        return text if isinstance(text, str) else json.dumps(document, ensure_ascii=False, default=str)
    return document


def _scored(document: Document, ranked: Ranked) -> Document:
    return document.model_copy(update={"metadata": {**document.metadata, "relevance_score": ranked["relevance_score"]}})
