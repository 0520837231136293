"""Work over many inputs: how it is sent, shown while it runs, and counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import AliasChoices, Field

from geekai_core import ConfigurationError
from geekai_core.batches import results_of
from geekai_core.errors import partial_batch
from geekai_core.options import OnError
from geekai_core.wire import EmbeddingList, RerankList
from langchain_geekai._connection import GeekAIConnection
from langchain_geekai._errors import langchain_errors

logger = logging.getLogger("langchain_geekai")


class Batched(GeekAIConnection):
    """The fields of an object that sends many inputs in several requests."""

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """The model's id, as GeekAI lists it."""
    retries: int | None = None
    """The SERVER's own retries towards the vendor (documented). They multiply with `max_retries`, this client's."""
    max_concurrency: int = Field(default=8, ge=1)
    """At most this many requests at a time, of asynchronous calls; synchronous ones send one after another."""
    on_error: OnError = "raise"
    """Where some inputs fail: "raise" a `PartialBatchError` at the end, which names them and carries the results of the
    others, or "return" what there is, and log a warning that names them."""
    show_progress: bool = Field(default=False, validation_alias=AliasChoices("show_progress", "show_progress_bar"))
    """Show a progress bar; needs tqdm."""

    @contextmanager
    def _sending(self, doing: str, inputs: int) -> Iterator[dict[str, Any]]:
        """The keywords of a batch, with its errors made LangChain's and its progress shown."""
        with langchain_errors(), _bar(doing, inputs, shown=self.show_progress and inputs > 1) as on_progress:
            limit = self.max_concurrency
            yield {"on_error": "return", "on_progress": on_progress, "max_concurrency": limit}

    def _missing(self, answer: EmbeddingList | RerankList, inputs: int) -> None:
        """Raise or log, as `on_error` says, where some inputs have no result."""
        if answer.failed:
            error = partial_batch(answer.failed, results_of(answer), inputs)
            if self.on_error == "raise":
                with langchain_errors():
                    raise error
            logger.warning("%s", error)


@contextmanager
def _bar(doing: str, inputs: int, *, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    if not shown:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ConfigurationError("show_progress needs tqdm: pip install tqdm") from None
    with tqdm(desc=doing, total=inputs) as bar:
        yield lambda done, total: bar.update(done - bar.n)
