"""The real local endpoint, loaded once; a scripted one; and both as the examples find them: in the environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geekai_local.serving import serve
from geekai_testing.scripted import ScriptedServer


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.fixture
def local(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The real local endpoint, as a person without a key sets it; its URL."""
    monkeypatch.setenv("GEEKAI_API_KEY", "local")
    monkeypatch.setenv("GEEKAI_BASE_URL", endpoint)
    return endpoint


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        monkeypatch.setenv("GEEKAI_API_KEY", "sk-test-key")
        monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
        yield server
