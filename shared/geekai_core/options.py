"""The request fields that both adapters expose, declared and documented once.

`ChatOptions` holds what travels on the wire, `ClientOptions` what steers this client. Both are pydantic mixins that
`ChatGeekAI` (LangChain), `GeekAI` (LlamaIndex) and the wire's own `ChatRequest` inherit. None is never sent.

Sources: "documented" is docs.geekai.co; "sample" stands in the documentation's sample JSON only, so its meaning is
read from its name; "observed" is what public client code relies on.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator

if TYPE_CHECKING:
    import httpx

    Limit = float | None
    Timeout = Limit | tuple[Limit, Limit] | tuple[Limit, Limit, Limit, Limit] | httpx.Timeout
else:
    Timeout = Any  # httpx is imported with the first request, not with the package


class SearchFilters(BaseModel):
    """What may be asked of any web search."""

    intent: bool | None = None
    """Recognise first whether a search is needed. Server's default: false (sample)."""
    count: int | None = None
    """How many results, 1 to 50. Server's default: 10 (sample)."""
    domain_filter: str | None = None
    """Only these domains, joined by commas (sample)."""
    recency_filter: Literal["noLimit", "oneDay", "oneWeek", "oneMonth", "oneYear"] | str | None = None
    """Only pages this recent (sample)."""
    content_size: Literal["medium", "high"] | str | None = None
    """How much text of each page (sample)."""


class SearchConfig(SearchFilters):
    """How `enable_search` searches; only for Zhipu models and for models without a search of their own (documented).

    Unknown keys pass through.
    """

    model_config = ConfigDict(extra="allow")

    engine: str | None = None
    """The engine, such as `glm/search-std`, `glm/search-pro` or `glm/search-pro-sogou` (sample). Never validated."""
    deepable: bool | None = None
    """Deep search. Server's default: false (sample)."""
    return_result: bool | None = None
    """Return the search results themselves, beside the citations. Server's default: false (sample)."""
    prompt: str | None = None
    """How the results are folded into the answer (sample)."""
    result_sequence: Literal["before", "after"] | str | None = None
    """Results before or after the answer (sample)."""
    require_search: bool | None = None
    """Answer from the search only. Server's default: false (sample)."""


class SearchOptions(SearchFilters):
    """The fields of a request to `/web_search` that a user sets (observed). None is never sent."""

    model_config = ConfigDict(populate_by_name=True, protected_namespaces=())

    model: str = "glm-search-std"
    """The search model, such as `glm-search-pro`. The default is this client's choice."""
    count: int | None = Field(default=None, validation_alias=AliasChoices("count", "k", "similarity_top_k"))
    """How many results, 1 to 50. Server's default: 10."""


