"""Wire models that no side field breaks: what has another type than was promised reads as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from geekai_core.locks import lock_across_forks

_building = lock_across_forks()


class WireModel(BaseModel):
    """A part of an answer: unknown fields are kept, reachable as attributes and in `model_extra`."""

    # Built when first needed, together with their parts: in a sixth of the time that each by itself takes at import.
    model_config = ConfigDict(extra="allow", protected_namespaces=(), defer_build=True)

    @classmethod
    def model_rebuild(cls, **settings: Any) -> bool | None:
        """pydantic's own, which two threads may call at once from 2.14 on."""
        with _building:
            built = cls.__pydantic_complete__ and not settings.get("force")
            return None if built else super().model_rebuild(**settings)

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """`body` as this model. What has another type than was promised reads as absent: it costs no answer.

        Validated once, and once more for each round of such values. Raises `ValidationError` where nothing is left to
        leave out.
        """
        for _ in range(_MOST_ROUNDS):
            try:
                return cls.model_validate(body)
            except ValidationError as exc:
                places = [(error["loc"], error["type"]) for error in exc.errors(include_url=False, include_input=False)]
                body = _without(body, places)
        return cls.model_validate(body)


_MOST_ROUNDS = 8
_NO_ITEM = frozenset({"model_type", "model_attributes_type", "dict_type"})


def _without(body: Mapping[str, Any], places: list[tuple[tuple[int | str, ...], str]]) -> dict[str, Any]:
    """A copy of a body without the values at these places of a validation's errors.

    Of a list of objects, an item that is none goes; a list of anything else goes as a whole.
    """
    copies: dict[int, Any] = {}
    owners: list[tuple[Any, Any]] = []

    def copied(value: Any) -> Any:
        return copies.setdefault(id(value), [*value] if isinstance(value, list) else {**value})

    top: dict[str, Any] = copied(body)
    copies[id(top)] = top
    for loc, kind in places:
        holder: Any = top
        owner: tuple[Any, Any] = (top, loc[0])
        for step in loc:
            if not _holds(holder, step):
                break
            if isinstance(holder, dict) or kind in _NO_ITEM:
                owner = (holder, step)
            value = holder[step]
            if isinstance(value, (list, dict)):
                value = holder[step] = copied(value)
                copies[id(value)] = value
            holder = value
        owners.append(owner)
    for holder, step in owners:  # only now: a value that fits none of several types is named once for each
        if isinstance(holder, dict):
            holder.pop(step, None)
    dropped = {(id(items), place): items for items, place in owners if isinstance(items, list)}
    for (_, place), items in sorted(dropped.items(), key=lambda one: -one[0][1]):
        if place < len(items):
            del items[place]
    return top


def _holds(holder: Any, step: int | str) -> bool:
    return step in holder if isinstance(holder, dict) else isinstance(holder, list) and isinstance(step, int)
