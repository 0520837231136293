"""GeekAI (极客智坊) for LlamaIndex: `GeekAI`, an LLM that keeps reasoning, citations and usage, whole and streamed."""

try:
    from llama_index_geekai.collect import collect, get_citations, get_search_results
    from llama_index_geekai.llm import GeekAI
except ModuleNotFoundError as exc:
    if (exc.name or "").partition(".")[0] != "llama_index":
        raise
    raise ImportError('llama_index_geekai needs llama-index-core: pip install "geekai[llama-index]"') from exc

__all__ = ["GeekAI", "collect", "get_citations", "get_search_results"]
