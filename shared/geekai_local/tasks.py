"""Background answers: a request becomes a task at once, and is fetched when it is done.

Kept until the endpoint ends. `pending`, `running`, `succeed` and `failed` are GeekAI's words for image tasks.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine
from typing import Any

from pydantic import BaseModel

from geekai_local.errors import AnswerError


class TaskRequest(BaseModel):
    """The path of `GET /chat/{id}` (documented)."""

    id: str


class Tasks(dict[str, asyncio.Task[dict[str, Any]]]):
    """The tasks of one endpoint."""

    def submit(self, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Begin `work`; the task as it is now."""
        id = f"task-{uuid.uuid4().hex}"
        self[id] = asyncio.ensure_future(work)
        return {"id": id, "status": "pending", "created": int(time.time())}

    async def fetch(self, wanted: TaskRequest) -> dict[str, Any]:
        """The task as it is now: with its answer once it has one. Raises `AnswerError`."""
        if wanted.id not in self:
            raise AnswerError(404, "not_found", f"no such task: {wanted.id}")
        task = self[wanted.id]
        if not task.done():
            return {"id": wanted.id, "status": "running"}
        if error := task.exception():
            told = {"code": getattr(error, "code", "internal_error"), "message": str(error)}
            return {"id": wanted.id, "status": "failed", "error": told}
        return {**task.result(), "id": wanted.id, "status": "succeed"}
