"""Structured output: the bodies that ask for it, best way first, and the parser of what comes back."""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator, Mapping
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import ValidationError

from geekai_core import ConfigurationError, GeekAIError, InvalidResponseError, Message
from geekai_core.structured import (
    Rung,
    answer_json,
    next_rung,
    partial_json,
    request_fields,
    rungs,
    schema_instruction,
    strip_fences,
)
from langchain_geekai._messages import to_wire_messages

Body = dict[str, Any]
Plan = dict[str, Any]
"""How JSON is to be asked for: `rungs` (best first), `schema`, `name`, `strict`."""


def plan_for(schema: Any, method: str | None, *, strict: bool | None, supports_tools: bool) -> Plan:
    """The plan for a schema of any kind. Raises `ConfigurationError` for an unknown method, or one without a schema."""
    ladder = rungs(method, thinking=False, supports_tools=supports_tools)
    if schema is None:
        if method != "json_mode":
            raise ConfigurationError(f"the method {method!r} of structured output needs a schema")
        return {"rungs": ladder}
    shape = convert_to_json_schema(schema)
    return {"rungs": ladder, "schema": shape, "name": shape.get("title") or "answer", "strict": strict}


def schema_format(schema: Any, strict: bool | None) -> Body:
    """The `response_format` for a schema of any kind, or for one that is in wire form already."""
    if isinstance(schema, dict) and schema.get("type") in ("json_schema", "json_object", "text"):
        return {"response_format": schema}
    shape = convert_to_json_schema(schema)
    return request_fields("json_schema", shape, shape.get("title") or "answer", strict=strict)


def wants_json(body: Body | Mapping[str, Any]) -> bool:
    """Whether a request's answer is to be JSON text."""
    return (body.get("response_format") or {}).get("type") in ("json_schema", "json_object")


def unfenced(text: str, body: Mapping[str, Any]) -> str:
    """The answer's text; where JSON was asked for, without the code fence that some models put around it."""
    return strip_fences(text) if wants_json(body) else text


class Unfencing:
    """`unfenced` for a stream: feed it text in any pieces. JSON passes at once, anything else once it is understood.

    >>> stream = Unfencing()
    >>> stream.feed("``"), stream.feed('`json\\n{"a"'), stream.feed(": 1}\\n``"), stream.feed("`"), stream.finish()
    ('', '{"a"', ': 1}', '', '')
    """

    def __init__(self) -> None:
        self._held = ""
        self._phase = "before"

    def feed(self, text: str) -> str:
        """What can be told by now."""
        if self._phase == "plain" or not text:
            return text
        self._held += text
        if self._phase == "before":
            if self._held.lstrip()[:1] in ("{", "["):
                self._phase = "plain"
                return self._take(len(self._held))
            opened = strip_fences(self._held)
            if opened == self._held:
                return ""
            self._phase, self._held = "inside", self._held[self._held.rindex(opened) :] if opened else ""
        if self._phase == "after":
            return ""
        closing = _CLOSING.search(self._held)
        if closing:
            self._phase = "after"
        # No JSON ends with a backtick: one at the end is a fence, or, if more follows, part of a string.
        return self._take(closing.start() if closing else len(self._held.rstrip(" \t\r\n`")))

    def finish(self) -> str:
        """What was held back and is the answer's after all."""
        return strip_fences(self._held) if self._phase == "before" else ""

    def _take(self, end: int) -> str:
        told, self._held = self._held[:end], self._held[end:]
        return told


