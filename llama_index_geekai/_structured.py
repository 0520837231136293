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
from geekai_core.errors import EXCERPT
from geekai_core.structured import (
    Rung,
    answer_json,
    needs_instruction,
    next_rung,
    partial_json,
    repair_messages,
    request_fields,
    rungs,
    schema_instruction,
)
from llama_index_geekai._request import merged_fields

dispatcher = get_dispatcher("llama_index.core.llms.llm")  # core's own, so that the same handlers hear us

_PROGRAM_KEYWORDS = ("tool_choice", "tool_required", "allow_parallel_tool_calls")


class Ask(NamedTuple):
    """One attempt: what `chat` is called with."""

    messages: list[ChatMessage]
    fields: dict[str, Any]


class Asking:
    """One structured prediction: what is asked for, in which ways, and how an answer is read. Pure."""

    def __init__(self, llm: Any, output_cls: type[BaseModel], messages: list[ChatMessage], kwargs: Any) -> None:
        self.output_cls = output_cls
        self._messages = messages
        self._kwargs = {name: value for name, value in (kwargs or {}).items() if name not in _PROGRAM_KEYWORDS}
        self._strict = llm.strict
        self._schema = output_cls.model_json_schema()
        fields = merged_fields(llm, self._kwargs)
        self._thinking = bool(fields.get("enable_thinking") or fields.get("thinking"))
        method = {None: None, True: "json_schema", False: "function_calling"}[llm.should_use_structured_outputs]
        if llm.pydantic_program_mode == PydanticProgramMode.FUNCTION:
            method = "function_calling"
        can_call = llm.metadata.is_function_calling_model
        self.rungs = rungs(method, thinking=self._thinking, supports_tools=can_call)

    def ask(self, rung: Rung) -> Ask:
        """The attempt by one way."""
        fields = request_fields(
            rung, self._schema, self.output_cls.__name__, strict=self._strict, thinking=self._thinking
        )
        messages = self._messages
        if needs_instruction(rung, thinking=self._thinking):
            messages = _instructed(messages, schema_instruction(self._schema))
        return Ask(messages, {**self._kwargs, **fields})

    def repair(self, ask: Ask, response: ChatResponse, error: Exception) -> Ask:
        """The attempt that tells what was wrong with the last answer."""
        said = response.message.content or _arguments(response.message) or ""
        added = repair_messages([], said, error, self._schema)
        return Ask([*ask.messages, *(ChatMessage(role=m["role"], content=m["content"]) for m in added)], ask.fields)

    def read(self, response: ChatResponse, rung: Rung) -> BaseModel:
        """The object of an answer. Raises `InvalidResponseError` or pydantic's `ValidationError`."""
        message = response.message
        thoughts = "".join(block.content or "" for block in message.blocks if isinstance(block, ThinkingBlock))
        wire = Message(
            content=message.content,
            reasoning_content=thoughts or None,
            tool_calls=message.additional_kwargs.get("tool_calls"),
        )
        return self.output_cls.model_validate_json(to_json(answer_json(wire, rung)))


def _instructed(messages: list[ChatMessage], instruction: str) -> list[ChatMessage]:
    """The messages with an instruction in their system message, or in one of its own; some models allow only one."""
    if messages and messages[0].role == MessageRole.SYSTEM:
        told = f"{messages[0].content or ''}\n\n{instruction}".lstrip()
        return [ChatMessage(role=MessageRole.SYSTEM, content=told), *messages[1:]]
    return [ChatMessage(role=MessageRole.SYSTEM, content=instruction), *messages]


def _arguments(message: ChatMessage) -> str | None:
    for call in message.additional_kwargs.get("tool_calls") or ():
        return call.function.arguments if call.function else None
    return None


