"""GeekAI (极客智坊) for LlamaIndex: an LLM, embeddings, reranking and web search, with citations and usage kept."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from llama_index_geekai._sources import collect, get_citations, get_search_results, to_nodes
    from llama_index_geekai.llm import GeekAI
except ModuleNotFoundError as exc:
    if (exc.name or "").partition(".")[0] != "llama_index":
        raise
    raise ImportError('llama_index_geekai needs llama-index-core: pip install ".[llama-index]" in the clone') from exc

if TYPE_CHECKING:
    from llama_index_geekai.embeddings import GeekAIEmbedding
    from llama_index_geekai.rerank import GeekAIRerank
    from llama_index_geekai.retrievers import GeekAISearchRetriever
    from llama_index_geekai.tools import GeekAISearchToolSpec

__all__ = [
    "GeekAI",
    "GeekAIEmbedding",
    "GeekAIRerank",
    "GeekAISearchRetriever",
    "GeekAISearchToolSpec",
    "collect",
    "get_citations",
    "get_search_results",
    "to_nodes",
]

_LAZY = {
    "GeekAIEmbedding": "embeddings",
    "GeekAIRerank": "rerank",
    "GeekAISearchRetriever": "retrievers",
    "GeekAISearchToolSpec": "tools",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    return found
