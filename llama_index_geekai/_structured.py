"""Structured output: the ladder of `geekai_core.structured` behind LlamaIndex's four `*_structured_predict` methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import aclosing, closing, suppress
from typing import TYPE_CHECKING, Any, cast

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseAsyncGen, ChatResponseGen
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.llm import LLMStructuredPredictEndEvent, LLMStructuredPredictStartEvent
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError

from geekai_core.conversation import Goal, goal_of
from geekai_core.request.structured import Rung
from llama_index_geekai._conversing import Conversing, Exchange
from llama_index_geekai._events import CHAT, llm_events
from llama_index_geekai._tools import GrowingJson

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
    """The object of a stream as far as it goes."""

    def __init__(self, output_cls: type[BaseModel]) -> None:
        from llama_index.core.program.utils import create_flexible_model

        self._cls = output_cls
        self._flexible = create_flexible_model(output_cls)
        self._growing = GrowingJson(step=50)  # each growth is shown
        self._value: dict[str, Any] = {}

    def add(self, response: ChatResponse) -> Iterator[BaseModel]:
        """The object so far, of its class itself where that is possible; nothing where it has not changed."""
        value = self._growing.read(_json_text(response.message))
        if value != self._value:
            self._value = value
            for cls in (self._cls, self._flexible):
                with suppress(ValidationError):
                    yield cls.model_validate(value)
                    return


class StructuredLLM(Conversing, FunctionCallingLLM):
    """The structured half of `GeekAI`. Program modes other than DEFAULT and FUNCTION are left to LlamaIndex."""

    if TYPE_CHECKING:  # what `GeekAI` brings

        def _exchange(
            self, messages: Sequence[ChatMessage], kwargs: dict[str, Any], *, goal: Goal, stream: bool = False
        ) -> Exchange: ...

    @llm_events(CHAT)
    def _predict(self, messages: Sequence[ChatMessage], exchange: Exchange, **kwargs: Any) -> ChatResponse:
        """The last answer of a conversation after an object."""
        return cast(ChatResponse, self._ask(exchange))

    @llm_events(CHAT)
    async def _apredict(self, messages: Sequence[ChatMessage], exchange: Exchange, **kwargs: Any) -> ChatResponse:
        return cast(ChatResponse, await self._aask(exchange))

    @llm_events(CHAT)
    def _predict_pieces(self, messages: Sequence[ChatMessage], exchange: Exchange, **kwargs: Any) -> ChatResponseGen:
        return self._pieces(exchange)

    @llm_events(CHAT)
    async def _apredict_pieces(
        self, messages: Sequence[ChatMessage], exchange: Exchange, **kwargs: Any
    ) -> ChatResponseAsyncGen:
        return self._apieces(exchange)

    def _asking(
        self, form: type[BaseModel], prompt: Any, prompt_args: dict[str, Any], llm_kwargs: dict[str, Any] | None,
        *, stream: bool = False,
    ) -> tuple[list[ChatMessage], Exchange, dict[str, Any]]:  # fmt: skip
        """The messages, the exchange and the keywords with which an object of this form is asked for."""
        kwargs = {name: value for name, value in (llm_kwargs or {}).items() if name not in _PROGRAM_KEYWORDS}
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        return messages, self._exchange(messages, kwargs, goal=goal_for(self, form), stream=stream), kwargs

    def _is_ours(self) -> bool:
        return self.pydantic_program_mode in (PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION)

    def structured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """An `output_cls` object for a prompt, whatever way of asking for one the model takes.

        Raises `InvalidResponseError` when the answer, asked for twice, does not fit.
        """
        if not self._is_ours():
            return super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _begun(output_cls, prompt, prompt_args)
        messages, exchange, kwargs = self._asking(output_cls, prompt, prompt_args, llm_kwargs)
        self._predict(messages, exchange, **kwargs)
        return _ended(exchange.object())

    async def astructured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """`structured_predict`, awaiting."""
        if not self._is_ours():
            return await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _begun(output_cls, prompt, prompt_args)
        messages, exchange, kwargs = self._asking(output_cls, prompt, prompt_args, llm_kwargs)
        await self._apredict(messages, exchange, **kwargs)
        return _ended(exchange.object())

    def _structured_stream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        if not self._is_ours():
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._objects(output_cls, *self._asking(output_cls, prompt, prompt_args, llm_kwargs, stream=True))

    def _objects(
        self, output_cls: type[Any], messages: list[ChatMessage], exchange: Exchange, kwargs: dict[str, Any]
    ) -> Generator[Any, None, None]:
        partials = Partials(output_cls)
        with closing(self._predict_pieces(messages, exchange, **kwargs)) as responses:
            for response in responses:
                yield from partials.add(response)
        yield exchange.object()

    async def _structured_astream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        if not self._is_ours():
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._aobjects(output_cls, *self._asking(output_cls, prompt, prompt_args, llm_kwargs, stream=True))

    async def _aobjects(
        self, output_cls: type[Any], messages: list[ChatMessage], exchange: Exchange, kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        partials = Partials(output_cls)
        async with aclosing(await self._apredict_pieces(messages, exchange, **kwargs)) as responses:
            async for response in responses:
                for partial in partials.add(response):
                    yield partial
        yield exchange.object()


def _begun(output_cls: type[BaseModel], prompt: Any, prompt_args: dict[str, Any]) -> None:
    dispatcher.event(LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args))


def _ended(output: BaseModel) -> BaseModel:
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output
