"""`collect()`: what the calls inside a block cost and cited, however deep in an engine or agent they are made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index.core.instrumentation.event_handlers import BaseEventHandler

from geekai_core.collected import Collected
from llama_index_geekai._events import DEAF, dispatcher

_ACTIVE: ContextVar[tuple[Collected, ...]] = ContextVar("geekai_collecting", default=())


class _Collector(BaseEventHandler):
    """Hears the start and the end of every call, and matches them by their span: an end may come in another thread."""

    @classmethod
    def class_name(cls) -> str:
        """The name of this handler."""
        return "GeekAICollector"

    def handle(self, event: Any, **kwargs: Any) -> None:
        """Take in one event."""
        described = getattr(event, "model_dict", None)
        if described is not None:
            if described.get("provider") == "geekai" and _ACTIVE.get():
                _pending[event.span_id] = _ACTIVE.get()
        elif event.span_id in _pending:
            response = getattr(event, "response", None)
            if isinstance(response, (ChatResponse, CompletionResponse)) and isinstance(response.raw, dict):
                kept = {**response.raw, **response.additional_kwargs}
                for collected in _pending[event.span_id]:
                    collected.add(kept)
            _forget(event.span_id)


DEAF.add(_Collector)

_collector = _Collector()
_pending: dict[str | None, tuple[Collected, ...]] = {}
_lock = threading.Lock()
_open = 0


def _forget(span_id: str | None) -> None:
    _pending.pop(span_id, None)
    _listen(0)


def _listen(change: int) -> None:
    """Listen while a block is open or a stream that was begun in one goes on."""
    global _open
    with _lock:
        _open += change
        listening = _collector in dispatcher.root.event_handlers
        if (_open or _pending) and not listening:
            dispatcher.root.add_event_handler(_collector)
        elif listening and not (_open or _pending):
            dispatcher.root.event_handlers.remove(_collector)


@contextmanager
def collect() -> Iterator[Collected]:
    """Gather citations, search results, usage and `billed_units` of every GeekAI call made inside the block.

    For sync and async code, agents, query and chat engines; a stream begun inside is counted when it ends, also after
    the block. Blocks may be nested, and know nothing of the calls of other tasks and threads.
    """
    collected = Collected()
    token = _ACTIVE.set((*_ACTIVE.get(), collected))
    _listen(+1)
    try:
        yield collected
    finally:
        _ACTIVE.reset(token)
        _listen(-1)
