"""What one call of an adapter sends: the adapter's fields and the call's, made into one request. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geekai_core.conversation import Goal, Request
from geekai_core.request.body import SENDING, chat_body, flat_bodies, merged_fields
from geekai_core.request.structured import wire_format
from geekai_core.request.tools import tool_fields


def chat_request(
    adapter: Any,
    messages: list[dict[str, Any]],
    call: Mapping[str, Any],
    *,
    also: Mapping[str, Any] | None = None,
    goal: Goal | None = None,
    stream: bool = False,
) -> Request:
    """One call as a request.

    `messages`: in wire form, each with all that it holds. `call`: its keywords. `also`: the adapter's further fields.
    Raises `ConfigurationError` for a keyword that nothing here knows, and for a `tool_choice` that names no tool.
    """
    given = dict(call)
    timeout, headers, params = (given.pop(name, None) for name in SENDING)
    usage = given.pop("stream_usage", None)
    fields, names = tool_fields(merged_fields(adapter, adapter.model, given, flat_bodies(also)))
    if fields.get("response_format") is not None:
        fields["response_format"] = wire_format(fields["response_format"])
    fields["extra_body"] = flat_bodies(adapter.extra_body, fields.get("extra_body"))
    usage = adapter.stream_usage if usage is None else usage
    body = chat_body(messages, fields, stream=stream, stream_usage=usage)
    return Request(body, goal, adapter.reasoning_history, names, timeout, headers or {}, params or {})
