"""Work over many inputs: the fields that say how it is sent, and what becomes of a part that fails."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import Field

from geekai_core import GeekAIError
from geekai_core.errors import partial_batch
from geekai_core.options import OnError
from llama_index_geekai._connection import GeekAIConnection

logger = logging.getLogger("llama_index_geekai")


class Batched(GeekAIConnection):
    """The fields of an object that sends many inputs in several requests."""

    retries: int | None = None
    """The SERVER's own retries towards the vendor (documented). They multiply with `max_retries`, this client's."""
    on_error: OnError = "raise"
    """Where some inputs fail: "raise" a `PartialBatchError` at the end, which names them and carries the results of the
    others, or "return" what there is, and log a warning that names them."""
    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Another spelling of `extra_body`, which wins."""

    def _fields(self, **more: object) -> dict[str, Any]:
        return {"retries": self.retries, "extra_body": {**self.additional_kwargs, **(self.extra_body or {})}, **more}

    def _missing(self, failed: dict[int, GeekAIError], done: dict[int, Any], inputs: int) -> None:
        """Raise or log, as `on_error` says, where some inputs have no result."""
        if failed:
            error = partial_batch(failed, done, inputs)
            if self.on_error == "raise":
                raise error
            logger.warning("%s", error)
