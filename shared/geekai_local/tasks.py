"""Background answers: a request becomes a task at once, and is fetched when it is done.

Kept until the endpoint ends. `pending`, `running`, `succeed` and `failed` are GeekAI's words for image tasks.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable

from pydantic import BaseModel

from geekai_core.wire import Json
from geekai_local.errors import AnswerError


class TaskRequest(BaseModel):
    """The path of `GET /chat/{id}` (documented); an id begins with `task-`, which is left out here."""

    id: str


class Tasks(dict[str, asyncio.Task[Json]]):
    """The tasks of one endpoint."""

    def submit(self, work: Awaitable[Json]) -> Json:
        """Begin `work`; the task as it is now."""
        id = uuid.uuid4().hex
        self[id] = asyncio.ensure_future(work)
        # Whoever asks gets the error; where nobody does, asyncio need not complain.
        self[id].add_done_callback(lambda task: task.cancelled() or task.exception())
        return {"id": f"task-{id}", "status": "pending", "created": int(time.time())}

    async def fetch(self, wanted: TaskRequest) -> Json:
        """The task as it is now: with its answer once it has one. Raises `AnswerError`."""
        task, named = self.get(wanted.id), {"id": f"task-{wanted.id}"}
        if task is None:
            raise AnswerError(404, "not_found", f"no such task: {named['id']}")
        if not task.done():
            return {**named, "status": "running"}
        if error := task.exception():
            reason = {"code": getattr(error, "code", "internal_error"), "message": str(error)}
            return {**named, "status": "failed", "error": reason}
        return {**task.result(), **named, "status": "succeed"}
