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
    from langchain_geekai.collect import collect, get_citations, get_search_results, to_documents
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
    "register": "_register",
    **dict.fromkeys(("collect", "get_citations", "get_search_results", "to_documents"), "collect"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"langchain_geekai.{_LAZY[name]}")
    # All of its names at once: importing the submodule `collect` has put it where its function belongs.
    globals().update({known: getattr(module, known) for known, home in _LAZY.items() if home == _LAZY[name]})
    return globals()[name]
