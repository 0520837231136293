"""What travels: the request of a chat and the whole answers, as pydantic models.

Unknown fields are kept on every model. Every field of an answer may be absent or null. A streamed chunk never passes
through here; a stream ends in the same `ChatCompletion` as a whole answer. Shapes: documented, unless
said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import Field, PrivateAttr

from geekai_core.errors import GeekAIError
from geekai_core.lenient import WireModel

Json: TypeAlias = dict[str, Any]
"""A JSON object, as it travels."""


class FunctionCall(WireModel):
    """The function of a tool call; `arguments` is JSON text, as the model wrote it."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(WireModel):
    """One call of a tool."""

    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None


class Audio(WireModel):
    """Speech out: `data` is base64, `expires_at` seconds since 1970."""

    id: str | None = None
    data: str | None = None
    expires_at: int | float | None = None
    transcript: str | None = None


class Message(WireModel):
    """What the model said. `content` may be empty while `reasoning_content` holds text (observed)."""

    role: str | None = None
    name: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None
    audio: Audio | None = None
    refusal: str | None = None


class TopLogprob(WireModel):
    """An alternative to a token."""

    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None


class TokenLogprob(TopLogprob):
    """A token of the answer, with its log probability and its alternatives."""

    top_logprobs: list[TopLogprob] | None = None


class Logprobs(WireModel):
    """Log probabilities, token by token."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


class Choice(WireModel):
    """One answer of `n`."""

    index: int = 0
    finish_reason: str | None = None
    message: Message = Field(default_factory=Message)
    logprobs: Logprobs | None = None


class PromptTokensDetails(WireModel):
    """What the prompt tokens were."""

    text_tokens: int | None = None
    audio_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    image_tokens: int | None = None
    video_tokens: int | None = None
    citation_tokens: int | None = None


class CompletionTokensDetails(WireModel):
    """What the completion tokens were."""

    text_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class Usage(WireModel):
    """Tokens, and `billed_units`: billed searches, not money."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    billed_units: int | float | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class Answer(WireModel):
    """A whole answer of any endpoint."""

    _raw: Json = PrivateAttr(default_factory=dict)
    _request_id: str | None = PrivateAttr(default=None)
    _headers: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _retry_count: int = PrivateAttr(default=0)

    @property
    def raw(self) -> Json:
        """The answer as a plain dict: as it came, or as a stream's chunks add up. Not a copy."""
        return self._raw

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response; names are lower case. A proxy says there what a call cost, say."""
        return self._headers

    @property
    def request_id(self) -> str | None:
        """The server's id for the request, where it sent one in a header."""
        return self._request_id

    @property
    def retry_count(self) -> int:
        """How often the request was sent again before this answer."""
        return self._retry_count


class BatchAnswer(Answer):
    """An answer about many inputs."""

    _failed: dict[int, GeekAIError] = PrivateAttr(default_factory=dict)

    @property
    def failed(self) -> dict[int, GeekAIError]:
        """The error of each input that has no result, by its index; only with `on_error="return"`."""
        return self._failed


class TaskError(WireModel):
    """Why a background task failed."""

    code: str | int | None = None
    message: str | None = None
    details: Any = None


class ChatCompletion(Answer):
    """The answer to a chat request, and the object of a background task."""

    id: str | None = None
    status: str | None = None
    created: int | float | None = None
    model: str | None = None
    object: str | None = None
    system_fingerprint: str | None = None
    choices: list[Choice] = Field(default_factory=list)
    usage: Usage | None = None
    citations: list[Any] = Field(default_factory=list)
    """URLs, mostly; without duplicates, in their order."""
    search_results: list[Json] = Field(default_factory=list)
    """The search results as they came, under whichever name."""
    error: TaskError | str | None = None

    @property
    def message(self) -> Message:
        """The first choice's message; an empty one where there is no choice."""
        return self.choices[0].message if self.choices else Message()

    @property
    def billed_units(self) -> int | float | None:
        """Billed searches, not money."""
        return self.usage.billed_units if self.usage else None


class Embedding(WireModel):
    """One vector, of the input at `index`."""

    index: int | None = None
    embedding: list[float] = Field(default_factory=list)


class EmbeddingUsage(WireModel):
    """Tokens of an embedding request."""

    prompt_tokens: int | None = None
    total_tokens: int | None = None


class EmbeddingList(BatchAnswer):
    """The answer of `/embeddings`; `data` is in the order of the inputs."""

    model: str | None = None
    data: list[Embedding] = Field(default_factory=list)
    usage: EmbeddingUsage | None = None

    @property
    def vectors(self) -> list[list[float]]:
        """A vector for each input, in their order; an empty one where that input failed."""
        found = {item.index: item.embedding for item in self.data}
        return [found.get(place, []) for place in range(len(found) + len(self.failed))]


class RerankResult(WireModel):
    """One document's score. `index` may be the rank instead of the input's index (observed); see `rerank_order`."""

    index: int | None = None
    relevance_score: float | None = None
    document: str | Json | None = None


class RerankUsage(WireModel):
    """Tokens of a rerank request."""

    total_tokens: int | None = None
    query_tokens: int | None = None
    documents_tokens: int | None = None


class RerankList(BatchAnswer):
    """The answer of `/rerank`."""

    model: str | None = None
    results: list[RerankResult] = Field(default_factory=list)
    usage: RerankUsage | None = None


class SearchResult(WireModel):
    """One page that a search found (observed)."""

    title: str | None = None
    link: str | None = None
    content: str | None = None
    icon: str | None = None
    media: str | None = None


class SearchResultList(Answer):
    """The answer of `/web_search` (observed)."""

    id: str | None = None
    created: int | float | str | None = None
    results: list[SearchResult] = Field(default_factory=list)

    @property
    def search_results(self) -> list[Json]:
        """The results as plain dicts, as a chat's `search_results` are."""
        return [result.model_dump(exclude_none=True) for result in self.results]


class ModelInfo(WireModel):
    """One model of `/models`. The unit of `pricing` is unknown."""

    id: str = ""
    name: str | None = None
    type: str | None = None
    status: str | int | None = None
    created: int | float | str | None = None
    owned_by: str | None = None
    context_window: int | None = None
    pricing: Json | None = None
    capabilities: list[str] | None = None
    limitations: Json | None = None
    platform: Json | None = None


class ModelList(Answer):
    """One page of `/models`."""

    data: list[ModelInfo] = Field(default_factory=list)
    total: int | None = None
    page: int | None = None
    page_size: int | None = None
