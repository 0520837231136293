"""What the scripted server records and plays: a request, a reply made of steps, and builders of GeekAI's JSON."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Literal, TypeAlias

BASE_PATH = "/api/v1"
HEAD = {"id": "chatcmpl-1", "created": 1751500800, "model": "geekai-test"}
CJK = r"\u3040-\u30ff\u3400-\u9fff\uff00-\uffef"
TOKEN = re.compile(rf"\s*(?:[{CJK}]|[^\s{CJK}]+)|\s+$")
"""What a stream brings at a time: a word with the blanks ahead of it, or a Chinese character."""
Json: TypeAlias = dict[str, Any]
Headers: TypeAlias = Mapping[str, str] | None
Maybe: TypeAlias = EllipsisType | None  # of a builder's field: left out, or null


@dataclass(frozen=True)
class Pause:
    """Write nothing for so many seconds, or until the event is set."""

    until: float | threading.Event


@dataclass(frozen=True)
class Hold:
    """Write nothing, with the connection open, until the client leaves or the server stops."""


@dataclass(frozen=True)
class Cut:
    """Close the connection here and now: with a TCP reset, or with an ordinary FIN."""

    reset: bool = True


Step: TypeAlias = bytes | Pause | Hold | Cut


@dataclass
class Reply:
    """One answer, byte for byte as the test wants it.

    A `body` of bytes goes out with a content-length; one of steps in HTTP chunks, one chunk and one send for each bytes
    step, and may be endless. `framing` chooses otherwise: `"length"` sends steps under the `length` that is given,
    `"close"` ends the body by closing, `"raw"` writes the steps alone, without status line and headers, and closes.
    `before` is played ahead of the status line. `length` may lie. `connection` is `"close"`, or `"lie"`: it says
    keep-alive and closes after the reply.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[Step] = b""
    framing: Literal["length", "chunked", "close", "raw"] | None = None
    before: Iterable[Step] = ()
    length: int | None = None
    connection: Literal["keep-alive", "close", "lie"] = "keep-alive"


@dataclass(eq=False)
class Request:
    """One request as it came. `client_left` is set when the peer closes while its reply is still being played."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case; of a repeated header, the last
    body: bytes
    connection: int  # which of the server's connections it came on, counted from 1
    received_at: float = field(default_factory=time.monotonic)
    client_left: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def route(self) -> str:
        """The path below the API's base, without its query: `/chat/completions`, or the account's `/credit/balance`."""
        return re.sub(r"^/api(/v1)?(?=/|$)", "", self.path.partition("?")[0])

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


Responder: TypeAlias = Callable[[Request], Reply]


def dumps(value: object) -> str:
    """JSON as GeekAI writes it: Chinese stays Chinese."""
    return json.dumps(value, ensure_ascii=False)


def json_reply(value: object, status: int = 200, headers: Headers = None, blank_lines: int = 0) -> Reply:
    """A whole JSON body, after as many blank lines as a loaded GeekAI may send ahead of it."""
    head = {"content-type": "application/json", **(headers or {})}
    return Reply(status, head, b"\n" * blank_lines + dumps(value).encode())


def error(
    status: int, message: str, *, shape: Literal["object", "message"] = "object", headers: Headers = None, **fields: Any
) -> Reply:
    """An error body: `{"error": {"message", …}}`, or GeekAI's own `{"message", …}`."""
    body = {"message": message, **fields}
    return json_reply({"error": body} if shape == "object" else body, status, headers)


