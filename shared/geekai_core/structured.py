"""Structured output: the ladder of ways to ask for JSON, and a tolerant reading of what comes back. Pure.

Models differ in what they take: `json_schema` is not on all of them, some lack tools, many refuse a forced tool while
thinking, some even JSON mode. So an adapter climbs down: `rungs` says which ways there are, `request_fields` how one is
asked for, `needs_instruction` whether the prompt must say it too, `next_rung` whether an error means "not this way",
`answer_json` reads the answer, and `repair_messages` asks once more when it does not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import ValidationError
from pydantic_core import from_json

from geekai_core.errors import (
    EXCERPT,
    APIStatusError,
    BadRequestError,
    ConfigurationError,
    ContextOverflowError,
    InvalidResponseError,
)
from geekai_core.wire import Message

Rung = Literal["json_schema", "function_calling", "json_mode", "prompt"]
"""A way to ask for JSON: `response_format` with a schema; a forced tool; JSON mode with the schema in words; the
schema in words alone, which every model takes."""

_RUNGS: tuple[Rung, ...] = get_args(Rung)

_FENCE = r"(?m)^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*[\w+-]*[ \t]*\r?\n?(?=\s*[{\[])"
_SURROGATE = (
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""Escapes; `half` is one that stands for half a character, which no text may hold."""
_OPENING = re.compile(r"[{\[]")
_THINK_END = "</think>"
_MAX_STARTS = 200
"""How many braces of a prose are tried as the start of JSON: bounds the work on a long text without any."""

_JSON_FEATURE = (
    r"response[_ ]?format|response[_ ]?(schema|mime)|json[_ ]?(schema|mode|object)|structured[_ ]?outputs?"
    r"|结构化输出|(输出|响应|返回)格式|json ?(模式|格式)"
)
_FEATURE: dict[Rung, str] = {
    "json_schema": _JSON_FEATURE,
    "function_calling": r"tool[_ ]?choice|\btools\b|\btool[ -](use|calls?|calling)\b|\bfunctions?\b|工具|函数",
    "json_mode": _JSON_FEATURE,
}
"""What an error calls the feature of a rung. Messages that speak of `tool_calls` in the history are not meant."""

_UNSUPPORTED = (
    r"(?is)\bnot (yet |currently |be )?(support|allow|permit|available|implement|enabl|compatib|valid)|n't support"
    r"|\bno support|unsupported|unavailable|incompatible|unrecogni[sz]ed|\binvalid\b|unexpected|extra (inputs|fields)"
    r"|unknown (variant|param|field|name|argument)|may not be|can ?not be|must be (one of|set|auto|none|text|['\"`])"
    r"|\bonly\b.{0,200}(support|accept|allow)|requires --"
    r"|不支持|不能|无法|不可用|不允许|不兼容|不可以|未开通|未启用|无效|非法|不合法|有误|仅支持|只支持|仅限|只能|未知"
)


def strip_fences(text: str) -> str:
    """The JSON within a Markdown code fence, closed or not, with or without prose around it; other text unchanged.

    >>> strip_fences('Here it is:\\n```json\\n{"a": 1}\\n```')
    '{"a": 1}'
    """
    match = _opening_fence(text)
    if match is None:
        return text
    inner = text[match.end() :]
    closing = re.search(rf"^[ \t]*{match['fence']}", inner, re.MULTILINE)
    end = closing.start() if closing else inner.rfind(match["fence"])
    return (inner if end < 0 else inner[:end]).strip()


def _opening_fence(text: str) -> re.Match[str] | None:
    return None if text.lstrip()[:1] in ("{", "[") else re.search(_FENCE, text)


