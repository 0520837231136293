"""What tracers see of a call: OpenTelemetry through OpenInference, LangSmith's runs, each framework's own callbacks."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import PrivateAttr

from geekai_core import AuthenticationError, StreamInterruptedError
from geekai_testing.replies import Cut, Reply, Request, chunk, completion, delta, error, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from llama_index_geekai import GeekAI
from tests.langchain.conftest import WAYS, ask
from tests.llama_index.support import CHATS, COMPLETIONS, last

EXAMPLE = Path(__file__).parent.parent / "examples/observability.py"
KEY = "sk-observed-3b7e"
USAGE = usage(20, 7, 1, prompt={"cached_tokens": 4}, completion={"reasoning_tokens": 3})
SOURCES: dict[str, Any] = {"usage": USAGE, "citations": ["https://harbour.example"]}
TOKENS = {
    "llm.token_count.prompt": 20,
    "llm.token_count.prompt_details.cache_read": 4,
    "llm.token_count.completion": 7,
    "llm.token_count.completion_details.reasoning": 3,
    "llm.token_count.total": 27,
}
EVERY = [("LangChain", way) for way in WAYS] + [("LlamaIndex", how) for how in (*CHATS, *COMPLETIONS)]
FAULTS = [(*at, "refused") for at in EVERY] + [(*at, "cut off") for at in EVERY if "stream" in at[1]]


def answer(request: Request) -> Reply:
    """The same answer to everybody, whole or streamed, with a usage that names every kind of token."""
    if request.json.get("stream"):
        pieces = [delta(reasoning_content="At sea"), delta("At "), delta("nine."), delta(finish_reason="stop")]
        return sse(*pieces, chunk([], **SOURCES))
    return json_reply(completion("At nine.", reasoning_content="At sea", **SOURCES))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(answer) as server:
        yield server


@pytest.fixture
def model(server: ScriptedServer) -> Iterator[ChatGeekAI]:
    model = ChatGeekAI(model="deepseek-r1", api_key=KEY, base_url=server.base_url, temperature=0.5, max_retries=0)
    yield model
    model.close()


@pytest.fixture
def llm(server: ScriptedServer) -> Iterator[GeekAI]:
    llm = GeekAI(model="deepseek-r1", api_key=KEY, api_base=server.base_url, max_retries=0)
    yield llm
    llm.close()


class Traced(NamedTuple):
    """The example's functions, its tracer, and the spans that have ended."""

    example: dict[str, Any]
    tracer: Any
    exporter: InMemorySpanExporter

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def of(self, name: str) -> dict[str, Any]:
        (span,) = (span for span in self.spans() if span.name == name)
        return dict(span.attributes or {})


@pytest.fixture
def traced() -> Iterator[Traced]:
    example = runpy.run_path(str(EXAMPLE))
    exporter = InMemorySpanExporter()
    yield Traced(example, example["instrument"](exporter), exporter)
    LangChainInstrumentor().uninstrument()
    LlamaIndexInstrumentor().uninstrument()


async def call(framework: str, how: str, model: ChatGeekAI, llm: GeekAI) -> Any:
    return await (ask(model, how, "When?") if framework == "LangChain" else last(llm, how))


@pytest.mark.parametrize(("framework", "how"), EVERY)
async def test_a_span_holds_model_and_tokens_and_the_one_around_it_the_billed_searches(
    model: ChatGeekAI, llm: GeekAI, traced: Traced, framework: str, how: str
) -> None:
    with traced.example["billed"](traced.tracer, "around"):
        await call(framework, how, model, llm)
    inner, outer = traced.spans()
    told = traced.of(inner.name)
    assert {name: told.get(name) for name in TOKENS} == TOKENS
    assert told["openinference.span.kind"] == "LLM"
    assert told["llm.finish_reason"] == "stop"
    assert "At nine." in told["output.value"]
    # OpenInference tells the model that answered where LangChain does, else the one that was asked.
    assert told["llm.model_name"] == ("geekai-test" if how in ("invoke", "ainvoke") else "deepseek-r1")
    assert inner.parent.span_id == outer.context.span_id
    assert traced.of("around") == {"geekai.billed_units": 1}


@pytest.mark.parametrize("way", WAYS)
async def test_langchain_s_spans_show_billed_units_and_sources_in_their_output(
    model: ChatGeekAI, traced: Traced, way: str
) -> None:
    await ask(model, way, "When?")
    told = traced.of("ChatGeekAI")
    ((generation,),) = json.loads(told["output.value"])["generations"]
    said = generation["message"]["kwargs"]
    assert said["response_metadata"]["billed_units"] == 1
    assert said["response_metadata"]["token_usage"] == USAGE
    assert said["additional_kwargs"]["citations"] == SOURCES["citations"]
    assert told["llm.provider"] == "geekai"
    assert json.loads(told["metadata"])["ls_model_name"] == "deepseek-r1"


