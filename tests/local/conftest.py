"""One local endpoint for all tests here, over the real local model, and a caller that speaks plain HTTP to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import pytest

from geekai_core import AsyncClient, Client
from geekai_core.wire import ChatCompletion
from geekai_local.serving import serve
from geekai_local.weights import Upstream
from geekai_testing.scripted import ScriptedServer
from tests.core.conftest import Blocking


class Caller:
    """Posts chat requests to the endpoint."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=60, headers={"Authorization": "Bearer any key"})

    def post(self, question: str | list[dict[str, Any]], **fields: Any) -> httpx.Response:
        return self.http.post("/chat/completions", json=body(question, **fields))

    def ask(self, question: str | list[dict[str, Any]], **fields: Any) -> ChatCompletion:
        response = self.post(question, **fields)
        assert response.status_code == 200, response.text
        return ChatCompletion.model_validate_json(response.content)

    def stream(self, question: str | list[dict[str, Any]], **fields: Any) -> list[dict[str, Any]]:
        with self.open(question, **fields) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in response.iter_lines() if line]
        assert lines.pop() == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines]

    @contextmanager
    def open(self, question: str | list[dict[str, Any]], **fields: Any) -> Iterator[httpx.Response]:
        with self.http.stream("POST", "/chat/completions", json=body(question, stream=True, **fields)) as response:
            yield response


def body(question: str | list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """A chat request, of one question or of messages."""
    messages = [{"role": "user", "content": question}] if isinstance(question, str) else question
    return {"model": "any/model:at-all", "messages": messages, **fields}


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.fixture(scope="session")
def caller(base_url: str) -> Iterator[Caller]:
    caller = Caller(base_url)
    with caller.http:
        yield caller


@contextmanager
def connected(base_url: str, mode: str, **settings: Any) -> Iterator[Any]:
    """A client of ours for the endpoint, of either kind; the asynchronous one is called like the other."""
    settings = {"api_key": "any-key", "base_url": base_url, "max_retries": 0, **settings}
    if mode == "sync":
        with Client(**settings) as synchronous:
            yield synchronous
        return
    with closing(asyncio.new_event_loop()) as loop, closing(Blocking(AsyncClient(**settings), loop)) as client:
        yield client
        loop.run_until_complete(loop.shutdown_asyncgens())


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(base_url: str, mode: str) -> Iterator[Any]:
    with connected(base_url, mode) as made:
        yield made


Over = Callable[..., Any]


@pytest.fixture
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def over(upstream: ScriptedServer, mode: str) -> Iterator[Over]:
    """Makes a client of an endpoint over `upstream`, with these settings of it."""
    with ExitStack() as stack:

        def make(url: str = upstream.base_url, **settings: Any) -> Any:
            return stack.enter_context(connected(stack.enter_context(serve(model=Upstream(url, **settings))), mode))

        yield make


@contextmanager
def streaming(client: Any, **fields: Any) -> Iterator[Any]:
    with client.stream(**asked(**fields)) as stream:
        yield stream


def asked(question: Any = "你好", **fields: Any) -> dict[str, Any]:
    return {"model": "qwen3:8b", "messages": [{"role": "user", "content": question}], **fields}
