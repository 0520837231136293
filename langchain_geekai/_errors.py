"""GeekAI's errors with LangChain's beside them, so that retry, fallback and summarization middleware act rightly.

Each error that leaves this package is of two families: catch `geekai_core.RateLimitError` or LangChain's
`ModelRateLimitError`, it is the same object, with its message, its details and its traceback.
"""

from __future__ import annotations

from types import SimpleNamespace, TracebackType
from typing import Any

from langchain_core import exceptions as lc

from geekai_core import errors

_PAIRS: dict[type[errors.GeekAIError], type[lc.ModelError]] = {
    errors.ConfigurationError: lc.ModelInvalidRequestError,
    errors.APIConnectionError: lc.ModelConnectionError,
    errors.APITimeoutError: lc.ModelTimeoutError,
    errors.APIStatusError: lc.ModelError,
    errors.BadRequestError: lc.ModelInvalidRequestError,
    errors.ContextOverflowError: lc.ContextOverflowError,
    errors.AuthenticationError: lc.ModelAuthenticationError,
    errors.InsufficientBalanceError: lc.ModelPermissionDeniedError,
    errors.PermissionDeniedError: lc.ModelPermissionDeniedError,
    errors.NotFoundError: lc.ModelNotFoundError,
    errors.RequestTooLargeError: lc.ModelInvalidRequestError,
    errors.RateLimitError: lc.ModelRateLimitError,
    errors.ServerError: lc.ModelAPIError,
    errors.InvalidResponseError: lc.ModelInvalidRequestError,
    errors.StreamInterruptedError: lc.ModelConnectionError,
    errors.TaskFailedError: lc.ModelAPIError,
    errors.PartialBatchError: lc.ModelError,
}


def _response(error: errors.APIStatusError) -> SimpleNamespace:
    """The response of an error as LangChain's tracing reads it."""
    return SimpleNamespace(status_code=error.status_code, headers=error.headers, json=lambda: error.body)


def _twin(ours: type[errors.GeekAIError], theirs: type[lc.ModelError]) -> type[errors.GeekAIError]:
    members: dict[str, Any] = {"__module__": __name__, "__doc__": ours.__doc__}
    if issubclass(ours, errors.APIStatusError):
        members["response"] = property(_response)
    return type(ours.__name__, (ours, theirs), members)


_TWINS = {ours: _twin(ours, theirs) for ours, theirs in _PAIRS.items()}
globals().update({twin.__name__: twin for twin in _TWINS.values()})  # where pickle looks for them


class StructuredOutputError(errors.InvalidResponseError, lc.OutputParserException):
    """An answer that is no object of the form that was asked for; `llm_output` is its text."""

    observation: str | None = None
    send_to_llm = False

    def __init__(self, message: str, llm_output: str = "") -> None:
        errors.GeekAIError.__init__(self, message, excerpt=llm_output, llm_output=llm_output)


class ModelRefusalError(errors.InvalidResponseError, getattr(lc, "ModelRefusalError", lc.OutputParserException)):  # type: ignore[misc]
    """A model that declined to give an object; `raw_message` is what it said. LangChain's own is new in 1.7.5."""

    def __init__(self, message: str, raw_message: object = None) -> None:
        errors.GeekAIError.__init__(self, message, raw_message=raw_message)


class langchain_errors:  # noqa: N801 - a context manager, used like a function
    """Within this block, each error of geekai_core becomes its twin. The object stays the same."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if type(error) in _TWINS:
            error.__class__ = _TWINS[type(error)]  # type: ignore[index]