def read_json(text: str, kind: type | tuple[type, ...] = (dict, list)) -> Any:
    """The JSON value that a model wrote, parsed strictly, whatever stands around it.

    Takes plain JSON, JSON in a fence, JSON after or within prose (the longest value there), behind `<think>…</think>`,
    JSON that was encoded twice, and line breaks within strings. `kind`: which values count. Raises
    `InvalidResponseError` with an excerpt when there is none.
    """
    text = re.sub(_SURROGATE, lambda found: r"\ufffd" if found["half"] else found[0], text)
    answer = text.rpartition(_THINK_END)[2]
    for candidate in dict.fromkeys((text, answer, strip_fences(answer))):
        value = _parsed(candidate)
        if isinstance(value, str) and not isinstance("", kind):
            value = _parsed(value)
        if isinstance(value, kind):
            return value
    within = [found for found in _embedded(answer) if isinstance(found[1], kind)]
    if within:
        return max(within, key=lambda found: found[0])[1]
    excerpt = text.strip()[:EXCERPT]
    raise InvalidResponseError(f"the answer holds no JSON of the kind asked for: {excerpt!r}", excerpt=excerpt)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)
_NONE = object()


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _NONE


def _embedded(text: str) -> Iterator[tuple[int, Any]]:
    """(length, value) of the JSON objects and arrays within a text, but for citation markers.

    What a broken or unfinished value holds is never taken for the answer: the search goes on behind the error.
    """
    position = 0
    for _ in range(_MAX_STARTS):
        start = _OPENING.search(text, position)
        if start is None:
            return
        try:
            value, position = _DECODER.raw_decode(text, start.start())
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated"):
                return
            position = max(error.pos, start.end())
        except (ValueError, RecursionError):
            return
        else:
            if isinstance(value, dict) or not all(isinstance(item, int) for item in value):
                yield position - start.start(), value


def partial_json(text: str) -> Any | None:
    """What can be told of a JSON value that is still being written; None while that is nothing.

    Unfinished strings are included as far as they go; a fence, prose or `<think>…</think>` before it is passed over.

    >>> partial_json('```json\\n{"a": 1, "b": "hel')
    {'a': 1, 'b': 'hel'}
    """
    _, closed, answer = text.rpartition(_THINK_END)
    if not closed and answer.lstrip().startswith("<think>"):
        return None
    fence = _opening_fence(answer)  # a closing one ends nothing: it may stand within a string, and is no JSON
    answer = answer[fence.end() if fence else 0 :].lstrip()
    if answer[:1] not in ("{", "["):
        answer = "".join(answer.partition("{")[1:])
    try:
        return from_json(answer, allow_partial="trailing-strings")
    except ValueError:
        return None


def rungs(method: str | None, *, thinking: bool, supports_tools: bool) -> list[Rung]:
    """The ways to try, best first, and those below it. Raises `ConfigurationError` for an unknown method.

    `method`: the one that the user asked for, tried first whatever the model can; None: the best. A tool is not tried
    unasked where the model has none, or while it is `thinking`, when a tool can only be offered, not forced.
    """
    if method is not None and method not in _RUNGS:
        raise ConfigurationError(f"unknown method {method!r} of structured output: use one of {', '.join(_RUNGS)}")
    below = _RUNGS[_RUNGS.index(method) if method else 0 :]
    tools = method == "function_calling" or (supports_tools and not thinking)
    return [rung for rung in below if tools or rung != "function_calling"]


def needs_instruction(rung: Rung, *, thinking: bool = False) -> bool:
    """Whether the messages must hold `schema_instruction` too, since the request's fields do not force the schema."""
    return rung in ("json_mode", "prompt") or (rung == "function_calling" and thinking)


def next_rung(rung: Rung, error: BaseException, remaining: Sequence[Rung]) -> Rung | None:
    """The next of `remaining` (the ways not tried yet) when `error` says that the model cannot do `rung`, else None.

    Only a 400 or 422, or an error in a good answer's place, that names the feature and says in Chinese or English that
    it is not supported; never an overflow, a missing balance, a wrong key and the like.
    """
    if not remaining or rung == "prompt" or not isinstance(error, APIStatusError) or not _is_plain_refusal(error):
        return None
    inner = error.body.get("error") if isinstance(error.body, Mapping) else None
    param = inner.get("param") if isinstance(inner, Mapping) else None
    words = f"{error.message} {param or ''}"
    refused = re.search(_FEATURE[rung], words, re.IGNORECASE) and re.search(_UNSUPPORTED, words)
    return remaining[0] if refused else None


