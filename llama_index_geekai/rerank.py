"""`GeekAIRerank`: a node postprocessor that puts the nodes that fit the query best first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from pydantic import AliasChoices, Field

from geekai_core.batches import results_of
from geekai_core.wire import RerankList
from llama_index_geekai._batched import Batched

dispatcher = get_dispatcher(__name__)


class GeekAIRerank(Batched, BaseNodePostprocessor):
    """GeekAI's rerank models in LlamaIndex, sync and natively async.

    The nodes come back in new `NodeWithScore`s, best first, with the model's scores; one whose score is no number has
    None and comes last. The model reads what an embedding model would: text and metadata as `MetadataMode.EMBED` has
    them. Usage is found by `collect()`. Errors are those of `geekai_core.errors`; without a query `ValueError`.
    """

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """The model's id, such as `qwen3-rerank`."""
    top_n: int | None = None
    """At most this many nodes. Default: all."""
    batch_size: int | None = None
    """Nodes in one request. Default: all. Scores of one query can be compared across requests."""

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex serializes this class."""
        return "geekai_rerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        with self._reranking(nodes, query_bundle) as (request, ranked), self._client() as client:
            ranked += self._ranked(nodes, client.rerank(**request))
        return ranked

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        with self._reranking(nodes, query_bundle) as (request, ranked):
            async with self._async_client() as client:
                ranked += self._ranked(nodes, await client.rerank(**request))
        return ranked

    @contextmanager
    def _reranking(
        self, nodes: list[NodeWithScore], query: QueryBundle | None
    ) -> Iterator[tuple[dict[str, Any], list[NodeWithScore]]]:
        """What one call sends, and a list for the nodes that it ranks; LlamaIndex's events are around it."""
        if query is None:
            raise ValueError("a query is needed: pass query_bundle or query_str")
        texts = [node.get_content(MetadataMode.EMBED) for node in nodes]
        own = {name: getattr(self, name) for name in ("model", "top_n", "batch_size")}
        ranked: list[NodeWithScore] = []
        top_n = len(nodes) if self.top_n is None else self.top_n
        dispatcher.event(ReRankStartEvent(query=query, nodes=nodes, top_n=top_n, model_name=self.model))
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes, EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query.query_str, EventPayload.TOP_K: top_n,
        }  # fmt: skip
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            yield self._fields(query=query.query_str, documents=texts, on_error="return", **own), ranked
            event.on_end(payload={EventPayload.NODES: ranked})
        dispatcher.event(ReRankEndEvent(nodes=ranked))

    def _ranked(self, nodes: list[NodeWithScore], answer: RerankList) -> list[NodeWithScore]:
        self._missing(answer.failed, results_of(answer), len(nodes))
        return [
            NodeWithScore(node=nodes[result.index or 0].node, score=result.relevance_score) for result in answer.results
        ]
