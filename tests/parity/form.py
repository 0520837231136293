"""The form of a row: what a user asks of either adapter, what the server plays, and what must come of it.

A row is written once, in neutral terms: `sides.py` makes each framework's own objects of it. What must be sent and
what must come back stand in the row in the wire's terms, so both adapters are compared with the right value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from geekai_testing.replies import Json, Reply, completion, delta, error, json_reply, sse, usage

WHOLE = ("whole", "awhole")
STREAMED = ("stream", "astream")
WAYS = (*WHOLE, *STREAMED)
MODEL = "test-model"
MAY_WARN = "*"
"""Of a row's `warns`: a warning may come, and need not."""


class Check:
    """Stands in an expected value for everything that passes `test`; shown as `what` where it does not."""

    def __init__(self, what: str, test: Callable[[Any], bool]) -> None:
        self.what, self.test = what, test

    def __eq__(self, other: object) -> bool:
        return bool(self.test(other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.what}>"


SOME_ID = Check("an id", lambda value: isinstance(value, str) and bool(value))


def holds(*words: str) -> Check:
    """A text that holds all these words, in any case of letters."""
    return Check(f"a text with {words}", lambda text: all(word.lower() in str(text).lower() for word in words))


# Messages, in neutral form: {"role", "parts" or "text", …}.


def user(*parts: str | Json) -> Json:
    """A message of the user: text, and media made by `media`, or `text` with marks of its own."""
    return {"role": "user", "parts": [*parts]}


def system(*parts: str | Json) -> Json:
    return {"role": "system", "parts": [*parts]}


def assistant(text: str = "", *, calls: Sequence[Json] = (), reasoning: str = "", **extra: Any) -> Json:
    """What a model said in an earlier turn; `extra` is what an answer keeps in `additional_kwargs`."""
    return {"role": "assistant", "text": text, "calls": [*calls], "reasoning": reasoning, "extra": extra}


def result(content: str | list[Any], id: str | None = "c1") -> Json:
    """A tool's result, to the call of this id; None: to the last answer's first call."""
    return {"role": "tool", "parts": content if isinstance(content, list) else [content], "id": id}


def call(name: str, arguments: Any, id: str | None = "c1") -> Json:
    """A call in the history: arguments as an object, or, where it was broken, as the text that came."""
    return {"name": name, "arguments": arguments, "id": id}


def text(words: str, *, cached: bool = False) -> Json:
    """A part of text; `cached`: with the mark that asks for prompt caching."""
    return {"kind": "text", "text": words, "cached": cached}


def media(kind: str, **source: Any) -> Json:
    """An image, audio, video or file by `url`, or by `data` (bytes) and `mime`; further keys go beside."""
    return {"kind": kind, **source}


def own(make: Callable[[], Any]) -> Json:
    """A part that one framework alone has a form for: what makes it there."""
    return {"kind": "own", "make": make}


# Messages and tools on the wire.


def wire_call(name: str, arguments: str | Check, id: Any = "c1", **extra: Any) -> Json:
    return {**extra, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def wire_calls(*calls: Json, content: Any = None, **extra: Any) -> Json:
    return {"role": "assistant", "content": content, "tool_calls": [*calls], **extra}


def wire_result(content: Any, id: Any = "c1") -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content}


def says_user(words: Any) -> Json:
    return {"role": "user", "content": words}


HI = says_user("Hi")


@dataclass(frozen=True)
class Tool:
    """A tool: its name, its description, its parameters as a JSON schema; `run` is what it does."""

    name: str
    description: str
    parameters: Json
    run: Callable[..., Any] = field(default=lambda **_: "done", compare=False)

    def wire(self, **function: Any) -> Json:
        described = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": {**described, **function}}


def takes(**properties: str) -> Json:
    """The schema of parameters that are all required: their names and types."""
    shape = {name: {"type": kind} for name, kind in properties.items()}
    return {"type": "object", "properties": shape, "required": [*properties]}


WEATHER = Tool("weather", "The weather of a city.", takes(city="string"))
CLOCK = Tool("clock", "The time in a zone.", takes(zone="string"))
FORCED = {"type": "function", "function": {"name": "weather"}}

# What the server plays.


@dataclass(frozen=True)
class Answer:
    """One answer of the server, for a whole request and for a streamed one."""

    whole: Reply
    streamed: Reply


def made(name: str, arguments: Any = ..., id: str | None = "c1", **extra: Any) -> Json:
    """A whole tool call of an answer; `...` leaves a field out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not ...}
    return {**({} if id is None else {"id": id}), "type": "function", "function": function, **extra}


def says(
    content: Any = None,
    *,
    calls: Sequence[Json] | None = None,
    reasoning: Any = ...,
    finish: Any = ...,
    pieces: Sequence[Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    **top: Any,
) -> Answer:
    """A good answer: `content`, `calls` made by `made`, all else as `completion` takes it.

    `pieces`: the same answer's chunks, for a streamed request, but for the last one, where they are not one for each
    part of it. `extra` joins the message, `top` the answer.
    """
    whole = completion(
        content, reasoning_content=reasoning, tool_calls=calls or ..., finish_reason=finish, extra=extra, **top
    )
    if pieces is None:
        pieces = [] if reasoning is ... else [delta(reasoning_content=reasoning)]
        pieces += [] if content is None else [delta(content)]
        pieces += [delta(tool_calls=[{"index": at, **one}]) for at, one in enumerate(calls or ())]
        pieces += [delta(extra=extra)] if extra else []
    told = whole["choices"][0]["finish_reason"]
    last = delta(finish_reason=told, **{"usage": usage(), **top})
    return Answer(json_reply(whole), sse(*pieces, last))


def streams(*pieces: Any, finish: Any = "tool_calls", done: bool = True, **top: Any) -> Answer:
    """An answer that is only given as a stream: its chunks, and a last one with the finish reason."""
    last = [] if finish is ... else [delta(finish_reason=finish, usage=usage(), **top)]
    reply = sse(*pieces, *last, done=done)
    return Answer(reply, reply)


def body(value: Any, **settings: Any) -> Answer:
    """This body, whatever was asked for."""
    reply = json_reply(value, **settings)
    return Answer(reply, reply)


def refuses(message: str, status: int = 400, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
    """An error: `{"error": {"message", …}}`."""
    reply = error(status, message, headers=headers, **fields)
    return Answer(reply, reply)


HELLO = says("Hello.")


@dataclass(frozen=True)
class Wanted:
    """An exception that is wanted: why one adapter may differ, and what it sends and gives instead."""

    reason: str
    sends: list[Any] | None = None
    gives: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One row.

    `fields`: the constructor's; `lc`, `li`: those that are spelled differently there. `then`: the messages of further
    turns, each put behind the answer to the turn before. `call`: fields of the call. `choice`, `parallel`, `strict`
    belong to `tools`. `schema`, `method`: structured output. `times`: so many equal calls, each by a new object.
    `sends`: of each request's body what is beside model and messages, or a `Check`; `messages` where they are not "Hi".
    `gives`: of the last answer what is not empty: see `sides.Outcome`. `warns`: words of a warning that must come.
    `fresh`: by a server of its own, which has answered nothing yet. `heads`, `query`: what the first request's headers and query must hold. `wanted`: see `Wanted`, by side.
    """

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    lc: Mapping[str, Any] = field(default_factory=dict)
    li: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[Json] = (user("Hi"),)
    then: Sequence[Sequence[Json]] = ()
    call: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Any] = ()
    choice: Any = None
    parallel: bool | None = None
    strict: bool | None = None
    schema: Any = None
    method: str | None = None
    times: int = 1
    fresh: bool = False
    replies: Sequence[Answer] = (HELLO,)
    sends: Sequence[Any] = ({},)
    gives: Mapping[str, Any] = field(default_factory=lambda: {"text": "Hello."})
    warns: str | None = None
    heads: Mapping[str, str] = field(default_factory=dict)
    query: str | None = None
    ways: Sequence[str] = WAYS
    sides: Sequence[str] = ("lc", "li")
    wanted: Mapping[str, Wanted] = field(default_factory=dict)
