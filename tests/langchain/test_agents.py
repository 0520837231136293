"""`create_agent`, its middleware, LangGraph, and LangChain's own factories, over the wire."""

import os
import subprocess
import sys
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain.chat_models import base as factories
from langchain.chat_models import init_chat_model
from langchain.embeddings import base as embedding_factories
from langchain.embeddings import init_embeddings
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from geekai_core import ConfigurationError, ContextOverflowError, RateLimitError
from geekai_testing.replies import completion, delta, error, json_reply, sse, tool_call, usage
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI, GeekAIEmbeddings, register
from tests.langchain.conftest import KEY, Make

RUNS = ["invoke", "ainvoke"]
DONE = delta(finish_reason="stop", usage=usage())


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: sunny"


class Report(BaseModel):
    """A weather report."""

    city: str
    degrees: int


ASKED = {"messages": [HumanMessage("What is the weather in 'Oslo'?")]}
REPORT = {"messages": [HumanMessage("Report: 'Oslo', 21 degrees.")]}


async def run(agent: Any, way: str, state: Any, config: Any = None) -> Any:
    return agent.invoke(state, config) if way == "invoke" else await agent.ainvoke(state, config)


@pytest.mark.parametrize("way", RUNS)
@pytest.mark.parametrize("version", [None, "v1"])
async def test_an_agent_calls_its_tool_and_answers(
    server: ScriptedServer, make: Make, way: str, version: str | None
) -> None:
    agent = create_agent(make(output_version=version, enable_thinking=True), [weather], system_prompt="Be brief.")
    state = await run(agent, way, ASKED)
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][-1].text == "The tools answered: Oslo: sunny"
    sent = server.requests[1].json["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool"]
    assert sent[2]["reasoning_content"], "the running tool loop carries its reasoning back"


@pytest.mark.parametrize("way", RUNS)
async def test_a_provider_strategy_asks_by_schema(server: ScriptedServer, make: Make, way: str) -> None:
    state = await run(create_agent(make(), [], response_format=ProviderStrategy(Report)), way, REPORT)
    assert state["structured_response"] == Report(city="Oslo", degrees=21)
    sent = server.requests[0].json
    assert sent["response_format"]["json_schema"]["name"] == "Report"
    assert "tools" not in sent


@pytest.mark.parametrize("way", RUNS)
async def test_a_provider_strategy_survives_a_model_without_it_and_a_fence(
    server: ScriptedServer, make: Make, way: str
) -> None:
    """`create_agent` chooses the strategy by the model's name alone."""
    server.play(error(400, "response_format json_schema is not supported"))
    server.play(json_reply(completion('```json\n{"city": "Oslo", "degrees": 21}\n```')))
    state = await run(create_agent(make(model="gpt-4o-mini"), [], response_format=Report), way, REPORT)
    assert state["structured_response"] == Report(city="Oslo", degrees=21)


@pytest.mark.parametrize("way", RUNS)
async def test_a_tool_strategy_forces_a_tool(server: ScriptedServer, make: Make, way: str) -> None:
    state = await run(create_agent(make(), [weather], response_format=ToolStrategy(Report)), way, REPORT)
    assert state["structured_response"] == Report(city="Oslo", degrees=21)
    assert server.requests[0].json["tool_choice"] == "required"


STREAMED = ["stream", "astream"]


@pytest.mark.parametrize("way", STREAMED)
async def test_an_agent_streams_its_messages_piece_by_piece(server: ScriptedServer, make: Make, way: str) -> None:
    agent = create_agent(make(enable_search=True), [weather])
    if way == "stream":
        pieces = list(agent.stream(ASKED, stream_mode="messages"))
    else:
        pieces = [piece async for piece in agent.astream(ASKED, stream_mode="messages")]
    assert all(request.json["stream"] for request in server.requests)
    chunks = [message for message, _ in pieces if isinstance(message, AIMessageChunk)]
    last_id = chunks[-1].id
    answer = [chunk for chunk in chunks if chunk.id == last_id]
    assert len(answer) > 5
    assert "".join(chunk.text for chunk in answer).startswith("The tools answered: Oslo: sunny")
    total = answer[0]
    for chunk in answer[1:]:
        total += chunk
    assert total.additional_kwargs["citations"]
    assert any(isinstance(message, ToolMessage) for message, _ in pieces)


@pytest.mark.parametrize("way", RUNS)
async def test_retry_middleware_tries_again_what_may_work_and_nothing_else(
    server: ScriptedServer, make: Make, way: str
) -> None:
    def agent() -> Any:
        retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False, on_failure="error")
        return create_agent(make(), [], middleware=[retry])

    server.play(error(429, "slow down"), error(500, "oops"), json_reply(completion("Hi.")))
    assert (await run(agent(), way, ASKED))["messages"][-1].text == "Hi."
    server.play(error(400, "bad parameter"))
    with pytest.raises(Exception, match="bad parameter"):
        await run(agent(), way, ASKED)
    assert len(server.requests) == 4


