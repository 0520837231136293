"""Tools of every kind that LangChain knows, in OpenAI's shape."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Sequence
from typing import Any

from langchain_core.tools import BaseTool, create_schema_from_function
from langchain_core.tools import Tool as LangChainTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from geekai_core.request.hints import warn_undescribed
from geekai_core.request.schemas import tool_parameters
from geekai_core.request.tools import is_vendors_own, split_switches, wire_choice
from langchain_geekai._content import cache_mark

Tool = dict[str, Any]


def bound_tools(
    tools: Sequence[Any], tool_choice: Any = None, *, strict: bool | None = None, parallel: bool | None = None
) -> dict[str, Any]:
    """The fields of a request that offer `tools`, whatever they are in LangChain; none at all for an empty list.

    Raises `ConfigurationError` for a `tool_choice` that names no tool.
    """
    functions, fields = split_switches(tools)
    if not functions:
        if not fields and isinstance(tool_choice, (str, dict)):
            wire_choice(tool_choice, [])
        return fields
    fields["tools"] = [{**to_wire_tool(tool, strict), **cache_mark(tool)} for tool in functions]
    for tool, wire in zip(functions, fields["tools"], strict=True):
        if not isinstance(tool, dict):
            warn_undescribed(wire)
    if wire_choice(tool_choice, fields["tools"]) is not None:
        fields["tool_choice"] = tool_choice
    if parallel is not None:
        fields["parallel_tool_calls"] = parallel
    return fields


_converted: dict[tuple[Any, ...], tuple[weakref.ref[Any], Tool]] = {}


def to_wire_tool(tool: Any, strict: bool | None = None) -> Tool:
    """One tool. Agents bind the same tools anew at each step, so a tool is converted once for as long as it lives."""
    if isinstance(tool, dict):
        if is_vendors_own(tool):
            return tool
        return convert_to_openai_tool(tool, strict=strict)
    current = (getattr(tool, name, None) for name in ("name", "description"))  # which may be assigned anew
    key = (id(tool), strict, *current, id(getattr(tool, "args_schema", None)))
    known = _converted.get(key)
    if known is not None and known[0]() is tool:
        return known[1]
    wire, form = convert_to_openai_tool(tool, strict=strict), _parameters(tool)
    if form is not None:
        wire["function"]["parameters"] = tool_parameters(form, strict)
    with contextlib.suppress(TypeError):  # an object without weak references
        _converted[key] = weakref.ref(tool, lambda _: _converted.pop(key, None)), wire
    return wire


_AS_LANGCHAIN: dict[str, Any] = {"filter_args": (), "parse_docstring": True, "error_on_invalid_docstring": False}


def _parameters(tool: Any) -> Any:
    """The class or schema of a tool's parameters: where it contains itself, LangChain's own conversion loses that."""
    if isinstance(tool, BaseTool):
        return None if isinstance(tool, LangChainTool) and not tool.args_schema else tool.tool_call_schema
    if isinstance(tool, type):
        return tool if is_basemodel_subclass(tool) else None
    return create_schema_from_function(tool.__name__, tool, include_injected=False, **_AS_LANGCHAIN)
