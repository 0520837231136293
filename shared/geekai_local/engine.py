"""The language model: llama.cpp in a child process, and the streams that come out of it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx

from geekai_local.errors import AnswerError, StartError
from geekai_local.weights import LocalModel


class Engine:
    """A running llama.cpp; `close` ends its process."""

    def __init__(self, model: LocalModel) -> None:
        """Load `model`. Raises `StartError`."""
        self.model = model
        key = secrets.token_urlsafe()  # the child listens on a port of its own, which is nobody else's business
        self._process = subprocess.Popen(
            [sys.executable, "-m", "geekai_local._llama"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Idle threads that spin starve the others: on two cores, 3 tokens a second instead of 60.
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},
        )
        try:
            url = self._started(key)
        except BaseException:
            self.close()
            raise
        # llama.cpp promises keep-alive and closes after each stream, so no connection is kept.
        headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=None, trust_env=False)

    def _started(self, key: str) -> str:
        settings = {"path": str(self.model.path), "template": self.model.template, "key": key}
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.read())
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
        try:
            self._process.communicate(timeout=5)  # closes its input, which ends it
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


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
    words = str(error.get("message") or "the local model failed")
    if error.get("type") == "exceed_context_size_error":
        return AnswerError(400, "context_length_exceeded", words)
    return AnswerError(status, "invalid_request" if status < 500 else "model_error", words)
