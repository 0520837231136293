"""Tools of every kind that LangChain knows to the wire's, and every spelling of `tool_choice`."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_tool

from geekai_core import ConfigurationError
from geekai_core.request.hints import nearest, warn_undescribed

Tool = dict[str, Any]

_SWITCHES: dict[str, str] = {"image_generation": "image_generation", "url_context": "enable_url_context"}
"""Provider tools that are a switch of GeekAI's, beside the search."""


def tool_fields(
    tools: Sequence[Any], tool_choice: Any = None, *, strict: bool | None = None, parallel: bool | None = None
) -> dict[str, Any]:
    """The fields of a request that offer `tools`; none at all for an empty list.

    Provider tools become switches: `{"type": "web_search", "count": 5}` is `enable_search` with that `search_config`.
    Raises `ConfigurationError` for a `tool_choice` that names no tool.
    """
    functions: list[Tool] = []
    fields: dict[str, Any] = {}
    for tool in tools:
        kind = tool.get("type", "") if isinstance(tool, dict) else ""
        if kind.startswith("web_search"):
            config = {**tool, **(tool.get("search_config") or {})}
            config = {key: value for key, value in config.items() if key not in ("type", "name", "search_config")}
            fields |= {"enable_search": True, **({"search_config": config} if config else {})}
        elif kind in _SWITCHES:
            fields[_SWITCHES[kind]] = True
        else:
            functions.append(to_wire_tool(tool, strict))
            if not kind:
                warn_undescribed(functions[-1])
    if functions:
        choice = to_wire_choice(tool_choice, functions)
        fields["tools"] = functions
        if choice is not None:
            fields["tool_choice"] = choice
        if parallel is not None:
            fields["parallel_tool_calls"] = parallel
    return fields


_converted: dict[tuple[Any, ...], tuple[weakref.ref[Any], Tool]] = {}


def to_wire_tool(tool: Any, strict: bool | None = None) -> Tool:
    """One tool. Agents bind the same tools anew at each step, so a tool is converted once for as long as it lives."""
    if isinstance(tool, dict):
        return convert_to_openai_tool(tool, strict=strict)
    told = (getattr(tool, name, None) for name in ("name", "description"))  # which may be assigned anew
    key = (id(tool), strict, *told, id(getattr(tool, "args_schema", None)))
    known = _converted.get(key)
    if known is not None and known[0]() is tool:
        return known[1]
    wire = convert_to_openai_tool(tool, strict=strict)
    with contextlib.suppress(TypeError):  # an object without weak references
        _converted[key] = weakref.ref(tool, _forget(key)), wire
    return wire


def _forget(key: tuple[Any, ...]) -> Callable[[Any], None]:
    def forget(_: Any) -> None:
        _converted.pop(key, None)

    return forget


def to_wire_choice(choice: Any, functions: Sequence[Tool]) -> Any:
    """`tool_choice` from any spelling: True, "any", "required", "auto", "none", a tool's name, OpenAI's or
    Anthropic's dict; None and False say nothing."""
    if choice is None or choice is False:
        return None
    if isinstance(choice, dict):
        if isinstance(choice.get("function"), dict):
            return choice
        choice = choice.get("name") or choice.get("type")
    if choice is True or choice in ("any", "required"):
        return "required"
    if choice in ("auto", "none"):
        return choice
    names = [tool.get("function", {}).get("name") for tool in functions]
    if choice not in names:
        raise ConfigurationError(
            f"tool_choice names no bound tool: {choice!r}{nearest(str(choice), filter(None, names))}"
        )
    return {"type": "function", "function": {"name": choice}}
