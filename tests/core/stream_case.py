"""One stream and the answer that it must add up to, and how to look at that answer."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from geekai_testing.replies import Json, delta

STOP = delta(finish_reason="stop")


@dataclass
class Case:
    """Payloads, then what the answer's first message (or the answer itself, under `top`) must hold."""

    name: str
    payloads: list[Json | str]
    message: Json
    top: Json = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def found(data: Any, path: str) -> Any:
    """The value at a dotted path."""
    for step in path.split("."):
        data = data[int(step)] if isinstance(data, list) else data.get(step)
    return data


def check(case: Case, answer: Any) -> None:
    """The answer object holds what the case says."""
    whole = answer.model_dump()
    for path, value in case.message.items():
        assert strip_none(found(whole["choices"][0]["message"], path)) == strip_none(value), path
    for path, value in case.top.items():
        assert strip_none(found(whole, path)) == strip_none(value), path


def strip_none(value: Any) -> Any:
    """Without fields that are null, which models add."""
    if isinstance(value, dict):
        return {key: strip_none(item) for key, item in value.items() if item is not None}
    return [strip_none(item) for item in value] if isinstance(value, list) else value
