"""Structured output: the bodies that ask for it, best way first, and the parser of what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import RunnableConfig
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import create_model_v2, is_basemodel_subclass
from pydantic import BaseModel, Field

from geekai_core import ConfigurationError, GeekAIError, InvalidResponseError, Message
from geekai_core.conversation import Goal
from geekai_core.request.schemas import plain_schema, schema_of
from geekai_core.request.structured import Rung, request_fields, rungs, schema_name, wire_format
from geekai_core.response.finish import refusal_words
from geekai_core.response.json_text import answer_json, cut_short, partial_json
from geekai_core.response.unpacked import unpacked
from langchain_geekai._errors import ModelRefusalError, StructuredOutputError
from langchain_geekai._request import to_wire_messages

Plan = dict[str, Any]
"""The fields of a `Goal`, and `form`, the class that was asked for: plain values, as traces and caches need them."""


def plan_for(schema: Any, method: str | None, *, strict: bool | None, supports_tools: bool) -> Plan:
    """The plan for a schema of any kind. Raises `ConfigurationError` for an unknown method, or one without a schema."""
    first = rungs(method, thinking=False, supports_tools=supports_tools)[0]
    if schema is None and method != "json_mode":
        raise ConfigurationError(f"the method {method!r} of structured output needs a schema")
    plan: Plan = {"method": first, "supports_tools": supports_tools, "strict": strict}
    return plan if schema is None else {**plan, **_shape(schema), **({"form": schema} if validator(schema) else {})}


def goal_of(plan: Plan | None, *, repairs: bool) -> Goal | None:
    """The goal that a plan describes; None without a schema."""
    if plan is None or "schema" not in plan:
        return None
    fields = {key: value for key, value in plan.items() if key != "form"}
    return Goal(**fields, check=validator(plan.get("form")), repairs=repairs)


def answer_class(fields: Mapping[str, Any]) -> Any:
    """The class that the `response_format` of a call is; None where it is none."""
    form = fields.get("response_format")
    return form if isinstance(form, type) and validator(form) else None


def parsed_fields(form: Any, message: AIMessage) -> dict[str, Any]:
    """`parsed`, the object of class `form` that an answer holds, if there is one."""
    shape = _shape(form)
    value = AnswerParser(form=form, name=form.__name__, shape=shape["schema"]).outcome(message)["parsed"]
    return {} if value is None else {"parsed": value}


def validator(form: Any) -> Any:
    """What makes an object of a JSON value: a pydantic class's own, v2 or v1; None where dicts are wanted."""
    return getattr(form, "model_validate", None) or getattr(form, "parse_obj", None)


def _shape(schema: Any) -> dict[str, Any]:
    """The JSON schema of a schema of any kind, and its name."""
    if isinstance(schema, dict) and isinstance(schema.get("json_schema"), dict):
        schema = schema["json_schema"]
    if isinstance(schema, dict) and isinstance(schema.get("schema"), dict):  # OpenAI's spelling
        described = {key: schema[key] for key in ("description",) if key in schema}
        known = {key: schema[key] for key in ("name", "strict") if key in schema}
        return {"name": "answer", **known, "schema": {**described, **schema["schema"]}}
    if is_basemodel_subclass(schema):
        return {"schema": schema_of(schema), "name": schema.__name__}
    shape = convert_to_json_schema(schema)
    return {"schema": plain_schema(shape), "name": shape.get("title") or "answer"}


def schema_format(schema: Any, strict: bool | None) -> dict[str, Any]:
    """The `response_format` for a schema of any kind, or for one that is in wire form already; a class stays one."""
    if strict is None and answer_class({"response_format": schema}):
        return {"response_format": schema}
    ready = wire_format(schema) if isinstance(schema, dict) else None
    if ready is not None and ready.get("type") in ("json_schema", "json_object", "text"):
        return {"response_format": ready}
    return request_fields("json_schema", **_shape(schema), strict=strict)


class AnswerParser(BaseCumulativeTransformOutputParser[Any]):
    """An answer to the object that was asked for, wherever the model put its JSON; growing objects while it streams.

    A pydantic class gives its instances, anything else dicts. Raises `StructuredOutputError`, and `ModelRefusalError`.
    """

    form: Any = None
    rung: Rung = "json_schema"
    name: str = "answer"
    shape: dict[str, Any] = Field(default_factory=dict)

    @property
    def _type(self) -> str:
        return "geekai-answer"

    @property
    def OutputType(self) -> Any:  # noqa: N802 - LangChain's name
        return self.form if isinstance(self.form, type) else Any

    def get_output_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """The class that was asked for, or the schema of one of that name."""
        is_model = isinstance(self.form, type) and issubclass(self.form, BaseModel)
        return self.form if is_model else create_model_v2(self.name, root=self.OutputType)

    def outcome(self, message: Any) -> dict[str, Any]:
        """`parsed`, the object, and `parsing_error`, why there is none; neither where another tool was called."""
        try:
            return {"parsed": self.parse_result([ChatGeneration(message=message)]), "parsing_error": None}
        except GeekAIError as error:
            return {"parsed": None, "parsing_error": error}

    def parse(self, text: str) -> Any:
        """Parse an answer that is text alone."""
        return self.parse_result([ChatGeneration(message=AIMessage(text))])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """The object; while `partial`, as far as it goes, or None."""
        message: Any = result[0].message if isinstance(result[0], ChatGeneration) else AIMessage(result[0].text)
        partial = partial and getattr(message, "chunk_position", None) != "last"
        if not partial:
            _raise_if_refused(message)
        cut = message.response_metadata.get("normalized_finish_reason") == "length"
        try:
            if partial:
                value = partial_json(_json_text(message))
            else:
                own = schema_name(self.name).casefold()
                if any(call["name"].casefold() != own for call in message.tool_calls):
                    return None  # another tool, which was offered beside
                value = unpacked(answer_json(_plain(message), self.rung), self.shape)
            validate = validator(self.form)
            return validate(value) if validate and value is not None else value
        except (InvalidResponseError, ValueError, TypeError) as exc:
            if partial:
                return None
            reason = f"the answer does not fit: {exc}"
            if cut:
                reason = str(cut_short(getattr(exc, "excerpt", "") or _json_text(message)))
            raise StructuredOutputError(reason, str(message.text)) from exc


def _plain(message: AIMessage) -> Message:
    """The message with its calls as the server gave them."""
    calls = [json.dumps(call["args"]) for call in message.tool_calls]
    calls += [call["args"] or "" for call in message.invalid_tool_calls]
    wire = to_wire_messages([message])[0]
    wire["tool_calls"] = [{"function": {"arguments": arguments}} for arguments in calls]
    return Message.model_validate(wire)


def _raise_if_refused(message: BaseMessage) -> None:
    """Raise `ModelRefusalError` for an answer that is a refusal."""
    refusal = refusal_words(message.additional_kwargs.get("refusal"), message.response_metadata.get("finish_reason"))
    if refusal is not None:
        raise ModelRefusalError(refusal, message)


def _json_text(message: BaseMessage) -> str:
    """The JSON that a streamed message holds, or is to hold: a tool call's arguments, else the text."""
    pieces = getattr(message, "tool_call_chunks", None) or ()
    text = next((piece["args"] for piece in pieces if piece.get("args")), None)
    return text or str(message.text)
