"""What LlamaIndex wants to know of a model, from what is known of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import LLMMetadata
from pydantic import ConfigDict

from geekai_core.models import DEFAULT_CONTEXT_WINDOW, ModelFacts

warned: set[str] = set()
"""The model whose window was guessed first in this process, and warned of."""


def to_metadata(facts: ModelFacts, *, context_window: int | None, max_tokens: int | None, **own: Any) -> LLMMetadata:
    """The metadata of a model: the user's own settings, else the facts.

    LlamaIndex keeps `num_output` tokens of the window free, so an output limit of more than half the window, which
    hosts state where there is no other limit than the window, is left unknown (-1).
    """
    known = context_window or facts.get("context_window")
    window = known or DEFAULT_CONTEXT_WINDOW
    longest = facts.get("max_output_tokens", -1)
    return (LLMMetadata if known else _GuessedMetadata)(
        context_window=window, num_output=max_tokens or (longest if longest * 2 <= window else -1), **own
    )


class _GuessedMetadata(LLMMetadata):
    """Metadata with a guessed context window: reading it warns, once in a process."""

    model_config = ConfigDict(defer_build=True)

    if not TYPE_CHECKING:

        def __getattribute__(self, name: str) -> Any:
            if name == "context_window" and not warned:
                model = super().__getattribute__("model_name")
                warnings.warn(
                    f"the context window of {model!r} is unknown, {DEFAULT_CONTEXT_WINDOW:,} tokens are assumed;"
                    " context_window=… sets it, fetch_metadata() asks GeekAI",
                    stacklevel=2,
                )
                warned.add(model)  # after the warning: where that is an error, it is one each time
            return super().__getattribute__(name)
