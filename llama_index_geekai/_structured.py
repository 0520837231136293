"""Structured output: the ladder of `geekai_core.structured` behind LlamaIndex's four `*_structured_predict` methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, closing, suppress
from typing import Any, NamedTuple

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ThinkingBlock
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.llm import LLMStructuredPredictEndEvent, LLMStructuredPredictStartEvent
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from geekai_core import GeekAIError, InvalidResponseError, Message
from geekai_core.conversation import next_rung
from geekai_core.errors import EXCERPT
from geekai_core.request.structured import (
    Rung,
    needs_instruction,
    repair_messages,
    request_fields,
    rungs,
    schema_instruction,
)
from geekai_core.response.json_text import answer_json, cut_short, partial_json
from llama_index_geekai._request import merged_fields

dispatcher = get_dispatcher("llama_index.core.llms.llm")  # core's own, so that the same handlers hear us

_PROGRAM_KEYWORDS = ("tool_choice", "tool_required", "allow_parallel_tool_calls")


class Ask(NamedTuple):
    """One attempt: what `chat` is called with."""

    messages: list[ChatMessage]
    fields: dict[str, Any]


def climb(
    llm: Any, output_cls: type[BaseModel], messages: list[ChatMessage], kwargs: dict[str, Any] | None
) -> Generator[Ask | BaseModel, Any, None]:
    """The attempts of one prediction, each sent its response or thrown what went wrong; at the end, the object.

    A way that the model refuses is followed by the next; an answer that does not fit is sent back once, unless the
    token limit cut it.
    Raises the last error, an answer that does not fit as `InvalidResponseError`. Pure.
    """
    kept = {name: value for name, value in (kwargs or {}).items() if name not in _PROGRAM_KEYWORDS}
    merged = merged_fields(llm, kept)
    thinking = bool(merged.get("enable_thinking") or merged.get("thinking"))
    schema = output_cls.model_json_schema()
    remaining = _rungs(llm, thinking)
    while True:
        rung, *remaining = remaining
        fields = request_fields(rung, schema, output_cls.__name__, strict=llm.strict, thinking=thinking)
        told = _instructed(messages, schema) if needs_instruction(rung, thinking=thinking) else messages
        try:
            response = yield Ask(told, {**kept, **fields})
            break
        except GeekAIError as error:
            if next_rung(rung, error, remaining) is None:
                raise
    try:
        yield _read(output_cls, response.message, rung)
        return
    except (InvalidResponseError, ValidationError) as error:
        _raise_if_cut(response, error)
        added = repair_messages([], _said(response.message), error, schema)
    asked = [ChatMessage(role=message["role"], content=message["content"]) for message in added]
    response = yield Ask([*told, *asked], {**kept, **fields})
    try:
        found = _read(output_cls, response.message, rung)
    except (InvalidResponseError, ValidationError) as error:
        _raise_if_cut(response, error)
        words = f"the answer does not fit {output_cls.__name__}: {error}"
        raise InvalidResponseError(words, excerpt=_said(response.message)[:EXCERPT]) from error
    yield found


def _raise_if_cut(response: ChatResponse, error: Exception) -> None:
    if response.additional_kwargs.get("finish_reason") == "length":
        raise cut_short(_said(response.message)) from error


def _rungs(llm: Any, thinking: bool) -> list[Rung]:
    method = {None: None, True: "json_schema", False: "function_calling"}[llm.should_use_structured_outputs]
    if llm.pydantic_program_mode == PydanticProgramMode.FUNCTION:
        method = "function_calling"
    return rungs(method, thinking=thinking, supports_tools=llm.metadata.is_function_calling_model)


def _read(output_cls: type[BaseModel], message: ChatMessage, rung: Rung) -> BaseModel:
    """The object of an answer. Raises `InvalidResponseError` or pydantic's `ValidationError`."""
    thoughts = "".join(block.content or "" for block in message.blocks if isinstance(block, ThinkingBlock))
    calls = message.additional_kwargs.get("tool_calls")
    wire = Message(content=message.content, reasoning_content=thoughts, tool_calls=calls)
    return output_cls.model_validate_json(to_json(answer_json(wire, rung)))


