"""Answers made from the request's own schemas: no model, no chance, the same request gets the same answer.

`answer_from_schemas` is the scripted server's default, and enough for the frameworks' standard suites and agents:

- Tools: `"required"` calls one, a named one is called, `"none"` calls none; otherwise each question gets a call, and
  its results an answer in prose. The tools that the question names are called, else the one whose words come nearest.
- Arguments and `response_format` are made from the JSON schema, with the numbers and quoted words of the question.
- JSON mode: a schema within the prompt is followed, else the quoted words become the keys (of a joke, its two parts).
- Reasoning, search, spoken answers, `stop`, the token limit and `stream_options` do what GeekAI's documentation says.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from geekai_local.replies import (
    Json,
    Reply,
    Request,
    chunk,
    completion,
    delta,
    dumps,
    error,
    json_reply,
    sse,
    tool_call,
    usage,
)
from geekai_local.schema_samples import quoted, sample

CJK = r"\u3040-\u30ff\u3400-\u9fff\uff00-\uffef"
TOKEN = re.compile(rf"\s*(?:[{CJK}]|[^\s{CJK}]+)|\s+$")
SOURCES = ["https://example.com/tea", "https://example.com/lighthouse"]


@dataclass
class Turn:
    """What the assistant says, before it is written whole or as a stream."""

    content: str | None
    calls: list[Json] = field(default_factory=list)
    reasoning: str | None = None
    audio: Json | None = None
    finish: str = "stop"
    top: Json = field(default_factory=dict)


def answer_from_schemas(request: Request) -> Reply:
    """Answer a chat request from what it asks for; anything else is a 404, a request that makes no sense a 400."""
    if request.route != "/chat/completions":
        return error(404, f"no such path: {request.route}")
    body = request.json
    if not body.get("model") or not body.get("messages"):
        return error(400, "model and messages are required")
    if isinstance(body.get("tool_choice"), dict) and not _usable_tools(body):
        return error(400, f"tool_choice names no tool: {dumps(body['tool_choice'])}")
    turn = _turn(body)
    head = {"id": f"chatcmpl-{zlib.crc32(request.body):08x}", "model": body["model"]}
    return _streamed(turn, body, head) if body.get("stream") else _whole(turn, body, head)


def _turn(body: Json) -> Turn:
    messages = body["messages"]
    asked_at = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=0)
    text = _text(messages[asked_at])
    question = text.partition("{")[0] if _schema_within(text) else text
    calls = _calls(body, question, messages[asked_at + 1 :])
    turn = Turn(None, calls, finish="tool_calls") if calls else Turn(_content(body, question))
    if body.get("enable_thinking") or body.get("thinking"):
        turn.reasoning = "First I read the question, then I answer it."
    if body.get("enable_search"):
        turn.top["citations"] = SOURCES
        if (body.get("search_config") or {}).get("return_result"):
            turn.top["search_results"] = [
                {"title": f"Page {at}", "link": link, "content": f"{question}: see here.", "media": "example.com"}
                for at, link in enumerate(SOURCES, 1)
            ]
    if turn.content is not None:
        _shorten(turn, body)
        if "audio" in (body.get("modalities") or []):
            turn.audio = {"id": "audio_1", "data": "UklGRg==", "expires_at": 1751504400, "transcript": turn.content}
            turn.content = None
    return turn


def _text(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") if isinstance(part, dict) else str(part) for part in content).strip()


def _usable_tools(body: Json) -> list[Json]:
    choice = body.get("tool_choice")
    tools = [tool["function"] for tool in body.get("tools") or []]
    if isinstance(choice, dict):
        return [tool for tool in tools if tool["name"] == (choice.get("function") or choice).get("name")]
    return [] if choice == "none" else tools


def _calls(body: Json, question: str, since: list[Json]) -> list[Json]:
    """The calls to make, given what has been said `since` the question."""
    tools, choice = _usable_tools(body), body.get("tool_choice")
    forced = isinstance(choice, dict) or choice in ("required", "any")
    if not tools or (not forced and any(message["role"] == "tool" for message in since)):
        return []
    called = {call["function"]["name"] for message in since for call in message.get("tool_calls") or []}
    fresh = [tool for tool in tools if tool["name"] not in called] or tools
    named = [tool for tool in fresh if tool["name"] in re.findall(r"[\w-]+", question)]
    chosen = named or [max(fresh, key=lambda tool: _nearness(question, tool))]
    if isinstance(choice, dict) or body.get("parallel_tool_calls") is False:
        chosen = chosen[:1]
    first = 1 + sum(len(message.get("tool_calls") or []) for message in body["messages"])
    return [
        tool_call(
            tool["name"], sample({"type": "object", **(tool.get("parameters") or {})}, question), id=f"call_{number}"
        )
        for number, tool in enumerate(chosen, first)
    ]


def _nearness(question: str, tool: Json) -> int:
    asked = _words(question)
    return 2 * len(asked & _words(tool["name"])) + len(asked & _words(tool.get("description") or ""))


def _words(text: str) -> set[str]:
    """What a text is about, roughly: its longer words and its Chinese characters."""
    words = (word for piece in TOKEN.findall(text.lower()) for word in re.findall(r"[^\W_]+", piece))
    return {word for word in words if len(word) > 3 or word > "\u2fff"}


def _content(body: Json, question: str) -> str:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return dumps(sample(wanted["json_schema"].get("schema") or {"type": "object"}, question))
    for message in reversed(body["messages"]):
        if message["role"] in ("system", "user") and (schema := _schema_within(_text(message))):
            return dumps(sample(schema, question))
    results = [*itertools.takewhile(lambda message: message["role"] == "tool", reversed(body["messages"]))]
    prose = f"Here is a scripted answer to: {question}" if question else "Here is a scripted answer."
    if results:
        prose = "The tools answered: " + "; ".join(_text(result) for result in reversed(results))
    if body.get("json_mode") or wanted.get("type") == "json_object":
        keys = quoted(question) or (["setup", "punchline"] if "joke" in question else ["answer"])
        return dumps(dict.fromkeys(keys, prose))
    return prose + " [1][2]" * bool(body.get("enable_search"))


def _schema_within(text: str) -> Json | None:
    """The first JSON schema of an object in a text; LlamaIndex's output parser may have doubled its braces."""
    for candidate in (text, text.replace("{{", "{").replace("}}", "}")):
        for start in re.finditer(r"\{", candidate):
            with contextlib.suppress(ValueError):
                found: Json = json.JSONDecoder().raw_decode(candidate, start.start())[0]
                if isinstance(found.get("properties"), dict):
                    return found
    return None