class Thinking(BaseModel):
    """How a reasoning model thinks. Unknown keys pass through."""

    model_config = ConfigDict(extra="allow")

    budget_tokens: int | None = None
    """At most this many tokens of reasoning (sample)."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | str | None = None
    """How hard to think (sample; vendors have further words)."""
    include_thoughts: bool | None = None
    """Return the thoughts (sample)."""
    thinking_level: Literal["low", "high"] | str | None = None
    """The Gemini 3 spelling of effort (sample)."""


ReasoningHistory = Literal["tools", "all", "never"]


class ChatOptions(BaseModel):
    """The fields of a chat request that a user sets, by their wire names but for two that the frameworks own."""

    model_config = ConfigDict(populate_by_name=True, protected_namespaces=())

    temperature: float | None = None
    """Randomness of sampling. Default: the model's own (documented)."""
    top_p: float | None = None
    """Nucleus sampling: the share of probability to draw from (sample)."""
    top_k: int | None = None
    """Draw from this many tokens (sample)."""
    max_tokens: int | None = Field(
        default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens", "max_new_tokens")
    )
    """At most this many tokens in the answer, sent as `max_completion_tokens`. Default: the model's maximum."""
    stop: str | list[str] | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    """End the answer before any of these; one string or a list, always sent as a list (sample)."""
    if TYPE_CHECKING:  # editors and type checkers know nothing of pydantic's aliases
        max_completion_tokens: int | None = None
        """Another name of `max_tokens`."""
        stop_sequences: str | list[str] | None = None
        """Another name of `stop`."""
    else:
        max_completion_tokens = property(attrgetter("max_tokens"))
        stop_sequences = property(attrgetter("stop"))
    seed: int | None = None
    """Makes sampling repeatable where the model can (sample)."""
    n: int | None = None
    """How many answers to give (sample)."""
    logprobs: bool | None = None
    """Return the log probability of each token (sample)."""
    top_logprobs: int | None = None
    """And of this many alternatives to it (sample)."""
    frequency_penalty: float | None = None
    """Makes a token less likely with each time it was used (sample)."""
    presence_penalty: float | None = None
    """Makes a token less likely once it was used (sample)."""
    enable_search: bool | None = None
    """Search the web before answering. Server's default: false (documented). Searches are billed: `billed_units`."""
    search_config: SearchConfig | dict[str, Any] | None = None
    """How to search; needs `enable_search` (documented)."""
    enable_thinking: bool | None = None
    """Turn on reasoning, for models that can switch it (documented)."""
    thinking: Thinking | dict[str, Any] | None = None
    """How to think; needs `enable_thinking` (sample)."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | str | None = None
    """Short for `enable_thinking=True, thinking={"reasoning_effort": …}`; "none" turns nothing on."""
    enable_url_context: bool | None = None
    """Let the model read the URLs of the prompt; some Gemini models (documented)."""
    json_mode: bool | None = None
    """The answer is a JSON object (documented). `response_format: {"type": "json_object"}` is sent beside it."""
    response_format: dict[str, Any] | None = None
    """`text`, `json_object` or `json_schema` (documented); which models take `json_schema` is unknown."""
    parallel_tool_calls: bool | None = None
    """Whether one answer may call several tools (sample)."""
    tool_config: dict[str, Any] | None = None
    """Gemini's `{"functionCallingConfig": {"mode": …, "allowedFunctionNames": …}}` (sample)."""
    modalities: list[str] | None = None
    """`["text"]`, the default, or `["text", "audio"]` (documented)."""
    audio: dict[str, Any] | None = Field(default=None, validation_alias=AliasChoices("audio", "audio_config"))
    """Speech out: `{"voice": …, "format": …}` (documented)."""
    image: dict[str, Any] | None = None
    """Image out: `{"aspect_ratio": …, "image_size": …}` (sample)."""
    image_generation: bool | None = None
    """Let the model draw (sample)."""
    retries: int | None = None
    """The SERVER's own retries towards the vendor. Server's default: 0 (documented). They multiply with
    `max_retries`, which is this client's."""
    sess_id: str | None = None
    """Ties conversations together; a UUID (sample)."""
    request_metadata: dict[str, Any] | None = None
    """The wire's `metadata` (sample); both frameworks use that name for something else."""
    user: str | None = None
    """The end user, for the vendor's abuse checks; undocumented, sent only when set."""
    logit_bias: dict[str, float] | None = None
    """Makes tokens, by their ids, likelier or less likely (OpenAI's, passed on)."""
    prediction: dict[str, Any] | None = None
    """What the answer will mostly be: `{"type": "content", "content": …}` (OpenAI's, passed on)."""
    prompt_cache_key: str | None = None
    """Which requests share a cached prompt (OpenAI's, passed on)."""
    service_tier: str | None = None
    """How the vendor ranks the request, such as `flex` (OpenAI's, passed on)."""
    store: bool | None = None
    """Whether the vendor keeps the answer (OpenAI's, passed on)."""
    verbosity: Literal["low", "medium", "high"] | str | None = None
    """How much to say (OpenAI's, passed on)."""
    safety_identifier: str | None = None
    """The end user, hashed, for the vendor's safety checks (OpenAI's, passed on)."""
    web_search_options: dict[str, Any] | None = None
    """How a model with a search of its own searches (OpenAI's, passed on)."""
    background: bool | None = None
    """Run as a task: submit, then wait for the result. Not together with streaming (documented)."""

    @field_validator("stop", mode="before")
    @classmethod
    def _stop_is_a_list(cls, value: object) -> Any:
        return [value] if isinstance(value, str) else value


