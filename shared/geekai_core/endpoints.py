"""What each method of the clients sends, and how its answer is read. Pure."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote

from geekai_core.batches import Batch
from geekai_core.config import check_headers, seconds
from geekai_core.counting import count
from geekai_core.errors import APITimeoutError, ConfigurationError, RequestError, TaskFailedError
from geekai_core.options import CLIENT_ONLY, EmbedOptions, RerankOptions
from geekai_core.redaction import clear_traces
from geekai_core.request.body import call_fields, chat_body, encoded, wants_json
from geekai_core.request.hints import unknown_field
from geekai_core.response.answers import Context, read_answer
from geekai_core.response.chats import read_chat, read_task
from geekai_core.response.error_bodies import error_words
from geekai_core.response.rerank import mapped_back, read_rows, score
from geekai_core.transport.calls import Action, Call, Operation, Sleep
from geekai_core.transport.exchange import exchange
from geekai_core.transport.timeouts import least
from geekai_core.wire import Answer, ChatCompletion, EmbeddingList, RerankList, RerankResult, SearchResultList

if TYPE_CHECKING:
    import httpx

    from geekai_core.config import Config

FIRST_LOOK, LAST_LOOK = 0.5, 10.0
"""Seconds between two looks at a background task: the first pause, and the longest."""

T = TypeVar("T")
A = TypeVar("A", bound=Answer)


Steps: TypeAlias = Generator[Operation[Answer] | Sleep, Any, T]
"""Several requests, decided: yields what to do next, is sent what came of it."""


def call(config: Config, operation: Operation[Answer], http: httpx.Client | httpx.AsyncClient) -> Call:
    """An operation made ready to be sent with these settings through this httpx client."""
    check_headers(operation.headers)
    key = config.account_key() if operation.of_account else config.key()
    base_url = config.base_url.removesuffix("/v1") if operation.of_account else config.base_url
    return Call(
        method=operation.method,
        url=base_url + operation.path,
        headers=config.headers(key, operation.headers),
        body=None if operation.body is None else encoded(operation.body),
        params={**config.default_query, **operation.params},
        timeouts=_limits(config, operation, http),
        max_retries=config.max_retries,
        total_timeout=least(config.total_timeout, operation.within),
        stream_chunk_timeout=config.stream_chunk_timeout,
        max_response_bytes=config.max_response_bytes,
        secrets=config.secrets(key, operation.headers, operation.params),
        model=(operation.body or {}).get("model"),
        several=(operation.body or {}).get("n", 1) not in (None, 0, 1),
        known_models=config.known_models,
        of_account=operation.of_account,
        is_refusal=operation.is_refusal,
    )


def _limits(
    config: Config, operation: Operation[Answer], http: httpx.Client | httpx.AsyncClient
) -> Mapping[str, float | None]:
    """Our limits, unless none was set here and an injected client brings its own; httpx's default is 5 s each."""
    timeout = config.timeout if operation.timeout is None else operation.timeout
    own = http.timeout.as_dict()
    if timeout is None and set(own.values()) not in ({5.0}, {None}):
        return own
    return seconds(timeout)


def answered(operation: Operation[A], call: Call) -> Generator[Action, Any, A]:
    """An operation sent until it is answered; its answer, with how often it was sent again. `collect()` counts it."""
    reply = yield from exchange(call)
    try:
        answer = with_retry_count(operation.read(reply.content, reply.context), reply.retry_count)
    except RequestError as error:
        clear_traces(error)
        error.retry_count = reply.retry_count
        if error.partial is not None:
            count(error.partial)
        raise
    if operation.counts:
        count(answer, reply.context.model)
    return answer


def with_retry_count(answer: A, retry_count: int | None) -> A:
    """`answer`, with how often its request was sent again."""
    answer._retry_count = retry_count or 0
    return answer