@pytest.mark.parametrize(("framework", "how", "fault"), FAULTS)
async def test_a_failure_s_spans_say_so_without_the_key(
    server: ScriptedServer, model: ChatGeekAI, llm: GeekAI, traced: Traced, framework: str, how: str, fault: str
) -> None:
    cut_off = fault == "cut off"
    server.play(sse(delta("At "), Cut()) if cut_off else error(401, f"密钥无效: {KEY}"))
    expected = StreamInterruptedError if cut_off else AuthenticationError
    with pytest.raises(expected), traced.example["billed"](traced.tracer, "around"):
        await call(framework, how, model, llm)
    inner, outer = traced.spans()
    for span in (inner, outer):
        assert not span.status.is_ok
        assert expected.__name__ in span.to_json()
        assert KEY not in span.to_json()
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("framework", "how"), EVERY)
async def test_the_key_is_in_no_span_of_an_answer(
    model: ChatGeekAI, llm: GeekAI, traced: Traced, framework: str, how: str
) -> None:
    await call(framework, how, model, llm)
    (span,) = traced.spans()
    assert KEY not in span.to_json()


def test_the_example_prints_a_line_for_each_span_of_both_frameworks(server: ScriptedServer) -> None:
    env = {**os.environ, "GEEKAI_API_KEY": KEY, "GEEKAI_BASE_URL": server.base_url, "GEEKAI_MODEL": "qwen-max"}
    done = subprocess.run([sys.executable, str(EXAMPLE)], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    tokens = "llm.token_count.prompt=20 llm.token_count.completion=7"
    assert [line for line in lines if tokens not in line] == [
        f"{name:22} geekai.billed_units=2" for name in ("whole", "streamed", "whole, awaited", "streamed, awaited")
    ]
    assert sorted(line.split()[0] for line in lines if tokens in line) == [
        *["ChatGeekAI"] * 4,
        *("GeekAI.achat", "GeekAI.astream_chat", "GeekAI.chat", "GeekAI.stream_chat"),
    ]
    assert {request.json["enable_search"] for request in server.requests} == {True}


@pytest.mark.parametrize("way", WAYS)
async def test_a_run_as_langsmith_takes_it_holds_provider_model_usage_and_billed_units(
    model: ChatGeekAI, way: str
) -> None:
    collector = RunCollectorCallbackHandler()
    await ask(model, way, "When?", config={"callbacks": [collector]})
    (run,) = collector.traced_runs
    metadata = run.extra["metadata"]
    asked = {name: metadata[name] for name in ("ls_provider", "ls_model_name", "ls_model_type", "ls_temperature")}
    assert asked == {
        "ls_provider": "geekai",
        "ls_model_name": "deepseek-r1",
        "ls_model_type": "chat",
        "ls_temperature": 0.5,
    }
    said = run.outputs["generations"][0][0]["message"]["kwargs"]
    assert said["usage_metadata"]["input_tokens"] == 20
    assert said["usage_metadata"]["input_token_details"]["cache_read"] == 4
    assert said["usage_metadata"]["output_token_details"]["reasoning"] == 3
    assert said["response_metadata"]["billed_units"] == 1
    assert KEY not in repr((run.extra, run.serialized, run.inputs, run.outputs))


@pytest.mark.parametrize("way", WAYS)
async def test_langchain_s_usage_callback_sums_up_a_chain_s_tokens_by_model(model: ChatGeekAI, way: str) -> None:
    chain = ChatPromptTemplate.from_template("{question}") | model
    with get_usage_metadata_callback() as counted:
        for _ in range(2):
            await ask(chain, way, {"question": "When?"})
    assert list(counted.usage_metadata) == ["geekai-test"]
    total = counted.usage_metadata["geekai-test"]
    assert (total["input_tokens"], total["output_tokens"], total["total_tokens"]) == (40, 14, 54)
    assert total["input_token_details"]["cache_read"] == 8
    assert total["output_token_details"]["reasoning"] == 6


class Heard(BaseEventHandler):
    """Keeps the events of LLMs."""

    _events: list[Any] = PrivateAttr(default_factory=list)

    def handle(self, event: Any, **kwargs: Any) -> None:
        self._events.append(event)


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    handler, root = Heard(), get_dispatcher()
    root.add_event_handler(handler)
    yield handler._events
    root.event_handlers.remove(handler)


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_llama_index_s_events_hold_model_usage_and_billed_units(llm: GeekAI, heard: list[Any], how: str) -> None:
    await last(llm, how)
    begun, ended = heard[0], heard[-1]
    assert isinstance(ended, (LLMChatEndEvent, LLMCompletionEndEvent))
    assert begun.model_dict["model_name"] == "deepseek-r1"
    assert begun.model_dict["provider"] == "geekai"
    assert ended.response.raw["usage"] == USAGE
    assert ended.response.raw["model"] == "geekai-test"
    assert ended.response.additional_kwargs["billed_units"] == 1
    assert KEY not in repr(heard)
