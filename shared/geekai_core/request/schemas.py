"""JSON schemas in the one form in which tools and wanted objects go out. Pure.

Definitions stand in place, for many servers know no `$ref`; one that contains itself stays a definition. The titles
that pydantic makes of the fields' names are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

Schema = dict[str, Any]

_DEFINITIONS = ("$defs", "definitions")
_NAMED = ("properties", "patternProperties", "dependentSchemas", *_DEFINITIONS)
"""Keywords that hold schemas by names of the user's own."""
_VALUES = ("default", "const", "enum", "examples")
"""Keywords that hold values, which may look like schemas."""
_TYPED = {"type", "anyOf", "oneOf", "allOf", "enum", "const", "$ref"}
"""Keywords of which one says what a value is."""

_known: WeakKeyDictionary[type, Schema] = WeakKeyDictionary()


def schema_of(form: Any) -> Schema:
    """The schema of a pydantic class, v2 or v1, as it goes out. It is made once, and not to be changed.

    pydantic takes 0.3 ms for one, and agents need those of all their tools at each step.
    """
    if form not in _known:
        _known[form] = plain_schema((getattr(form, "model_json_schema", None) or form.schema)())
    return _known[form]


def tool_parameters(form: Any, strict: bool | None = None) -> Schema:
    """The parameters of a tool, of a pydantic class or a schema; `strict` closes them."""
    shape = plain_schema(form) if isinstance(form, dict) else schema_of(form)
    shape = {key: value for key, value in shape.items() if key != "description"}  # the tool has one
    return closed(shape) if strict else shape


def plain_schema(schema: Schema) -> Schema:
    """A schema with its definitions in place and without titles; a new one.

    >>> plain_schema({"$ref": "#/$defs/A", "title": "T", "$defs": {"A": {"title": "A", "type": "string"}}})
    {'type': 'string'}
    """
    shapes = {f"#/{at}/{name}": inner for at in _DEFINITIONS for name, inner in (schema.get(at) or {}).items()}
    reached = {ref: _references(inner) for ref, inner in shapes.items()}
    for _ in shapes:
        reached = {ref: found.union(*(reached.get(one, ()) for one in found)) for ref, found in reached.items()}
    pointed = _references(schema).union(*reached.values())
    kept = {ref for ref in shapes if ref in reached[ref] or any(one.startswith(f"{ref}/") for one in pointed)}

    def in_place(inner: Schema) -> Schema:
        ref = inner.get("$ref")
        plain = _changed(inner, in_place, without=("title", "discriminator", "$ref", *_DEFINITIONS))
        if ref in shapes and (ref not in kept or inner is schema):
            return {**in_place(shapes[ref]), **plain}
        if ref is None or not plain:
            return plain if ref is None else {"$ref": ref}
        return {"anyOf": [{"$ref": ref}], **plain}  # strict servers take nothing beside a `$ref`

    made = in_place(schema)
    for ref in sorted(kept):
        _, at, name = ref.split("/", 2)
        made.setdefault(at, {})[name] = in_place(shapes[ref])
    return made


def closed(schema: Schema) -> Schema:
    """A copy of a schema as strict servers demand it: all objects closed, all their fields required, no defaults."""
    copy = _changed(schema, closed, without=("default",))
    if "oneOf" in copy and "anyOf" not in copy:
        copy["anyOf"] = copy.pop("oneOf")
    if isinstance(copy.get("properties"), dict) and copy.get("type") == "object":
        copy.update(additionalProperties=False, required=list(copy["properties"]))
    return copy


def can_be_closed(schema: Schema) -> bool:
    """Whether `closed` still means the same: an object, in which each object names its fields, each value its type."""
    return schema.get("type") == "object" and all(
        not _TYPED.isdisjoint(inner)
        and "prefixItems" not in inner
        and (inner.get("type") != "object" or ("properties" in inner and not inner.get("additionalProperties")))
        for inner in _each(schema)
    )


def _changed(schema: Schema, change: Callable[[Schema], Any], without: tuple[str, ...] = ()) -> Schema:
    """A copy with `change` made of each schema directly within it, `without` these keywords."""

    def changed(value: Any) -> Any:
        if isinstance(value, list):
            return [changed(one) for one in value]
        return change(value) if isinstance(value, dict) else value

    copy = {key: value for key, value in schema.items() if key not in without}
    for key in copy.keys() - {*_VALUES}:
        value = copy[key]
        named = key in _NAMED and isinstance(value, dict)
        copy[key] = {name: changed(inner) for name, inner in value.items()} if named else changed(value)
    return copy


def _each(schema: Schema) -> Iterator[Schema]:
    """A schema and all those within it."""
    inner: list[Schema] = []
    _changed(schema, inner.append)
    yield schema
    for one in inner:
        yield from _each(one)


def _references(schema: Schema) -> set[str]:
    """The places that a schema refers to, without those within its definitions."""
    own = {key: value for key, value in schema.items() if key not in _DEFINITIONS}
    return {one["$ref"] for one in _each(own) if isinstance(one.get("$ref"), str)}
