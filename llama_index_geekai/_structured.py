"""Structured output: the ladder of `geekai_core.structured` behind LlamaIndex's four `*_structured_predict` methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing, closing, suppress
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseAsyncGen, ChatResponseGen
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.llm import LLMStructuredPredictEndEvent, LLMStructuredPredictStartEvent
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError

from geekai_core.client import AsyncClient, Client
from geekai_core.conversation import Goal, Outcome, Request, goal_of
from geekai_core.request.structured import (
    Rung,
)
from geekai_core.response.json_text import partial_json
from llama_index_geekai._chunks import StreamedAnswer
from llama_index_geekai._events import CHAT, llm_events
from llama_index_geekai._response import Reading, from_wire_answer

dispatcher = get_dispatcher("llama_index.core.llms.llm")  # core's own, so that the same handlers hear us

_PROGRAM_KEYWORDS = ("tool_choice", "tool_required", "allow_parallel_tool_calls")


def goal_for(llm: Any, output_cls: type[BaseModel]) -> Goal:
    """The goal that is an object of this class, asked for as the LLM's fields say."""
    method: Rung | None = None
    if llm.should_use_structured_outputs is not None:
        method = "json_schema" if llm.should_use_structured_outputs else "function_calling"
    if llm.pydantic_program_mode == PydanticProgramMode.FUNCTION:
        method = "function_calling"
    supports_tools = llm.metadata.is_function_calling_model
    return goal_of(output_cls, method=method, strict=llm.strict, supports_tools=supports_tools)


def _json_text(message: ChatMessage) -> str:
    """The JSON that a message holds, or is to hold: a tool call's arguments, else the text."""
    calls = message.additional_kwargs.get("tool_calls") or ()
    called = next((call.function.arguments for call in calls if call.function), None)
    return called or message.content or ""


class Partials:
    """The object of a stream as far as it goes. It is read again when the text grew by a fiftieth."""

    def __init__(self, output_cls: type[BaseModel]) -> None:
        from llama_index.core.program.utils import create_flexible_model

        self._cls = output_cls
        self._flexible = create_flexible_model(output_cls)
        self._enough = 1
        self._length = 0
        self._value: Any = None

    def add(self, response: ChatResponse) -> Iterator[BaseModel]:
        """The object so far, of its class itself where that is possible; nothing where it has not changed."""
        text = _json_text(response.message)
        if len(text) < self._length:  # it was asked for once more
            self._enough = 1
        self._length = len(text)
        if len(text) < self._enough:
            return
        self._enough = len(text) + len(text) // 50 + 1
        value = partial_json(text)
        if isinstance(value, dict) and value != self._value:
            self._value = value
            for cls in (self._cls, self._flexible):
                with suppress(ValidationError):
                    yield cls.model_validate(value)
                    return


