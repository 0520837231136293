"""What is built without validation is what validation would have built, field by field."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LogProb, MessageRole, TextBlock, ThinkingBlock

from geekai_testing.replies import delta, sse, tool_call
from llama_index_geekai import _response
from llama_index_geekai._response import build
from tests.llama_index.support import USER

TEXT = TextBlock(text="hi")
MESSAGE = {
    "role": MessageRole.ASSISTANT,
    "additional_kwargs": {"citations": ["u"]},
    "blocks": [ThinkingBlock(content="hm"), TEXT],
}
RESPONSE = {
    "message": ChatMessage(**MESSAGE),
    "raw": {"id": 1},
    "delta": "x",
    "logprobs": [[LogProb(token="a", logprob=-0.5, bytes=[97])]],
    "additional_kwargs": {"b": 2},
}
NOTHING = {"message": ChatMessage(), "raw": None, "delta": None, "logprobs": None, "additional_kwargs": {}}


@pytest.mark.parametrize(("cls", "fields"), [(ChatMessage, MESSAGE), (ChatResponse, RESPONSE), (ChatResponse, NOTHING)])
def test_a_built_object_is_the_validated_one(cls: type[Any], fields: dict[str, Any]) -> None:
    built, validated = build(cls, **fields), cls(**fields)
    assert cls in _response._UNCHANGED
    assert built == validated
    assert built.__dict__ == validated.__dict__
    for name in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        assert getattr(built, name) == getattr(validated, name), name
    assert built.model_dump() == validated.model_dump()
    assert built.model_dump_json() == validated.model_dump_json()
    assert copy.deepcopy(built) == built == built.model_copy()
    assert pickle.loads(pickle.dumps(built)) == built


def test_a_built_block_of_text_is_the_validated_one() -> None:
    built, validated = build(TextBlock, {"text"}, block_type="text", text="hi"), TextBlock(text="hi")
    assert TextBlock in _response._UNCHANGED
    assert (built, built.__dict__) == (validated, validated.__dict__)
    for name in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        assert getattr(built, name) == getattr(validated, name), name
    assert pickle.loads(pickle.dumps(built)) == built


def test_a_class_that_core_has_changed_is_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_response, "_UNCHANGED", set())
    assert build(ChatMessage, **MESSAGE) == ChatMessage(**MESSAGE)
    assert build(TextBlock, {"text"}, block_type="text", text="hi") == TextBlock(text="hi")


def test_the_pieces_of_a_stream_are_what_validation_would_build(server: Any, llm: Any) -> None:
    call = tool_call("f", '{"a": 1}', id="c1", index=0)
    server.play(sse(delta("Hi", reasoning_content="hm"), delta(tool_calls=[call]), delta(finish_reason="stop")))
    for piece in llm.stream_chat(USER):
        message = ChatMessage(**dict(piece.message))
        validated = ChatResponse(**{**dict(piece), "message": message})
        assert piece == validated
        assert piece.model_dump_json() == validated.model_dump_json()
