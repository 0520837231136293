"""`Client` and `AsyncClient`: all of GeekAI's chat API, sync and async.

Thin twins: what is sent and how it is read stands in `endpoints`, what happens on failure in `transport/exchange`,
the waiting in `transport/driver`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from pydantic import BaseModel

from geekai_core import bills
from geekai_core import endpoints as ops
from geekai_core.batches import Batch, L
from geekai_core.bills import PATIENCE, Balance, Bill
from geekai_core.config import Config, configure, with_options
from geekai_core.conversation import Outcome, Request, converse, goal_of, request_of
from geekai_core.errors import GeekAIError
from geekai_core.listing import models
from geekai_core.options import EmbedOptions, RerankOptions
from geekai_core.streams import AsyncStream, Stream
from geekai_core.transport.calls import Operation, Sleep
from geekai_core.transport.driver import AsyncChannel, Channel, drive, drive_async
from geekai_core.transport.pools import LoopPool, Pool
from geekai_core.wire import Answer, ChatCompletion, EmbeddingList, ModelInfo, RerankList, SearchResultList

if TYPE_CHECKING:
    import httpx

A = TypeVar("A", bound=Answer)
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Body = Mapping[str, Any]
Progress = Callable[[ChatCompletion], None]


async def side_by_side(work: Callable[[], Coroutine[None, None, None]], times: int) -> None:
    """Run `work` so many times at once. When one raises, a callback of the user's say, the others do not go on."""
    workers = [asyncio.ensure_future(work()) for _ in range(times)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


class Client:
    """The synchronous client. Threads may share it; it pickles (with its key), copies, and survives a fork.

    Keywords: `api_key` (else `GEEKAI_API_KEY`), `base_url` (else `GEEKAI_BASE_URL`, else GeekAI's mainland host),
    and the settings of `ClientOptions`; or a ready `config`. `http_client`: an `httpx.Client` of your own, which you
    close. Raises `ConfigurationError`.
    """

    def __init__(
        self, config: Config | None = None, *, http_client: httpx.Client | None = None, **settings: Any
    ) -> None:
        self.config = config or configure(**settings)
        self._pool = Pool(self.config, http_client)

    def __repr__(self) -> str:
        return f"Client(base_url={self.config.base_url!r})"

    def __reduce__(self) -> tuple[type[Client], tuple[Config]]:
        return Client, (self.config,)

    def __deepcopy__(self, memo: dict[int, object]) -> Client:
        return Client(self.config, http_client=self._pool.given)

    def with_options(self, *, headers: Mapping[str, str] | None = None, **settings: Any) -> Client:
        """A client with other settings, such as `timeout=5, max_retries=0`, that shares this one's connections.

        `headers` are sent beside `default_headers`. Raises `ConfigurationError`.
        """
        return Client(with_options(self.config, headers, settings), http_client=self._pool.given)

    def _run(self, operation: Operation[A]) -> A:
        if ops.is_stream(operation):
            with Stream(self._pool, ops.alone(operation)) as stream:
                stream.read()
            return stream.answer  # type: ignore[return-value]
        http = self._pool.client()
        call = ops.call(self.config, operation, http)
        with closing(Channel(http, call, self._pool.channels)) as channel:
            return drive(ops.answered(operation, call), channel.perform)

    def _perform(self, step: Operation[Answer] | Sleep) -> object:
        if isinstance(step, Operation):
            return self._run(step)
        time.sleep(step.seconds)
        return None

    def _follow(self, steps: ops.Steps[T]) -> T:
        return drive(steps, self._perform, GeekAIError)

    def _batch(self, batch: Batch[L]) -> L:
        for start, operation in batch.parts():
            try:
                batch.done(start, self._run(operation))
            except GeekAIError as error:
                batch.failed(start, error)
        return batch.answer()

    def chat(self, body: Body | None = None, /, **fields: Any) -> ChatCompletion:
        """A whole answer. Give a ready wire body, or `model`, `messages` and the fields of `ChatOptions`.

        With `background=True` the task is waited for. A part of the request that a model refuses is asked for in a
        second way, where there is one.
        """
        return self.converse(request_of(self.config, body, fields)).answer

    def converse(self, request: Request) -> Outcome:
        """How a request ends, with all second ways that it needs: what adapters are made of."""
        return self._follow(converse(self.config, request))

    def parse(self, form: type[M], body: Body | None = None, /, **fields: Any) -> M:
        """An object of a pydantic class, in whatever way the model can be asked for one. Other arguments as for `chat`.

        An answer that does not fit is sent back once. Raises `InvalidResponseError` when none fits.
        """
        request = request_of(self.config, body, fields, goal_of(form))
        return self.converse(request).object()  # type: ignore[no-any-return]

    def stream(self, body: Body | None = None, /, **fields: Any) -> Stream:
        """`with client.stream(…) as s:` iterate `s` for deltas; `s.answer` is the whole. Arguments as for `chat`."""
        return self.converse_streaming(request_of(self.config, body, fields, stream=True))

    def converse_streaming(self, request: Request) -> Stream:
        """The stream of a request; the second ways that it needs are tried while it opens."""
        return Stream(self._pool, converse(self.config, request), request.blocks)

    def submit(self, body: Body | None = None, /, **fields: Any) -> ChatCompletion:
        """Start a background task; its `id` is for `fetch` and `wait`. Arguments as for `chat`."""
        request = request_of(self.config, body, fields)
        return self._run(ops.submit(self.config, request.body, **request.sending()))

    def fetch(self, task_id: str) -> ChatCompletion:
        """The state of a background task. Results are kept for seven days (documented)."""
        return self._run(ops.fetch(self.config, task_id))

    def wait(
        self, task_id: str, *, timeout: float | None = None, on_progress: Progress | None = None
    ) -> ChatCompletion:
        """Fetch a background task until it is done, calling `on_progress` with each state.

        `timeout`: seconds in all; by default none. Raises `TaskFailedError`, and `APITimeoutError` after `timeout`.
        """
        return self._follow(ops.waiting(self.config, task_id, timeout, on_progress))

    def models(self) -> list[ModelInfo]:
        """All models, page by page until one brings nothing new."""
        return self._follow(models(self.config))

    def embed(self, input: Any, *, model: str, **options: Unpack[EmbedOptions]) -> EmbeddingList:
        """Vectors, in the order of `input`: a text, or a list of texts or of whatever else the model takes.

        Options: those of `EmbedOptions`. An empty text is sent as a space, an empty list not at all.
        """
        return self._batch(ops.embed(input, model, options))

    def rerank(self, query: str, documents: list[str], *, model: str, **options: Unpack[RerankOptions]) -> RerankList:
        """Scores, best first, with `index` mapped back to the input's. Options: those of `RerankOptions`."""
        return self._batch(ops.rerank(query, documents, model, options))

    def bill(self, answer: str | ChatCompletion, *, timeout: float = PATIENCE) -> Bill:
        """What an answer or a task, or the one of that id, really cost; waited for `timeout` seconds at most.

        It takes the system key. Raises `NotFoundError` for an id without a bill, and `APITimeoutError`.
        """
        return self._follow(bills.bill(self.config, answer, timeout))

    def balance(self) -> Balance:
        """What is left on the account. It takes the system key."""
        return self._run(bills.balance())

    def web_search(self, prompt: str, **fields: Any) -> SearchResultList:
        """A web search. Fields: `model`, `intent`, `count`, `recency_filter`, `content_size`, `domain_filter`."""
        return self._run(ops.web_search(prompt, fields))

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        self._pool.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class AsyncClient:
    """`Client`, awaiting. One object serves any number of event loops, one after another or side by side.

    Connections are made per loop and closed with it. `http_async_client`: an `httpx.AsyncClient` of your own.
    """

    def __init__(
        self, config: Config | None = None, *, http_async_client: httpx.AsyncClient | None = None, **settings: Any
    ) -> None:
        self.config = config or configure(**settings)
        self._pool = LoopPool(self.config, http_async_client)

    def __repr__(self) -> str:
        return f"AsyncClient(base_url={self.config.base_url!r})"

    def __reduce__(self) -> tuple[type[AsyncClient], tuple[Config]]:
        return AsyncClient, (self.config,)

    def __deepcopy__(self, memo: dict[int, object]) -> AsyncClient:
        return AsyncClient(self.config, http_async_client=self._pool.given)

    def with_options(self, *, headers: Mapping[str, str] | None = None, **settings: Any) -> AsyncClient:
        """`Client.with_options`."""
        return AsyncClient(with_options(self.config, headers, settings), http_async_client=self._pool.given)

    async def _run(self, operation: Operation[A]) -> A:
        if ops.is_stream(operation):
            async with AsyncStream(self._pool, ops.alone(operation)) as stream:
                await stream.read()
            return stream.answer  # type: ignore[return-value]
        http = await self._pool.client()
        call = ops.call(self.config, operation, http)
        async with aclosing(AsyncChannel(http, call, self._pool.channels)) as channel:
            return await drive_async(ops.answered(operation, call), channel.perform)

    def _perform(self, step: Operation[Answer] | Sleep) -> Coroutine[None, None, object]:
        return self._run(step) if isinstance(step, Operation) else asyncio.sleep(step.seconds)

    async def _follow(self, steps: ops.Steps[T]) -> T:
        return await drive_async(steps, self._perform, GeekAIError)

    async def _batch(self, batch: Batch[L]) -> L:
        parts = batch.parts()

        async def work() -> None:
            for start, operation in parts:
                try:
                    batch.done(start, await self._run(operation))
                except GeekAIError as error:
                    batch.failed(start, error)

        await side_by_side(work, batch.workers)
        return batch.answer()

    async def chat(self, body: Body | None = None, /, **fields: Any) -> ChatCompletion:
        """`Client.chat`, awaiting."""
        return (await self.converse(request_of(self.config, body, fields))).answer

    async def converse(self, request: Request) -> Outcome:
        """`Client.converse`, awaiting."""
        return await self._follow(converse(self.config, request))

    async def parse(self, form: type[M], body: Body | None = None, /, **fields: Any) -> M:
        """`Client.parse`, awaiting."""
        request = request_of(self.config, body, fields, goal_of(form))
        return (await self.converse(request)).object()  # type: ignore[no-any-return]

    def stream(self, body: Body | None = None, /, **fields: Any) -> AsyncStream:
        """`Client.stream`, for `async with` and `async for`."""
        return self.converse_streaming(request_of(self.config, body, fields, stream=True))

    def converse_streaming(self, request: Request) -> AsyncStream:
        """`Client.converse_streaming`, for `async with` and `async for`."""
        return AsyncStream(self._pool, converse(self.config, request), request.blocks)

    async def submit(self, body: Body | None = None, /, **fields: Any) -> ChatCompletion:
        """`Client.submit`, awaiting."""
        request = request_of(self.config, body, fields)
        return await self._run(ops.submit(self.config, request.body, **request.sending()))

    async def fetch(self, task_id: str) -> ChatCompletion:
        """`Client.fetch`, awaiting."""
        return await self._run(ops.fetch(self.config, task_id))

    async def wait(
        self, task_id: str, *, timeout: float | None = None, on_progress: Progress | None = None
    ) -> ChatCompletion:
        """`Client.wait`, awaiting."""
        return await self._follow(ops.waiting(self.config, task_id, timeout, on_progress))

    async def models(self) -> list[ModelInfo]:
        """`Client.models`, awaiting."""
        return await self._follow(models(self.config))

    async def embed(self, input: Any, *, model: str, **options: Unpack[EmbedOptions]) -> EmbeddingList:
        """`Client.embed`, awaiting; `max_concurrency` requests at a time."""
        return await self._batch(ops.embed(input, model, options))

    async def rerank(
        self, query: str, documents: list[str], *, model: str, **options: Unpack[RerankOptions]
    ) -> RerankList:
        """`Client.rerank`, awaiting; `max_concurrency` requests at a time."""
        return await self._batch(ops.rerank(query, documents, model, options))

    async def bill(self, answer: str | ChatCompletion, *, timeout: float = PATIENCE) -> Bill:
        """`Client.bill`, awaiting."""
        return await self._follow(bills.bill(self.config, answer, timeout))

    async def balance(self) -> Balance:
        """`Client.balance`, awaiting."""
        return await self._run(bills.balance())

    async def web_search(self, prompt: str, **fields: Any) -> SearchResultList:
        """`Client.web_search`, awaiting."""
        return await self._run(ops.web_search(prompt, fields))

    async def aclose(self) -> None:
        """Close the connections of the running loop. A later call opens new ones."""
        await self._pool.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
