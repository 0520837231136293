"""What the environment and the constructor say is taken, or refused by name, in both adapters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geekai_core import ConfigurationError, GeekAIError, InvalidResponseError
from geekai_testing.replies import completion, json_reply
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from llama_index_geekai import GeekAI

NOT_YET: set[str] = set()
"""What is not right yet, in both adapters; strictly: whoever mends one takes it off."""


def row(*values: Any, id: str) -> Any:
    marks = [pytest.mark.xfail(reason="not mended yet", strict=True)] if id in NOT_YET else []
    return pytest.param(*values, id=id, marks=marks)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(default=lambda _: json_reply(completion("Hello."))) as running:
        yield running


def ask_langchain(base_url: str, **fields: Any) -> str:
    model = ChatGeekAI(**{"model": "m", "api_key": "k", "base_url": base_url, "max_retries": 0, **fields})
    try:
        return str(model.invoke("Hi").text)
    finally:
        model.close()


def ask_llama_index(base_url: str, **fields: Any) -> str:
    llm = GeekAI(**{"model": "m", "api_key": "k", "api_base": base_url, "max_retries": 0, **fields})
    try:
        return str(llm.complete("Hi"))
    finally:
        llm.close()


both = pytest.mark.parametrize("ask", [ask_langchain, ask_llama_index])
HOSTS = ("127.0.0.1,::1", "[::1],127.0.0.1", "fe80::/10,127.0.0.1", "localhost,::,127.0.0.1")


@both
@pytest.mark.parametrize("hosts", [row(hosts, id=hosts) for hosts in HOSTS])
def test_addresses_of_ipv6_among_the_hosts_without_a_proxy(
    server: ScriptedServer, ask: Any, hosts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, hosts)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert ask(server.base_url) == "Hello."


@both
@pytest.mark.parametrize(
    "content", [row(None, id="a missing file"), row("no certificate", id="a file without certificates")]
)
def test_a_file_of_certificates_that_is_none_is_named(
    server: ScriptedServer, ask: Any, content: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        ask(server.base_url.replace("http://", "https://"))


@both
@pytest.mark.parametrize("words", ["sk-secret-key-0123456789", "sk secret", "https://geekai.co/sk?key=sk-secret"])
def test_a_key_that_was_given_as_the_base_url_is_not_printed(ask: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ask(words)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [row("gpt-4o", id="by position")])
def test_llama_index_takes_the_model_by_position(name: str) -> None:
    llm: Any = GeekAI
    assert llm(name, api_key="k").model == name


@pytest.mark.parametrize("cls", [row(InvalidResponseError, id="a value error")])
def test_an_answer_that_cannot_be_read_is_a_value_error_too(cls: type[Exception]) -> None:
    """LlamaIndex's core skips what raises one and goes on."""
    assert issubclass(cls, ValueError)
    assert issubclass(cls, GeekAIError)
    assert not issubclass(ConfigurationError, ValueError)
