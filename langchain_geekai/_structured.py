"""Structured output: the bodies that ask for it, best way first, and the parser of what comes back."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Generator, Mapping
from typing import Any

from langchain_core import exceptions
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.function_calling import convert_to_json_schema

from geekai_core import ConfigurationError, GeekAIError, InvalidResponseError, Message
from geekai_core.conversation import next_rung
from geekai_core.request.structured import Rung, needs_instruction, request_fields, rungs, schema_instruction
from geekai_core.response.json_text import answer_json, cut_short, partial_json, read_json, strip_fences
from langchain_geekai._messages import to_wire_messages

Body = dict[str, Any]
Plan = dict[str, Any]
"""How JSON is to be asked for: `method`, `supports_tools`, `schema`, `name`, `strict`."""


def plan_for(schema: Any, method: str | None, *, strict: bool | None, supports_tools: bool) -> Plan:
    """The plan for a schema of any kind. Raises `ConfigurationError` for an unknown method, or one without a schema."""
    first = rungs(method, thinking=False, supports_tools=supports_tools)[0]
    if schema is None and method != "json_mode":
        raise ConfigurationError(f"the method {method!r} of structured output needs a schema")
    plan: Plan = {"method": first, "supports_tools": supports_tools, "strict": strict}
    return plan if schema is None else {**plan, **_shape(schema)}


def _shape(schema: Any) -> dict[str, Any]:
    """The JSON schema of a schema of any kind, and its name.

    LangChain writes definitions out in place, which more models understand; one that contains itself would be lost.
    """
    shape = convert_to_json_schema(schema)
    name = shape.get("title") or "answer"
    if isinstance(schema, type) and hasattr(schema, "model_json_schema"):
        own = schema.model_json_schema()
        refs = {at: set(re.findall(_REF, json.dumps(inner))) for at, inner in own.get("$defs", {}).items()}
        for _ in refs:
            refs = {at: found.union(*(refs[one] for one in found)) for at, found in refs.items()}
        if any(at in found for at, found in refs.items()):
            top = own.pop("$ref", "").rpartition("/")[2]
            shape = {**own["$defs"].get(top, {}), **own}
    return {"schema": shape, "name": name}


_REF = r'"#/\$defs/([^"]+)"'


def schema_format(schema: Any, strict: bool | None) -> Body:
    """The `response_format` for a schema of any kind, or for one that is in wire form already."""
    if isinstance(schema, dict) and schema.get("type") in ("json_schema", "json_object", "text"):
        return {"response_format": schema}
    return request_fields("json_schema", **_shape(schema), strict=strict)


def wants_json(body: Mapping[str, Any]) -> bool:
    """Whether a request's answer is to be JSON text."""
    return (body.get("response_format") or {}).get("type") in ("json_schema", "json_object")


def unfenced(text: str, body: Mapping[str, Any]) -> str:
    """The answer's text; where JSON was asked for, without the code fence that some models put around it."""
    return strip_fences(text) if wants_json(body) else text


def requests(body: Body, plan: Plan | None) -> Generator[Body, GeekAIError, None]:
    """The bodies to try, best first. Send in the error that one met, and get the next; raises it when there is none.

    Without a plan there is still a second way for a `response_format` with a schema (`create_agent` sends it whatever
    the model can), and for a forced `tool_choice`, which models refuse while they think.
    """
    thinking = bool(body.get("enable_thinking"))
    asked, planned = body, plan is not None
    plan = plan or _plan_of(body)
    ladder = rungs(plan["method"], thinking=thinking, supports_tools=plan.get("supports_tools", False))
    rung = ladder.pop(0)
    if planned:
        asked = _asked(body, plan, rung, thinking)
    while True:
        error = yield asked
        if asked.get("tool_choice") not in (None, "auto", "none") and next_rung("function_calling", error, ["prompt"]):
            warnings.warn(f"no forced tool_choice for this model, its tools are only offered: {error}", stacklevel=3)
            asked = _asked(body, plan, rung, True) if planned else {**asked, "tool_choice": "auto"}
            continue
        following = next_rung(rung, error, ladder if "schema" in plan else ())
        if following is None:
            raise error
        ladder.remove(following)
        asked, rung = _asked(body, plan, following, thinking), following


def _plan_of(body: Body) -> Plan:
    wanted = body.get("response_format")
    if isinstance(wanted, dict) and isinstance(wanted.get("json_schema"), dict):
        return {"method": "json_schema", **wanted["json_schema"]}
    return {"method": "function_calling"}


def _asked(body: Body, plan: Plan, rung: Rung, thinking: bool) -> Body:
    """The body that asks for JSON by `rung`; tools that were bound beside it stay."""
    asked = {key: value for key, value in body.items() if key not in ("response_format", "json_mode")}
    schema, name = plan.get("schema"), plan.get("name") or "answer"
    if schema is not None and needs_instruction(rung, thinking=thinking):
        asked["messages"] = _instructed(body["messages"], schema_instruction(schema))
    fields = request_fields(rung, schema or {}, name, strict=plan.get("strict"), thinking=thinking)
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


class AnswerParser(BaseCumulativeTransformOutputParser[Any]):
    """An answer to the object that was asked for, wherever the model put its JSON; growing objects while it streams.

    A pydantic class gives its instances, anything else dicts. Raises `OutputParserException`.
    """

    form: Any = None
    rung: Rung = "json_schema"

    @property
    def _type(self) -> str:
        return "geekai-answer"

    def parse(self, text: str) -> Any:
        """Parse an answer that is text alone."""
        return self.parse_result([ChatGeneration(message=AIMessage(text))])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """The object; while `partial`, as far as it goes, or None."""
        message = result[0].message if isinstance(result[0], ChatGeneration) else AIMessage(result[0].text)
        partial = partial and getattr(message, "chunk_position", None) != "last"
        cut = message.response_metadata.get("finish_reason") == "length"
        try:
            if partial:
                value = partial_json(_said(message))
            else:
                _raise_if_refused(message)
                if cut and getattr(message, "tool_call_chunks", None):
                    read_json(_said(message))  # LangChain closes a call's arguments that are cut
                wire = to_wire_messages([message], "all")[0]
                value = answer_json(Message.model_validate(wire), self.rung)
            # pydantic's classes, v2 and v1; a TypedDict has neither
            validate = getattr(self.form, "model_validate", None) or getattr(self.form, "parse_obj", None)
            return validate(value) if validate and value is not None else value
        except (InvalidResponseError, ValueError, TypeError) as exc:
            if partial:
                return None
            told = f"the answer does not fit: {exc}"
            if cut:
                told = str(cut_short(getattr(exc, "excerpt", "") or _said(message)))
            raise OutputParserException(told, llm_output=str(message.text)) from exc


def _raise_if_refused(message: BaseMessage) -> None:
    """Raise `ModelRefusalError`, or a parser's error where langchain-core is older than 1.7.5 and has none."""
    words = message.additional_kwargs.get("refusal")
    if words or message.response_metadata.get("finish_reason") == "content_filter":
        told = f"the model refused: {words or 'its answer was withheld by a content filter'}"
        if hasattr(exceptions, "ModelRefusalError"):
            raise exceptions.ModelRefusalError(told, raw_message=message)
        raise OutputParserException(told, llm_output=str(message.text))


def _said(message: BaseMessage) -> str:
    """The JSON that a streamed message holds, or is to hold: a tool call's arguments, else the text."""
    pieces = getattr(message, "tool_call_chunks", None) or ()
    text = next((piece["args"] for piece in pieces if piece.get("args")), None)
    return text or str(message.text)
