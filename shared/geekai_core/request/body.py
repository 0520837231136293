"""The JSON body of a chat request, from fields and keywords. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel
from pydantic_core import PydanticSerializationError, from_json, to_json

from geekai_core.errors import ConfigurationError
from geekai_core.options import ChatOptions, SearchConfig, SearchOptions, Thinking
from geekai_core.request.hints import unknown_field, warn_idle


def search_fields(options: SearchOptions) -> dict[str, Any]:
    """The fields of a web search that are set.

    >>> search_fields(SearchOptions(k=3))
    {'count': 3, 'model': 'glm-search-std'}
    """
    values = options.__dict__
    return {name: values[name] for name in SearchOptions.model_fields if values.get(name) is not None}


WIRE_NAMES = {"max_tokens": "max_completion_tokens", "request_metadata": "metadata"}
"""Fields whose name on the wire differs from ours."""


_SETTINGS = (("search_config", "enable_search", SearchConfig), ("thinking", "enable_thinking", Thinking))


_NO_MODEL = "no model was named: pass model=… ('geekai models' lists them)"


def refuse_unknown(cls: type[BaseModel], given: Iterable[str]) -> None:
    """Raise `ConfigurationError` for a constructor keyword that `cls` does not know, or knows under two names.

    Also where `cls` needs a model and none is given.
    """
    names = keywords(cls)
    taken: dict[str, str] = {}
    for name in given:
        field = names.get(name)
        if field is None:
            raise unknown_field(name, names)
        if field in taken:
            raise ConfigurationError(f"'{taken[field]}' and '{name}' are one field: give it once")
        taken[field] = name
    model = names.get("model")
    if model is not None and model not in taken and cls.model_fields[model].is_required():
        raise ConfigurationError(_NO_MODEL)


@functools.cache
def keywords(cls: type[BaseModel]) -> dict[str, str]:
    """The field that each keyword of a constructor stands for."""
    names: dict[str, str] = {}
    for name, declared in cls.model_fields.items():
        alias = declared.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias, declared.alias]
        names |= {choice: name for choice in (name, *choices) if isinstance(choice, str)}
    return names


SENDING = ("timeout", "extra_headers", "extra_query")
"""Keywords of a call that say how it is sent, and not what."""


_PER_CALL = keywords(ChatOptions) | {
    name: name
    for name in ("model", "tools", "tool_choice", "functions", "function_call", "stream_options", "extra_body")
}
"""The field that each keyword of a single call stands for."""


def call_fields(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of one call under our own names, as plain values; refuses unknown ones.

    Raises `ConfigurationError` naming the nearest field, and where a field is given under two names.
    """
    fields: dict[str, Any] = {}
    for name, value in overrides.items():
        field = _PER_CALL.get(name)
        if field is None:
            raise unknown_field(name, (*_PER_CALL, *SENDING))
        if field in fields and fields[field] is not None and value is not None:
            raise ConfigurationError(f"'{field}' is given twice, once as '{name}'")
        fields[field] = [value] if field == "stop" and isinstance(value, str) else _plain(value)
    return fields


def option_fields(options: ChatOptions) -> dict[str, Any]:
    """The wire-bound fields of an adapter that are set, under our own names, as plain values."""
    values = options.__dict__
    return {name: _plain(values[name]) for name in ChatOptions.model_fields if values.get(name) is not None}


