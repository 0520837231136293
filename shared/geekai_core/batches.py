"""One request over many inputs, sent in parts. Pure: decides what to send, and what came of it all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from geekai_core.counting import count
from geekai_core.errors import INPUT_ERRORS, ConfigurationError, GeekAIError, partial_batch
from geekai_core.options import BatchOptions
from geekai_core.response.usage import sum_into
from geekai_core.wire import Embedding, EmbeddingList, RerankList, RerankResult

if TYPE_CHECKING:
    from geekai_core.transport.calls import Operation

L = TypeVar("L", EmbeddingList, RerankList)


class Batch(Generic[L]):
    """The parts of one request. What is done survives the failure of another part.

    `make`: the request for a part. `empty`: the answer to no input at all. `order`: what becomes of all the results.
    `workers`: parts at a time.
    """

    def __init__(
        self,
        inputs: list[Any],
        options: BatchOptions,
        make: Callable[[list[Any]], Operation[L]],
        empty: L,
        order: Callable[[list[Any]], list[Any]] = list,
    ) -> None:
        size = options.get("batch_size")
        if size is not None and size < 1:
            raise ConfigurationError(f"batch_size must be at least 1, not {size}")
        self._on_error = options.get("on_error", "raise")
        if self._on_error not in ("raise", "return"):
            raise ConfigurationError(f"on_error is 'raise' or 'return', not {self._on_error!r}")
        step = max(len(inputs), 1) if size is None else size
        self._inputs = {start: inputs[start : start + step] for start in range(0, len(inputs), step)}
        self._total = len(inputs)
        self._on_progress = options.get("on_progress")
        self.workers = min(max(options.get("max_concurrency", 8), 1), len(self._inputs))
        self._make: Callable[[list[Any]], Operation[L]] = make
        self._empty: L = empty
        self._order = order
        self._errors: dict[int, GeekAIError] = {}
        self._done: dict[int, L] = {}
        self._finished = 0
        self._stop_early = False

    def parts(self) -> Iterator[tuple[int, Operation[L]]]:
        """What to send. Ends early after a failure that the other parts would meet, too."""
        for start, inputs in self._inputs.items():
            if not self._stop_early:
                yield start, self._make(inputs)

    def done(self, start: int, answer: L) -> None:
        """Take in the answer to the part that begins with input `start`."""
        self._done[start] = answer
        self._progressed(start)

    def failed(self, start: int, error: GeekAIError) -> None:
        """Take in that a part failed."""
        self._errors[start] = error
        self._stop_early = self._stop_early or not isinstance(error, INPUT_ERRORS)
        self._progressed(start)

    def _progressed(self, start: int) -> None:
        self._finished += len(self._inputs[start])
        if self._on_progress is not None:
            self._on_progress(self._finished, self._total)

    def answer(self) -> L:
        """The whole. Raises `PartialBatchError`, or the first part's own error where nothing was done at all."""
        if not self._total:
            return self._empty
        failed = self._failures()
        parts = [self._done[start] for start in sorted(self._done)]
        if not failed and len(parts) == 1:
            count(parts[0], self._empty.model)
            return parts[0]
        results = {
            start + index: item.model_copy(update={"index": start + index})
            for start in sorted(self._done)
            for index, item in results_of(self._done[start]).items()
        }
        if parts:
            whole = self._whole(parts, self._order(list(results.values())))
            count(whole, self._empty.model)  # which was billed, whatever failed
        if not results:
            raise failed[min(failed)]
        if failed and self._on_error == "raise":
            raise partial_batch(failed, results, self._total)
        whole._failed = failed
        return whole

    def _failures(self) -> dict[int, GeekAIError]:
        """The error of each input that has no result; a part that was not sent shares the first."""
        failed: dict[int, GeekAIError] = {}
        first = self._errors[min(self._errors)] if self._errors else None
        for start, inputs in self._inputs.items():
            if start in self._done:
                failed |= {start + place: error for place, error in self._done[start].failed.items()}
            elif first is not None:
                failed |= {start + place: self._errors.get(start, first) for place in range(len(inputs))}
        return failed

    def _whole(self, parts: list[L], results: list[Any]) -> L:
        """The parts as one answer; its `raw` holds them as they came."""
        whole = parts[0].model_copy()
        if isinstance(whole, EmbeddingList):
            whole.data = results
        else:
            whole.results = results
        usage: dict[str, Any] = {}
        for used in (part.usage for part in parts if part.usage):
            sum_into(usage, used.model_dump())
            whole.usage = type(used).model_validate(usage)
        whole._raw = {"parts": [part.raw for part in parts]}
        whole._retry_count = sum(part.retry_count for part in parts)
        return whole


def results_of(answer: EmbeddingList | RerankList) -> dict[int, Any]:
    """The results of an answer, by the index of their input."""
    found: Sequence[Embedding | RerankResult] = answer.data if isinstance(answer, EmbeddingList) else answer.results
    return {item.index or 0: item for item in found}
