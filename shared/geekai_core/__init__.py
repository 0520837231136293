"""GeekAI's client core: httpx and pydantic, no framework.

Importing it does no I/O, reads no key and opens no client; httpx is loaded with the first request.
"""

from geekai_core._version import __version__
from geekai_core.bills import Balance, Bill
from geekai_core.client import AsyncClient, Client
from geekai_core.config import MAINLAND, OVERSEAS, Config, configure
from geekai_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContextOverflowError,
    GeekAIError,
    InsufficientBalanceError,
    InvalidResponseError,
    NotFoundError,
    PartialBatchError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    RequestTooLargeError,
    ServerError,
    StreamInterruptedError,
    TaskFailedError,
)
from geekai_core.options import (
    ChatOptions,
    ChatRequest,
    ClientOptions,
    EmbedOptions,
    RerankOptions,
    SearchConfig,
    Thinking,
)
from geekai_core.response.deltas import Delta
from geekai_core.response.tool_calls import ToolCallPiece
from geekai_core.streams import AsyncStream, Stream
from geekai_core.wire import (
    ChatCompletion,
    EmbeddingList,
    Message,
    ModelInfo,
    RerankList,
    SearchResultList,
    ToolCall,
    Usage,
)

__all__ = [
    "MAINLAND",
    "OVERSEAS",
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncClient",
    "AsyncStream",
    "AuthenticationError",
    "BadRequestError",
    "Balance",
    "Bill",
    "ChatCompletion",
    "ChatOptions",
    "ChatRequest",
    "Client",
    "ClientOptions",
    "Config",
    "ConfigurationError",
    "ContextOverflowError",
    "Delta",
    "EmbedOptions",
    "EmbeddingList",
    "GeekAIError",
    "InsufficientBalanceError",
    "InvalidResponseError",
    "Message",
    "ModelInfo",
    "NotFoundError",
    "PartialBatchError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestError",
    "RequestTooLargeError",
    "RerankList",
    "RerankOptions",
    "SearchConfig",
    "SearchResultList",
    "ServerError",
    "Stream",
    "StreamInterruptedError",
    "TaskFailedError",
    "Thinking",
    "ToolCall",
    "ToolCallPiece",
    "Usage",
    "__version__",
    "configure",
]
