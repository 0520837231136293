"""The pages of `/models`: which is fetched next, and when it is enough. Pure."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from geekai_core.endpoints import Steps
from geekai_core.errors import APIStatusError, GeekAIError
from geekai_core.response.answers import Context, read_answer
from geekai_core.transport.calls import Operation
from geekai_core.transport.timeouts import Deadline
from geekai_core.wire import ModelInfo, ModelList

if TYPE_CHECKING:
    from geekai_core.config import Config

MOST_PAGES = 100
"""Pages of `/models` that are read."""

logger = logging.getLogger("geekai_core")


def models(config: Config, clock: Callable[[], float] = time.monotonic) -> Steps[list[ModelInfo]]:
    """The pages of `/models`. How to ask for the next one is unknown: `page` is tried until it brings no new id.

    At most `MOST_PAGES`, within `total_timeout` together. A page that fails keeps those before it.
    """
    found: dict[str, ModelInfo] = {}
    deadline = Deadline(config.total_timeout, clock)
    for number in range(1, MOST_PAGES + 1):
        params = {"page": number} if number > 1 else {}
        try:
            page: ModelList = yield Operation("GET", "/models", _read, params=params, within=deadline.shorten(None))
        except GeekAIError as error:
            if number == 1:
                raise
            if not isinstance(error, APIStatusError) or error.status_code >= 429:
                logger.warning("page %d of /models failed, more models may exist: %s", number, error)
            break  # any other refusal: the server knows no pages
        known = len(found)
        found.update((model.id, model) for model in page.data if model.id not in found)
        if len(found) == known or (page.total is not None and len(found) >= page.total):
            break
    else:
        logger.warning("only the first %d pages of /models were read, more models may exist", MOST_PAGES)
    config.known_models[:] = found
    return list(found.values())


def _read(content: bytes, context: Context) -> ModelList:
    """A page. What lists something, and no model at all, is no list of models."""
    page = read_answer(ModelList, content, context)
    listed = page.raw.get("data")
    if listed is not None and not any(model.id for model in page.data) and listed != []:
        raise context.unreadable("the answer lists no models", content)
    return page
