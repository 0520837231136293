"""What an editor shows: a text for every field, and the names that users bring from other classes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import pytest
from pydantic import BaseModel

import langchain_geekai
import llama_index_geekai
from geekai_core import SearchConfig, Thinking
from geekai_core.options import ChatOptions, ClientOptions, SearchOptions
from llama_index_geekai.retrievers import WebSearch

OURS = ("geekai_core", "langchain_geekai", "llama_index_geekai")
CLASSES: list[Any] = [
    *(SearchConfig, Thinking, ChatOptions, ClientOptions, SearchOptions, WebSearch),
    *(getattr(langchain_geekai, name) for name in langchain_geekai.__all__ if name[0].isupper()),
    *(getattr(llama_index_geekai, name) for name in llama_index_geekai.__all__ if name[0].isupper()),
]


def told_and_untold(cls: type) -> tuple[set[str], set[str]]:
    """The annotated names of a class's own body, in the branches for type checkers too: with a text, and without."""
    (body,) = (node.body for node in ast.parse(textwrap.dedent(inspect.getsource(cls))).body)  # type: ignore[attr-defined]
    blocks = [body, *(node.body for node in body if isinstance(node, ast.If))]
    told, untold = set[str](), set[str]()
    for block in blocks:
        for node, after in zip(block, [*block[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                (told if text else untold).add(node.target.id)
    return told, {name for name in untold if not name.startswith("_")}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__.partition('.')[0]}.{cls.__name__}")
def test_every_field_of_ours_has_a_text_to_show(cls: Any) -> None:
    """A field that only narrows one of a framework's is told by the framework."""
    framework = {
        name
        for base in cls.__mro__
        if not base.__module__.startswith(OURS) and issubclass(base, BaseModel)
        for name in base.model_fields
    }
    bodies = [told_and_untold(base) for base in cls.__mro__ if base.__module__.startswith(OURS)]
    untold = {name for _, names in bodies for name in names}
    assert untold - framework - {"model_config"} == set()
    assert {name for names, _ in bodies for name in names} or not issubclass(cls, BaseModel)


@pytest.mark.parametrize("cls", [langchain_geekai.ChatGeekAI, langchain_geekai.GeekAIEmbeddings])
def test_in_langchain_another_name_of_a_field_reads_it(cls: Any) -> None:
    made = cls(model="m", api_key="sk-1", base_url="http://127.0.0.1:9/api/v1", request_timeout=3)
    assert made.api_key.get_secret_value() == "sk-1"
    assert made.base_url == made.geekai_api_base == "http://127.0.0.1:9/api/v1"
    assert made.request_timeout == made.timeout == 3
    assert "sk-1" not in repr(made)


def test_in_llama_index_another_name_of_a_field_reads_it() -> None:
    llm: Any = llama_index_geekai.GeekAI(model="m", api_key="sk-1", base_url="http://127.0.0.1:9/api/v1")
    assert llm.base_url == llm.api_base == "http://127.0.0.1:9/api/v1"


@pytest.mark.parametrize("cls", [langchain_geekai.ChatGeekAI, llama_index_geekai.GeekAI])
def test_the_wire_s_names_of_options_read_them(cls: Any) -> None:
    llm = cls(model="m", api_key="sk-1", max_completion_tokens=9, stop_sequences="end")
    assert (llm.max_completion_tokens, llm.max_tokens) == (9, 9)
    assert (llm.stop_sequences, llm.stop) == (["end"], ["end"])
    assert not {"max_completion_tokens", "stop_sequences"} & set(llm.model_dump())
