"""Values that a JSON schema accepts, made from a text, the same ones each time."""

from __future__ import annotations

import itertools
import math
import re
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

    def value(self, schema: Any, depth: int) -> Any:
        schema = self._resolve(schema) if isinstance(schema, dict) else {}
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            values = schema["enum"]
            return next((value for value in values if str(value).lower() in self._text.lower()), values[0])
        if branches := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(_branch(branches, depth), depth)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            return self.value(_branch([{**schema, "type": one} for one in kind], depth), depth)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return self._string(schema)
        return self._number(schema) if kind in ("integer", "number") else (True if kind == "boolean" else None)

    def _resolve(self, schema: Json) -> Json:
        """Without `$ref` and `allOf` at its top: what they stand for is merged in."""
        while "$ref" in schema or "allOf" in schema:
            rest = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
            parts = [*schema.get("allOf", []), *([self._find(schema["$ref"])] if "$ref" in schema else [])]
            properties = {name: one for part in [*parts, rest] for name, one in part.get("properties", {}).items()}
            schema = {key: value for part in [*parts, rest] for key, value in part.items()}
            schema |= {"properties": properties} if properties else {}
        return schema

    def _find(self, reference: str) -> Json:
        found = self._root
        for key in filter(None, reference.lstrip("#").split("/")):
            found = found[key]
        return found

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
        whole = schema["type"] == "integer"
        value = float(next(self._numbers))
        step = 1 if whole else 0.5
        lowest = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf) + step)
        highest = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - step)
        value = max(lowest, min(highest, value))
        return int(value) if whole else value


def _branch(branches: list[Json], depth: int) -> Json:
    """The first branch that is not null, until the depth says that it is enough."""
    nulls = [branch for branch in branches if branch.get("type") == "null"]
    others = [branch for branch in branches if branch not in nulls]
    return nulls[0] if nulls and (depth > DEEPEST or not others) else others[0]