def _shorten(turn: Turn, body: Json) -> None:
    """Cut the content at a stop word, though never to nothing, and at the token limit."""
    content = turn.content or ""
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        content = content.partition(stop)[0] or content
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit and len(TOKEN.findall(content)) > limit:
        content, turn.finish = "".join(TOKEN.findall(content)[:limit]), "length"
    turn.content = content


def _usage(turn: Turn, body: Json) -> Json:
    messages = body["messages"]
    parts = [part for message in messages for part in message.get("content") or [] if isinstance(part, dict)]
    media = {kind: 10 * sum(kind in str(part.get("type")) for part in parts) for kind in ("audio", "image", "video")}
    texts = [3 + _count(_text(message)) for message in messages]
    reasoning, spoken = _count(turn.reasoning), _count((turn.audio or {}).get("transcript"))
    written = _count(turn.content) + sum(_count(call["function"]["arguments"]) for call in turn.calls)
    return usage(
        sum(texts) + sum(media.values()),
        written + reasoning + spoken,
        billed_units=int(bool(body.get("enable_search"))),
        prompt={"cached_tokens": sum(texts[:-1])} | {f"{kind}_tokens": count for kind, count in media.items()},
        completion={"reasoning_tokens": reasoning, "audio_tokens": spoken},
    )


def _count(text: str | None) -> int:
    return len(TOKEN.findall(text or ""))


def _whole(turn: Turn, body: Json, head: Json) -> Reply:
    given = {"reasoning_content": turn.reasoning, "tool_calls": turn.calls, "audio": turn.audio}
    extra = {name: value for name, value in given.items() if value}
    top = {**head, **turn.top, "usage": _usage(turn, body)}
    answer = completion(turn.content, finish_reason=turn.finish, extra=extra, **top)
    answer["choices"] = [{**answer["choices"][0], "index": index} for index in range(body.get("n") or 1)]
    return json_reply(answer)


def _streamed(turn: Turn, body: Json, head: Json) -> Reply:
    events = []
    for index in range(body.get("n") or 1):
        events += [delta(extra=piece, index=index, **head) for piece in _pieces(turn)]
        events.append(delta(index=index, finish_reason=turn.finish, **turn.top, **head))
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append(chunk([], usage=_usage(turn, body), **head))
    return sse(*events)


def _pieces(turn: Turn) -> Iterator[Json]:
    """The deltas of one choice."""
    yield {"role": "assistant", "content": None}
    for piece in TOKEN.findall(turn.reasoning or ""):
        yield {"reasoning_content": piece}
    for piece in TOKEN.findall(turn.content or ""):
        yield {"content": piece}
    if turn.audio:
        rest = {name: value for name, value in turn.audio.items() if name != "transcript"}
        for piece in TOKEN.findall(turn.audio["transcript"]):
            yield {"audio": {"id": turn.audio["id"], "transcript": piece}}
        yield {"audio": rest}
    for index, call in enumerate(turn.calls):
        arguments = call["function"]["arguments"]
        yield {"tool_calls": [tool_call(call["function"]["name"], "", id=call["id"], index=index)]}
        for at in range(0, len(arguments), 7):
            yield {"tool_calls": [tool_call(arguments=arguments[at : at + 7], index=index)]}
