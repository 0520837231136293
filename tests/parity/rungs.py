"""Structured output in the tables: the class that is asked for, and how each way of asking for it looks on the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from tests.parity.form import Check, Json


class Person(BaseModel):
    """A person."""

    name: str
    age: int


ANN = '{"name": "Ann", "age": 3}'
ANN_VALUE = {"name": "Ann", "age": 3}
UNFIT = '{"name": "Ann", "age": "three"}'
KEYS = {"name", "age"}


def _way(what: str, test: Callable[[Json], bool]) -> Check:
    def holds(body: Json) -> bool:
        try:
            return test(body)
        except (KeyError, TypeError, IndexError, AttributeError):
            return False

    return Check(f"a request for a Person by {what}", holds)


def _schema(shape: Json) -> bool:
    return {*shape["properties"]} == KEYS


def _fields(body: Json) -> set[str]:
    return {*body} & {"response_format", "json_mode", "tools", "tool_choice"}


def _is_tool(body: Json) -> bool:
    function = body["tools"][-1]["function"]
    return _schema(function["parameters"]) and function["name"] == "Person"


BY_SCHEMA = _way(
    "json_schema",
    lambda body: _fields(body) == {"response_format"} and _schema(body["response_format"]["json_schema"]["schema"]),
)
BY_TOOL = _way(
    "a forced tool",
    lambda body: (
        _fields(body) == {"tools", "tool_choice"}
        and _is_tool(body)
        and body["tool_choice"] == {"type": "function", "function": {"name": "Person"}}
    ),
)
BY_OFFERED_TOOL = _way(
    "an offered tool",
    lambda body: _fields(body) == {"tools", "tool_choice"} and _is_tool(body) and body["tool_choice"] == "auto",
)


def _in_words(body: Json) -> bool:
    told = str(body["messages"])
    return "JSON" in told and all(key in told for key in KEYS)


BY_JSON_MODE = _way(
    "JSON mode",
    lambda body: (
        _fields(body) == {"response_format", "json_mode"}
        and body["response_format"] == {"type": "json_object"}
        and _in_words(body)
    ),
)
BY_JSON_FORMAT = _way(
    "JSON mode without the field json_mode",
    lambda body: (
        _fields(body) == {"response_format"} and body["response_format"] == {"type": "json_object"} and _in_words(body)
    ),
)
BY_WORDS = _way("words alone", lambda body: not _fields(body) and _in_words(body))


def once_more(way: Check) -> Check:
    """The same way again, with the answer that did not fit and what is wrong with it."""
    return _way(
        f"{way.what}, once more",
        lambda body: (
            way == body and body["messages"][-1]["role"] == "user" and "does not fit" in body["messages"][-1]["content"]
        ),
    )


def beside(way: Check, **fields: Any) -> Check:
    """That way, with these fields in the body beside it."""
    return _way(f"{way.what}, beside {fields}", lambda body: way == body and fields.items() <= body.items())