class ConnectionOptions(BaseModel):
    """How this client reaches GeekAI, whatever it asks there. Seconds and bytes throughout."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # what was given may be the key
    )

    timeout: Timeout = Field(
        default=None, exclude=True, repr=False, validation_alias=AliasChoices("timeout", "request_timeout")
    )
    """Seconds, a pair of them (to connect, to read), four of them (also to write, and to wait for a connection) or an
    `httpx.Timeout`. Default: 10 to connect, 300 between two bytes (the server's own limit)."""
    max_retries: int = 2
    """How often THIS CLIENT sends a failed request again. It multiplies with `retries`, which is the server's."""
    total_timeout: float | None = None
    """Seconds for one call with its retries. Default: none."""
    max_response_bytes: int = 64 * 1024 * 1024
    """The largest answer, or event of a stream, that is read into memory. Bytes."""
    extra_body: dict[str, Any] | None = None
    """Further fields of the request, merged last: the one escape hatch."""
    default_headers: dict[str, str] | None = Field(default=None, repr=False, exclude=True)
    """Further headers of every request."""
    default_query: dict[str, str] | None = None
    """Further query parameters of every request."""
    proxy: str | None = Field(default=None, repr=False, exclude=True)
    """The proxy's URL. Default: `GEEKAI_PROXY`, else the usual environment variables."""
    system_key: SecretStr | None = Field(default=None, repr=False, exclude=True)
    """The key for bills and balances alone (documented). Default: `GEEKAI_SYSTEM_KEY`."""


class ClientOptions(ConnectionOptions):
    """What steers this client in a chat, beside key and base URL."""

    stream_chunk_timeout: float | None = 120.0
    """Seconds of silence allowed within a stream once it has begun; keep-alive comments are silence. None or
    0: no limit."""
    stream_usage: bool = True
    """Ask for usage with every stream: `stream_options: {"include_usage": true}`."""
    reasoning_history: ReasoningHistory = "tools"
    """Which assistant messages carry their `reasoning_content` back to the server: those of every turn that called
    tools (DeepSeek and Kimi demand these), all, or none. Where a model refuses it, the other way is tried once."""
    split_think: bool = False
    """Split a leading inline `<think>…</think>` from the answer into `reasoning_content`."""
    join_deltas: bool = False
    """Join the deltas that arrive in one network read: less work under load, coarser chunks."""


class ChatRequest(ChatOptions):
    """The body of `POST /chat/completions`, by wire names; unknown fields are kept."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


OnError = Literal["raise", "return"]
"""What becomes of a batch of which some inputs failed: a `PartialBatchError` at the end, or an answer whose `failed`
names them."""


class BatchOptions(TypedDict, total=False):
    """How one request over many inputs is sent."""

    batch_size: int | None
    """At most this many inputs in one request; some vendors take ten (observed). Default: all."""
    on_error: OnError
    """Where some inputs fail: at the end, a `PartialBatchError` carries the results of the others ("raise", the
    default), or the answer comes without theirs and names them in `failed` ("return")."""
    on_progress: Callable[[int, int], None] | None
    """Called with the number of inputs that are done, and of all."""
    max_concurrency: int
    """At most this many requests at a time, of an `AsyncClient`; a `Client` sends one after another. Default: 8."""
    retries: int | None
    """The SERVER's own retries towards the vendor (documented)."""
    extra_body: dict[str, Any] | None
    """Further fields of the request, merged last."""


class EmbedOptions(BatchOptions, total=False):
    """What may be said of an embedding request beside its input and model."""

    dimensions: int | None
    """Numbers in a vector. Default: the model's own (documented)."""
    intent: str | None
    """What the inputs are embedded for, such as `search_document`; Cohere's models only (documented)."""
    user: str | None
    """The end user, for the vendor's abuse checks."""


class RerankOptions(BatchOptions, total=False):
    """What may be said of a rerank request beside its query, documents and model."""

    top_n: int | None
    """At most this many results. Default: all."""


CLIENT_ONLY = frozenset({"batch_size", "on_error", "on_progress", "max_concurrency"})
"""The options that are not sent."""