def requests(body: Body, plan: Plan | None) -> Generator[Body, GeekAIError, None]:
    """The bodies to try, best first. Send in the error that one met, and get the next; raises it when there is none.

    Without a plan there is still a second way for a `response_format` with a schema (`create_agent` sends it whatever
    the model can), and for a forced `tool_choice`, which models refuse while they think.
    """
    planned = plan is not None
    plan = plan or _plan_of(body)
    ladder: list[Rung] = list(plan["rungs"])
    thinking = bool(body.get("enable_thinking") or body.get("thinking"))
    if planned and thinking and ladder[0] == "json_schema":
        ladder = rungs("json_schema", thinking=True, supports_tools="function_calling" in ladder)
    rung: Rung = ladder.pop(0)
    asked = _asked(body, plan, rung, thinking=False) if planned else body
    while True:
        error = yield asked
        forced = asked.get("tool_choice") not in (None, "auto", "none")
        if forced and next_rung("function_calling", error, ["json_mode"]):
            warnings.warn(f"no forced tool_choice for this model, its tools are only offered: {error}", stacklevel=3)
            asked = {**asked, "tool_choice": "auto"}
            continue
        following = next_rung(rung, error, ladder)
        if following is None:
            raise error
        ladder.remove(following)
        asked, rung = _asked(body, plan, following, thinking=thinking), following


def _plan_of(body: Body) -> Plan:
    wanted = body.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema" and isinstance(wanted.get("json_schema"), dict):
        return {"rungs": ["json_schema", "json_mode"], **wanted["json_schema"]}
    return {"rungs": ["function_calling"]}


def _asked(body: Body, plan: Plan, rung: Rung, *, thinking: bool) -> Body:
    """The body that asks for JSON by `rung`; tools that were bound beside it stay."""
    asked = {key: value for key, value in body.items() if key not in ("response_format", "json_mode")}
    schema = plan.get("schema")
    if rung == "json_mode" and schema is not None:
        asked["messages"] = _instructed(body["messages"], schema_instruction(schema))
    fields = request_fields(
        rung, schema or {}, plan.get("name") or "answer", strict=plan.get("strict"), thinking=thinking
    )
    if "tools" in fields:
        fields["tools"] = [*body.get("tools", []), *fields["tools"]]
        fields["parallel_tool_calls"] = body.get("parallel_tool_calls", False)
    return {**asked, **fields}


def _instructed(messages: list[Body], instruction: str) -> list[Body]:
    """The messages with one more instruction, within the system's message where there is one."""
    first = messages[0] if messages else {}
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        return [{**first, "content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


_CLOSING = re.compile(r"\n[ \t]*```")


class AnswerParser(BaseCumulativeTransformOutputParser[Any]):
    """An answer to the object that was asked for, wherever the model put its JSON; growing objects while it streams.

    A pydantic class gives its instances, anything else dicts. Raises `OutputParserException`.
    """

    form: Any = None
    rung: str = "json_schema"

    @property
    def _type(self) -> str:
        return "geekai-answer"

    def parse(self, text: str) -> Any:
        """Parse an answer that is text alone."""
        return self.parse_result([ChatGeneration(message=AIMessage(text))])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """The object; while `partial`, as far as it goes, or None."""
        generation = result[0]
        message = generation.message if isinstance(generation, ChatGeneration) else AIMessage(generation.text)
        try:
            value = _partial(message) if partial else self._whole(message)
            return None if value is None else self._validated(value)
        except (InvalidResponseError, ValidationError, ValueError, TypeError) as exc:
            if partial:
                return None
            raise OutputParserException(f"the answer does not fit: {exc}", llm_output=str(message.text)) from exc

    def _whole(self, message: BaseMessage) -> Any:
        wire = to_wire_messages([message], "all")[0]
        return answer_json(Message.model_validate(wire), self.rung)  # type: ignore[arg-type]

    def _validated(self, value: Any) -> Any:
        if isinstance(self.form, type):
            for name in ("model_validate", "parse_obj"):  # pydantic's v2 and v1
                if validate := getattr(self.form, name, None):
                    return validate(value)
        return value


def _partial(message: BaseMessage) -> Any:
    pieces = getattr(message, "tool_call_chunks", None) or ()
    text = next((piece["args"] for piece in pieces if piece.get("args")), None)
    return partial_json(text or str(message.text))