def sse(
    *payloads: Mapping[str, Any] | str | Step,
    done: bool = True,
    newline: str = "\n\n",
    prefix: str = "data: ",
    split: int | None = None,
    headers: Headers = None,
) -> Reply:
    """A stream of events, one HTTP chunk each: dicts as JSON, str as data, bytes as they are, other steps played.

    `split` cuts the bytes anew after every so many, wherever that falls: inside a character or a line end, too. Other
    steps than bytes go then.
    """
    steps: list[Step] = []
    for payload in (*payloads, "[DONE]") if done else payloads:
        if isinstance(payload, Mapping):
            payload = dumps(payload)
        steps.append(f"{prefix}{payload}{newline}".encode() if isinstance(payload, str) else payload)
    if split:
        whole = b"".join(step for step in steps if isinstance(step, bytes))
        steps = [whole[at : at + split] for at in range(0, len(whole), split)]
    return Reply(200, {"content-type": "text/event-stream; charset=utf-8", **(headers or {})}, steps, "chunked")


def chunk(choices: list[Json], **top: Any) -> Json:
    """A stream chunk with these choices, which may be none; `top` adds or replaces the fields beside them."""
    return {**HEAD, "object": "chat.completion.chunk", "choices": choices, **top}


def delta(
    content: str | Maybe = ...,
    *,
    reasoning_content: str | Maybe = ...,
    tool_calls: list[Json] | Maybe = ...,
    finish_reason: str | None = None,
    index: int = 0,
    logprobs: Json | None = None,
    extra: Mapping[str, Any] | None = None,
    **top: Any,
) -> Json:
    """A chunk with one choice. `extra` (role, audio …) joins the delta, `top` (usage, citations …) the chunk."""
    message = _given(extra, content=content, reasoning_content=reasoning_content, tool_calls=tool_calls)
    choice = {"index": index, "delta": message, "finish_reason": finish_reason}
    return chunk([choice if logprobs is None else {**choice, "logprobs": logprobs}], **top)


def _given(extra: Mapping[str, Any] | None, **known: Any) -> Json:
    return {**{name: value for name, value in known.items() if value is not ...}, **(extra or {})}


def tool_call(
    name: str | None = None, arguments: Json | str | Maybe = ..., *, id: str | None = None, index: int | None = None
) -> Json:
    """A tool call, whole or a fragment of one, without what is not given. A dict of arguments becomes JSON text."""
    call: Json = {} if index is None else {"index": index}
    if id is not None:
        call |= {"id": id, "type": "function"}
    text = dumps(arguments) if isinstance(arguments, dict) else arguments
    return {**call, "function": _given(None, name=... if name is None else name, arguments=text)}


def usage(
    prompt_tokens: int = 12,
    completion_tokens: int = 5,
    billed_units: float = 0,
    *,
    prompt: Mapping[str, int] | None = None,
    completion: Mapping[str, int] | None = None,
) -> Json:
    """GeekAI's usage, with details such as `prompt={"cached_tokens": 3}`; what they leave over is text."""
    inputs = dict.fromkeys(("audio_tokens", "cached_tokens", "image_tokens", "video_tokens", "citation_tokens"), 0)
    outputs = dict.fromkeys(("audio_tokens", "reasoning_tokens"), 0)
    inputs |= prompt or {}
    outputs |= completion or {}
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "billed_units": billed_units,
        "prompt_tokens_details": {"text_tokens": prompt_tokens - sum(inputs.values()), **inputs},
        "completion_tokens_details": {"text_tokens": completion_tokens - sum(outputs.values()), **outputs},
    }


def completion(
    content: str | None = "Hello from the script.",
    *,
    reasoning_content: str | Maybe = ...,
    tool_calls: list[Json] | Maybe = ...,
    finish_reason: str | Maybe = ...,
    extra: Mapping[str, Any] | None = None,
    **top: Any,
) -> Json:
    """A whole answer. `extra` (audio …) joins the message, `top` (usage, citations, search_results …) the answer."""
    message = _given(extra, content=content, reasoning_content=reasoning_content, tool_calls=tool_calls)
    if finish_reason is ...:
        finish_reason = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", **message}}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": usage(), **top}


