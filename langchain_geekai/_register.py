"""Making GeekAI known to LangChain's own factories."""

from __future__ import annotations

import warnings


def register() -> bool:
    """Make `init_chat_model("geekai:gpt-4o")`, and with it `create_agent("geekai:gpt-4o")`, work in this process.

    Returns whether they do; warns where they cannot, because `langchain` is missing or keeps its providers elsewhere.
    It changes a private table of `langchain`, which has no public way in; hence it happens only when called.
    """
    try:
        from langchain.chat_models import base
    except ImportError:
        warnings.warn("register() needs the package langchain", stacklevel=2)
        return False
    providers = getattr(base, "_BUILTIN_PROVIDERS", None)
    if not isinstance(providers, dict):
        warnings.warn("this version of langchain keeps its providers elsewhere; use ChatGeekAI itself", stacklevel=2)
        return False
    providers["geekai"] = ("langchain_geekai", "ChatGeekAI", lambda cls, **kwargs: cls(**kwargs))
    return True
