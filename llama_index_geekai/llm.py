"""`GeekAI`: LlamaIndex's LLM for GeekAI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.llms.llm import ToolSelection
from pydantic import AliasChoices, Field

from geekai_core import ChatOptions, ClientOptions, InvalidResponseError
from geekai_core.adapters.requests import chat_request
from geekai_core.conversation import Goal
from geekai_core.models import listed_facts, model_facts
from geekai_core.request.body import flat_bodies
from geekai_core.request.hints import warn_unable, warn_undescribed, warn_unlisted
from geekai_core.wire import ModelInfo
from llama_index_geekai._connection import other_name
from llama_index_geekai._conversing import Exchange
from llama_index_geekai._events import CHAT, COMPLETION, llm_events
from llama_index_geekai._metadata import to_metadata
from llama_index_geekai._request import to_wire_messages
from llama_index_geekai._response import Reading, to_completion
from llama_index_geekai._structured import StructuredLLM
from llama_index_geekai._tools import selections, tool_schema

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool


_LISTED = "_listed"
"""Where an LLM keeps what `/models` says of its model: beside its fields, as it is no setting."""
_FRAMEWORK = frozenset({"formatted", "verbose"})
"""Keywords that LlamaIndex itself passes to a call, and that mean nothing to GeekAI."""


class GeekAI(ChatOptions, ClientOptions, StructuredLLM):
    """GeekAI's chat models in LlamaIndex, with reasoning, citations, search results and usage kept, whole and streamed.

    Every field of `ChatOptions` can be overridden per call: `llm.chat(messages, enable_search=False)`. An unknown
    keyword is a `ConfigurationError`; `extra_body` is the escape hatch. `chat` does not apply `system_prompt`, the
    predict methods do. Errors are those of `geekai_core.errors`. A pickled LLM carries its key: treat it as a secret.

    What GeekAI adds is found in `response.additional_kwargs` (`citations`, `search_results`, `usage`, `billed_units`,
    `finish_reason`, `alternatives`), in a `ThinkingBlock`, and in `response.raw`, a plain dict; a stream's last
    response holds all of it.
    """

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """The model's id, such as `deepseek-r1`; it may also be the first argument."""
    if TYPE_CHECKING:
        model_name: str = ""
        """Another name of `model`."""
    else:
        model_name = other_name("model")
    context_window: int | None = None
    """Tokens that the model can take in and give out. Default: as `fetch_metadata` found, else as its vendor publishes,
    else 32,768, a guess of which a warning tells."""
    is_chat_model: bool = True
    """False makes LlamaIndex's predict methods use `complete`. The request is a chat either way."""
    is_function_calling_model: bool | None = None
    """Default: False for models that are known to be unable (ERNIE and Spark by GeekAI's documentation), else True."""
    should_use_structured_outputs: bool | None = None
    """Structured output begins with `response_format: json_schema` (True, default) or with a tool (False)."""
    strict: bool | None = None
    """Ask for tool arguments that follow their schema strictly."""
    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Another spelling of `extra_body`, which wins."""
    include_response_headers: bool = False
    """Keep the response's headers in `response.additional_kwargs["headers"]`."""
    citation_blocks: bool = False
    """Add a `CitationBlock` for each source. Other integrations raise on one that they find in a shared memory."""

    if not TYPE_CHECKING:  # type checkers know the fields as keywords

        def __init__(self, model: str | None = None, /, **fields: Any) -> None:
            super().__init__(**({} if model is None else {"model": model}), **fields)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex serializes this class."""
        return "geekai_llm"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex wants to know of the model. Never raises, whatever its name."""
        facts = model_facts(self.model, self.__dict__.get(_LISTED))
        can_call = self.is_function_calling_model
        return to_metadata(
            facts,
            context_window=self.context_window,
            max_tokens=self.max_tokens,
            is_chat_model=self.is_chat_model,
            is_function_calling_model=facts.get("tools", True) if can_call is None else can_call,
            model_name=self.model,
        )

    def to_payload(self) -> dict[str, Any]:
        """What events show of this LLM: its metadata; never a key or a header."""
        return {"class_name": self.class_name(), **self.metadata.model_dump(), "provider": "geekai"}

    def fetch_metadata(self) -> LLMMetadata:
        """Ask `/models` for what it says of this model, unless `context_window` is set; returns `metadata`.

        One or more requests. Warns where the context window is not listed.
        """
        return self._learn([] if self.context_window else self._clients()[0].models())

    async def afetch_metadata(self) -> LLMMetadata:
        """`fetch_metadata`, awaiting."""
        return self._learn([] if self.context_window else await self._clients()[1].models())

    def _learn(self, models: list[ModelInfo]) -> LLMMetadata:
        if self.context_window:
            return self.metadata
        for model in models:
            if model.id == self.model:
                self.__dict__[_LISTED] = model
                self.context_window = listed_facts(model).get("context_window")
        if not self.context_window:
            warn_unlisted(self.model, "context_window=… sets it")
        return self.metadata

    def _exchange(
        self, messages: Sequence[ChatMessage], kwargs: dict[str, Any], *, goal: Goal | None = None, stream: bool = False
    ) -> Exchange:
        """What is sent, and how the answer is read. Raises `ConfigurationError`."""
        call = {name: value for name, value in kwargs.items() if name not in _FRAMEWORK}
        call["extra_body"] = flat_bodies(call.pop("additional_kwargs", None), call.get("extra_body"))
        request = chat_request(
            self, to_wire_messages(messages), call, also=self.additional_kwargs, goal=goal, stream=stream
        )
        speech = (request.body.get("audio") or {}).get("format")
        return Exchange(request, Reading(speech, self.citation_blocks, self.include_response_headers))

    @llm_events(CHAT)
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The answer to a conversation. Keywords: any field of `ChatOptions`, `tools`, `tool_choice`, `extra_body`."""
        return cast(ChatResponse, self._ask(self._exchange(messages, kwargs)))

    @llm_events(CHAT)
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """`chat`, awaiting."""
        return cast(ChatResponse, await self._aask(self._exchange(messages, kwargs)))

    @llm_events(CHAT)
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """The answer in pieces, each with the message so far; the request is sent when the first is asked for.

        Closing the generator closes the connection at once.
        """
        return self._pieces(self._exchange(messages, kwargs, stream=True))

    @llm_events(CHAT)
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """`stream_chat`, awaiting."""
        return self._apieces(self._exchange(messages, kwargs, stream=True))

    def _completing(self, prompt: str, formatted: bool, kwargs: dict[str, Any], *, stream: bool = False) -> Exchange:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        exchange = self._exchange([ChatMessage(role="user", content=prompt)], kwargs, stream=stream)
        return replace(exchange, shape=to_completion)

    @llm_events(COMPLETION)
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The answer to a prompt, sent as a chat of one message."""
        return cast(CompletionResponse, self._ask(self._completing(prompt, formatted, kwargs)))

    @llm_events(COMPLETION)
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """`complete`, awaiting."""
        return cast(CompletionResponse, await self._aask(self._completing(prompt, formatted, kwargs)))

    @llm_events(COMPLETION)
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """`stream_chat` for a prompt."""
        return self._pieces(self._completing(prompt, formatted, kwargs, stream=True))

    @llm_events(COMPLETION)
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """`stream_complete`, awaiting."""
        return self._apieces(self._completing(prompt, formatted, kwargs, stream=True))

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """What `chat` is called with. `tool_choice` (a mode, a name, or OpenAI's dict) wins over `tool_required`."""
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(ChatMessage(role="user", content=user_msg) if isinstance(user_msg, str) else user_msg)
        prepared: dict[str, Any] = {"messages": messages, **kwargs}
        if tools:
            strict = self.strict if strict is None else strict
            prepared["tools"] = [tool_schema(tool, strict) for tool in tools]
            for tool in prepared["tools"]:
                if tool.get("type") == "function":
                    warn_undescribed(tool)
            if not self.metadata.is_function_calling_model:
                warn_unable(self.model)
            if "parallel_tool_calls" not in self.model_fields_set:
                prepared.setdefault("parallel_tool_calls", allow_parallel_tool_calls)
            choice = tool_choice or ("required" if tool_required else None)
            if choice is not None:
                prepared["tool_choice"] = choice
        return prepared

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tool calls of a response, or of a piece of a stream with their arguments as far as they go.

        Cheap enough for every piece. A finished call whose arguments are not strictly one JSON object never runs: it
        is left out, and the next request tells the model why. Where none is left that can run, `InvalidResponseError`,
        a `ValueError`, has the reasons. An agent (`error_on_no_tool_call=False`) whose model wrote bad JSON gets the
        calls under names that no tool has, with the reason in them: it tells the model, which may write better.
        Raises `ValueError` where there is no call and that is an error.
        """
        found, broken = selections(response.message)
        if broken and not found:
            if not error_on_no_tool_call and response.additional_kwargs.get("normalized_finish_reason") != "length":
                return broken
            names = "; ".join(call.tool_name for call in broken)
            raise InvalidResponseError(f"the model called tools, but none can run: {names}")
        if not found and error_on_no_tool_call:
            raise ValueError(f"Expected at least one tool call, but got none: {response.message.content!r}")
        return found
