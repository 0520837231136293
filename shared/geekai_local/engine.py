"""The language model: llama.cpp in a child process, and the streams that come out of it."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

import httpx

from geekai_local.errors import AnswerError, StartError
from geekai_local.weights import LocalModel

PARALLEL = 2
"""Answers generated at once; further ones wait for their turn."""


class Engine:
    """A running llama.cpp; `close` ends its process."""

    def __init__(self, model: LocalModel, *, context: int = 4096) -> None:
        """Load `model`, each answer with its prompt taking at most `context` tokens. Raises `StartError`."""
        if importlib.util.find_spec("xllamacpp") is None:
            raise StartError("llama.cpp is not installed: pip install 'geekai[local]'")
        self.model = model
        self._key = secrets.token_urlsafe()  # the child listens on a port of its own, which is nobody else's business
        self._process = subprocess.Popen(
            [sys.executable, "-m", "geekai_local._llama"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            # Idle threads that spin starve the others: on two cores, 3 tokens a second instead of 60.
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        try:
            url = self._started(context)
        except BaseException:
            self.close()
            raise
        # llama.cpp promises keep-alive and closes after each stream, so no connection is kept.
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {self._key}"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=httpx.Timeout(None, connect=5),
            trust_env=False,
            verify=False,
        )

    def _started(self, context: int) -> str:
        settings = {
            "path": str(self.model.path),
            "template": self.model.template,
            "key": self._key,
            "context": context,
            "parallel": PARALLEL,
            "threads": max(1, min(4, (os.cpu_count() or 2) // 2)),
        }
        try:
            self._input.write(json.dumps(settings) + "\n")
            self._input.flush()
            answer = json.loads(self._output.readline())
        except (OSError, ValueError):
            answer = {"error": "llama.cpp ended while loading it"}
        if "url" not in answer:
            raise StartError(f"cannot load {self.model.path}: {answer['error']}")
        return str(answer["url"])

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Generate, chunk by chunk, usage last. Closing the iterator ends the generation. Raises `AnswerError`."""
        body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        try:
            async with self._http.stream("POST", "/v1/chat/completions", json=body) as response:
                if response.status_code != httpx.codes.OK:
                    raise _failure(json.loads(await response.aread()), response.status_code)
                async for payload in _payloads(response.aiter_bytes()):
                    if "error" in payload:
                        raise _failure(payload, 500)
                    yield payload
        except httpx.HTTPError as error:
            raise AnswerError(503, "model_unavailable", f"the local model went away: {error!r}") from error

    def close(self) -> None:
        """End the child process and wait for its end."""
        with suppress(OSError):  # it may have gone first
            self._input.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


async def _payloads(source: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each event. Splits bytes at LF only: U+2028 within a string is no end of a line."""
    rest = b""
    async for block in source:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])


def _failure(body: dict[str, Any], status: int) -> AnswerError:
    error = body.get("error") or {}
    if error.get("type") == "exceed_context_size_error":
        return AnswerError(400, "context_length_exceeded", str(error.get("message")))
    code = "invalid_request" if status < 500 else "model_error"
    return AnswerError(status, code, str(error.get("message") or "the local model failed"))