def merged_fields(
    options: ChatOptions, model: str, call: Mapping[str, Any], also: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The fields of an adapter and of one call, which win, under our own names.

    `also`: further fields of the adapter's, by their wire names. Search or thinking that a call switches off takes the
    adapter's settings for it along. Raises `ConfigurationError` for a keyword that nothing here knows.
    """
    given = call_fields(call)
    fields = {"model": model, **option_fields(options)}
    fields |= {_OWN_NAMES.get(name, name): value for name, value in (also or {}).items()}
    for switch, settings in _SETTINGS_OF.items():
        if given.get(switch) is False:
            for setting in settings - given.keys():
                fields.pop(setting, None)
    return {**fields, **given}


_OWN_NAMES = {wire: own for own, wire in WIRE_NAMES.items()}
_SETTINGS_OF = {"enable_search": {"search_config"}, "enable_thinking": {"thinking", "reasoning_effort"}}


def flat_bodies(*bodies: Mapping[str, Any] | None) -> dict[str, Any]:
    """Further fields merged, the last winning; an `extra_body` within one, as other packages need it, is taken out."""
    merged: dict[str, Any] = {}
    for body in bodies:
        outer = dict(body or {})
        merged |= outer | dict(outer.pop("extra_body", None) or {})
    merged.pop("extra_body", None)
    return merged


def _effort(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with `reasoning_effort` as GeekAI takes it: within `thinking`, which "none" does not switch on."""
    effort = fields.pop("reasoning_effort", None)
    if effort is not None:
        fields["thinking"] = {"reasoning_effort": effort, **(fields.get("thinking") or {})}
        fields.setdefault("enable_thinking", effort != "none")
    return fields


def chat_body(
    messages: list[dict[str, Any]],
    fields: Mapping[str, Any],
    *,
    stream: bool = False,
    stream_usage: bool = True,
    extra_body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The JSON body of a chat request. Pure.

    `fields`: of `option_fields` and `call_fields`, merged already, with `model`; None is left out. `extra_body`,
    the adapter's, then the call's, is merged last. Raises `ConfigurationError` for `stream` with `background`.
    """
    body: dict[str, Any] = {"model": fields.get("model"), "messages": messages}
    for name, value in _effort({**fields}).items():
        if value is None or name in ("model", "extra_body"):
            continue
        body[WIRE_NAMES.get(name, name)] = value
    if not body.get("tools", True):
        del body["tools"]
    if body.get("json_mode") and "response_format" not in body:
        body["response_format"] = {"type": "json_object"}
    if stream:
        body["stream"] = True
        if stream_usage:
            body.setdefault("stream_options", {"include_usage": True})
    for extra in (extra_body, fields.get("extra_body")):
        body.update(extra or {})
    if body.get("stream") and body.get("background"):
        raise ConfigurationError("background=True cannot stream: ask for the whole answer, or leave background out")
    if not body["model"]:
        raise ConfigurationError(_NO_MODEL)
    warn_idle(body, _SETTINGS)
    return body


def wants_json(body: Mapping[str, Any]) -> bool:
    """Whether a request's answer is to be JSON text."""
    wanted = body.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") in ("json_schema", "json_object")


def is_thinking(body: Mapping[str, Any]) -> bool:
    """Whether a request asks the model to think.

    >>> is_thinking({"thinking": {"budget_tokens": 64}}), is_thinking({"thinking": {"type": "disabled"}})
    (True, False)
    """
    if body.get("enable_thinking") is not None:
        return bool(body["enable_thinking"])
    thinking = body.get("thinking")
    if not isinstance(thinking, Mapping):
        return bool(thinking)
    return thinking.get("type") != "disabled" and thinking.get("reasoning_effort") != "none"


def encoded(body: Mapping[str, Any]) -> bytes:
    r"""A body as JSON bytes, Chinese as it is; half a character, which UTF-8 has no bytes for, is U+FFFD.

    Raises `ConfigurationError` for what JSON cannot hold.

    >>> encoded({"content": "so \ud83d"}).decode()
    '{"content":"so �"}'
    """
    try:
        try:
            return _written(body)
        except PydanticSerializationError:
            return _written(_whole_characters(body))
    except (PydanticSerializationError, UnicodeError, ValueError, RecursionError) as exc:
        raise ConfigurationError(f"the request cannot be written as JSON: {exc}") from None


def _written(body: Mapping[str, Any]) -> bytes:
    """NaN and infinities of the history are null, for they came with an odd answer; a setting's are sent as given."""
    written = to_json(body, inf_nan_mode="constants")
    if "messages" not in body or not (b"NaN" in written or b"Infinity" in written):
        return written
    history = from_json(to_json(body["messages"], inf_nan_mode="null"))
    return to_json({**body, "messages": history}, inf_nan_mode="constants")


def _whole_characters(value: Any) -> Any:
    """A copy whose texts hold no half of a surrogate pair; halves that stand side by side are their character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_whole_characters(key): _whole_characters(one) for key, one in value.items()}
    return [_whole_characters(one) for one in value] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else value
