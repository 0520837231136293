"""What answers behind this endpoint: llama.cpp in a child process, or any other OpenAI-compatible server."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from typing import Any

import httpx

from geekai_local._llama import CONTEXT
from geekai_local.errors import AnswerError, StartError
from geekai_local.weights import LocalModel, Upstream

TIMEOUTS = httpx.Timeout(300, connect=10)
"""Seconds. GeekAI's own limit of an answer, here of each silence: a small machine reads a long prompt for minutes."""


class Engine:
    """A server of OpenAI's chat API; `close` ends its process, where it is ours."""

    def __init__(self, model: LocalModel | Upstream) -> None:
        """Load `model`, or get ready to call it. Raises `StartError`."""
        self.model = model
        self._child: subprocess.Popen[bytes] | None
        self._child, server = (None, model) if isinstance(model, Upstream) else _started(model)
        self._key = server.key or ""
        # llama.cpp promises keep-alive and closes after each stream, so no connection is kept.
        headers = {"Connection": "close"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        self._http = httpx.AsyncClient(base_url=server.url, headers=headers, timeout=TIMEOUTS, trust_env=False)

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Generate, chunk by chunk, usage last. Closing the iterator ends the generation. Raises `AnswerError`."""
        body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        async with self._opened("POST", "/chat/completions", body) as response:
            async for payload in _payloads(response.aiter_bytes()):
                if not isinstance(payload, dict) or payload.get("error"):
                    raise self.failure(500 if isinstance(payload, dict) else 502, payload)
                yield payload

    async def fetch(self, method: str, path: str, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A whole answer of another path, whose `data` all have a field `name`. Raises `AnswerError`."""
        async with self._opened(method, path, body) as response:
            answer = _parsed(await response.aread())
        listed = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(listed, list) or not all(isinstance(each, dict) and name in each for each in listed):
            raise self.failure(502, answer)
        return dict(answer)

    @contextmanager
    def minded(self) -> Iterator[None]:
        """Where untrusted JSON is taken apart: a shape that nobody expects is an `AnswerError`."""
        try:
            yield
        except (TypeError, AttributeError, ValueError) as error:
            raise self.failure(502, f"the answer has an unknown shape ({error})") from error

    @asynccontextmanager
    async def _opened(self, method: str, path: str, body: dict[str, Any] | None) -> AsyncIterator[httpx.Response]:
        try:
            async with self._http.stream(method, path, json=body) as response:
                if response.status_code != HTTPStatus.OK:
                    raise self.failure(response.status_code, _parsed(await response.aread()))
                yield response
        except httpx.HTTPError as error:
            lost = "cannot be reached" if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)) else "went away"
            words = self._safe(f"{self.model.name} {lost}: {error!r}")
            raise AnswerError(503, "model_unavailable", words) from error

    def failure(self, status: int, body: Any) -> AnswerError:
        """An error of the server: its status, its body, and so its own words."""
        error = body.get("error") or body if isinstance(body, dict) else body
        error = error if isinstance(error, dict) else {"message": error}
        words = str(error.get("message") or error.get("detail") or body)[:2000] or "an empty answer"
        code = error.get("code")
        if error.get("type") == "exceed_context_size_error":
            code = "context_length_exceeded"
            if self._child:  # llama.cpp advises to increase it, for which there is no option
                words = f"{words.partition(', try')[0]}: the local model's context is {CONTEXT} tokens, answer and all"
        elif not isinstance(code, str):
            code = "invalid_request" if status < 500 else "model_error"
        return AnswerError(status if 400 <= status <= 599 else 502, code, self._safe(f"{self.model.name}: {words}"))

    def _safe(self, words: str) -> str:
        """`words` without the key; a short one may stand within other words by chance."""
        alone = "%s" if len(self._key) >= 10 else "(?<![A-Za-z0-9])%s(?![A-Za-z0-9])"
        return re.sub(alone % re.escape(self._key), "***", words) if self._key else words

    def close(self) -> None:
        """End the child process, if there is one, and wait for its end."""
        if self._child:
            _end(self._child)


def _started(model: LocalModel) -> tuple[subprocess.Popen[bytes], Upstream]:
    """A llama.cpp of our own, on a port that is nobody else's business: hence the key."""
    key, pipe, command = secrets.token_urlsafe(), subprocess.PIPE, [sys.executable, "-m", "geekai_local._llama"]
    # Idle threads that spin starve the others: on two cores, 3 tokens a second instead of 60.
    env = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=env)
    assert process.stdin
    assert process.stdout
    settings = {"path": str(model.path), "template": model.template, "key": key}
    answer = {"error": "llama.cpp ended while loading it"}
    try:
        with suppress(OSError, ValueError):
            process.stdin.write(json.dumps(settings).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.read())
        if "error" in answer:
            raise StartError(f"cannot load {model.path}: {answer['error']}")
    except BaseException:
        _end(process)
        raise
    return process, Upstream(f"{answer['url']}/v1", key)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # it keeps nothing that could be lost
    process.communicate()


async def _payloads(source: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """The data of each event, until the last. Splits bytes at LF only: U+2028 within a string is no end of a line."""
    rest = b""
    async for block in source:
        *lines, rest = (rest + block).split(b"\n")
        for data in (line[5:].strip() for line in lines if line.startswith(b"data:")):
            if data == b"[DONE]":
                return
            yield _parsed(data)


def _parsed(content: bytes) -> Any:
    """A body as JSON, else as text. NaN and the infinities, which JSON has not, are null."""
    try:
        return json.loads(content, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return content.decode(errors="replace").strip()