class StructuredLLMMixin(FunctionCallingLLM):
    """The structured half of `GeekAI`. Program modes other than DEFAULT and FUNCTION are left to LlamaIndex."""

    if TYPE_CHECKING:  # what `GeekAI` brings

        def _request(
            self, messages: Sequence[ChatMessage], kwargs: dict[str, Any], *, goal: Goal, stream: bool = False
        ) -> tuple[Request, Reading]: ...
        def _client(self) -> AbstractContextManager[Client]: ...
        def _async_client(self) -> AbstractAsyncContextManager[AsyncClient]: ...

    @llm_events(CHAT)
    def _predict(
        self, messages: Sequence[ChatMessage], goal: Goal, outcome: list[Outcome], **kwargs: Any
    ) -> ChatResponse:
        """The last answer of a conversation after an object; adds its `outcome`."""
        request, reading = self._request(messages, kwargs, goal=goal)
        with self._client() as client:
            outcome.append(client.converse(request))
        return from_wire_answer(outcome[0].answer, reading)

    @llm_events(CHAT)
    async def _apredict(
        self, messages: Sequence[ChatMessage], goal: Goal, outcome: list[Outcome], **kwargs: Any
    ) -> ChatResponse:
        request, reading = self._request(messages, kwargs, goal=goal)
        async with self._async_client() as client:
            outcome.append(await client.converse(request))
        return from_wire_answer(outcome[0].answer, reading)

    @llm_events(CHAT)
    def _predict_streaming(
        self, messages: Sequence[ChatMessage], goal: Goal, outcome: list[Outcome], **kwargs: Any
    ) -> ChatResponseGen:
        return self._goal_stream(*self._request(messages, kwargs, goal=goal, stream=True), outcome)

    @llm_events(CHAT)
    async def _apredict_streaming(
        self, messages: Sequence[ChatMessage], goal: Goal, outcome: list[Outcome], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        return self._agoal_stream(*self._request(messages, kwargs, goal=goal, stream=True), outcome)

    def _goal_stream(self, request: Request, reading: Reading, outcome: list[Outcome]) -> ChatResponseGen:
        """The pieces of each answer of a conversation; adds its outcome."""
        with self._client() as client, client.converse_streaming(request) as stream:
            ended = None
            while ended is None:
                streamed = StreamedAnswer(reading)
                for delta in stream:
                    if (response := streamed.add(delta)) is not None:
                        yield response
                last = streamed.last(stream.answer)
                ended = stream.outcome()
        outcome.append(ended)
        yield last

    async def _agoal_stream(self, request: Request, reading: Reading, outcome: list[Outcome]) -> ChatResponseAsyncGen:
        async with self._async_client() as client, client.converse_streaming(request) as stream:
            ended = None
            while ended is None:
                streamed = StreamedAnswer(reading)
                async for delta in stream:
                    if (response := streamed.add(delta)) is not None:
                        yield response
                last = streamed.last(stream.answer)
                ended = await stream.outcome()
        outcome.append(ended)
        yield last

    def _is_ours(self) -> bool:
        return self.pydantic_program_mode in (PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION)

    def _prompted_messages(self, prompt: Any, prompt_args: dict[str, Any]) -> list[ChatMessage]:
        return self._extend_messages(prompt.format_messages(llm=self, **prompt_args))

    def structured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """An `output_cls` object for a prompt, whatever way of asking for one the model takes.

        Raises `InvalidResponseError` when the answer, asked for twice, does not fit.
        """
        if not self._is_ours():
            return super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _begun(output_cls, prompt, prompt_args)
        outcome: list[Outcome] = []
        messages = self._prompted_messages(prompt, prompt_args)
        self._predict(messages, goal_for(self, output_cls), outcome, **_kept(llm_kwargs))
        return _ended(outcome[0].object())

    async def astructured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """`structured_predict`, awaiting."""
        if not self._is_ours():
            return await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _begun(output_cls, prompt, prompt_args)
        outcome: list[Outcome] = []
        messages = self._prompted_messages(prompt, prompt_args)
        await self._apredict(messages, goal_for(self, output_cls), outcome, **_kept(llm_kwargs))
        return _ended(outcome[0].object())

    def _structured_stream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        if not self._is_ours():
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._objects(output_cls, self._prompted_messages(prompt, prompt_args), llm_kwargs)

    def _objects(
        self, output_cls: type[Any], messages: list[ChatMessage], llm_kwargs: dict[str, Any] | None
    ) -> Generator[Any, None, None]:
        partials, outcome = Partials(output_cls), list[Outcome]()
        responses = self._predict_streaming(messages, goal_for(self, output_cls), outcome, **_kept(llm_kwargs))
        with closing(responses):
            for response in responses:
                yield from partials.add(response)
        yield outcome[0].object()

    async def _structured_astream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        if not self._is_ours():
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._aobjects(output_cls, self._prompted_messages(prompt, prompt_args), llm_kwargs)

    async def _aobjects(
        self, output_cls: type[Any], messages: list[ChatMessage], llm_kwargs: dict[str, Any] | None
    ) -> AsyncGenerator[Any, None]:
        partials, outcome = Partials(output_cls), list[Outcome]()
        responses = await self._apredict_streaming(messages, goal_for(self, output_cls), outcome, **_kept(llm_kwargs))
        async with aclosing(responses):
            async for response in responses:
                for partial in partials.add(response):
                    yield partial
        yield outcome[0].object()


def _kept(llm_kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """The keywords without those that core's programs pass for tools."""
    return {name: value for name, value in (llm_kwargs or {}).items() if name not in _PROGRAM_KEYWORDS}


def _begun(output_cls: type[BaseModel], prompt: Any, prompt_args: dict[str, Any]) -> None:
    dispatcher.event(LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args))


def _ended(output: BaseModel) -> BaseModel:
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output
