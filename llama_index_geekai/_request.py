"""What one call sends: the model's fields, the call's, and what LlamaIndex adds, made into one body. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage

from geekai_core.request.body import call_fields, chat_body, option_fields
from llama_index_geekai._messages import Reading, to_wire_messages
from llama_index_geekai._tools import to_wire_choice, to_wire_tools

DROPPED = frozenset({"formatted", "verbose", "extra_headers"})
"""Keywords that LlamaIndex itself passes to a call, and that mean nothing to GeekAI."""


class Request:
    """One call, ready to be sent: its `body`, and how the answer is `reading`."""

    def __init__(
        self, llm: Any, messages: Sequence[ChatMessage], overrides: Mapping[str, Any], *, stream: bool = False
    ) -> None:
        fields = merged_fields(llm, overrides)
        fields["tools"], names = to_wire_tools(fields.get("tools") or ())
        if not fields["tools"]:  # a choice among no tools is refused by servers
            fields["tool_choice"] = fields["parallel_tool_calls"] = None
        if fields.get("tool_choice"):
            fields["tool_choice"] = to_wire_choice(fields["tool_choice"])
        self.body = chat_body(
            to_wire_messages(messages, llm.reasoning_history),
            fields,
            stream=stream,
            stream_usage=llm.stream_usage,
            extra_body=_flat(llm.additional_kwargs, llm.extra_body),
        )
        one_call = self.body.get("parallel_tool_calls") is False
        self.reading = Reading(names, one_call, (self.body.get("audio") or {}).get("format"), llm.citation_blocks)


def merged_fields(llm: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the model and of one call, which win; under our own names.

    Search or thinking that a call switches off takes the model's settings for it along. Raises `ConfigurationError`
    for a keyword that nothing here knows.
    """
    given = {name: value for name, value in overrides.items() if name not in DROPPED}
    effort = given.pop("reasoning_effort", llm.reasoning_effort)
    given["extra_body"] = _flat(given.pop("additional_kwargs", None), given.get("extra_body"))
    fields = {**option_fields(llm), "model": llm.model, **call_fields(given)}
    for switch, setting in (("enable_search", "search_config"), ("enable_thinking", "thinking")):
        if given.get(switch) is False and setting not in given:
            fields.pop(setting, None)
    if effort is not None and given.get("enable_thinking") is not False:
        fields["thinking"] = {"reasoning_effort": effort, **(fields.get("thinking") or {})}
        fields.setdefault("enable_thinking", True)
    return fields


def _flat(*bodies: Mapping[str, Any] | None) -> dict[str, Any]:
    """Bodies merged, the last winning; an `extra_body` within one, as `OpenAILike` needs it, is taken out."""
    merged: dict[str, Any] = {}
    for body in bodies:
        outer = dict(body or {})
        merged |= outer | dict(outer.pop("extra_body", None) or {})
    merged.pop("extra_body", None)
    return merged
