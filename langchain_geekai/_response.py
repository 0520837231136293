"""Answers to LangChain messages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call

from geekai_core import ChatCompletion
from geekai_core.response.arguments import InvalidArguments, read_arguments
from geekai_core.response.finish import normal_finish_reason
from langchain_geekai._structured import parsed_fields

PROVIDER = "geekai"
"""`response_metadata["model_provider"]` and `ls_provider`; LangChain trusts reported usage where both are equal."""

Wire = dict[str, Any]


class ParsedAnswer:
    """One choice of an answer in LangChain's terms: what a message of it is made of, whole or at a stream's end.

    `form`: the class whose object the answer is to hold, as `parsed`. `headers`: keep those of the response, too.
    """

    __slots__ = (
        "additional_kwargs",
        "call_ids",
        "content",
        "invalid_tool_calls",
        "name",
        "response_metadata",
        "tool_calls",
        "usage",
    )

    def __init__(self, answer: ChatCompletion, at: int = 0, *, form: Any = None, headers: bool = False) -> None:
        wire = answer.model_dump(exclude_unset=True)
        choice: Wire = wire["choices"][at] if wire.get("choices") else {}
        message: Wire = dict(choice.pop("message", None) or {})
        self.content: str = message.pop("content", None) or ""
        calls = message.pop("tool_calls", None) or ()
        given = ((call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls)
        self.tool_calls, self.invalid_tool_calls = read_calls(given, choice.get("finish_reason"))
        self.call_ids = [call["id"] for call in calls]
        extras = {call["id"]: extra for call in calls if (extra := _extras(call))}
        message.pop("role", None)
        self.name: str | None = message.pop("name", None)
        found = {"citations": wire.pop("citations", None), "search_results": wire.pop("search_results", None)}
        kept = {**message, **found, "tool_call_extras": extras}
        self.additional_kwargs: Wire = {key: value for key, value in kept.items() if value not in (None, [], {}, "")}
        self.usage = usage_metadata(wire.get("usage")) if at == 0 else None
        self.response_metadata = {
            **_metadata(wire, choice, answer.request_id),
            **_finish_fields(choice.get("finish_reason"), refused=bool(message.get("refusal"))),
            **({"headers": dict(answer.headers)} if headers else {}),
        }
        if form is not None:
            self.additional_kwargs |= parsed_fields(form, self.message())

    def message(self) -> AIMessage:
        """The whole message."""
        return AIMessage(
            content=self.content,
            name=self.name,
            additional_kwargs=self.additional_kwargs,
            response_metadata=self.response_metadata,
            tool_calls=self.tool_calls,
            invalid_tool_calls=self.invalid_tool_calls,
            usage_metadata=self.usage,
        )


def read_calls(
    calls: Iterable[tuple[Any, Any, Any]], finish_reason: str | None
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """The calls of a finished answer, given as (id, name, arguments): those that may run, and those that may not."""
    sound, broken = [], []
    for id, name, arguments in calls:
        read = read_arguments(arguments, finish_reason)
        if isinstance(read, InvalidArguments):
            broken.append(invalid_tool_call(name=name, args=read.text, id=id, error=read.reason))
        else:
            sound.append(tool_call(name=name or "", args=read, id=id))
    return sound, broken


def _extras(call: Wire) -> Wire:
    """What LangChain's own form of a call has no place for."""
    extras = {key: value for key, value in call.items() if key not in ("id", "type", "function")}
    function = {key: value for key, value in call["function"].items() if key not in ("name", "arguments")}
    return {**extras, "function": function} if function else extras


_FINISH_STATES = {"length": "incomplete", "content_filter": "incomplete", "error": "failed"}


def _finish_fields(word: str | None, *, refused: bool) -> Wire:
    """How an answer ended, in the words that langchain-core reads from 1.8.4 on; `finish_reason` is the server's."""
    reason = normal_finish_reason(word)
    if reason is None:
        return {}
    normal = "refusal" if refused else "tool_call" if reason == "tool_calls" else reason
    state = _FINISH_STATES.get(reason)
    return {"normalized_finish_reason": normal, **({"finish_state": state} if state else {})}


def _metadata(wire: Wire, choice: Wire, request_id: str | None) -> Wire:
    """`response_metadata`: everything that was said of the answer. The choice's unknown fields and the answer's too."""
    usage = wire.pop("usage", None)
    wire.pop("choices", None)
    choice.pop("index", None)
    known = {
        "model_provider": PROVIDER,
        "model_name": wire.pop("model", None),
        "token_usage": usage,
        "billed_units": (usage or {}).get("billed_units"),
        "request_id": request_id,
    }
    return {key: value for key, value in {**choice, **wire, **known}.items() if value is not None}


_INPUT_DETAILS = {
    "audio_tokens": "audio",
    "cached_tokens": "cache_read",
    "cache_write_tokens": "cache_creation",
    "image_tokens": "image",
    "video_tokens": "video",
    "citation_tokens": "citation",
}
_OUTPUT_DETAILS = {"audio_tokens": "audio", "reasoning_tokens": "reasoning"}
_STANDARD = {"audio", "cache_read", "reasoning"}


def usage_metadata(usage: Mapping[str, Any] | None) -> UsageMetadata | None:
    """Usage in LangChain's terms: whole numbers only. The raw one stands in `response_metadata["token_usage"]`.

    Text tokens are left out of the details, for they overlap with the cached ones, and details are priced as disjoint.
    """
    if not usage or (usage.get("prompt_tokens") is None and usage.get("completion_tokens") is None):
        return None
    read, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    total = int(usage.get("total_tokens") or read + written)
    metadata: dict[str, Any] = {"input_tokens": read, "output_tokens": written, "total_tokens": total}
    if given := _details(usage.get("prompt_tokens_details"), _INPUT_DETAILS):
        metadata["input_token_details"] = given
    if given := _details(usage.get("completion_tokens_details"), _OUTPUT_DETAILS):
        metadata["output_token_details"] = given
    return cast(UsageMetadata, metadata)


def _details(given: Mapping[str, Any] | None, names: Mapping[str, str]) -> dict[str, int]:
    """The known details; those that LangChain has no key for only where they count something."""
    found = ((name, (given or {}).get(key)) for key, name in names.items())
    return {name: int(value) for name, value in found if value or (value == 0 and name in _STANDARD)}
