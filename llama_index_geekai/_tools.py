"""Tools: to the wire, where names must be ASCII, and their calls back again. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import ToolMetadata
from pydantic import PrivateAttr
from pydantic_core import from_json

from geekai_core import InvalidResponseError, ToolCall
from geekai_core.response.json_text import read_json

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

_WIRE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCHEMAS: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()


def alias(name: str) -> str:
    """The name under which a tool travels: its own, or, where the wire does not allow that, always the same ASCII one.

    >>> alias("get_weather"), alias("查天气")
    ('get_weather', 'tool_80bac930')
    """
    if _WIRE_NAME.fullmatch(name):
        return name
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:48]
    return f"{readable or 'tool'}_{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


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
        function["parameters"] = {**parameters, "additionalProperties": False}
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


def to_wire_tools(tools: Sequence[Any]) -> tuple[list[Any], dict[str, str]]:
    """Tools in OpenAI's shape with names that the wire allows, and what these stand for.

    The own name of a tool that travels under another leads its description, so that the model knows it.
    """
    names: dict[str, str] = {}
    wire = []
    for tool in tools:
        function = tool.get("function") if isinstance(tool, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if function is not None and isinstance(name, str) and alias(name) != name:
            names[alias(name)] = name
            described = f"{name}: {function.get('description') or ''}".removesuffix(": ")
            tool = {**tool, "function": {**function, "name": alias(name), "description": described}}
        wire.append(tool)
    return wire, names


def to_wire_choice(choice: str | Mapping[str, Any]) -> Any:
    """A `tool_choice` in any spelling: a mode, a tool's name, or OpenAI's object.

    >>> to_wire_choice("any"), to_wire_choice("search")
    ('required', {'type': 'function', 'function': {'name': 'search'}})
    """
    if isinstance(choice, str):
        if choice in ("auto", "none", "required", "any"):
            return "required" if choice == "any" else choice
        return {"type": "function", "function": {"name": alias(choice)}}
    function = choice.get("function")
    if isinstance(function, Mapping) and isinstance(function.get("name"), str):
        return {**choice, "function": {**function, "name": alias(function["name"])}}
    return choice


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
