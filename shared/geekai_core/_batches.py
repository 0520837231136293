"""One request over many inputs, sent in parts. Pure: decides what to send, and what came of it all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from geekai_core.collected import sum_into
from geekai_core.errors import (
    BadRequestError,
    ConfigurationError,
    GeekAIError,
    InvalidResponseError,
    RequestTooLargeError,
    partial_batch,
)
from geekai_core.wire import EmbeddingList, RerankList

if TYPE_CHECKING:
    from geekai_core._operations import Operation

L = TypeVar("L", EmbeddingList, RerankList)

_OF_ITS_INPUT = (BadRequestError, RequestTooLargeError, InvalidResponseError)
"""What may go wrong with one part and not with the others."""


class Batch(Generic[L]):
    """The parts of one request. What is done survives the failure of another part.

    `size`: inputs of a part; None is all. `make`: the request for a part. `order`: what becomes of all the results.
    """

    def __init__(
        self,
        inputs: Any,
        size: int | None,
        make: Callable[[Any], Operation[L]],
        order: Callable[[list[Any]], list[Any]] = list,
    ) -> None:
        if size is not None and size < 1:
            raise ConfigurationError(f"batch_size must be at least 1, not {size}")
        self._inputs = {0: inputs}
        if isinstance(inputs, list) and size is not None and len(inputs) > size:
            self._inputs = {start: inputs[start : start + size] for start in range(0, len(inputs), size)}
        self._make: Callable[[Any], Operation[L]] = make
        self._order = order
        self._errors: dict[int, GeekAIError] = {}
        self.done: dict[int, L] = {}
        """The answers so far, by the index of a part's first input."""

    def parts(self) -> Iterator[tuple[int, Operation[L]]]:
        """What to send. Ends early after a failure that the other parts would meet, too."""
        for start, inputs in self._inputs.items():
            if all(isinstance(error, _OF_ITS_INPUT) for error in self._errors.values()):
                yield start, self._make(inputs)

    def failed(self, start: int, error: GeekAIError) -> None:
        """Take in that a part failed."""
        self._errors[start] = error

    def answer(self) -> L:
        """The whole. Raises `PartialBatchError`, or the first part's own error where nothing was done at all."""
        first = self._errors[min(self._errors)] if self._errors else None
        if first and not self.done:
            raise first
        if len(self._inputs) == 1:
            return self.done[0]
        results = {
            start + item.index: item.model_copy(update={"index": start + item.index})
            for start in sorted(self.done)
            for item in _results(self.done[start])
        }
        if first:
            failed = {
                start + place: self._errors.get(start, first)
                for start, inputs in self._inputs.items()
                if start not in self.done
                for place in range(len(inputs))
            }
            raise partial_batch(failed, results)
        return self._whole([self.done[start] for start in sorted(self.done)], self._order(list(results.values())))

    def _whole(self, parts: list[L], results: list[Any]) -> L:
        """The parts as one answer; its `raw` holds them as they came."""
        whole = parts[0].model_copy()
        if isinstance(whole, EmbeddingList):
            whole.data = results
        else:
            whole.results = results
        usage: dict[str, Any] = {}
        for part in parts:
            sum_into(usage, part.usage.model_dump() if part.usage else {})
        if whole.usage:
            whole.usage = type(whole.usage).model_validate(usage)
        whole._raw = {"parts": [part.raw for part in parts]}
        whole._retry_count = sum(part.retry_count for part in parts)
        return whole


def _results(answer: EmbeddingList | RerankList) -> list[Any]:
    return list(answer.data if isinstance(answer, EmbeddingList) else answer.results)
