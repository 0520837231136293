"""Values that a JSON schema accepts, made from a text, the same ones each time."""

from __future__ import annotations

import itertools
import math
import re
from functools import reduce
from operator import getitem
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
QUOTED = re.compile(r"(?<!\w)'([^'\n]+)'(?!\w)|\"([^\"\n]+)\"|“([^”]+)”|「([^」]+)」|《([^》]+)》")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
FORMATS = {
    "date-time": "2025-07-03T08:00:00Z",
    "date": "2025-07-03",
    "email": "reader@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
DEEPEST = 3  # levels that may hold optional things: a schema may contain itself


def quoted(text: str) -> list[str]:
    """The parts of a text that stand in quotation marks, Chinese ones too."""
    return ["".join(groups) for groups in QUOTED.findall(text)]


def sample(schema: Json, text: str) -> Any:
    """A value for the schema; the numbers and the quoted parts of the text are used in their order."""
    return _Sampler(schema, text).value(schema, 0)


class _Sampler:
    def __init__(self, root: Json, text: str) -> None:
        self._root = root
        self._text = text.strip()
        self._numbers = itertools.cycle(NUMBER.findall(text) or ["1"])
        self._quoted = iter(quoted(text))

    def value(self, schema: object, depth: int) -> Any:
        schema = self._resolve(schema) if isinstance(schema, dict) else {}
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            named = [value for value in schema["enum"] if str(value).lower() in self._text.lower()]
            return (named or schema["enum"])[0]
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kinds = [{**schema, "type": one} for one in kind] if isinstance(kind, list) else []
        if branches := schema.get("anyOf") or schema.get("oneOf") or kinds:
            return self.value(_branch(branches, depth), depth)
        if kind in ("object", "array"):
            return self._object(schema, depth) if kind == "object" else self._array(schema, depth)
        if kind in ("integer", "number"):
            return self._number(schema)
        return self._string(schema) if kind == "string" else {"boolean": True}.get(kind)

    def _resolve(self, schema: Json) -> Json:
        """Without `$ref` and `allOf` at its top: what they stand for is merged in."""
        while "$ref" in schema or "allOf" in schema:
            rest = dict(schema)
            parts = rest.pop("allOf", [])
            if reference := rest.pop("$ref", ""):
                parts = [*parts, reduce(getitem, filter(None, reference.lstrip("#").split("/")), self._root)]
            parts = [*parts, rest]
            properties = {name: one for part in parts for name, one in part.get("properties", {}).items()}
            schema = {key: value for part in parts for key, value in part.items()}
            schema |= {"properties": properties} if properties else {}
        return schema

    def _object(self, schema: Json, depth: int) -> Json:
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        if not properties and isinstance(extra, dict):
            return {"key": self.value(extra, depth + 1)}
        wanted = schema.get("required", []) if depth > DEEPEST else properties
        return {name: self.value(properties.get(name), depth + 1) for name in wanted}

    def _array(self, schema: Json, depth: int) -> list[Any]:
        places = schema.get("prefixItems", [])
        fewest = schema.get("minItems", 0 if places or depth > DEEPEST else 1)
        return [self.value(item, depth + 1) for item in places or [schema.get("items")] * fewest]

    def _string(self, schema: Json) -> str:
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        value: str = next(self._quoted, self._text or "text")[: schema.get("maxLength", 200)]
        return value.ljust(schema.get("minLength", 0), ".")

    def _number(self, schema: Json) -> float:
        step = 1 if schema["type"] == "integer" else 0.5
        lowest = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf) + step)
        highest = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - step)
        value = max(lowest, min(highest, float(next(self._numbers))))
        return int(value) if step == 1 else value


def _branch(branches: list[Json], depth: int) -> Json:
    """The first branch that is not null, until the depth says that it is enough."""
    nulls = [branch for branch in branches if branch.get("type") == "null"]
    others = [branch for branch in branches if branch not in nulls]
    return nulls[0] if nulls and (depth > DEEPEST or not others) else others[0]
