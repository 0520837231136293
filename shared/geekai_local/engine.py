"""What answers behind this endpoint: llama.cpp in a child process, or any other OpenAI-compatible server.

Both are asked through the core's own client, whose limits, redaction and reading of errors therefore hold here too.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import contextmanager, suppress
from gettext import gettext as _
from typing import Any

import httpx

from geekai_core import AsyncClient, Delta, configure, errors
from geekai_core.conversation import Request
from geekai_core.response.error_bodies import error_words
from geekai_core.wire import Json
from geekai_local._llama import CONTEXT
from geekai_local.errors import AnswerError, StartError
from geekai_local.weights import LocalModel, Upstream

# GeekAI's own limit of an answer, here of each silence: a small machine reads a long prompt for minutes. llama.cpp
# promises keep-alive and closes after each stream, so no connection is kept.
SETTINGS: dict[str, Any] = {"timeout": 300.0, "stream_chunk_timeout": None, "max_retries": 0}
HEADERS = {"connection": "close", "accept-encoding": "identity"}


class Engine:
    """A server of OpenAI's chat API, to be asked within `shielded`; `close` ends its process, where it is ours."""

    def __init__(self, model: LocalModel | Upstream) -> None:
        """Load `model`, or get ready to call it. Raises `StartError`."""
        self.model = model
        self._child: subprocess.Popen[bytes] | None
        self._child, server = (None, model) if isinstance(model, Upstream) else _started(model)
        self.client = _client(server)

    async def stream(self, body: Json) -> AsyncGenerator[Json, None]:
        """Generate, chunk by chunk, then the usage of all. Closing the iterator ends the generation."""
        body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        async with self.client.converse_streaming(Request(body, as_given=True)) as stream:
            last, given = None, set[int]()
            async for delta in stream:
                last, given = delta.raw, given if delta.raw is last else set()
                yield {"choices": [_choice(delta, given)]}
                given.add(delta.index)
            yield {"usage": stream.answer.raw.get("usage")}

    async def whole(self, body: Json) -> Json:
        """Generate, and give the whole answer as it came."""
        return (await self.client.converse(Request(body, as_given=True))).answer.raw

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Within it, the client's errors become `AnswerError`s, and so does JSON of a shape that nobody expects."""
        try:
            yield
        except errors.GeekAIError as error:
            raise self._failure(error) from error
        except (TypeError, AttributeError, ValueError, KeyError) as error:
            raise AnswerError(502, "model_error", f"{self.model.name}: an answer of unknown shape ({error})") from error

    def _failure(self, error: errors.GeekAIError) -> AnswerError:
        """An error of the server, or of the way to it: its status and its own words."""
        status, code, words = 502 if isinstance(error, errors.RequestError) else 400, "model_error", f": {error}"
        if isinstance(error, errors.APIConnectionError | errors.APITimeoutError):
            unreached = isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)
            words = str(error).partition(" [")[0]  # the hint is for users of the client's own settings
            status, code = 503, "model_unavailable"
            words = f" {'cannot be reached' if unreached else 'went away'}: {words}"
        elif isinstance(error, errors.APIStatusError):
            given, reason = error.status_code, error_words(error.body)[0]
            status = 500 if given == 200 else given if 400 <= given <= 599 else 502
            code = error.code if isinstance(error.code, str) else "invalid_request" if 300 <= given < 500 else code
            reason = error.body if isinstance(error.body, str) else reason or str(error.body)
            words = f": {reason[:2000] or 'an empty answer'}"
            if isinstance(error, errors.ContextOverflowError) or "exceed_context_size_error" in str(error.body):
                code = "context_length_exceeded"
                if self._child:  # llama.cpp advises to increase it, for which there is no option
                    limit = f"the local model's context is {CONTEXT} tokens, answer and all"
                    words = f"{words.partition(', try')[0]}: {limit}"
        return AnswerError(status, code, self.model.name + words)

    def close(self) -> None:
        """End the child process, if there is one, and wait for its end."""
        if self._child:
            _end(self._child)


def _choice(delta: Delta, given: Collection[int]) -> Json:
    """What a delta adds to its choice, as the server said it but for the texts: fences around JSON are gone from those.

    `given`: the choices of which the same chunk has brought deltas; what comes again had been held back.
    """
    choices = [] if delta.index in given else delta.raw.get("choices") or []
    of_index = [choice for choice in choices if (choice.get("index") or 0) == delta.index]
    choice = (of_index or ([] if given else choices) or [{}])[0]
    texts = {"content": delta.content, "reasoning_content": delta.reasoning_content}
    return {**choice, "index": delta.index, "delta": {**(choice.get("delta") or {}), **texts}}


def _client(server: Upstream) -> AsyncClient:
    """A client that sends a key only where there is one, and takes no proxy from the environment."""
    url = httpx.URL(server.url)

    def sign(request: httpx.Request) -> httpx.Request:
        if not server.key:
            del request.headers["authorization"]
        return request

    auth = httpx.BasicAuth(url.username, url.password) if url.userinfo else sign
    http = httpx.AsyncClient(auth=auth, trust_env=False)
    try:  # where there is no key, `sign` takes this one away
        key, base_url = server.key or secrets.token_hex(), str(url.copy_with(userinfo=b""))
        return AsyncClient(configure(key, base_url, default_headers=HEADERS, **SETTINGS), http_async_client=http)
    except errors.ConfigurationError as error:
        raise StartError(_("the upstream cannot be used: {why}").format(why=error)) from error


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
            raise StartError(_("cannot load {path}: {why}").format(path=model.path, why=answer["error"]))
    except BaseException:
        _end(process)
        raise
    return process, Upstream(f"{answer['url']}/v1", key)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # it keeps nothing that could be lost
    process.communicate()