def chat(
    config: Config, body: Mapping[str, Any], *, one_call: bool, tool_names: Mapping[str, str], **sending: Any
) -> Operation[ChatCompletion]:
    """A chat answer; that of a stream is read by `StreamReader`.

    `one_call`: further calls of tools are left out. `tool_names`: own names, by those that travel.
    """
    reading = {
        **config.reading(),
        "json_text": wants_json(body),
        "one_call": one_call,
        "tool_names": tool_names,
    }
    read = functools.partial(read_chat, reading=reading)
    return Operation("POST", "/chat/completions", read, body, reading=reading, counts=True, **sending)


def stream_reading(config: Config, operation: Operation[Answer]) -> dict[str, Any]:
    """How a stream is read: the keywords of `StreamReader`."""
    return {**operation.reading, "join_deltas": config.join_deltas}


def is_stream(operation: Operation[Answer]) -> bool:
    """Whether the answer to an operation comes as a stream."""
    return bool((operation.body or {}).get("stream"))


def alone(operation: Operation[Answer]) -> Steps[None]:
    """The steps of one operation without a second way."""
    yield operation


def submit(config: Config, body: Mapping[str, Any], **sending: Any) -> Operation[ChatCompletion]:
    """A background task."""
    return Operation("POST", "/chat/completions", _task_reader(config), {**body, "background": True}, **sending)


def request_body(
    config: Config, body: Mapping[str, Any] | None, fields: Mapping[str, Any], stream: bool = False
) -> Mapping[str, Any]:
    """A ready body, or one of keywords. Raises `ConfigurationError` for a field that nothing knows."""
    if body is None:
        named = dict(fields)
        messages = named.pop("messages", None)
        if not isinstance(messages, list):
            raise ConfigurationError("messages=[…] is needed: a list of {'role': …, 'content': …}")
        body = chat_body(messages, call_fields(named), stream=stream, stream_usage=config.stream_usage)
    if stream and not body.get("stream"):
        raise ConfigurationError("a body for stream() must hold 'stream': true")
    if body.get("stream") and not stream:
        raise ConfigurationError("a whole answer and a background task cannot stream: use stream()")
    return body


def fetch(config: Config, task_id: str, within: float | None = None) -> Operation[ChatCompletion]:
    """The state of a background task."""
    if not task_id:
        raise ConfigurationError("a task id is needed: submit() returns it as .id")
    return Operation("GET", f"/chat/{quote(task_id, safe='')}", _task_reader(config), within=within)


def _task_reader(config: Config) -> Callable[[bytes, Context], ChatCompletion]:
    return functools.partial(read_task, reading=config.reading())


_FAILED = {"failed", "fail", "failure", "error", "cancelled", "canceled", "expired", "timeout", "rejected"}
_DONE = {"succeed", "succeeded", "success", "completed", "complete", "done", "finished"}


def is_done(task: ChatCompletion) -> bool:
    """Whether a task has its answer. Raises `TaskFailedError` for one that never will.

    Only `pending`, `running`, `succeed` and `failed` are documented, of image tasks: an unknown word means done when
    there is an answer, and not yet when there is none.
    """
    status = (task.status or "").lower()
    if status in _FAILED or (task.error and not task.choices):
        words, code = error_words(task.raw)
        raise TaskFailedError(
            f"the task {task.id} ended as '{task.status}': {words or 'the server gave no reason'}",
            task_id=task.id,
            status=task.status,
            code=code,
            body=task.raw,
            request_id=task.request_id,
        )
    return status in _DONE or bool(task.choices and task.choices[0].finish_reason)


def waiting(
    config: Config,
    task_id: str,
    timeout: float | None,
    on_progress: Callable[[ChatCompletion], None] | None,
    clock: Callable[[], float] = time.monotonic,
) -> Steps[ChatCompletion]:
    """Look at a task until it is done: at once, then after half a second, growing by half up to ten.

    Raises `APITimeoutError` once `timeout` seconds are over; the task goes on, and can be fetched later.
    """
    end = float("inf") if timeout is None else clock() + timeout
    pause = FIRST_LOOK
    while (left := end - clock()) > 0:
        try:
            task: ChatCompletion = yield fetch(config, task_id, within=None if timeout is None else left)
        except APITimeoutError:
            if end - clock() > 0.01:
                raise
            break
        if on_progress is not None:
            on_progress(task)
        if is_done(task):
            count(task)
            return task
        yield Sleep(max(min(pause, end - clock()), 0.0))
        pause = min(pause * 1.5, LAST_LOOK)
    raise APITimeoutError(
        f"the task {task_id} was not done within {timeout:g} s; it goes on: fetch('{task_id}') finds it later",
        limit="wait",
        seconds=timeout,
    )


