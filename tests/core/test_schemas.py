"""JSON schemas in the form in which they go out."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.v1 import BaseModel as BaseModelV1

from geekai_core.request.schemas import can_be_closed, closed, plain_schema, schema_of

TEXT = {"type": "string"}


class Cat(BaseModel):
    kind: Literal["cat"]
    properties: str
    title: str = "Cat"


class Dog(BaseModel):
    kind: Literal["dog"]


class Owner(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")


class Left(BaseModel):
    right: Right | None = None


class Right(BaseModel):
    left: list[Left]
    cat: Cat = Field(description="Its cat.")


class Old(BaseModelV1):
    name: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Pair(BaseModel):
    of: tuple[int, str]


CAT = {
    "type": "object",
    "properties": {
        "kind": {"const": "cat", "type": "string"},
        "properties": TEXT,
        "title": {**TEXT, "default": "Cat"},
    },
    "required": ["kind", "properties"],
}
DOG = {"type": "object", "properties": {"kind": {"const": "dog", "type": "string"}}, "required": ["kind"]}


def test_definitions_stand_in_place_and_no_title_but_a_field_of_that_name_is_left() -> None:
    pet = {"oneOf": [CAT, DOG]}
    assert schema_of(Owner) == {"type": "object", "properties": {"pet": pet}, "required": ["pet"]}
    assert schema_of(Old) == {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}


def test_classes_that_contain_each_other_stay_definitions_and_all_else_stands_in_place() -> None:
    right = {"anyOf": [{"$ref": "#/$defs/Right"}, {"type": "null"}], "default": None}
    left = {"type": "object", "properties": {"right": right}}
    lefts = {"type": "array", "items": {"$ref": "#/$defs/Left"}}
    cat = {**CAT, "description": "Its cat."}
    rights = {"type": "object", "properties": {"left": lefts, "cat": cat}, "required": ["left", "cat"]}
    assert schema_of(Left) == {**left, "$defs": {"Left": left, "Right": rights}}


def test_what_is_said_beside_a_reference_that_stays_is_kept_as_strict_servers_take_it() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/definitions/Node", "description": "The next."}}}
    made = plain_schema({"$ref": "#/definitions/Node", "definitions": {"Node": node}})
    following = {"anyOf": [{"$ref": "#/definitions/Node"}], "description": "The next."}
    assert made["properties"] == made["definitions"]["Node"]["properties"] == {"next": following}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#/properties/b"}, "b": TEXT}},
        {"properties": {"a": {"$ref": "#"}}},
        {"properties": {"a": {"$ref": "#/$defs/A/properties/b"}}, "$defs": {"A": {"properties": {"b": TEXT}}}},
        {"properties": {"a": {"$ref": "#/$defs/gone"}}},
        {"properties": {"a": {"default": {"title": "kept", "$ref": "kept"}}}},
    ],
)
def test_a_reference_to_another_place_and_a_value_stay_as_they_are(schema: dict[str, Any]) -> None:
    assert plain_schema(schema) == schema


def test_a_schema_is_not_changed_but_copied() -> None:
    schema = Owner.model_json_schema()
    plain_schema(schema)
    closed(schema)
    assert schema == Owner.model_json_schema()
    assert closed(schema_of(Owner))["properties"]["pet"]["anyOf"][1]["additionalProperties"] is False
    assert schema_of(Owner)["properties"]["pet"] == {"oneOf": [CAT, DOG]}


def test_a_closed_schema_has_only_what_strict_servers_take() -> None:
    kind, text = CAT["properties"]["kind"], {"properties": TEXT, "title": TEXT}  # type: ignore[index]
    cat = {"type": "object", "properties": {"kind": kind, **text}, "required": ["kind", "properties", "title"]}
    pet = {"anyOf": [{**cat, "additionalProperties": False}, {**DOG, "additionalProperties": False}]}
    wanted = {"type": "object", "properties": {"pet": pet}, "required": ["pet"], "additionalProperties": False}
    assert closed(schema_of(Owner)) == wanted


@pytest.mark.parametrize(
    ("form", "can"),
    [
        (Owner, True),
        (Left, True),
        (Pair, False),
        (Open, False),
        (RootModel[list[int]], False),
        (RootModel[dict[str, int]], False),
        (type("Any", (BaseModel,), {"__annotations__": {"value": Any}, "__module__": __name__}), False),
        (type("Plain", (BaseModel,), {"__annotations__": {"value": dict}, "__module__": __name__}), False),
        (type("Empty", (BaseModel,), {"__module__": __name__}), True),
    ],
)
def test_a_schema_that_would_mean_something_else_when_closed_is_known(form: Any, can: bool) -> None:
    assert can_be_closed(schema_of(form)) is can
