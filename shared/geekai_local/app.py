"""The HTTP side: GeekAI's paths, keys, errors and streams over what `answers` and `retrieval` give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from geekai_core.options import ChatRequest
from geekai_core.wire import Json
from geekai_local import catalogue, guard, retrieval
from geekai_local.answers import Chunks, answer, whole
from geekai_local.embedding import Embedder
from geekai_local.engine import Engine
from geekai_local.errors import AnswerError
from geekai_local.search import Library
from geekai_local.tasks import TaskRequest, Tasks

BASE_PATH = "/api/v1"

M = TypeVar("M", bound=BaseModel)


def create_app(engine: Engine, library: Library, api_key: str | None = None) -> Starlette:
    """The endpoint as an ASGI application. With `api_key`, any other key is a 401; without, any key will do."""
    embedder, tasks = library.embedder or Embedder(), Tasks()

    async def chat(wanted: ChatRequest) -> Json | Response:
        if wanted.background and wanted.stream:
            raise AnswerError(400, "invalid_request", "background must not be true together with stream")
        if wanted.stream:
            return await _streamed(answer(wanted, engine, library), wanted.stream_options or {})
        work = whole(wanted, engine, library)
        return tasks.submit(work) if wanted.background else await work

    def route(method: str, path: str, model: type[M], answered: Callable[[M], Awaitable[Json | Response]]) -> Route:
        async def handle(request: Request) -> Response:
            guard.check_caller(request, api_key)
            body = await guard.read_body(request)  # of a GET, too: what comes after it is the end of the caller
            named = {**request.query_params, **request.path_params}
            wanted = model.model_validate(guard.parse_body(body) if method == "POST" else named)
            result = await _while_connected(request, answered(wanted))
            return result if isinstance(result, Response) else _Json(result)

        return Route("/api" + path, handle, methods=[method])

    return Starlette(
        routes=[
            route("POST", "/v1/chat/completions", ChatRequest, chat),
            route("GET", "/v1/chat/task-{id}", TaskRequest, tasks.fetch),
            route("GET", "/v1/models", catalogue.PageRequest, lambda it: catalogue.models(it, engine)),
            route("POST", "/v1/embeddings", retrieval.EmbedRequest, lambda it: retrieval.embed(it, engine, embedder)),
            route("POST", "/v1/rerank", retrieval.RerankRequest, lambda it: retrieval.rerank(it, embedder)),
            route("POST", "/v1/web_search", retrieval.WebSearchRequest, lambda it: retrieval.web_search(it, library)),
            route("GET", "/chat/transaction/{id}", TaskRequest, lambda _: catalogue.nothing(engine, "amount")),
            route("GET", "/credit/balance", catalogue.PageRequest, lambda _: catalogue.nothing(engine, "balance")),
        ],
        exception_handlers=dict.fromkeys((AnswerError, ValidationError, HTTPException, Exception), _failed),
    )


async def _streamed(chunks: Chunks, options: Json) -> Response:
    events = _events(await anext(chunks), chunks, bool(options.get("include_usage")))

    async def close() -> None:  # Starlette takes a bare `chunks.aclose` for a function to be called on a thread
        await chunks.aclose()

    # However the stream ends, so does the generation: when the caller leaves, too.
    return StreamingResponse(events, media_type="text/event-stream", background=BackgroundTask(close))


async def _events(first: Json, chunks: Chunks, with_usage: bool) -> AsyncIterator[bytes]:
    yield _event(first)
    try:
        async for chunk in chunks:
            if with_usage or "usage" not in chunk:
                yield _event(chunk)
    except AnswerError as error:  # the status went out long ago
        yield _event(_body(error.code, str(error)))
    else:
        yield b"data: [DONE]\n\n"


async def _while_connected(request: Request, work: Awaitable[Json | Response]) -> Json | Response:
    """Await `work`, which is cancelled as soon as the caller leaves: nobody is left to answer."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())  # the body has been read: what comes now is the end
    gone.add_done_callback(lambda _: task.cancel())
    try:
        return await task
    finally:
        gone.cancel()


def _event(payload: Json) -> bytes:
    return b"data: " + _Json.render(payload) + b"\n\n"


class _Json(JSONResponse):
    @staticmethod
    def render(content: object) -> bytes:
        return to_json(content, inf_nan_mode="null")


def _body(code: str, message: str) -> Json:
    return {"error": {"message": message, "code": code}}


async def _failed(request: Request, error: Exception) -> Response:
    status, code, words = 400, "invalid_request", str(error)
    if isinstance(error, AnswerError):
        status, code = error.status, error.code
    elif isinstance(error, ValidationError):
        problem = error.errors(include_url=False, include_context=False)[0]
        words = f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}"
    elif isinstance(error, HTTPException):
        status, code = error.status_code, HTTPStatus(error.status_code).name.lower()
        words = f"{request.method} {request.url.path}: {error.detail}"
    else:
        return _Json({"message": f"internal error: {error!r}"}, 500)  # GeekAI's 500 has no `error` (observed)
    # What is left of a body that was too large is not read.
    return _Json(_body(code, words), status, {"connection": "close"} if status == 413 else None)
