"""`OpenAILike` for the conformance suite: `LLAMA_INDEX_SUBJECT=benchmarks.compare.openai_like:subject`."""

from __future__ import annotations

from typing import Any

from benchmarks.compare.llama_index_peers import openai_like
from tests.llama_index.subject import KEY, Subject


def subject() -> Subject:
    """The class, told what the endpoint can do; its errors are those of the SDK that it stands on."""
    from openai import OpenAIError

    return Subject("OpenAILike", _make, _body, OpenAIError, "llama_index.llms.openai_like", _close)


def _make(base_url: str, **options: Any) -> Any:
    return openai_like(base_url, **{"api_key": KEY, "should_use_structured_outputs": True, **options})


def _body(fields: dict[str, Any]) -> dict[str, Any]:
    return {"additional_kwargs": {"extra_body": fields}}


def _close(llm: Any) -> None:
    if llm._client is not None:
        llm._client.close()
