"""Embeddings, reranker, retriever and tool as objects: copied, pickled, shown, named, and late to be imported."""

import copy
import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumps
from pydantic import SecretStr

from geekai_core import ConfigurationError
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import GeekAIEmbeddings, GeekAIRerank, GeekAISearchRetriever, GeekAISearchTool
from tests.langchain.conftest import KEY

USES: dict[Any, Callable[[Any], Any]] = {
    GeekAIEmbeddings: lambda one: one.embed_query("tea"),
    GeekAIRerank: lambda one: one.rerank(["tea"], "tea"),
    GeekAISearchRetriever: lambda one: one.invoke("tea"),
    GeekAISearchTool: lambda one: one.invoke({"query": "tea"}),
}
CLASSES = list(USES)


def make(cls: Any, server: ScriptedServer, **fields: Any) -> Any:
    return cls(model="m", api_key=KEY, base_url=server.base_url, **fields)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), lambda one: one.model_copy()]
)
def test_a_used_object_copies_and_pickles_and_its_copy_works(server: ScriptedServer, cls: Any, copied: Any) -> None:
    one = make(cls, server)
    used = USES[cls](one)
    twin = copied(one)
    assert twin == one
    assert USES[cls](twin) == used
    assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {KEY}"] * 2
    one.close()
    twin.close()


@pytest.mark.parametrize("cls", CLASSES)
def test_the_key_is_nowhere_to_be_read(server: ScriptedServer, cls: Any) -> None:
    one = make(cls, server, default_headers={"X": "secret-header"}, proxy="http://user:pass@127.0.0.1:1")
    shown = [repr(one), str(one), dumps(one), str(one.model_dump()), str(one._clients())]
    assert not any(word in text for text in shown for word in (KEY, "pass@", "secret-header"))
    assert isinstance(one.geekai_api_key, SecretStr)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_unknown_or_doubled_keyword_is_refused_by_the_nearest_name(server: ScriptedServer, cls: Any) -> None:
    with pytest.raises(ConfigurationError, match="unknown field 'time_out'; did you mean 'timeout'"):
        make(cls, server, time_out=3)
    with pytest.raises(ConfigurationError, match="one field"):
        make(cls, server, geekai_api_key=KEY)


@pytest.mark.parametrize("cls", CLASSES)
def test_without_a_key_the_constructor_says_what_to_do(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEEKAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="GEEKAI_API_KEY"):
        cls(model="m")


def test_every_name_is_itself_whichever_is_imported_first() -> None:
    """None of what only RAG needs is loaded with the package."""
    code = """
import importlib, inspect, sys
import langchain_geekai
late = {f"langchain_geekai.{name}" for name in ("embeddings", "rerank", "retrievers", "tools", "_sources")}
assert not late & set(sys.modules)
assert "tqdm" not in sys.modules
for first in langchain_geekai.__all__:
    for name in [name for name in sys.modules if name.startswith("langchain_geekai")]:
        del sys.modules[name]
    package = importlib.import_module("langchain_geekai")
    getattr(package, first)
    for name in package.__all__:
        assert not inspect.ismodule(getattr(package, name)), (first, name)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_examples_of_the_docstring_run(server: ScriptedServer, cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEEKAI_API_KEY", KEY)
    monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
    (block,) = re.findall(r"```python\n(.*?)```", inspect.cleandoc(cls.__doc__ or ""), re.DOTALL)
    space: dict[str, Any] = {"__name__": "example"}
    exec(block, space)
    made = [one for one in space.values() if isinstance(one, cls)]
    for one in made:
        one.close()
    assert made or "agent" in space