def _is_plain_refusal(error: APIStatusError) -> bool:
    """Whether the server found the request at fault, and not its length; a 200 may hold the status as its code."""
    if error.status_code == 200 and not re.fullmatch("[0-9]{3}", str(error.code)):
        return True
    return isinstance(error, BadRequestError) and not isinstance(error, ContextOverflowError)


def request_fields(
    rung: Rung, schema: dict[str, Any], name: str, *, strict: bool | None = None, thinking: bool = False
) -> dict[str, Any]:
    """The wire fields that ask for JSON by `rung`; none for `prompt`. See `needs_instruction`.

    `name`: of any letters; what the wire does not allow in it is replaced. `strict`: True also closes the schema's
    objects and requires all their fields, as strict decoding demands. `thinking`: the tool is offered, not forced.
    """
    if rung == "prompt":
        return {}
    if rung == "json_mode":
        return {"json_mode": True, "response_format": {"type": "json_object"}}
    wire_name = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:64] or "answer"
    described = {"name": wire_name}
    if isinstance(schema.get("description"), str):
        described["description"] = schema["description"]
    flags = {} if strict is None else {"strict": strict}
    shape = _closed(schema) if strict else schema
    if rung == "json_schema":
        return {
            "response_format": {"type": "json_schema", "json_schema": {**described, "schema": shape, **flags}},
        }
    return {
        "tools": [{"type": "function", "function": {**described, "parameters": shape, **flags}}],
        "tool_choice": "auto" if thinking else {"type": "function", "function": {"name": wire_name}},
    }


def _closed(schema: Any) -> Any:
    """A copy of a schema whose objects allow no further fields and require all of theirs."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.update(additionalProperties=False, required=list(schema["properties"]))
    return closed


def schema_instruction(schema: dict[str, Any]) -> str:
    """The text of a system message that asks for JSON of this schema. Some models demand the word JSON in a prompt."""
    return (
        "Answer with one JSON value that fits this JSON Schema, and with nothing else: no prose, no code fence, "
        f"not the schema itself.\n{json.dumps(schema, ensure_ascii=False)}"
    )


def repair_messages(
    messages: list[dict[str, Any]], answer: str, error: Exception | str, schema: dict[str, Any]
) -> list[dict[str, Any]]:
    """The messages that ask once more: the request's, the bad `answer`, and what is wrong with it. A new list."""
    said = [{"role": "assistant", "content": answer}] if answer.strip() else []
    ask = f"That answer does not fit: {_reason(error)}\n{schema_instruction(schema)}"
    return [*messages, *said, {"role": "user", "content": ask}]


def _reason(error: Exception | str) -> str:
    if isinstance(error, ValidationError):
        listed = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the value'}: {e['msg']}" for e in listed[:20])
    if isinstance(error, InvalidResponseError):
        return "it holds no JSON of the kind asked for."
    return str(error)[:2000]


def cut_short(said: str) -> InvalidResponseError:
    """The error for an answer that does not fit and whose `finish_reason` is `length`: to ask again would not help."""
    said = said.strip()[:EXCERPT]
    return InvalidResponseError(f"the answer was cut at the token limit [raise max_tokens]: {said!r}", excerpt=said)


def answer_json(message: Message, rung: Rung, kind: type | tuple[type, ...] = (dict, list)) -> Any:
    """The JSON value of an answer, wherever the model put it: a tool call's arguments, the text, or, where there is
    neither, the reasoning. Raises `InvalidResponseError`."""
    called = [call.function.arguments or "{}" for call in message.tool_calls or [] if call.function]
    told = [text for text in (message.content, message.reasoning_content) if text and text.strip()][:1]
    places = [*called, *told] if rung == "function_calling" else [*told, *called]
    failure: InvalidResponseError | None = None
    for text in places:
        try:
            return read_json(text, kind)
        except InvalidResponseError as error:
            failure = failure or error
    raise failure or InvalidResponseError(f"the answer is empty{': ' + message.refusal if message.refusal else ''}")