def _fields(given: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """What is sent of the keywords of a call, which are all `known`."""
    for name in given:
        if name not in known and name != "extra_body":
            raise unknown_field(name, known)
    unsent = CLIENT_ONLY | {"extra_body"}
    fields = {name: value for name, value in given.items() if value is not None and name not in unsent}
    return {**fields, **(given.get("extra_body") or {})}


def _speaking(inputs: Iterable[Any]) -> list[Any]:
    """`inputs` as a list, with a space for each blank text, since vendors refuse an empty one (inferred)."""
    return [" " if isinstance(one, str) and not one.strip() else one for one in inputs]


def embed(input: Any, model: str, options: EmbedOptions) -> Batch[EmbeddingList]:
    """Vectors, in the order of the input whatever order the server used."""
    body = {"model": model, **_fields(options, EmbedOptions.__optional_keys__)}
    alone = isinstance(input, (str, Mapping))

    def part(inputs: list[Any]) -> Operation[EmbeddingList]:
        read = functools.partial(_read_vectors, len(inputs))
        return Operation("POST", "/embeddings", read, {"input": inputs[0] if alone else inputs, **body})

    return Batch(_speaking([input] if alone else input), options, part, EmbeddingList(model=model))


def _read_vectors(count: int, content: bytes, context: Context) -> EmbeddingList:
    """`count` vectors in their order; what is more is left out, and one that is none is a failure of its input."""
    answer = read_answer(EmbeddingList, content, context)
    places = [item.index or 0 for item in answer.data]
    if len(set(places)) == len(places):
        by_place = dict(zip(places, answer.data, strict=True))
        answer.data = [by_place[place] for place in range(count) if place in by_place]
    elif any(places):
        raise context.unreadable("two vectors have one index", content)
    if len(answer.data) != count:
        raise context.unreadable(f"{count} inputs, but {len(answer.data)} vectors came back", content)
    for place, item in enumerate(answer.data):
        item.index = place
        if not item.embedding or not math.isfinite(sum(item.embedding)):
            answer._failed[place] = context.unreadable(f"the vector of input {place} is empty, or not a number", b"")
    answer.data = [item for item in answer.data if item.index not in answer.failed]
    return answer


def rerank(query: str, documents: list[str], model: str, options: RerankOptions) -> Batch[RerankList]:
    """Scores, best first, each with the index of its document in the input."""
    known = _fields(options, RerankOptions.__optional_keys__)

    def best(results: list[RerankResult]) -> list[RerankResult]:
        return sorted(results, key=score, reverse=True)[: known.get("top_n")]

    def part(documents: list[str]) -> Operation[RerankList]:
        def read(content: bytes, context: Context) -> RerankList:
            answer = read_answer(RerankList, content, context)
            rows = read_rows(answer.raw)
            answer.results = best(mapped_back(rows, documents))
            if documents and not rows and known.get("top_n") != 0:
                raise context.unreadable("the answer has no score of any document", content)
            return answer

        body = {"model": model, "query": query, "documents": documents, **known}
        return Operation("POST", "/rerank", read, body)

    return Batch(_speaking(documents), options, part, RerankList(model=model), best)


def web_search(prompt: str, fields: Mapping[str, Any]) -> Operation[SearchResultList]:
    """A search of the web."""
    known = frozenset({"model", "intent", "count", "recency_filter", "content_size", "domain_filter"})
    body = {"model": "glm-search-std", "prompt": prompt, **_fields(fields, known)}

    def read(content: bytes, context: Context) -> SearchResultList:
        answer = read_answer(SearchResultList, content, context)
        answer.results = answer.results[: body.get("count")]
        return answer

    return Operation("POST", "/web_search", read, body, counts=True)
