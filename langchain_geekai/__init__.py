"""GeekAI (极客智坊) for LangChain."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import langchain_core  # noqa: F401
except ImportError as missing:
    raise ImportError('langchain_geekai needs LangChain: pip install ".[langchain]" in the clone') from missing

from geekai_core import __version__
from langchain_geekai.chat_models import ChatGeekAI

if TYPE_CHECKING:
    from langchain_geekai._register import register
    from langchain_geekai._sources import collect, get_citations, get_search_results, to_documents
    from langchain_geekai.embeddings import GeekAIEmbeddings
    from langchain_geekai.rerank import GeekAIRerank
    from langchain_geekai.retrievers import GeekAISearchRetriever
    from langchain_geekai.tools import GeekAISearchTool

__all__ = [
    "ChatGeekAI",
    "GeekAIEmbeddings",
    "GeekAIRerank",
    "GeekAISearchRetriever",
    "GeekAISearchTool",
    "__version__",
    "collect",
    "get_citations",
    "get_search_results",
    "register",
    "to_documents",
]

_LAZY = {
    "GeekAIEmbeddings": "embeddings",
    "GeekAIRerank": "rerank",
    "GeekAISearchRetriever": "retrievers",
    "GeekAISearchTool": "tools",
    "collect": "_sources",
    "get_citations": "_sources",
    "get_search_results": "_sources",
    "register": "_register",
    "to_documents": "_sources",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    return found
