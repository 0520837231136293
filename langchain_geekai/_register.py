"""Making GeekAI known to LangChain's own factories."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

_ELSEWHERE = "this version of langchain keeps its providers elsewhere; use ChatGeekAI and GeekAIEmbeddings themselves"


def register() -> bool:
    """Make `init_chat_model("geekai:gpt-4o")` and `init_embeddings("geekai:…")` work in this process.

    With them work `create_agent("geekai:gpt-4o")`, a store's `index={"embed": "geekai:…"}` and, where langchain-classic
    is installed, its `init_chat_model`. Returns whether they do; warns where they cannot, because `langchain` is not
    there or keeps its providers elsewhere. It changes private tables of those packages, which have no public way in;
    hence it happens only when called.
    """
    try:
        from langchain.chat_models import base as chat_models
        from langchain.embeddings import base as embeddings
    except ImportError:
        warnings.warn("register() needs the package langchain", stacklevel=2)
        return False
    tables = [getattr(module, "_BUILTIN_PROVIDERS", None) for module in (chat_models, embeddings)]
    for table, name in zip(tables, ("ChatGeekAI", "GeekAIEmbeddings"), strict=True):
        if isinstance(table, dict):
            table["geekai"] = ("langchain_geekai", name, lambda cls, **kwargs: cls(**kwargs))
    done = all(isinstance(table, dict) for table in tables) and _register_in_classic()
    if not done:
        warnings.warn(_ELSEWHERE, stacklevel=2)
    return done


def _register_in_classic() -> bool:
    """Make langchain-classic's `init_chat_model` know GeekAI, unless it is not installed."""
    try:
        base: Any = importlib.import_module("langchain_classic.chat_models.base")
    except ImportError:
        return True
    known, others = getattr(base, "_SUPPORTED_PROVIDERS", None), getattr(base, "_init_chat_model_helper", None)
    if not isinstance(known, set) or others is None:
        return False

    def init_chat_model(model: str, *, model_provider: str | None = None, **kwargs: object) -> Any:
        name, provider = base._parse_model(model, model_provider)
        if provider != "geekai":
            return others(model, model_provider=model_provider, **kwargs)
        return importlib.import_module("langchain_geekai").ChatGeekAI(model=name, **kwargs)

    if "geekai" not in known:
        known.add("geekai")
        base._init_chat_model_helper = init_chat_model
    return True
