"""Background answers: a request becomes a task at once, and is fetched when it is done.

Kept until the endpoint ends. `pending`, `running`, `succeed` and `failed` are GeekAI's words for image tasks.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine
from typing import Any

from geekai_local.errors import AnswerError


class Tasks:
    """The tasks of one endpoint."""

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[int, asyncio.Task[dict[str, Any]]]] = {}

    def submit(self, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Begin `work`; the task as it is now."""
        name = f"task-{uuid.uuid4().hex}"
        self._tasks[name] = int(time.time()), asyncio.ensure_future(work)
        return {**self.fetch(name), "status": "pending"}

    def fetch(self, name: str) -> dict[str, Any]:
        """The task as it is now: with its answer once it has one. Raises `AnswerError`."""
        if name not in self._tasks:
            raise AnswerError(404, "not_found", f"no such task: {name}")
        created, task = self._tasks[name]
        if not task.done():
            return {"id": name, "status": "running", "created": created}
        if error := task.exception():
            told = {"code": getattr(error, "code", "internal_error"), "message": str(error), "details": None}
            return {"id": name, "status": "failed", "created": created, "error": told}
        return {**task.result(), "id": name, "status": "succeed"}
