"""Structured output: the ladder of ways to ask for JSON, and a tolerant reading of what comes back. Pure.

Models differ in what they take: `json_schema` is not on all of them, some lack tools, many refuse a forced tool while
thinking, some even JSON mode. So an adapter climbs down: `rungs` says which ways there are, `request_fields` how one is
asked for, `needs_instruction` whether the prompt must say it too, `next_rung` whether an error means "not this way",
`answer_json` reads the answer, and `repair_messages` asks once more when it does not fit.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal, get_args

from pydantic import ValidationError

from geekai_core.errors import ConfigurationError, InvalidResponseError
from geekai_core.request.schemas import closed, schema_of

Rung = Literal["json_schema", "function_calling", "json_mode", "prompt"]
"""A way to ask for JSON: `response_format` with a schema; a forced tool; JSON mode with the schema in words; the
schema in words alone, which every model takes."""

_RUNGS: tuple[Rung, ...] = get_args(Rung)


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
    wire_name = schema_name(name)
    described = {"name": wire_name}
    if isinstance(schema.get("description"), str):
        described["description"] = schema["description"]
    flags = {} if strict is None else {"strict": strict}
    shape = closed(schema) if strict else schema
    if rung == "json_schema":
        return {
            "response_format": {"type": "json_schema", "json_schema": {**described, "schema": shape, **flags}},
        }
    return {
        "tools": [{"type": "function", "function": {**described, "parameters": shape, **flags}}],
        "tool_choice": "auto" if thinking else {"type": "function", "function": {"name": wire_name}},
    }


def wire_format(form: Any) -> Any:
    """A `response_format` in wire form: of a pydantic class, of OpenAI's `{"name", "schema", "strict"}`, or as it is.

    >>> wire_format({"name": "person", "schema": {"type": "object"}})["type"]
    'json_schema'
    """
    if isinstance(form, type) and hasattr(form, "model_json_schema"):
        return request_fields("json_schema", schema_of(form), form.__name__, strict=True)["response_format"]
    if isinstance(form, dict) and isinstance(form.get("schema"), dict) and "type" not in form:
        return {"type": "json_schema", "json_schema": {"name": "answer", **form}}
    return form


def schema_name(name: str) -> str:
    """The name under which a schema travels: what the wire does not allow in it is replaced."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:64] or "answer"


def instructed(messages: list[dict[str, Any]], instruction: str) -> list[dict[str, Any]]:
    """The messages with one more instruction, within the system's message where there is one: some models allow one."""
    first = messages[0] if messages else {}
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        return [{**first, "content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


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
    answered = [{"role": "assistant", "content": answer}] if answer.strip() else []
    ask = f"That answer does not fit: {_reason(error)}\n{schema_instruction(schema)}"
    return [*messages, *answered, {"role": "user", "content": ask}]


def _reason(error: Exception | str) -> str:
    if isinstance(error, ValidationError):
        listed = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the value'}: {e['msg']}" for e in listed[:20])
    if isinstance(error, InvalidResponseError):
        return "it holds no JSON of the kind asked for."
    return str(error)[:2000]
