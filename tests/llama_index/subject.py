"""What the conformance suite needs to know of the LLM class that it examines; another class can take GeekAI's place.

Set `LLAMA_INDEX_SUBJECT` to `module:name` of another `Subject`. A test asks for nothing but LlamaIndex's own contract
and these few things; what it finds is looked for where LlamaIndex's own consumers look.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llama_index.core.llms.function_calling import FunctionCallingLLM

KEY = "sk-conformance"
MODEL = "geekai-test"


@dataclass(frozen=True)
class Subject:
    """A class to be examined.

    `make(base_url, **options)`: an instance with this key and model; options are those of `OpenAILike` (`temperature`,
    `max_tokens`, `max_retries`, `timeout`, `system_prompt`, `http_client`, …). `body(fields)`: the options that put
    further fields into every request. `errors`: the base of what it raises for the server's faults. `module`: what is
    imported for it. `close`: close its connections.
    """

    name: str
    make: Callable[..., FunctionCallingLLM]
    body: Callable[[dict[str, Any]], dict[str, Any]]
    errors: type[Exception]
    module: str
    close: Callable[[Any], None]


def _make_geekai(base_url: str, **options: Any) -> FunctionCallingLLM:
    from llama_index_geekai import GeekAI

    return GeekAI(**{"model": MODEL, "api_key": KEY, "api_base": base_url, **options})


def geekai() -> Subject:
    """The project's own class."""
    from geekai_core import GeekAIError

    def body(fields: dict[str, Any]) -> dict[str, Any]:
        return {"extra_body": fields}

    return Subject("GeekAI", _make_geekai, body, GeekAIError, "llama_index_geekai", lambda llm: llm.close())


def chosen() -> Subject:
    """The subject of this run."""
    module, _, name = os.environ.get("LLAMA_INDEX_SUBJECT", f"{__name__}:geekai").partition(":")
    factory: Callable[[], Subject] = getattr(importlib.import_module(module), name)
    return factory()
