"""Tools as a request offers them: names that the wire allows, choices, switches of the server's own tools. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from geekai_core.errors import ConfigurationError
from geekai_core.request.hints import nearest

Tool = dict[str, Any]

_WIRE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_SEARCHES = ("web_search", "google_search")
_SWITCHES = {"image_generation": "image_generation", "url_context": "enable_url_context"}
"""Tools of other vendors' that are a switch of GeekAI's, beside the search."""


def wire_name(name: str) -> str:
    """The name under which a tool travels: its own, or, where the wire does not allow that, always the same ASCII one.

    >>> wire_name("get_weather"), wire_name("查天气")
    ('get_weather', 'tool_80bac930')
    """
    if _WIRE_NAME.fullmatch(name):
        return name
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:48]
    return f"{readable or 'tool'}_{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


def tool_name(tool: Any) -> str | None:
    """The name of a function in OpenAI's shape; None for any other kind of tool."""
    function = (
        tool.get("function") if isinstance(tool, Mapping) and tool.get("type", "function") == "function" else None
    )
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None


def split_switches(tools: Iterable[Any]) -> tuple[list[Any], dict[str, Any]]:
    """The tools without those of the server's own, and the fields of a request that switch these on.

    `{"type": "web_search", "count": 5}` is `enable_search` with that `search_config`.

    >>> split_switches([{"type": "web_search", "count": 5}, {"type": "url_context"}])
    ([], {'enable_search': True, 'search_config': {'count': 5}, 'enable_url_context': True})
    """
    functions: list[Any] = []
    fields: dict[str, Any] = {}
    for tool in tools:
        kind = str(tool.get("type") or "") if isinstance(tool, Mapping) else ""
        if kind.startswith(_SEARCHES):
            inner = tool.get("search_config") or tool.get(kind)
            config = {**tool, **(inner if isinstance(inner, Mapping) else {})}
            config = {key: value for key, value in config.items() if key not in ("type", "name", "search_config", kind)}
            fields |= {"enable_search": True, **({"search_config": config} if config else {})}
        elif kind in _SWITCHES:
            fields[_SWITCHES[kind]] = True
        else:
            functions.append(tool)
    return functions, fields


def is_vendors_own(tool: Mapping[str, Any]) -> bool:
    """Whether a tool in wire form is no function: by its type, or, as Gemini has it, named by its only key.

    >>> is_vendors_own({"code_execution": {}}), is_vendors_own({"name": "add", "parameters": {}})
    (True, False)
    """
    if "type" in tool:
        return isinstance(tool["type"], str) and tool["type"] not in ("function", "object")
    return len(tool) == 1 and "function" not in tool


def wire_tools(tools: Sequence[Any]) -> tuple[list[Any], dict[str, str]]:
    """Tools in OpenAI's shape with names that the wire allows, and what these stand for.

    The own name of a tool that travels under another leads its description, so that the model knows it.
    """
    names: dict[str, str] = {}
    wire = []
    for tool in tools:
        name = tool_name(tool)
        if name is not None and wire_name(name) != name:
            function = tool["function"]
            names[wire_name(name)] = name
            described = f"{name}: {function.get('description') or ''}".removesuffix(": ")
            tool = {**tool, "function": {**function, "name": wire_name(name), "description": described}}
        wire.append(tool)
    return wire, names


def wire_choice(choice: Any, tools: Sequence[Any]) -> Any:
    """`tool_choice` from any spelling: True, "any", "required", "auto", "none", a tool's name, OpenAI's or Anthropic's
    dict. None and False say nothing: None.

    `tools`: those that the request offers, under their own names. Raises `ConfigurationError` for a choice that names
    none of them.

    >>> wire_choice("any", []), wire_choice("add", [{"function": {"name": "add"}}])
    ('required', {'type': 'function', 'function': {'name': 'add'}})
    """
    if choice is None or choice is False:
        return None
    if isinstance(choice, Mapping):
        function = choice.get("function")
        named = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        if named is None and choice.get("type") not in ("any", "required", "auto", "none"):
            return choice  # such as OpenAI's "allowed_tools": the server knows it
        choice = named if named is not None else choice["type"]
    if choice is True or choice in ("any", "required"):
        return "required"
    if choice in ("auto", "none"):
        return choice
    names = [name for tool in tools if (name := tool_name(tool)) is not None]
    if choice not in names:
        hint = nearest(str(choice), names) if names else "; there are no tools: pass some, or leave tool_choice out"
        raise ConfigurationError(f"tool_choice names no bound tool: {choice!r}{hint}")
    return {"type": "function", "function": {"name": wire_name(choice)}}


def is_forced(choice: Any) -> bool:
    """Whether a `tool_choice` leaves the model no way around a tool."""
    return choice is not None and choice not in ("auto", "none")


def tool_fields(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The fields of a request that has `tools`, made ready for the wire, and the tools' own names by the wire's.

    A choice among no tools, which servers refuse, is left out. Raises `ConfigurationError`.
    """
    functions, switches = split_switches(fields.get("tools") or ())
    ready = {**fields, **switches}
    if isinstance(switches.get("search_config"), dict) and isinstance(fields.get("search_config"), Mapping):
        ready["search_config"] = {**fields["search_config"], **switches["search_config"]}
    for name in ("tools", "tool_choice"):
        ready.pop(name, None)
    if not functions:
        ready.pop("parallel_tool_calls", None)
        return ready, {}
    choice = fields.get("tool_choice")
    choice = None if split_switches([choice])[1] else wire_choice(choice, functions)
    ready["tools"], names = wire_tools(functions)
    if choice is not None:
        ready["tool_choice"] = choice
    return ready, names
