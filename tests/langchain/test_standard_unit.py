"""LangChain's own unit tests for chat models, with nothing switched off."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.load import load as load_function
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_geekai import ChatGeekAI

load = sys.modules[load_function.__module__]


@pytest.fixture(autouse=True)
def chat_geekai_may_be_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`test_serdes` loads with LangChain's fixed list of classes, in which no third party's can be.

    Users say `load(…, allowed_objects=[ChatGeekAI], valid_namespaces=["langchain_geekai"])`, which another test does.
    """
    key = ("langchain_geekai", "chat_models", "ChatGeekAI")
    monkeypatch.setitem(load.ALL_SERIALIZABLE_MAPPINGS, key, key)
    load._default_class_paths_cache.clear()
    yield
    load._default_class_paths_cache.clear()


class TestChatGeekAI(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGeekAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "gpt-4o", "api_key": "sk-test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"GEEKAI_API_KEY": "sk-env", "GEEKAI_BASE_URL": "https://geekai.dev/api/v1"},
            {"model": "gpt-4o"},
            {"geekai_api_key": "sk-env", "geekai_api_base": "https://geekai.dev/api/v1"},
        )
