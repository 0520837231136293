"""`GeekAI`: LlamaIndex's LLM for GeekAI."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

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
from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, model_validator

from geekai_core import AsyncClient, ChatOptions, Client, ClientOptions, Config, configure
from geekai_core.models import DEFAULT_CONTEXT_WINDOW, facts, supports_tools
from geekai_core.options import refuse_unknown
from geekai_core.wire import ModelInfo
from llama_index_geekai._events import CHAT, COMPLETION, told
from llama_index_geekai._request import Request
from llama_index_geekai._responses import StreamedAnswer, from_wire_answer, to_completion
from llama_index_geekai._structured import StructuredLLMMixin
from llama_index_geekai._tools import selections, tool_schema

if TYPE_CHECKING:
    import httpx
    from llama_index.core.tools.types import BaseTool

    Key = str | SecretStr | Callable[[], str] | None
    HttpClient = httpx.Client | None
    HttpAsyncClient = httpx.AsyncClient | None
else:
    Key = HttpClient = HttpAsyncClient = Any  # httpx is imported with the first request


_SETTINGS = tuple(name for name in Config.__dataclass_fields__ if name not in ("api_key", "base_url"))
_CLIENT_FIELDS = ("api_key", "api_base", "http_client", "async_http_client", *_SETTINGS)

_IDLE = frozenset({"api_version", "tokenizer"})
"""Keywords of `OpenAI` and `OpenAILike` that are accepted and mean nothing here: GeekAI's API has no versions, and
tokens are counted by the server."""


def _same(response: ChatResponse) -> ChatResponse:
    return response


class GeekAI(ChatOptions, ClientOptions, StructuredLLMMixin):
    """GeekAI's chat models in LlamaIndex, with reasoning, citations, search results and usage kept, whole and streamed.

    Every field of `ChatOptions` can be overridden per call: `llm.chat(messages, enable_search=False)`. An unknown
    keyword is a `ConfigurationError`; `extra_body` is the escape hatch. `chat` does not apply `system_prompt`, the
    predict methods do. Errors are those of `geekai_core.errors`. A pickled LLM carries its key: treat it as a secret.

    What GeekAI adds is found in `response.additional_kwargs` (`citations`, `search_results`, `usage`, `billed_units`,
    `finish_reason`, `alternatives`), in a `ThinkingBlock`, and in `response.raw`, a plain dict; a stream's last
    response holds all of it.
    """

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """The model's id, such as `deepseek-r1`."""
    api_key: Key = Field(default=None, exclude=True, repr=False)
    """The key, or a function that gives it. Default: `GEEKAI_API_KEY`."""
    api_base: str | None = Field(default=None, validation_alias=AliasChoices("api_base", "base_url"))
    """The base URL. Default: `GEEKAI_BASE_URL`, else GeekAI's mainland host."""
    context_window: int | None = None
    """Tokens that the model can take in and give out. Default: what `fetch_metadata` found, else 32,768, a guess."""
    is_chat_model: bool = True
    """False makes LlamaIndex's predict methods use `complete`. The request is a chat either way."""
    is_function_calling_model: bool | None = None
    """Default: False for ERNIE and Spark, which GeekAI documents as unable, else True."""
    should_use_structured_outputs: bool | None = None
    """Structured output begins with `response_format: json_schema` (True, default) or with a tool (False)."""
    strict: bool | None = None
    """Ask for tool arguments that follow their schema strictly."""
    reasoning_effort: str | None = None
    """Short for `thinking={"reasoning_effort": …}` with `enable_thinking=True`."""
    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Another spelling of `extra_body`, which wins."""
    citation_blocks: bool = False
    """Add a `CitationBlock` for each source. Other integrations raise on one that they find in a shared memory."""
    reuse_client: bool = True
    """False makes an HTTP client for each call and closes it."""
    http_client: HttpClient = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own, which you close."""
    async_http_client: HttpAsyncClient = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own, which you close."""

    _made: tuple[list[Any], Client, AsyncClient] | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, data: Any) -> Any:
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if name not in _IDLE}
            refuse_unknown(cls, data)
        return data

    def model_post_init(self, context: Any, /) -> None:
        """Make the clients, which open no connection yet. Raises `ConfigurationError` for settings that cannot work."""
        self._clients()

    def _clients(self) -> tuple[Client, AsyncClient]:
        """The clients for the settings as they are now: fields may be assigned, and a copy may differ in them."""
        values = self.__dict__
        if self._made is None or self._made[0] != [values[name] for name in _CLIENT_FIELDS]:
            config = configure(self.api_key, self.api_base, **{name: values[name] for name in _SETTINGS})
            # From now on the model has its key and host, in whatever process.
            values["api_key"], values["api_base"] = config.api_key, config.base_url
            sync = Client(config, http_client=self.http_client)
            waiting = AsyncClient(config, http_async_client=self.async_http_client)
            self._made = [values[name] for name in _CLIENT_FIELDS], sync, waiting
        return self._made[1:]

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> GeekAI:
        memo = {} if memo is None else memo
        for shared in (self.http_client, self.async_http_client, self.callback_manager):
            memo[id(shared)] = shared
        limiter = getattr(self, "rate_limiter", None)
        memo[id(limiter)] = limiter  # a copy counts against the same limit
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[str, Any]:
        twin = self.model_copy()  # core's way deletes what does not pickle from the object itself
        twin._made = None
        return super(GeekAI, twin).__getstate__()

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex serializes this class."""
        return "geekai_llm"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex wants to know of the model. Never raises, whatever its name."""
        can_call = self.is_function_calling_model
        return LLMMetadata(
            context_window=self.context_window or DEFAULT_CONTEXT_WINDOW,
            num_output=self.max_tokens or -1,
            is_chat_model=self.is_chat_model,
            is_function_calling_model=supports_tools(self.model) if can_call is None else can_call,
            model_name=self.model,
        )

    def to_payload(self) -> dict[str, Any]:
        """What events tell of this LLM: its metadata; never a key or a header."""
        return {"class_name": self.class_name(), **self.metadata.model_dump(), "provider": "geekai"}

    def fetch_metadata(self) -> LLMMetadata:
        """Ask `/models` for this model's context window, unless it is set; returns `metadata`. One or more requests."""
        return self._learn([] if self.context_window else self._clients()[0].models())

    async def afetch_metadata(self) -> LLMMetadata:
        """`fetch_metadata`, awaiting."""
        return self._learn([] if self.context_window else await self._clients()[1].models())

    def _learn(self, models: list[ModelInfo]) -> LLMMetadata:
        for model in models:
            if model.id == self.model:
                self.context_window = facts(model).context_window
        return self.metadata

    def close(self) -> None:
        """Close the connections of the synchronous client. A later call opens new ones."""
        self._clients()[0].close()

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._clients()[1].aclose()

    @contextmanager
    def _client(self) -> Iterator[Client]:
        client = self._clients()[0]
        if self.reuse_client or self.http_client is not None:
            yield client
        else:
            with Client(client.config) as once:
                yield once

    @asynccontextmanager
    async def _async_client(self) -> AsyncIterator[AsyncClient]:
        client = self._clients()[1]
        if self.reuse_client or self.async_http_client is not None:
            yield client
        else:
            async with AsyncClient(client.config) as once:
                yield once

    def _chat(self, request: Request) -> ChatResponse:
        with self._client() as client:
            if request.body.get("background"):
                answer = client.wait(client.submit(request.body).id or "", timeout=self.total_timeout)
            else:
                answer = client.chat(request.body)
        return from_wire_answer(answer, request.reading)

    async def _achat(self, request: Request) -> ChatResponse:
        async with self._async_client() as client:
            if request.body.get("background"):
                task = await client.submit(request.body)
                answer = await client.wait(task.id or "", timeout=self.total_timeout)
            else:
                answer = await client.chat(request.body)
        return from_wire_answer(answer, request.reading)

    def _stream(self, request: Request, shape: Callable[[ChatResponse], Any] = _same) -> Generator[Any, None, None]:
        streamed = StreamedAnswer(request.reading)
        with self._client() as client, client.stream(request.body) as stream:
            for delta in stream:
                response = streamed.add(delta)
                if response is not None:
                    yield shape(response)
            last = streamed.last(stream.answer)
        yield shape(last)

    async def _astream(
        self, request: Request, shape: Callable[[ChatResponse], Any] = _same
    ) -> AsyncGenerator[Any, None]:
        streamed = StreamedAnswer(request.reading)
        async with self._async_client() as client, client.stream(request.body) as stream:
            async for delta in stream:
                response = streamed.add(delta)
                if response is not None:
                    yield shape(response)
            last = streamed.last(stream.answer)
        yield shape(last)

    @told(CHAT)
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The answer to a conversation. Keywords: any field of `ChatOptions`, `tools`, `tool_choice`, `extra_body`."""
        return self._chat(Request(self, messages, kwargs))

    @told(CHAT)
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """`chat`, awaiting."""
        return await self._achat(Request(self, messages, kwargs))

    @told(CHAT)
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """The answer in pieces, each with the message so far; the request is sent when the first is asked for.

        Closing the generator closes the connection at once.
        """
        return self._stream(Request(self, messages, kwargs, stream=True))

    @told(CHAT)
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """`stream_chat`, awaiting."""
        return self._astream(Request(self, messages, kwargs, stream=True))

    def _asked(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role="user", content=prompt)]

    @told(COMPLETION)
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The answer to a prompt, sent as a chat of one message."""
        return to_completion(self._chat(Request(self, self._asked(prompt, formatted), kwargs)))

    @told(COMPLETION)
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """`complete`, awaiting."""
        return to_completion(await self._achat(Request(self, self._asked(prompt, formatted), kwargs)))

    @told(COMPLETION)
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """`stream_chat` for a prompt."""
        return self._stream(Request(self, self._asked(prompt, formatted), kwargs, stream=True), to_completion)

    @told(COMPLETION)
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """`stream_complete`, awaiting."""
        return self._astream(Request(self, self._asked(prompt, formatted), kwargs, stream=True), to_completion)

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
            prepared.setdefault("parallel_tool_calls", allow_parallel_tool_calls)
            choice = tool_choice or ("required" if tool_required else None)
            if choice is not None:
                prepared["tool_choice"] = choice
        return prepared

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tool calls of a response, or of a piece of a stream with their arguments as far as they go.

        Cheap enough for every piece. Raises `ValueError` when there is none and that is an error, and never else.
        """
        found = selections(response.message)
        if not found and error_on_no_tool_call:
            raise ValueError(f"Expected at least one tool call, but got none: {response.message.content!r}")
        return found
