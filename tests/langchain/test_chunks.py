"""Chunks made the cheap way are LangChain's own, field by field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from geekai_core import ToolCallPiece
from langchain_geekai import _chunks

texts = st.text(max_size=20)
arguments = st.one_of(
    texts,
    st.sampled_from(
        ["", "{", "}", '{"a": 1}', ' {"a"', '"b"', "null", "1", "[1]", "[{}]", '": 2', "  ", "true", '\n{"']
    ),
)
pieces = st.none() | st.lists(
    st.builds(ToolCallPiece, st.integers(0, 3), st.none() | texts, st.none() | texts, arguments), min_size=1, max_size=3
)


def fields(obj: Any) -> dict[str, Any]:
    """Everything that pydantic keeps of an object."""
    return {
        "class": type(obj),
        "values": {
            key: fields(value) if isinstance(value, AIMessageChunk) else value for key, value in vars(obj).items()
        },
        "set": obj.__pydantic_fields_set__,
        "extra": obj.__pydantic_extra__,
        "private": obj.__pydantic_private__,
    }


@given(texts, st.none() | texts, pieces)
def test_a_built_chunk_equals_the_validated_one(text: str, reasoning: str | None, calls: Any) -> None:
    def kwargs() -> dict[str, Any]:
        return {} if reasoning is None else {"reasoning_content": reasoning}

    built = _chunks.build_chunk(text, kwargs(), {"model_provider": "geekai"}, calls)
    validated = _chunks.validated_chunk(text, kwargs(), {"model_provider": "geekai"}, calls)
    assert fields(built) == fields(validated)
    assert built == validated
    assert built.model_dump() == validated.model_dump()
    assert (built + built).model_dump() == (validated + validated).model_dump()


def test_the_cheap_way_is_taken_on_this_langchain_core() -> None:
    assert _chunks._shortcut_holds()


def test_where_langchain_core_has_other_fields_its_own_object_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    original = _chunks.validated_chunk

    def with_a_new_field(*args: Any) -> ChatGenerationChunk:
        chunk = original(*args)
        vars(chunk.message)["later"] = None
        return chunk

    monkeypatch.setattr(_chunks, "validated_chunk", with_a_new_field)
    _chunks._shortcut_holds.cache_clear()
    try:
        assert not _chunks._shortcut_holds()
        assert "later" in vars(_chunks.build_chunk("a", {}, {}, None).message)
    finally:
        _chunks._shortcut_holds.cache_clear()


def test_chunks_share_nothing_that_a_reader_may_change() -> None:
    one, two = (_chunks.build_chunk("a", {}, {"model_provider": "geekai"}, None).message for _ in range(2))
    for name, value in vars(one).items():
        if isinstance(value, (dict, list)):
            assert value is not vars(two)[name]
