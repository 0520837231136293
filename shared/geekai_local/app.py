"""The HTTP side: GeekAI's paths, keys, errors and streams over what `answers` gives."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from geekai_core.wire import ChatRequest
from geekai_local.answers import Chunks, answer, collect
from geekai_local.engine import Engine
from geekai_local.errors import AnswerError
from geekai_local.search import SearchIndex

BASE_PATH = "/api/v1"

T = TypeVar("T")


def create_app(engine: Engine, index: SearchIndex, api_key: str | None = None) -> Starlette:
    """The endpoint as an ASGI application. With `api_key`, any other key is a 401; without, any key will do."""

    async def chat(request: Request) -> Response:
        _check_key(request, api_key)
        wanted = _parse(await request.body())
        chunks = answer(wanted, engine, index)
        if not wanted.stream:
            whole = await _while_connected(request, collect(chunks))
            return JSONResponse(whole.model_dump(exclude_unset=True))
        first = await _while_connected(request, _first(chunks))
        with_usage = bool((wanted.stream_options or {}).get("include_usage"))
        return _EventStream(_events(first, chunks, with_usage), media_type="text/event-stream")

    routes = [Route("/chat/completions", chat, methods=["POST"])]
    return Starlette(
        routes=[Mount(BASE_PATH, routes=routes)],
        exception_handlers=dict.fromkeys((AnswerError, HTTPException, ClientDisconnect, Exception), _failed),
    )


class _EventStream(StreamingResponse):
    """A stream whose source is closed whenever it ends, which is what ends the generation when the caller leaves."""

    def __init__(self, events: AsyncGenerator[str, None], **options: Any) -> None:
        super().__init__(events, **options)
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events):
            await super().__call__(scope, receive, send)


async def _first(chunks: Chunks) -> dict[str, Any]:
    return await anext(chunks)


async def _events(first: dict[str, Any], chunks: Chunks, with_usage: bool) -> AsyncGenerator[str, None]:
    async with aclosing(chunks):
        yield _event(first)
        try:
            async for chunk in chunks:
                if with_usage or "usage" not in chunk:
                    yield _event(chunk)
        except AnswerError as error:  # the status went out long ago
            yield _event(_body(error.code, error.message))
            return
    yield "data: [DONE]\n\n"


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, and cancel it as soon as the caller leaves. Raises `ClientDisconnect`."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())  # the body has been read: what comes now is the end
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


def _parse(body: bytes) -> ChatRequest:
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(step) for step in problem["loc"]) or "body"
        raise AnswerError(400, "invalid_request", f"{place}: {problem['msg']}") from None


def _check_key(request: Request, api_key: str | None) -> None:
    given = request.headers.get("GeekAI-API-Key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
    if api_key is not None and not secrets.compare_digest(given.encode(), api_key.encode()):
        raise AnswerError(401, "invalid_api_key", "the API key is wrong")


def _event(payload: dict[str, Any]) -> str:
    return f"data: {json.dumps(payload, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _body(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


async def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, AnswerError):
        return JSONResponse(_body(error.code, error.message), error.status)
    if isinstance(error, HTTPException):
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        return JSONResponse(_body(code, f"{request.method} {request.url.path}: {error.detail}"), error.status_code)
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)  # nobody reads it
    return JSONResponse({"message": f"internal error: {error!r}"}, 500)  # GeekAI's 500 has no `error` (observed)