def answer(
    text: str | None = None,
    *,
    reasoning: str | None = None,
    tool_calls: Sequence[Json] = (),
    citations: Sequence[str] = (),
    search_results: Sequence[Json] = (),
    **top: Any,
) -> Responder:
    """A chat answer in one line, to be played: it comes whole or as a stream, whichever the request asks for.

    `tool_calls` are made by `tool_call(name, arguments)` and get ids of their own. `top` joins the answer, such as
    `usage=usage(12, 5, billed_units=1)`.
    """
    calls = [{"id": f"call_{number}", "type": "function", **call} for number, call in enumerate(tool_calls, 1)]
    top |= {"citations": [*citations]} if citations else {}
    top |= {"search_results": [*search_results]} if search_results else {}
    whole = completion(text, reasoning_content=reasoning or ..., tool_calls=calls or ..., **top)

    def reply(request: Request) -> Reply:
        body = request.json
        named = {**whole, "model": body["model"]}
        return sse(*_pieces(named, body.get("stream_options") or {})) if body.get("stream") else json_reply(named)

    return reply


def _pieces(whole: Json, options: Json) -> Iterator[Json]:
    head = {"id": whole["id"], "model": whole["model"]}
    (choice,) = whole["choices"]
    yield delta(None, extra={"role": "assistant"}, **head)
    for name in ("reasoning_content", "content"):
        for piece in TOKEN.findall(choice["message"].get(name) or ""):
            yield delta(extra={name: piece}, **head)
    for index, call in enumerate(choice["message"].get("tool_calls") or ()):
        arguments = call["function"].get("arguments") or "{}"
        yield delta(tool_calls=[tool_call(call["function"]["name"], "", id=call["id"], index=index)], **head)
        for at in range(0, len(arguments), 7):
            yield delta(tool_calls=[tool_call(arguments=arguments[at : at + 7], index=index)], **head)
    last = whole.keys() - {*HEAD, "object", "choices", "usage"}
    yield delta(finish_reason=choice["finish_reason"], **{name: whole[name] for name in last}, **head)
    if options.get("include_usage"):
        yield chunk([], usage=whole["usage"], **head)


def vectors(*rows: Sequence[float], tokens: int = 8, **top: Any) -> Reply:
    """The answer of `/embeddings`: one vector for each input, in their order."""
    data = [{"index": at, "embedding": [*row]} for at, row in enumerate(rows)]
    return json_reply({"data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}, **top})


def ranking(*scores: float, query_tokens: int = 4, documents_tokens: int = 8) -> Responder:
    """The answer of `/rerank`: one score for each of the request's documents, in their order. The best come first."""
    counts = {"query_tokens": query_tokens, "documents_tokens": documents_tokens}
    counts |= {"total_tokens": query_tokens + documents_tokens}

    def rank(request: Request) -> Reply:
        body = request.json
        best = sorted(range(len(scores)), key=lambda at: -scores[at])[: body.get("top_n")]
        results = [{"index": at, "relevance_score": scores[at], "document": body["documents"][at]} for at in best]
        return json_reply({"model": body["model"], "results": results, "usage": counts})

    return rank


def bill(
    amount: float | None = 1.26, *, input_tokens: int = 12, output_tokens: int = 5, billed_units: float = 0, **top: Any
) -> Reply:
    """The answer of `/chat/transaction/{uuid}`: what a call cost, in coins (100 = 1 yuan). Of None: not ready yet."""
    counts = {"input_tokens": input_tokens, "output_tokens": output_tokens, "billed_units": billed_units}
    return json_reply({"amount": amount, "tokens": input_tokens + output_tokens, **counts, **top})


def balance(coins: float = 8750, **top: Any) -> Reply:
    """The answer of `/credit/balance`: what is left on the account, in coins (100 = 1 yuan)."""
    return json_reply({"balance": coins, **top})


def pages(*results: Mapping[str, Any]) -> Reply:
    """The answer of `/web_search`: results such as `{"title": …, "link": …, "content": …}`."""
    return json_reply({"id": "search-1", "created": HEAD["created"], "results": results})