@pytest.mark.parametrize("way", RUNS)
async def test_fallback_middleware_asks_the_next_model(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(error(402, "余额不足"))
    agent = create_agent(make(model="first"), [], middleware=[ModelFallbackMiddleware(make(model="second"))])
    assert (await run(agent, way, ASKED))["messages"][-1].text
    assert [request.json["model"] for request in server.requests] == ["first", "second"]


@pytest.mark.parametrize("way", RUNS)
async def test_summarization_middleware_trusts_our_counts_and_our_profile(
    server: ScriptedServer, make: Make, way: str
) -> None:
    model = make(profile={"max_input_tokens": 1000})
    summary = SummarizationMiddleware(model=model, trigger=("fraction", 0.5), keep=("messages", 1))
    agent = create_agent(model, [], middleware=[summary])
    long = [HumanMessage("Tell me everything."), AIMessage("word " * 900), HumanMessage("And now?")]
    server.play(json_reply(completion("A summary.")), json_reply(completion("The answer.")))
    state = await run(agent, way, {"messages": long})
    assert state["messages"][-1].text == "The answer."
    assert any("A summary." in message["content"] for message in server.requests[1].json["messages"])
    counted = AIMessage(
        "short",
        response_metadata={"model_provider": "geekai"},
        usage_metadata={"input_tokens": 900, "output_tokens": 5, "total_tokens": 905},
    )
    assert summary._should_summarize([HumanMessage("Hi"), counted], 10)


@pytest.mark.parametrize("way", RUNS)
async def test_context_editing_counts_tokens_with_the_model(server: ScriptedServer, make: Make, way: str) -> None:
    edit = ContextEditingMiddleware(
        edits=[ClearToolUsesEdit(trigger=200, keep=0, placeholder="[cleared]")], token_count_method="model"
    )
    called = {"name": "weather", "args": {"city": "Oslo"}, "id": "c1", "type": "tool_call"}
    history = [
        HumanMessage("Hi"),
        AIMessage("", tool_calls=[called]),
        ToolMessage("sunny " * 300, tool_call_id="c1"),
        AIMessage("Sunny."),
        HumanMessage("Thanks."),
    ]
    await run(create_agent(make(), [weather], middleware=[edit]), way, {"messages": history})
    assert server.requests[0].json["messages"][2]["content"] == "[cleared]"


@pytest.mark.parametrize("way", STREAMED)
@pytest.mark.parametrize("version", [None, "v1"])
async def test_a_graph_streams_and_remembers(server: ScriptedServer, make: Make, way: str, version: str | None) -> None:
    model = make(output_version=version)

    def answer(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    async def aanswer(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer if way == "stream" else aanswer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    app = graph.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    top = {"citations": ["https://a.example"], "usage": usage()}
    for question in ("Tea?", "Why?"):
        server.play(
            sse(delta(reasoning_content="Hm."), delta("Tea "), delta("[1]."), delta(finish_reason="stop", **top))
        )
        state = {"messages": [HumanMessage(question)]}
        if way == "stream":
            pieces = list(app.stream(state, config, stream_mode="messages"))
        else:
            pieces = [piece async for piece in app.astream(state, config, stream_mode="messages")]
        assert "".join(message.text for message, _ in pieces) == "Tea [1]."
        assert len({message.id for message, _ in pieces}) == 1
    kept = app.get_state(config).values["messages"]
    assert [message.text for message in kept] == ["Tea?", "Tea [1].", "Why?", "Tea [1]."]
    (cited,) = [block for block in kept[1].content_blocks if block["type"] == "text"]
    assert cited["annotations"][0]["url"] == "https://a.example"
    assert [message["content"] for message in server.requests[1].json["messages"]] == ["Tea?", "Tea [1].", "Why?"]


async def test_an_agent_s_broken_call_does_not_end_it(server: ScriptedServer, make: Make) -> None:
    server.play(json_reply(completion(None, tool_calls=[tool_call("weather", '{"city": ', id="c1")])))
    state = create_agent(make(), [weather]).invoke(ASKED)
    assert state["messages"][1].invalid_tool_calls[0]["id"] == "c1"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> None:
    for module in (factories, embedding_factories):
        monkeypatch.setattr(module, "_BUILTIN_PROVIDERS", dict(module._BUILTIN_PROVIDERS))
    factories._get_chat_model_creator.cache_clear()
    embedding_factories._get_embeddings_class_creator.cache_clear()
    monkeypatch.setenv("GEEKAI_API_KEY", KEY)
    monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
    assert register()
    assert register()


@pytest.mark.usefixtures("registered")
def test_once_registered_langchain_s_factories_know_geekai(server: ScriptedServer) -> None:
    model = init_chat_model("geekai:gpt-4o", temperature=0.5)
    assert isinstance(model, ChatGeekAI)
    assert isinstance(init_chat_model("gpt-4o", model_provider="geekai"), ChatGeekAI)
    assert model.invoke("Hi").text == "Here is a scripted answer to: Hi"
    model.close()
    flexible = init_chat_model(configurable_fields="any")
    flexible.invoke("Hi", config={"configurable": {"model": "geekai:glm-4", "enable_search": True}})
    agent = create_agent("geekai:gpt-4o-mini", [weather])
    assert agent.invoke(ASKED)["messages"][-1].text == "The tools answered: Oslo: sunny"
    assert [request.json["model"] for request in server.requests] == ["gpt-4o", "glm-4", "gpt-4o-mini", "gpt-4o-mini"]
    with pytest.raises(ConfigurationError, match="temprature"):
        init_chat_model("geekai:gpt-4o", temprature=1)


@pytest.mark.usefixtures("registered")
def test_once_registered_embeddings_are_made_by_name(server: ScriptedServer) -> None:
    embeddings = init_embeddings("geekai:e", dimensions=2)
    assert isinstance(embeddings, GeekAIEmbeddings)
    server.play(json_reply({"data": [{"index": 0, "embedding": [1.0, 0.0]}]}))
    assert embeddings.embed_query("tea") == [1.0, 0.0]
    assert server.requests[-1].json == {"model": "e", "input": ["tea"], "dimensions": 2}
    embeddings.close()
    with pytest.raises(ConfigurationError, match="dimensons"):
        init_embeddings("geekai:e", dimensons=2)


@pytest.mark.usefixtures("registered")
def test_once_registered_a_store_embeds_by_name(server: ScriptedServer) -> None:
    store = InMemoryStore(index={"embed": "geekai:e", "dims": 2})
    server.play(*(json_reply({"data": [{"index": 0, "embedding": [x, 1 - x]}]}) for x in (1.0, 0.0, 1.0)))
    store.put(("facts",), "tea", {"text": "Tea is hot."})
    store.put(("facts",), "ice", {"text": "Ice is cold."})
    assert [item.key for item in store.search(("facts",), query="something hot", limit=1)] == ["tea"]
    assert [request.json["model"] for request in server.requests] == ["e"] * 3
    store.embeddings.close()


CLASSIC = """
import os, sys, warnings
from langchain_classic.chat_models import init_chat_model
from langchain_geekai import ChatGeekAI, register
register(), register()
model = init_chat_model("geekai:gpt-4o", temperature=0.5)
assert isinstance(model, ChatGeekAI) and (model.model, model.temperature) == ("gpt-4o", 0.5)
assert isinstance(init_chat_model("gpt-4o", model_provider="geekai"), ChatGeekAI)
assert init_chat_model(configurable_fields="any").invoke("Hi", config={"configurable": {"model": "geekai:m"}}).text
try:
    init_chat_model("nobody:m")
except ValueError as error:
    assert "geekai" in str(error)
"""


def test_once_registered_langchain_classic_knows_geekai_too(server: ScriptedServer) -> None:
    pytest.importorskip("langchain_classic")
    env = os.environ | {"GEEKAI_API_KEY": KEY, "GEEKAI_BASE_URL": server.base_url}
    done = subprocess.run([sys.executable, "-c", CLASSIC], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr


def test_register_says_when_langchain_keeps_its_providers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(factories, "_BUILTIN_PROVIDERS")
    with pytest.warns(UserWarning, match="keeps its providers elsewhere"):
        assert register() is False
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    with pytest.warns(UserWarning, match="needs the package langchain"):
        assert register() is False


def test_errors_that_middleware_looks_for_are_what_it_looks_for() -> None:
    from langchain_core import exceptions as lc

    from langchain_geekai import _errors

    twins = {name: getattr(_errors, name) for name in ("ContextOverflowError", "RateLimitError")}
    assert issubclass(twins["ContextOverflowError"], (ContextOverflowError, lc.ContextOverflowError))
    assert issubclass(twins["RateLimitError"], RateLimitError)
    assert twins["RateLimitError"].is_retryable
    assert not twins["ContextOverflowError"].is_retryable


LOADED = """
import sys
from langchain_core.language_models import BaseChatModel
before = set(sys.modules)
import langchain_geekai
added = {name.partition(".")[0] for name in set(sys.modules) - before} - {"langchain_geekai", "geekai_core"}
assert not added & {"langchain", "httpx", "llama_index", "langgraph", "openai"}, added
import langchain_core.messages.block_translators as translators
assert "geekai" in translators.PROVIDER_TRANSLATORS
"""
MISSING = """
import sys
sys.modules["langchain_core"] = None
try:
    import langchain_geekai
except ImportError as error:
    assert 'pip install ".[langchain]"' in str(error), error
else:
    raise AssertionError("imported")
"""


@pytest.mark.parametrize("program", [LOADED, MISSING], ids=["loads little", "says what is missing"])
def test_importing_the_package(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
