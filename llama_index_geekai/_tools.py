"""Tools: to the wire, where names must be ASCII, and their calls back again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import ToolMetadata
from pydantic import PrivateAttr
from pydantic_core import from_json

from geekai_core import InvalidResponseError, ToolCall
from geekai_core.request.structured import closed
from geekai_core.response.json_text import read_json

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

_SCHEMAS: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()


def tool_schema(tool: BaseTool, strict: bool | None = None) -> dict[str, Any]:
    """A tool in OpenAI's shape, still under its own name. `strict` also closes the object of its parameters."""
    metadata = tool.metadata
    parameters = _parameters(metadata)
    function: dict[str, Any] = {
        "name": metadata.get_name(),
        "description": metadata.description,
        "parameters": parameters,
    }
    if strict:
        function["parameters"] = closed(parameters)
    if strict is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}


def _parameters(metadata: Any) -> dict[str, Any]:
    """The JSON schema of the parameters; pydantic takes 0.3 ms for one, and agents ask for all of them at each step."""
    cls = metadata.fn_schema
    if cls is None or type(metadata).get_parameters_dict is not ToolMetadata.get_parameters_dict:
        return dict(metadata.get_parameters_dict())
    known = _SCHEMAS.get(cls)
    if known is None:
        known = _SCHEMAS[cls] = metadata.get_parameters_dict()
    return known


class Arguments:
    """What a call's growing arguments say so far. They are read again when they grew by a tenth: linear in all."""

    __slots__ = ("_enough", "_value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self._enough = 0
        self._value: dict[str, Any] = {}

    def __eq__(self, other: object) -> bool:
        """What was read so far is no part of a call: a call and its copy are equal."""
        return isinstance(other, Arguments)

    def read(self, text: str) -> dict[str, Any]:
        """The arguments as far as `text` goes, or a little less far; never raises."""
        if len(text) >= self._enough:
            self._enough = len(text) + len(text) // 10 + 1
            try:
                value = from_json(text, allow_partial="trailing-strings")
            except ValueError:
                return self._value
            if isinstance(value, dict):
                self._value = value
        return self._value


class WireToolCall(ToolCall):
    """A tool call as OpenAI's clients show it (`id`, `type`, `function.name`, `function.arguments`), under the tool's
    own name. While it is streamed, its versions share what was read of the arguments."""

    _arguments: Arguments | None = PrivateAttr(default=None)


def whole_arguments(text: str) -> dict[str, Any]:
    """The arguments of a finished call, parsed strictly, or as what stands within them; {} where that is no object."""
    try:
        value = from_json(text)
    except ValueError:
        try:
            value = read_json(text, dict)
        except InvalidResponseError:
            return {}
    return value if isinstance(value, dict) else {}


def tool_call_blocks(message: ChatMessage) -> list[ToolCallBlock]:
    """The tool calls of a message, also those that older integrations left in `additional_kwargs` alone."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    legacy = message.additional_kwargs.get("tool_calls")
    if blocks or not isinstance(legacy, (list, tuple)):
        return blocks
    return [_from_legacy(call) for call in legacy]


def _from_legacy(call: Any) -> ToolCallBlock:
    function = _field(call, "function")
    arguments = _field(function, "arguments")
    return ToolCallBlock(
        tool_call_id=_field(call, "id"),
        tool_name=_field(function, "name") or "",
        tool_kwargs=arguments if isinstance(arguments, (str, dict)) else {},
    )


def _field(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def wire_calls(message: ChatMessage) -> list[dict[str, Any]]:
    """The calls of a message in wire form, each with what its vendor had added to it."""
    added = {_field(call, "id"): _added(call) for call in message.additional_kwargs.get("tool_calls") or ()}
    return [
        {
            **added.get(block.tool_call_id, {}),
            "id": block.tool_call_id,
            "type": "function",
            "function": {"name": block.tool_name, "arguments": block.tool_kwargs},
        }
        for block in tool_call_blocks(message)
    ]


def _added(call: Any) -> dict[str, Any]:
    fields = call if isinstance(call, Mapping) else getattr(call, "model_extra", None) or {}
    return {key: value for key, value in fields.items() if key not in ("id", "type", "function", "index")}


def selections(message: ChatMessage) -> list[ToolSelection]:
    """The calls of a message, finished or still growing, with their arguments as far as they go. Never raises."""
    calls = message.additional_kwargs.get("tool_calls") or ()
    found = []
    for slot, block in enumerate(tool_call_blocks(message)):
        arguments = block.tool_kwargs
        if isinstance(arguments, str):
            growing = getattr(calls[slot], "_arguments", None) if slot < len(calls) else None
            arguments = growing.read(arguments) if growing is not None else whole_arguments(arguments)
        found.append(ToolSelection(tool_id=block.tool_call_id or "", tool_name=block.tool_name, tool_kwargs=arguments))
    return found
