"""What the tests of embeddings, reranking and search share: objects at the scripted server, and ears for events."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core.callbacks import CBEventType
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from pydantic import Field

from geekai_testing.replies import Reply, Request, json_reply

KEY = "sk-retrieval"


async def value(result: Any) -> Any:
    """What a method gives, of whichever kind it is."""
    return await result if inspect.isawaitable(result) else result


def vector(text: Any) -> list[float]:
    """Tells texts apart: how long one is, and with what it begins."""
    text = text if isinstance(text, str) else text["text"]
    return [float(len(text)), float(ord(text[0]))]


def embedded(request: Request) -> Reply:
    """The vectors of whatever is asked for, the last first, with a token for each text."""
    inputs = request.json["input"]
    data = [{"index": at, "embedding": vector(text)} for at, text in enumerate(inputs)][::-1]
    return json_reply(
        {"model": "e", "data": data, "usage": {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}}
    )


def sent(server: Any) -> list[Any]:
    """The bodies that came."""
    return [request.json for request in server.requests]


class Ears(BaseEventHandler):
    """Keeps every event of the instrumentation, all that a span handler would be told included."""

    heard: list[Any] = Field(default_factory=list)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.heard.append(event)

    def names(self, part: str) -> list[str]:
        return [event.class_name() for event in self.heard if part in event.class_name()]


@contextmanager
def listening() -> Iterator[Ears]:
    """Hear all events of the block."""
    ears, root = Ears(), get_dispatcher()
    root.add_event_handler(ears)
    try:
        yield ears
    finally:
        root.event_handlers.remove(ears)


class Callbacks(BaseCallbackHandler):
    """Keeps what callbacks are told: the kind, and the payload of a start or an end."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.started: list[tuple[CBEventType, dict[str, Any]]] = []
        self.ended: list[tuple[CBEventType, dict[str, Any]]] = []

    def on_event_start(self, event_type: CBEventType, payload: Any = None, event_id: str = "", **kwargs: Any) -> str:
        self.started.append((event_type, payload or {}))
        return event_id

    def on_event_end(self, event_type: CBEventType, payload: Any = None, event_id: str = "", **kwargs: Any) -> None:
        self.ended.append((event_type, payload or {}))

    def start_trace(self, trace_id: str | None = None) -> None: ...

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None: ...
