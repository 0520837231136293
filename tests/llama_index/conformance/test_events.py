"""C22: one call is one event, for callback handlers, token counters and instrumentation alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from pydantic import Field

from geekai_testing.replies import chunk, completion, delta, error, usage
from tests.llama_index.subject import KEY
from tests.llama_index.support import CHATS, COMPLETIONS, last, play, responses

USAGE = usage(30, 12, 2)
WHOLE = completion("In China.", usage=USAGE)
CHUNKS = [delta("In "), delta("China."), delta(finish_reason="stop"), chunk([], usage=USAGE)]


class Recorder(BaseEventHandler):
    """Keeps all it hears."""

    heard: list[Any] = Field(default_factory=list)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.heard.append(event)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    root = get_dispatcher()
    root.add_event_handler(recorder)
    yield recorder
    root.event_handlers.remove(recorder)


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_c22_a_call_is_one_start_and_one_end(server: Any, llm: Any, recorder: Recorder, how: str) -> None:
    play(server, how, WHOLE, CHUNKS)
    pieces = await responses(llm, how)
    kind = "Completion" if "complete" in how else "Chat"
    names = [event.class_name() for event in recorder.heard]
    assert names.count(f"LLM{kind}StartEvent") == names.count(f"LLM{kind}EndEvent") == 1
    assert [name for name in names if "Start" in name or "End" in name] == [
        f"LLM{kind}StartEvent",
        f"LLM{kind}EndEvent",
    ]
    end = recorder.heard[-1]
    assert end.response is pieces[-1]
    assert end.response.raw["usage"] == USAGE
    assert len({event.span_id for event in recorder.heard}) == 1
    assert names.count(f"LLM{kind}InProgressEvent") == (len(pieces) if "stream" in how else 0)
    assert all(KEY not in str(event.model_dump()) for event in recorder.heard)


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_c22_the_token_counter_counts_a_call_once_and_rightly(server: Any, make: Any, how: str) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = make(callback_manager=CallbackManager([counter]))
    play(server, how, WHOLE, CHUNKS)
    await last(llm, how)
    assert len(counter.llm_token_counts) == 1
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (30, 12)


@pytest.mark.parametrize("how", CHATS)
@pytest.mark.parametrize("broken", [{"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, {}, None])
async def test_c22_a_usage_with_holes_does_not_break_the_token_counter(
    server: Any, make: Any, how: str, broken: Any
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = make(callback_manager=CallbackManager([counter]))
    for _ in range(2):
        play(server, how, completion("In China.", usage=broken), [*CHUNKS[:3], chunk([], usage=broken)])
        await last(llm, how)
    assert counter.total_llm_token_count > 0


@pytest.mark.parametrize("how", CHATS)
async def test_c22_a_failure_is_told_to_the_handlers(server: Any, make: Any, subject: Any, how: str) -> None:
    seen = []

    class Handler(TokenCountingHandler):
        def on_event_end(self, event_type: Any, payload: Any = None, event_id: str = "", **kwargs: Any) -> None:
            if event_type == CBEventType.LLM:
                seen.append(dict(payload or {}))

    llm = make(callback_manager=CallbackManager([Handler(tokenizer=str.split)]), max_retries=0)
    server.play(error(401, "no"))
    with pytest.raises(subject.errors):
        await last(llm, how)
    (payload,) = seen
    assert isinstance(payload["exception"], subject.errors)


@pytest.mark.parametrize("how", [*CHATS, *COMPLETIONS])
async def test_c22_a_call_is_one_span(server: Any, llm: Any, how: str) -> None:
    spans = SimpleSpanHandler()
    root = get_dispatcher()
    root.add_span_handler(spans)
    try:
        play(server, how, WHOLE, CHUNKS)
        await last(llm, how)
    finally:
        root.span_handlers.remove(spans)
    assert [span.id_.split("-")[0] for span in spans.completed_spans] == [f"{type(llm).__name__}.{how}"]


def test_c22_a_prompt_may_be_a_keyword_but_not_missing_or_double(server: Any, llm: Any) -> None:
    play(server, "complete", WHOLE, CHUNKS)
    assert llm.complete(prompt="Where?").text == "In China."
    assert server.requests[0].json["messages"][0]["content"] == "Where?"
    with pytest.raises(ValueError, match="prompt"):
        llm.complete()
    with pytest.raises(TypeError, match="prompt"):
        llm.complete("Where?", prompt="Where?")
