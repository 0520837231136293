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

from geekai_core import ContextOverflowError

F = TypeVar("F", bound=Callable[..., Any])

dispatcher = get_dispatcher("llama_index.core.llms.callbacks")  # core's own, so that the same handlers hear us


class Kind(NamedTuple):
    """What differs between the events of a chat and of a completion."""

    trace: str
    input: str
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

    def __init__(self, llm: Any, kind: Kind, given: Any, kwargs: dict[str, Any]) -> None:
        self._kind = kind
        self._input = {kind.input: given}
        self._payload: dict[str, Any] = {kind.keys[0]: given}
        self._span: dict[str, Any] = {"span_id": active_span_id.get()}
        self._callbacks: CallbackManager = llm.callback_manager
        self._listened = _listened()
        described = llm.to_payload()
        dispatcher.event(kind.started(**self._input, model_dict=described, additional_kwargs=kwargs, **self._span))
        details: dict[str, Any] = {EventPayload.ADDITIONAL_KWARGS: kwargs, EventPayload.SERIALIZED: described}
        self._id = self._callbacks.on_event_start(CBEventType.LLM, payload={**self._payload, **details})

    @contextmanager
    def watched(self, *, streaming: bool = False) -> Iterator[None]:
        """Report an error that is raised within."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, ContextOverflowError):
                error.message = error.message.removesuffix("]") + "; context_window=… tells LlamaIndex what to keep to]"
                error.args = (error.message,)
            self._callbacks.on_event_end(CBEventType.LLM, payload={EventPayload.EXCEPTION: error}, event_id=self._id)
            if streaming:
                dispatcher.event(ExceptionEvent(exception=error, **self._span))
            raise

    def progressed(self, response: Any) -> None:
        """Report a piece of a stream."""
        dispatcher.event(self._kind.in_progress(**self._input, response=response, **self._span))

    def ended(self, response: Any) -> Any:
        """Report the end; returns the response."""
        payload = {**self._payload, self._kind.keys[1]: response}
        self._callbacks.on_event_end(CBEventType.LLM, payload=payload, event_id=self._id)
        if self._listened():
            dispatcher.event(self._kind.ended(**self._input, response=response, **self._span))
        return response

    def stream(self, responses: Generator[Any, None, None]) -> Generator[Any, None, None]:
        """The pieces, with an event for each."""
        last, listened = None, self._listened
        with self.watched(streaming=True), closing(responses):
            for last in responses:
                if listened():
                    self.progressed(last)
                yield last
        self.ended(last)

    async def astream(self, responses: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        """`stream`, awaiting."""
        last, listened = None, self._listened
        with self.watched(streaming=True):
            async with aclosing(responses):
                async for last in responses:
                    if listened():
                        self.progressed(last)
                    yield last
        self.ended(last)


def _listened() -> Callable[[], bool]:
    """Tells, each time, whether any handler from core's dispatcher up to the root listens."""
    way = [dispatcher]
    while way[-1].propagate:
        way.append(way[-1].parent)

    def listened() -> bool:
        for at in way:
            for handler in at.event_handlers:
                if handler.__class__ is not NullEventHandler:
                    return True
        return False

    return listened


@contextmanager
def _begun(llm: Any, kind: Kind, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[_Call]:
    """A call that has begun. Events show a chat's keywords without its messages, as core has it."""
    if not args and kind.input not in kwargs:
        raise (ValueError if kind is COMPLETION else TypeError)(f"no {kind.input} given")
    given = args[0] if args else kwargs[kind.input]
    if kind is CHAT:
        kwargs = {name: value for name, value in kwargs.items() if name != kind.input}
    if not isinstance(llm.callback_manager, CallbackManager):
        llm.callback_manager = CallbackManager()
    with llm.callback_manager.as_trace(kind.trace):
        yield _Call(llm, kind, given, kwargs)


def llm_events(kind: Kind) -> Callable[[F], F]:
    """A decorator for one of the eight chat and completion methods."""

    def wrap(method: F) -> F:
        @functools.wraps(method)
        def sync(self: Any, *args: Any, **kwargs: Any) -> Any:
            with _begun(self, kind, args, kwargs) as call:
                limiter = getattr(self, "rate_limiter", None)
                if limiter is not None:
                    limiter.acquire()
                with call.watched():
                    result = method(self, *args, **kwargs)
                return call.stream(result) if isinstance(result, Generator) else call.ended(result)

        @functools.wraps(method)
        async def awaiting(self: Any, *args: Any, **kwargs: Any) -> Any:
            with _begun(self, kind, args, kwargs) as call:
                limiter = getattr(self, "rate_limiter", None)
                if limiter is not None:
                    await limiter.async_acquire()
                with call.watched():
                    result = await method(self, *args, **kwargs)
                return call.astream(result) if isinstance(result, AsyncGenerator) else call.ended(result)

        wrapped = awaiting if inspect.iscoroutinefunction(method) else sync
        if kind is COMPLETION:  # a missing prompt is then a ValueError, as core has it, not the span's TypeError
            vars(wrapped).pop("__wrapped__")
        return cast(F, wrapped)

    return wrap
