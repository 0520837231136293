"""What the calls of a `collect()` block really cost, in both frameworks: one bill a call, asked for when it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

import langchain_geekai
import llama_index_geekai
from geekai_core import AsyncClient, Client
from geekai_testing.replies import completion, delta, json_reply, sse
from geekai_testing.scripted import ScriptedServer

SETTINGS = {"api_key": "sk-test-5f2c9a71e0", "system_key": "sys-7c1d0e44b2f9"}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        streamed = sse({**delta("Hi"), "id": "answer-2"}, {**delta(finish_reason="stop"), "id": "answer-2"})
        server.play(json_reply({**completion("Hi"), "id": "answer-1"}), streamed)
        server.play(json_reply({"amount": 0.1}), path="/api/chat/transaction/answer-1")
        server.play(json_reply({}), json_reply({"amount": 0.2}), path="/api/chat/transaction/answer-2")
        yield server


def langchain(url: str) -> Any:
    llm = langchain_geekai.ChatGeekAI(model="m", base_url=url, **SETTINGS)
    with langchain_geekai.collect() as collected:
        llm.invoke("Hi")
        list(llm.stream("Hi"))
    return collected


def llama_index(url: str) -> Any:
    llm = llama_index_geekai.GeekAI(model="m", api_base=url, **SETTINGS)
    with llama_index_geekai.collect() as collected:
        llm.complete("Hi")
        list(llm.stream_complete("Hi"))
    return collected


@pytest.mark.parametrize("block", [langchain, llama_index])
@pytest.mark.parametrize("given", [True, False], ids=["a client given", "a client from the environment"])
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_block_tells_its_costs_when_it_is_asked(
    server: ScriptedServer,
    block: Callable[[str], Any],
    given: bool,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("geekai_core.bills.FIRST_LOOK", 0.0)
    collected = block(server.base_url)
    assert len(server.requests) == 2, "nothing is asked by itself"
    for name, value in (("API_KEY", SETTINGS["api_key"]), ("SYSTEM_KEY", SETTINGS["system_key"])):
        monkeypatch.setenv(f"GEEKAI_{name}", value)
    monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
    if mode == "sync":
        costs = collected.costs(Client() if given else None)
    elif given:
        async with AsyncClient() as client:
            costs = await collected.acosts(client)
    else:
        costs = await collected.acosts()
    assert (costs.amount, costs.yuan, costs.failed) == (Decimal("0.3"), Decimal("0.003"), {})
    assert {request.headers["authorization"] for request in server.requests[2:]} == {f"Bearer {SETTINGS['system_key']}"}


def test_a_cached_answer_is_billed_once(server: ScriptedServer) -> None:
    from langchain_core.caches import InMemoryCache

    llm = langchain_geekai.ChatGeekAI(model="m", base_url=server.base_url, cache=InMemoryCache(), **SETTINGS)
    with langchain_geekai.collect() as collected:
        llm.invoke("Hi")
        llm.invoke("Hi")
    assert [call["id"] for call in collected.calls] == ["answer-1", None]


@pytest.mark.parametrize(
    "make",
    [
        lambda url: langchain_geekai.ChatGeekAI(model="m", base_url=url, **SETTINGS),
        lambda url: llama_index_geekai.GeekAI(model="m", api_base=url, **SETTINGS),
    ],
)
def test_an_object_shows_and_dumps_no_system_key(make: Callable[[str], Any]) -> None:
    llm = make("https://geekai.co/api/v1")
    shown = [repr(llm), str(llm), str(llm.model_dump()), llm.model_dump_json(), str(llm.to_json())]
    assert not [text for text in shown if SETTINGS["system_key"] in text]
