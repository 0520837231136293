"""Both frameworks traced by OpenTelemetry through OpenInference: model, tokens, and the searches that GeekAI billed.

The spans are kept in memory and printed; an app gives `instrument` an exporter of its own, such as OTLP's.
`GEEKAI_API_KEY` is the key, `GEEKAI_MODEL` the model.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

from llama_index.core.llms import ChatMessage
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from langchain_geekai import ChatGeekAI, collect
from llama_index_geekai import GeekAI

QUESTION = "When does the ferry leave?"


def instrument(exporter: SpanExporter) -> Tracer:
    """From now on every call, of either framework, leaves a span with the exporter. Once, at an app's start."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    LlamaIndexInstrumentor().instrument(tracer_provider=provider)
    return provider.get_tracer(__name__)


@contextmanager
def billed(tracer: Tracer, name: str) -> Iterator[None]:
    """A span around calls of either framework, with what OpenInference has no attribute for: the billed searches."""
    with tracer.start_as_current_span(name) as span, collect() as collected:
        try:
            yield
        finally:
            span.set_attribute("geekai.billed_units", collected.billed_units)


def ask(tracer: Tracer, model: ChatGeekAI, llm: GeekAI) -> None:
    """One question to both, whole and streamed. A stream is read to its end inside the block that counts it."""
    with billed(tracer, "whole"):
        model.invoke(QUESTION)
        llm.chat([ChatMessage(QUESTION)])
    with billed(tracer, "streamed"):
        list(model.stream(QUESTION))
        list(llm.stream_chat([ChatMessage(QUESTION)]))


async def aask(tracer: Tracer, model: ChatGeekAI, llm: GeekAI) -> None:
    """`ask`, awaiting."""
    with billed(tracer, "whole, awaited"):
        await asyncio.gather(model.ainvoke(QUESTION), llm.achat([ChatMessage(QUESTION)]))
    with billed(tracer, "streamed, awaited"):
        [chunk async for chunk in model.astream(QUESTION)]
        [piece async for piece in await llm.astream_chat([ChatMessage(QUESTION)])]


if __name__ == "__main__":
    spans, name = InMemorySpanExporter(), os.environ.get("GEEKAI_MODEL", "deepseek-r1")
    clients = ChatGeekAI(model=name, enable_search=True), GeekAI(model=name, enable_search=True)
    tracer = instrument(spans)
    ask(tracer, *clients)
    asyncio.run(aask(tracer, *clients))
    for span in spans.get_finished_spans():
        keys = ("llm.model_name", "llm.token_count.prompt", "llm.token_count.completion", "geekai.billed_units")
        found = span.attributes or {}
        print(f"{span.name:22}", *(f"{key}={found[key]}" for key in keys if key in found))
