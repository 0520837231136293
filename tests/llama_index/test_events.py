"""Handlers hear of our calls exactly what they would hear from core's own decorators; and `collect()`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.schema import TextNode

from geekai_core import GeekAIError
from geekai_testing.replies import completion, delta, error, json_reply, sse, usage
from llama_index_geekai import GeekAI, collect, get_citations, get_search_results
from tests.llama_index.support import CHATS, COMPLETIONS, USER, last, play, responses

TOP = {"citations": ["https://a.example"], "usage": usage(30, 12, 2, completion={"reasoning_tokens": 6})}
WHOLE = completion("In China.", reasoning_content="hm", **TOP)
CHUNKS = [delta(reasoning_content="hm"), delta("In "), delta("China."), delta(finish_reason="stop", **TOP)]


class Stock(GeekAI):
    """GeekAI's requests under core's decorators."""

    @classmethod
    def class_name(cls) -> str:
        return GeekAI.class_name()

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        return self.to_payload()  # what decorators before core 0.14.23 tell of the LLM, and with it the key

    @llm_chat_callback()
    def chat(self, messages: Any, **kwargs: Any) -> Any:
        return self._ask(self._exchange(messages, kwargs))

    @llm_chat_callback()
    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        return await self._aask(self._exchange(messages, kwargs))

    @llm_chat_callback()
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return self._pieces(self._exchange(messages, kwargs, stream=True))

    @llm_chat_callback()
    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return self._apieces(self._exchange(messages, kwargs, stream=True))

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return self._ask(self._completing(prompt, formatted, kwargs))

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return await self._aask(self._completing(prompt, formatted, kwargs))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return self._pieces(self._completing(prompt, formatted, kwargs, stream=True))

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return self._apieces(self._completing(prompt, formatted, kwargs, stream=True))


class Callbacks(TokenCountingHandler):
    """Keeps what a callback handler hears."""

    def __init__(self) -> None:
        super().__init__(tokenizer=str.split)
        self.heard: list[Any] = []

    def on_event_start(self, event_type: Any, payload: Any = None, event_id: str = "", **kwargs: Any) -> str:
        self.heard.append(("start", event_type, payload))
        return event_id

    def on_event_end(self, event_type: Any, payload: Any = None, event_id: str = "", **kwargs: Any) -> None:
        self.heard.append(("end", event_type, payload))

    def start_trace(self, trace_id: str | None = None) -> None:
        self.heard.append(("start trace", trace_id))

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None:
        self.heard.append(("end trace", trace_id))


class Ears(BaseEventHandler):
    """Keeps what an instrumentation handler hears, without what differs from call to call."""

    heard: Any

    def handle(self, event: Any, **kwargs: Any) -> None:
        fields = {name: value for name, value in event.__dict__.items() if name not in ("id_", "timestamp", "span_id")}
        method = (event.span_id or "").partition("-")[0].partition(".")[2]
        self.heard.append((event.class_name(), method, fields))


@pytest.fixture
def ears() -> Iterator[Ears]:
    handler, root = Ears(heard=[]), get_dispatcher()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
@pytest.mark.parametrize("fails", [False, True])
async def test_handlers_hear_exactly_what_core_s_decorators_tell(
    server: Any, ears: Ears, how: str, fails: bool
) -> None:
    told = []
    for cls in (GeekAI, Stock):
        callbacks = Callbacks()
        llm = cls(
            model="m", api_key="k", api_base=server.base_url, max_retries=0,
            callback_manager=CallbackManager([callbacks]),
        )  # fmt: skip
        ears.heard.clear()
        if fails:
            broken = sse(delta("In "), {"error": {"message": "gone"}})
            server.play(broken if "stream" in how else error(400, "gone"))
            with pytest.raises(GeekAIError, match="gone"):
                await responses(llm, how, seed=7)
        else:
            play(server, how, WHOLE, CHUNKS)
            await responses(llm, how, seed=7)
        told.append((_plain(list(ears.heard)), _plain(callbacks.heard)))
        llm.close()
        await llm.aclose()
    assert told[0] == told[1]
    assert len(told[0][0]) >= 2


def _plain(heard: Any) -> Any:
    """Exceptions compare by their words."""
    if isinstance(heard, BaseException):
        return repr(heard)
    if isinstance(heard, dict):
        return {name: _plain(value) for name, value in heard.items()}
    return [_plain(one) for one in heard] if isinstance(heard, (list, tuple)) else heard


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_collect_gathers_every_call_inside(server: Any, llm: Any, how: str) -> None:
    for _ in range(3):
        play(server, how, WHOLE, CHUNKS)
    await last(llm, how)
    with collect() as collected:
        await last(llm, how)
        with collect() as inner:
            await last(llm, how)
    assert len(collected.calls) == 2
    assert len(inner.calls) == 1
    assert collected.billed_units == 4
    assert collected.usage["completion_tokens_details"]["reasoning_tokens"] == 12
    assert collected.citations == ["https://a.example"]


async def test_collect_knows_nothing_of_other_tasks(server: Any, llm: Any) -> None:
    server.default = lambda request: json_reply(WHOLE)

    async def ask(times: int) -> int:
        with collect() as collected:
            for _ in range(times):
                await llm.achat(USER)
        return len(collected.calls)

    assert await asyncio.gather(ask(1), ask(2), ask(3)) == [1, 2, 3]


async def test_collect_sees_through_query_engines_and_threads(server: Any, llm: Any) -> None:
    server.default = lambda request: sse(*CHUNKS) if request.json.get("stream") else json_reply(WHOLE)
    nodes = [TextNode(text="Pandas live in China.")]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=4))
    with collect() as collected:
        index.as_query_engine(llm=llm).query("Where?")
        await index.as_query_engine(llm=llm).aquery("Where?")
        assert "".join(index.as_query_engine(llm=llm, streaming=True).query("Where?").response_gen) == "In China."
    assert len(collected.calls) == 3
    assert collected.billed_units == 6


def test_collect_counts_a_stream_that_ends_after_the_block_in_another_thread(server: Any, llm: Any) -> None:
    server.play(sse(*CHUNKS))
    with collect() as collected:
        stream = llm.stream_chat(USER)
    assert collected.calls == []
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    reader.join()
    assert collected.billed_units == 2


async def test_collect_leaves_nothing_behind(server: Any, llm: Any) -> None:
    handlers = list(get_dispatcher().event_handlers)
    server.play(error(400, "no"), sse(*CHUNKS))
    with collect() as collected:
        with pytest.raises(GeekAIError):
            llm.chat(USER)
        stream = llm.stream_chat(USER)
        next(stream)
        stream.close()
    assert collected.calls == []
    assert get_dispatcher().event_handlers == handlers


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_sources_are_found_in_every_kind_of_response(server: Any, llm: Any, how: str) -> None:
    results = [{"title": "Pandas", "link": "https://a.example", "content": "They live in China."}]
    whole = completion("In China.[1]", citations=["https://a.example"], search_results=results)
    ends = delta(finish_reason="stop", citations=["https://a.example"], search_results=results)
    play(server, how, whole, [delta("In China.[1]"), ends])
    response = await last(llm, how)
    (source,) = get_citations(response)
    assert (source.number, source.url, source.title) == (1, "https://a.example", "Pandas")
    (result,) = get_search_results(response)
    assert (result.content, result.raw) == ("They live in China.", results[0])
    assert response.additional_kwargs["search_results"] == results
    if "complete" not in how:
        assert get_citations(response.message)[0].url == "https://a.example"


def test_citation_blocks_come_on_request(server: Any) -> None:
    server.play(json_reply(WHOLE))
    llm = GeekAI(model="m", api_key="k", api_base=server.base_url, citation_blocks=True)
    message = llm.chat(USER).message
    llm.close()
    assert message.content == "In China."
    (block,) = [block for block in message.blocks if block.block_type == "citation"]
    assert (block.source, block.additional_location_info) == ("https://a.example", {"index": 1})


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_a_rate_limiter_is_asked_once_for_each_call(server: Any, make: Any, how: str) -> None:
    if "rate_limiter" not in GeekAI.model_fields:
        pytest.skip("this core has no rate limiters")
    asked = []

    class Limiter:
        def acquire(self, num_tokens: int = 0) -> None:
            asked.append("sync")

        async def async_acquire(self, num_tokens: int = 0) -> None:
            asked.append("async")

    play(server, how, WHOLE, CHUNKS)
    await last(make(rate_limiter=Limiter()), how)
    assert asked == ["async" if how.startswith("a") else "sync"]


def test_a_lost_callback_manager_is_replaced(server: Any, llm: Any) -> None:
    server.play(json_reply(WHOLE))
    llm.callback_manager = None
    assert llm.chat(USER).message.content == "In China."
    assert isinstance(llm.callback_manager, CallbackManager)


def test_a_dispatcher_that_keeps_events_to_itself_is_heeded(server: Any, llm: Any, ears: Ears) -> None:
    own = get_dispatcher("llama_index.core.llms.callbacks")
    server.play(sse(*CHUNKS))
    own.propagate = False
    try:
        list(llm.stream_chat(USER))
    finally:
        own.propagate = True
    assert [name for name, *_ in ears.heard if name.startswith("LLM")] == []
