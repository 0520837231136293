"""What one call sends: the model's fields, the call's, and what LlamaIndex adds, made into one body. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage

from geekai_core import ConfigurationError
from geekai_core.options import ChatOptions, ClientOptions, call_fields, chat_body, option_fields, unknown_field
from llama_index_geekai._messages import Reading, to_wire_messages
from llama_index_geekai._tools import to_wire_choice, to_wire_tools

DROPPED = frozenset({"formatted", "verbose", "extra_headers"})
"""Keywords that LlamaIndex itself passes to a call, and that mean nothing to GeekAI."""

_SWITCHES = {"enable_search": "search_config", "enable_thinking": "thinking"}


class Request:
    """One call, ready to be sent: its `body`, and how the answer is `reading`."""

    __slots__ = ("body", "reading")

    def __init__(
        self, llm: Any, messages: Sequence[ChatMessage], overrides: Mapping[str, Any], *, stream: bool = False
    ) -> None:
        fields = merged_fields(llm, overrides)
        names: dict[str, str] = {}
        if fields.get("tools"):
            fields["tools"], names = to_wire_tools(fields["tools"])
        else:  # a choice among no tools is refused by servers
            fields["tool_choice"] = fields["parallel_tool_calls"] = None
        if fields.get("tool_choice"):
            fields["tool_choice"] = to_wire_choice(fields["tool_choice"])
        self.body = chat_body(
            to_wire_messages(messages, llm.reasoning_history),
            fields,
            stream=stream,
            stream_usage=llm.stream_usage,
            extra_body=llm.extra_body,
        )
        self.reading = Reading(
            names=names,
            one_call=self.body.get("parallel_tool_calls") is False,
            audio_format=(self.body.get("audio") or {}).get("format"),
            citation_blocks=llm.citation_blocks,
        )


def merged_fields(llm: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the model and of one call, which win; under our own names.

    Raises `ConfigurationError` for a keyword that nothing here knows.
    """
    given = {name: value for name, value in overrides.items() if name not in DROPPED}
    effort = given.pop("reasoning_effort", None if "thinking" in given else llm.reasoning_effort)
    if "additional_kwargs" in given:
        given["extra_body"] = merged_extra(given.pop("additional_kwargs"), given.get("extra_body"))
    named = call_fields(given)
    fields = {**option_fields(llm), "model": llm.model, **named}
    for switch, setting in _SWITCHES.items():
        if named.get(switch) is False and setting not in named:
            fields.pop(setting, None)
    if effort is not None and named.get("enable_thinking") is not False:
        thinking = fields.get("thinking") or {}
        thinking = thinking if isinstance(thinking, dict) else thinking.model_dump(exclude_none=True)
        fields["thinking"] = {**thinking, "reasoning_effort": effort}
        if fields.get("enable_thinking") is None:
            fields["enable_thinking"] = True
    return fields


def merged_extra(*bodies: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Further fields of the body from `additional_kwargs` and `extra_body`, be it one within the other."""
    merged: dict[str, Any] = {}
    for body in bodies:
        outer = dict(body or {})
        inner = outer.pop("extra_body", None)
        merged.update(outer)
        merged.update(inner or {})
    return merged or None


def constructor_fields(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """A constructor's keywords under the fields' own names.

    Raises `ConfigurationError` for an unknown keyword, naming the nearest, and for a field given under two names.
    """
    names = _names(cls)
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name in IGNORED:
            continue
        field = names.get(name)
        if field is None:
            raise unknown_field(name, names)
        if field == "extra_body":
            fields[field] = merged_extra(fields.get(field), value)
            continue
        if fields.get(field) is not None and value is not None:
            raise ConfigurationError(f"'{field}' is given twice, once as '{name}'")
        if value is not None or field not in fields:
            fields[field] = value
    return fields


IGNORED = frozenset({"api_version", "tokenizer", "class_name"})
"""Keywords of `OpenAI` and `OpenAILike` that are accepted and mean nothing here: GeekAI's API has no versions, and
tokens are counted by the server."""

_SPELLINGS = {"additional_kwargs": "extra_body", "model_name": "model"}


def _names(cls: type[Any]) -> dict[str, str]:
    """Every name that a field can be given by."""
    names = dict(_SPELLINGS)
    for field, info in cls.model_fields.items():
        names[field] = field
        for choice in getattr(info.validation_alias, "choices", ()):
            names[str(choice)] = field
    return names


def client_settings(llm: ClientOptions) -> dict[str, Any]:
    """The settings of an LLM that its clients are made with, but for the key, the URL and the HTTP clients."""
    kept = set(ClientOptions.model_fields) - {"extra_body", "reasoning_history"}
    return {name: getattr(llm, name) for name in sorted(kept)}


__all__ = ["ChatOptions", "Request", "client_settings", "constructor_fields", "merged_fields"]
