"""A third framework on the same core: GeekAI as a model of pydantic-ai, with tools, structured output and streams.

    pip install . pydantic-ai-slim
    python examples/third_adapter.py "What is tea?"

What is decided for LangChain and LlamaIndex is decided here, too: second ways, sendable histories, names of tools,
reading of odd answers. An adapter only translates.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic_ai import Agent, RunContext
from pydantic_ai import messages as ai
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from geekai_core import AsyncClient, AsyncStream, ChatCompletion, ChatOptions, ClientOptions
from geekai_core.adapters.requests import chat_request
from geekai_core.conversation import Request
from geekai_core.request.schemas import tool_parameters

OPTIONS = ("temperature", "top_p", "max_tokens", "seed", "stop_sequences", "parallel_tool_calls", "timeout")
"""Settings of pydantic-ai that have the same name and meaning here."""


class Options(ChatOptions, ClientOptions):
    """The fields that every adapter has."""

    model: str


class GeekAIModel(Model):
    """`Agent(GeekAIModel("gpt-4o"))`. Options: the fields of `ChatOptions` and `ClientOptions`."""

    def __init__(self, model: str, client: AsyncClient | None = None, **options: Any) -> None:
        super().__init__()
        self._options = Options(model=model, **options)
        self._client = client or AsyncClient()

    @property
    def model_name(self) -> str:
        """The model's id."""
        return self._options.model

    @property
    def system(self) -> str:
        """The provider."""
        return "geekai"

    async def request(
        self,
        messages: list[Any],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ai.ModelResponse:
        """The whole answer."""
        request = self._request(messages, model_settings, model_request_parameters)
        return from_wire_answer((await self._client.converse(request)).answer)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[Any],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The answer in pieces."""
        request = self._request(messages, model_settings, model_request_parameters, stream=True)
        async with self._client.converse_streaming(request) as stream:
            yield GeekAIStream(model_request_parameters, stream, self.model_name)

    def _request(
        self, messages: list[Any], settings: Any, parameters: ModelRequestParameters, *, stream: bool = False
    ) -> Request:
        settings, parameters = self.prepare_request(settings, parameters)
        call = {name: value for name, value in (settings or {}).items() if name in OPTIONS}
        tools = [*parameters.function_tools, *parameters.output_tools]
        call["tools"] = [to_wire_tool(tool) for tool in tools]
        if tools and not parameters.allow_text_output:
            call["tool_choice"] = "required"
        wire = [one for message in messages for one in to_wire_messages(message)]
        if instructions := getattr(messages[-1], "instructions", None):
            wire.insert(0, {"role": "system", "content": instructions})
        return chat_request(self._options, wire, call, stream=stream)


def to_wire_tool(tool: Any) -> dict[str, Any]:
    """A tool in OpenAI's shape."""
    function = {"name": tool.name, "description": tool.description or ""}
    return {"type": "function", "function": function | {"parameters": tool_parameters(tool.parameters_json_schema)}}


def to_wire_messages(message: Any) -> list[dict[str, Any]]:
    """One message of pydantic-ai's as those of the wire; `sendable` in the core does the rest."""
    if isinstance(message, ai.ModelResponse):
        return [_assistant(message)]
    wire: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, ai.SystemPromptPart):
            wire.append({"role": "system", "content": part.content})
        elif isinstance(part, ai.UserPromptPart):
            wire.append({"role": "user", "content": _content(part.content)})
        elif isinstance(part, ai.ToolReturnPart):
            result = part.model_response_str()
            wire.append({"role": "tool", "tool_call_id": part.tool_call_id, "content": result})
        elif isinstance(part, ai.RetryPromptPart):
            role = {"role": "tool", "tool_call_id": part.tool_call_id} if part.tool_name else {"role": "user"}
            wire.append({**role, "content": part.model_response()})
        else:
            raise TypeError(f"a {type(part).__name__} cannot be sent")
    return wire


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [
        {"type": "text", "text": item}
        if isinstance(item, str)
        else {"type": "image_url", "image_url": {"url": item.url}}
        for item in content
    ]


def _assistant(message: ai.ModelResponse) -> dict[str, Any]:
    text = "".join(part.content for part in message.parts if isinstance(part, ai.TextPart))
    thought = "".join(part.content for part in message.parts if isinstance(part, ai.ThinkingPart))
    calls = [
        {"id": part.tool_call_id, "function": {"name": part.tool_name, "arguments": part.args}}
        for part in message.parts
        if isinstance(part, ai.ToolCallPart)
    ]
    return {"role": "assistant", "content": text, "reasoning_content": thought, "tool_calls": calls}


def from_wire_answer(answer: ChatCompletion) -> ai.ModelResponse:
    """A whole answer."""
    message = answer.message
    parts: list[Any] = []
    if message.reasoning_content:
        parts.append(ai.ThinkingPart(message.reasoning_content))
    if message.content:
        parts.append(ai.TextPart(message.content))
    for call in message.tool_calls or ():
        name, arguments = (call.function.name, call.function.arguments) if call.function else (None, None)
        parts.append(ai.ToolCallPart(name or "", arguments, call.id or ""))
    details = {"citations": answer.citations, "billed_units": answer.billed_units}
    return ai.ModelResponse(
        parts=parts, usage=to_usage(answer), model_name=answer.model, provider_name="geekai", provider_details=details
    )


def to_usage(answer: ChatCompletion) -> RequestUsage:
    """The tokens of an answer."""
    used = answer.usage
    if used is None:
        return RequestUsage()
    return RequestUsage(input_tokens=used.prompt_tokens or 0, output_tokens=used.completion_tokens or 0)


class GeekAIStream(StreamedResponse):
    """An answer as it comes."""

    provider_name = "geekai"
    provider_url = None
    timestamp = datetime.now(UTC)
    model_name = ""

    def __init__(self, parameters: ModelRequestParameters, stream: AsyncStream, model_name: str) -> None:
        super().__init__(parameters)
        self._stream = stream
        self.model_name = model_name

    async def _get_event_iterator(self) -> AsyncIterator[ai.ModelResponseStreamEvent]:
        parts = self._parts_manager
        async for delta in self._stream:
            if delta.reasoning_content:
                for event in parts.handle_thinking_delta(vendor_part_id="thoughts", content=delta.reasoning_content):
                    yield event
            if delta.content:
                for event in parts.handle_text_delta(vendor_part_id="text", content=delta.content):
                    yield event
            for piece in delta.tool_calls or ():
                call = {"tool_name": piece.name, "args": piece.arguments or None, "tool_call_id": piece.id}
                event = parts.handle_tool_call_delta(vendor_part_id=piece.slot, **call)
                if event is not None:
                    yield event
        self._usage = to_usage(self._stream.answer)


if __name__ == "__main__":
    print(Agent(GeekAIModel("gpt-4o-mini")).run_sync(sys.argv[1]).output)