def climb(asking: Asking) -> Generator[Ask | BaseModel, Any, None]:
    """The attempts of one prediction, each answered with its response or with what went wrong; at the end, the object.

    A way that the model refuses is followed by the next; an answer that does not fit is sent back once.
    Raises the last error, an answer that does not fit as `InvalidResponseError`.
    """
    remaining = asking.rungs
    while True:
        rung, *remaining = remaining
        ask = asking.ask(rung)
        outcome = yield ask
        if not isinstance(outcome, Exception):
            break
        if next_rung(rung, outcome, remaining) is None:
            raise outcome
    try:
        yield asking.read(outcome, rung)
        return
    except (InvalidResponseError, ValidationError) as error:
        outcome = yield asking.repair(ask, outcome, error)
    if isinstance(outcome, Exception):
        raise outcome
    try:
        found = asking.read(outcome, rung)
    except ValidationError as error:
        excerpt = (_arguments(outcome.message) or outcome.message.content or "")[:EXCERPT]
        words = f"the answer does not fit {asking.output_cls.__name__}: {error}"
        raise InvalidResponseError(words, excerpt=excerpt) from error
    yield found


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
        text = _arguments(response.message) or response.message.content or ""
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

    def _asking(self, output_cls: type[Any], prompt: Any, kwargs: Any, prompt_args: dict[str, Any]) -> Asking | None:
        if self.pydantic_program_mode not in (PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION):
            return None
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        return Asking(self, output_cls, messages, kwargs)

    def structured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """An `output_cls` object for a prompt, whatever way of asking for one the model takes.

        Raises `InvalidResponseError` when the answer, asked for twice, does not fit.
        """
        asking = self._asking(output_cls, prompt, llm_kwargs, prompt_args)
        if asking is None:
            return super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _begun(output_cls, prompt, prompt_args)
        steps = climb(asking)
        step = next(steps)
        while isinstance(step, Ask):
            outcome: Any
            try:
                outcome = self.chat(step.messages, **step.fields)
            except GeekAIError as error:
                outcome = error
            step = steps.send(outcome)
        return _ended(step)

    async def astructured_predict(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """`structured_predict`, awaiting."""
        asking = self._asking(output_cls, prompt, llm_kwargs, prompt_args)
        if asking is None:
            return await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _begun(output_cls, prompt, prompt_args)
        steps = climb(asking)
        step = next(steps)
        while isinstance(step, Ask):
            outcome: Any
            try:
                outcome = await self.achat(step.messages, **step.fields)
            except GeekAIError as error:
                outcome = error
            step = steps.send(outcome)
        return _ended(step)

    def _structured_stream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        asking = self._asking(output_cls, prompt, llm_kwargs, prompt_args)
        if asking is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._climb(asking)

    def _climb(self, asking: Asking) -> Generator[Any, None, None]:
        steps = climb(asking)
        step = next(steps)
        while isinstance(step, Ask):
            partials = Partials(asking.output_cls)
            outcome: Any = None
            try:
                with closing(self.stream_chat(step.messages, **step.fields)) as responses:
                    for outcome in responses:
                        yield from partials.add(outcome)
            except GeekAIError as error:
                outcome = error
            step = steps.send(outcome)
        yield step

    async def _structured_astream_call(
        self, output_cls: type[Any], prompt: Any, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        asking = self._asking(output_cls, prompt, llm_kwargs, prompt_args)
        if asking is None:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._aclimb(asking)

    async def _aclimb(self, asking: Asking) -> AsyncGenerator[Any, None]:
        steps = climb(asking)
        step = next(steps)
        while isinstance(step, Ask):
            partials = Partials(asking.output_cls)
            outcome: Any = None
            try:
                async with aclosing(await self.astream_chat(step.messages, **step.fields)) as responses:
                    async for outcome in responses:
                        for partial in partials.add(outcome):
                            yield partial
            except GeekAIError as error:
                outcome = error
            step = steps.send(outcome)
        yield step


def _begun(output_cls: type[BaseModel], prompt: Any, prompt_args: dict[str, Any]) -> None:
    dispatcher.event(LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args))


def _ended(output: BaseModel) -> BaseModel:
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output