def _instructed(messages: list[ChatMessage], schema: dict[str, Any]) -> list[ChatMessage]:
    """The messages with the schema in their system message, or in one of its own; some models allow only one."""
    told = schema_instruction(schema)
    if messages and messages[0].role == MessageRole.SYSTEM:
        told = f"{messages[0].content or ''}\n\n{told}".lstrip()
        messages = messages[1:]
    return [ChatMessage(role=MessageRole.SYSTEM, content=told), *messages]


def _said(message: ChatMessage) -> str:
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
        self._value: Any = None

    def add(self, response: ChatResponse) -> Iterator[BaseModel]:
        """The object so far, of its class itself where that is possible; nothing where it has not changed."""
        text = _said(response.message)
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

    def _attempts(
        self, output_cls: type[Any], prompt: Any, kwargs: dict[str, Any] | None, prompt_args: dict[str, Any]
    ) -> Generator[Ask | BaseModel, Any, None] | None:
        if self.pydantic_program_mode not in (PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION):
            return None
        return climb(self, output_cls, self._extend_messages(prompt.format_messages(llm=self, **prompt_args)), kwargs)

    def structured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """An `output_cls` object for a prompt, whatever way of asking for one the model takes.

        Raises `InvalidResponseError` when the answer, asked for twice, does not fit.
        """
        steps = self._attempts(output_cls, prompt, llm_kwargs, prompt_args)
        if steps is None:
            return super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _begun(output_cls, prompt, prompt_args)
        step = next(steps)
        while isinstance(step, Ask):
            try:
                step = steps.send(self.chat(step.messages, **step.fields))
            except GeekAIError as error:
                step = steps.throw(error)
        return _ended(step)

    async def astructured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """`structured_predict`, awaiting."""
        steps = self._attempts(output_cls, prompt, llm_kwargs, prompt_args)
        if steps is None:
            return await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _begun(output_cls, prompt, prompt_args)
        step = next(steps)
        while isinstance(step, Ask):
            try:
                step = steps.send(await self.achat(step.messages, **step.fields))
            except GeekAIError as error:
                step = steps.throw(error)
        return _ended(step)

    def _structured_stream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        steps = self._attempts(output_cls, prompt, llm_kwargs, prompt_args)
        if steps is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._climb(output_cls, steps)

    def _climb(self, output_cls: type[Any], steps: Any) -> Generator[Any, None, None]:
        step = next(steps)
        while isinstance(step, Ask):
            partials = Partials(output_cls)
            response = None
            try:
                with closing(self.stream_chat(step.messages, **step.fields)) as responses:
                    for response in responses:
                        yield from partials.add(response)
                step = steps.send(response)
            except GeekAIError as error:
                step = steps.throw(error)
        yield step

    async def _structured_astream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        steps = self._attempts(output_cls, prompt, llm_kwargs, prompt_args)
        if steps is None:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._aclimb(output_cls, steps)

    async def _aclimb(self, output_cls: type[Any], steps: Any) -> AsyncGenerator[Any, None]:
        step = next(steps)
        while isinstance(step, Ask):
            partials = Partials(output_cls)
            response = None
            try:
                async with aclosing(await self.astream_chat(step.messages, **step.fields)) as responses:
                    async for response in responses:
                        for partial in partials.add(response):
                            yield partial
                step = steps.send(response)
            except GeekAIError as error:
                step = steps.throw(error)
        yield step


def _begun(output_cls: type[BaseModel], prompt: Any, prompt_args: dict[str, Any]) -> None:
    dispatcher.event(LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args))


def _ended(output: BaseModel) -> BaseModel:
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output
