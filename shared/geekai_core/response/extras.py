"""Fields that nobody promised: kept, and put together where they come in pieces. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from itertools import chain
from typing import Any


class Extras:
    """The unknown fields of something that comes in pieces. Nothing is put together before the end: linear."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: dict[str, list[Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def __contains__(self, key: str) -> bool:
        return key in self._pieces

    def add(self, key: str, value: Any) -> None:
        """Take in the next piece of a field."""
        self._pieces.setdefault(key, []).append(value)

    def add_all(self, fields: Mapping[str, Any], known: Container[str]) -> None:
        """Take in every field of a mapping but the `known` ones and nulls."""
        for key, value in fields.items():
            if key not in known and value is not None:
                self.add(key, value)

    def wire(self) -> dict[str, Any]:
        """The whole fields."""
        return {key: joined(pieces) for key, pieces in self._pieces.items()}


def joined(pieces: list[Any]) -> Any:
    """The pieces of a field as one value: texts, lists and objects grow; of anything else, the last one counts.

    A text that every piece repeats stands there once.

    >>> (
    ...     joined(["so ", "be it"]),
    ...     joined(["x", "x"]),
    ...     joined([[1], [2]]),
    ...     joined([{"a": "b"}, {"a": "c"}]),
    ...     joined([1, 2]),
    ... )
    ('so be it', 'x', [1, 2], {'a': 'bc'}, 2)
    """
    if len(pieces) == 1:
        return pieces[0]
    pieces = [piece for piece in pieces if piece is not None] or [None]
    first = pieces[0]
    if isinstance(first, str) and all(isinstance(piece, str) for piece in pieces):
        return first if all(piece == first for piece in pieces) else "".join(pieces)
    if isinstance(first, list) and all(isinstance(piece, list) for piece in pieces):
        return list(chain.from_iterable(pieces))
    if isinstance(first, Mapping) and all(isinstance(piece, Mapping) for piece in pieces):
        grown = Extras()
        for piece in pieces:
            grown.add_all(piece, ())
        return grown.wire()
    return pieces[-1]
