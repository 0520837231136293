"""LlamaIndex's callback and instrumentation events around a call, as its own decorators give them, but cheaper.

Core's decorators make an event for each piece of a stream, which costs more than all else about the piece, though as a
rule nobody hears it. These make it only when somebody does; a test shows that handlers hear the same from both.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from typing import Any, NamedTuple, TypeVar, cast

from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.event_handlers import NullEventHandler
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionInProgressEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.instrumentation.span import active_span_id

F = TypeVar("F", bound=Callable[..., Any])

dispatcher = get_dispatcher("llama_index.core.llms.callbacks")  # core's own, so that the same handlers hear us

DEAF: set[type] = {NullEventHandler}
"""Kinds of event handlers that do not listen to the pieces of a stream."""


class Kind(NamedTuple):
    """What differs between the events of a chat and of a completion."""

    trace: str
    asked: str
    started: type[Any]
    in_progress: type[Any]
    ended: type[Any]
    keys: tuple[str, str]


CHAT = Kind(
    "chat", "messages", LLMChatStartEvent, LLMChatInProgressEvent, LLMChatEndEvent,
    (EventPayload.MESSAGES, EventPayload.RESPONSE),
)  # fmt: skip
COMPLETION = Kind(
    "completion", "prompt", LLMCompletionStartEvent, LLMCompletionInProgressEvent, LLMCompletionEndEvent,
    (EventPayload.PROMPT, EventPayload.COMPLETION),
)  # fmt: skip


class _Call:
    """The events of one call."""

    def __init__(self, llm: Any, kind: Kind, asked: Any, kwargs: dict[str, Any]) -> None:
        self._kind = kind
        self._asked = {kind.asked: asked}
        self._payload: dict[str, Any] = {kind.keys[0]: asked}
        self._span = {"span_id": active_span_id.get()}
        self._callbacks: CallbackManager = llm.callback_manager
        described = llm.to_payload()
        dispatcher.event(kind.started(**self._asked, model_dict=described, additional_kwargs=kwargs, **self._span))
        told: dict[str, Any] = {EventPayload.ADDITIONAL_KWARGS: kwargs, EventPayload.SERIALIZED: described}
        self._id = self._callbacks.on_event_start(CBEventType.LLM, payload={**self._payload, **told})

    def failed(self, error: BaseException, *, streaming: bool = False) -> None:
        self._callbacks.on_event_end(CBEventType.LLM, payload={EventPayload.EXCEPTION: error}, event_id=self._id)
        if streaming:
            dispatcher.event(ExceptionEvent(exception=error, **self._span))

    def progressed(self, response: Any) -> None:
        if _somebody_listens():
            dispatcher.event(self._kind.in_progress(**self._asked, response=response, **self._span))

    def ended(self, response: Any) -> None:
        payload = {**self._payload, self._kind.keys[1]: response}
        self._callbacks.on_event_end(CBEventType.LLM, payload=payload, event_id=self._id)
        dispatcher.event(self._kind.ended(**self._asked, response=response, **self._span))

    def stream(self, responses: Generator[Any, None, None]) -> Generator[Any, None, None]:
        last = None
        with closing(responses):
            try:
                for last in responses:
                    self.progressed(last)
                    yield last
            except BaseException as error:
                self.failed(error, streaming=True)
                raise
        self.ended(last)

    async def astream(self, responses: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        last = None
        async with aclosing(responses):
            try:
                async for last in responses:
                    self.progressed(last)
                    yield last
            except BaseException as error:
                self.failed(error, streaming=True)
                raise
        self.ended(last)


def _somebody_listens() -> bool:
    """Whether any handler on the way from core's dispatcher to the root listens to the pieces of a stream."""
    at = dispatcher
    while True:
        for handler in at.event_handlers:
            if handler.__class__ not in DEAF:
                return True
        if not at.propagate:
            return False
        at = at.parent


@contextmanager
def _begun(llm: Any, kind: Kind, asked: Any, kwargs: dict[str, Any]) -> Iterator[_Call]:
    if not isinstance(llm.callback_manager, CallbackManager):
        llm.callback_manager = CallbackManager()
    with llm.callback_manager.as_trace(kind.trace):
        yield _Call(llm, kind, asked, kwargs)


def _asked(kind: Kind, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What was asked, and the keywords that events tell of: a chat's without its messages, as core does it."""
    if args:
        return (str(args[0]) if kind is COMPLETION else args[0]), kwargs
    if kind.asked not in kwargs:
        raise (ValueError if kind is COMPLETION else TypeError)(f"no {kind.asked} given")
    rest = kwargs if kind is COMPLETION else {name: value for name, value in kwargs.items() if name != kind.asked}
    return kwargs[kind.asked], rest


def told(kind: Kind) -> Callable[[F], F]:
    """A decorator for one of the eight chat and completion methods."""

    def wrap(method: F) -> F:
        @functools.wraps(method)
        def sync(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked, named = _asked(kind, args, kwargs)
            with _begun(self, kind, asked, named) as call:
                limiter = getattr(self, "rate_limiter", None)
                if limiter is not None:
                    limiter.acquire()
                try:
                    result = method(self, *args, **kwargs)
                except BaseException as error:
                    call.failed(error)
                    raise
                if isinstance(result, Generator):
                    return call.stream(result)
                call.ended(result)
                return result

        @functools.wraps(method)
        async def awaiting(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked, named = _asked(kind, args, kwargs)
            with _begun(self, kind, asked, named) as call:
                limiter = getattr(self, "rate_limiter", None)
                if limiter is not None:
                    await limiter.async_acquire()
                try:
                    result = await method(self, *args, **kwargs)
                except BaseException as error:
                    call.failed(error)
                    raise
                if isinstance(result, AsyncGenerator):
                    return call.astream(result)
                call.ended(result)
                return result

        wrapped = awaiting if inspect.iscoroutinefunction(method) else sync
        if kind is COMPLETION:  # a missing prompt is then a ValueError, as core has it, not the span's TypeError
            vars(wrapped).pop("__wrapped__")
        return cast(F, wrapped)

    return wrap
