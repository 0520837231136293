"""Tools to the wire, and their calls back again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import ToolMetadata
from pydantic import BaseModel, PrivateAttr

from geekai_core import ToolCall
from geekai_core.request.messages import NOT_RUN_BECAUSE
from geekai_core.request.schemas import tool_parameters
from geekai_core.response.arguments import InvalidArguments, read_arguments
from geekai_core.response.json_text import partial_json
from geekai_core.response.tool_calls import openai_form

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool


def tool_schema(tool: BaseTool | Mapping[str, Any], strict: bool | None = None) -> dict[str, Any]:
    """A tool in OpenAI's shape, still under its own name; one that is in wire form already stays as it is.

    `strict` also closes the objects of its parameters.
    """
    if isinstance(tool, Mapping):
        return dict(tool)
    metadata = tool.metadata
    form, own = metadata.fn_schema, type(metadata).get_parameters_dict is not ToolMetadata.get_parameters_dict
    function: dict[str, Any] = {
        "name": metadata.get_name(),
        "description": metadata.description,
        "parameters": tool_parameters(metadata.get_parameters_dict() if own or form is None else form, strict),
    }
    if strict is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}


class GrowingJson:
    """What a growing JSON object says so far. It is read again when its text grew by one in `step`: linear in all."""

    __slots__ = ("_read", "_step", "_value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, step: int = 10) -> None:
        self._step = step
        self._read = -1
        self._value: dict[str, Any] = {}

    def __eq__(self, other: object) -> bool:
        """What was read so far is no part of a call: a call and its copy are equal."""
        return isinstance(other, GrowingJson)

    def read(self, text: str) -> dict[str, Any]:
        """The object as far as `text` goes, or a little less far; never raises. A shorter text is a new one."""
        if not self._read <= len(text) <= self._read + self._read // self._step:
            self._read = len(text)
            value = partial_json(text)
            if isinstance(value, dict):
                self._value = value
        return self._value


class WireToolCall(ToolCall):
    """A tool call as OpenAI's clients show it (`id`, `type`, `function.name`, `function.arguments`), under the tool's
    own name. While it is streamed, its versions share what was read of the arguments."""

    _growing: GrowingJson | None = PrivateAttr(default=None)


def tool_call_blocks(message: ChatMessage) -> list[ToolCallBlock]:
    """The tool calls of a message, also those that older integrations left in `additional_kwargs` alone."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    return blocks or [_from_legacy(call) for call in _listed_calls(message)]


def _listed_calls(message: ChatMessage) -> Sequence[Any]:
    calls = message.additional_kwargs.get("tool_calls")
    return [call for call in calls if call is not None] if isinstance(calls, (list, tuple)) else ()


def _from_legacy(call: Any) -> ToolCallBlock:
    known = openai_form(_plain(call))
    function = known["function"]
    arguments = function.get("arguments")
    return ToolCallBlock(
        tool_call_id=known.get("id"),
        tool_name=function.get("name") or "",
        tool_kwargs=arguments if isinstance(arguments, (str, dict)) else {},
    )


def _plain(call: Any) -> dict[str, Any]:
    return call.model_dump() if isinstance(call, BaseModel) else dict(call)


def wire_calls(message: ChatMessage) -> list[dict[str, Any]]:
    """The calls of a message in wire form, each with what its vendor had added to it, and with why it was not run."""
    listed = {call.get("id"): call for call in map(_plain, _listed_calls(message))}
    reasons = _not_run(message)
    found = []
    for block in tool_call_blocks(message):
        id = block.tool_call_id
        call = {key: value for key, value in openai_form(listed.get(id, {})).items() if key != "index"}
        function = {**call["function"], "name": block.tool_name, "arguments": block.tool_kwargs}
        why = {NOT_RUN_BECAUSE: reasons[id]} if id in reasons else {}
        found.append({**call, "id": id, "type": "function", "function": function, **why})
    return found


def invalid_call(call: WireToolCall, finish_reason: str | None) -> dict[str, Any] | None:
    """What is recorded of a finished call that cannot run, in plain values; None for one that can."""
    function = call.function
    read = read_arguments(function and function.arguments, finish_reason)
    if not isinstance(read, InvalidArguments):
        return None
    return {"id": call.id, "name": function and function.name, "args": read.text, "error": read.reason}


def _not_run(message: ChatMessage) -> dict[Any, Any]:
    """Why each call that cannot run is none, by its id, as it was known when its answer ended."""
    invalid = message.additional_kwargs.get("invalid_tool_calls") or ()
    return {call["id"]: call["error"] for call in invalid}


def selections(message: ChatMessage) -> tuple[list[ToolSelection], list[ToolSelection]]:
    """The calls of a message that can run, and the others, each with the reason in its name. Never raises.

    Those of a stream's piece are all of the first kind, with their arguments as far as they go.
    """
    listed, not_run = _listed_calls(message), _not_run(message)
    found: list[ToolSelection] = []
    broken: list[ToolSelection] = []
    for slot, block in enumerate(tool_call_blocks(message)):
        id, arguments = block.tool_call_id, block.tool_kwargs
        growing = getattr(listed[slot], "_growing", None) if slot < len(listed) else None
        read = read_arguments(arguments) if growing is None else growing.read(arguments or "")
        reason = not_run.get(id) or (read.reason if isinstance(read, InvalidArguments) else None)
        name = block.tool_name if reason is None else f"{block.tool_name} (not run: {reason})"
        kwargs = {} if isinstance(read, InvalidArguments) or reason else read
        (broken if reason else found).append(ToolSelection(tool_id=id or "", tool_name=name, tool_kwargs=kwargs))
    return found, broken
