"""Lists and objects that a model wrote as JSON texts where its schema wants them as they are. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geekai_core.response.json_text import parsed_json, strip_fences

_CLASSES = {"array": list, "object": dict, "string": str}


def unpacked(value: Any, schema: Any, definitions: Mapping[str, Any] | None = None) -> Any:
    """`value` with each JSON text that stands where the schema takes no text as the list or object that it holds.

    `definitions`: what the schema's `$ref`s mean; by default its own.

    >>> unpacked({"names": '["Ann"]'}, {"properties": {"names": {"type": "array"}}})
    {'names': ['Ann']}
    """
    if definitions is None:
        definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    shapes = _shapes(schema, definitions)
    if isinstance(value, str):
        wanted = {_CLASSES.get(kind) for shape in shapes for kind in _kinds(shape)}
        inner = parsed_json(strip_fences(value)) if str not in wanted else value
        if not isinstance(inner, (list, dict)) or type(inner) not in wanted:
            return value
        value = inner
    if isinstance(value, list):
        items = next((shape["items"] for shape in shapes if "items" in shape), None)
        return [unpacked(one, items, definitions) for one in value]
    if not isinstance(value, dict):
        return value
    known: dict[str, Any] = {}
    for shape in shapes:
        known |= shape.get("properties") or {}
    other = next((shape["additionalProperties"] for shape in shapes if "additionalProperties" in shape), None)
    return {key: unpacked(one, known.get(key, other), definitions) for key, one in value.items()}


def _shapes(schema: Any, definitions: Mapping[str, Any], seen: frozenset[str] = frozenset()) -> list[Mapping[str, Any]]:
    """The schemas that a value of this one may fit, each with a type of its own. `seen`: references that led here."""
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        if schema["$ref"] in seen:
            return []
        seen |= {schema["$ref"]}
        schema = definitions.get(schema["$ref"].rpartition("/")[2])
    if not isinstance(schema, Mapping):
        return []
    options = [one for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key) or ()]
    return [shape for one in options for shape in _shapes(one, definitions, seen)] or [schema]


def _kinds(shape: Mapping[str, Any]) -> list[str]:
    """The types that a schema takes; a text among them where it does not say."""
    kind = shape.get("type")
    if kind is None:
        return ["object"] if "properties" in shape else ["array"] if "items" in shape else ["string"]
    return [kind] if isinstance(kind, str) else list(kind)
