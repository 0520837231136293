"""Pieces of streamed tool calls to whole calls, in every way that servers cut and number them.

Seen in the wild: pieces with an index, without one, all with index 0 and a new id for each call, several calls in one
delta, id or name repeated with each piece or sent in pieces, arguments null, empty, or an object instead of a string.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any


class ToolCallPiece:
    """What one delta adds to one call.

    `slot`: the call's position in the answer. `id` and `name` are given once, with the delta that first brings them;
    where a server sends them in pieces, each piece is given once. `arguments`: the next part of the JSON text.
    """

    __slots__ = ("arguments", "id", "name", "slot")

    def __init__(self, slot: int, id: str | None, name: str | None, arguments: str) -> None:
        self.slot = slot
        self.id = id
        self.name = name
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"ToolCallPiece(slot={self.slot}, id={self.id!r}, name={self.name!r}, arguments={self.arguments!r})"


class _Call:
    __slots__ = ("arguments", "extra", "id", "index", "name", "object_arguments", "type")

    def __init__(self, index: Any) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.type = "function"
        self.arguments: list[str] = []
        self.object_arguments = False
        self.extra: dict[str, Any] = {}


class ToolCalls:
    """The calls of one choice."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def feed(self, pieces: Any) -> list[ToolCallPiece]:
        """The normalised pieces of a delta's `tool_calls`. Raises TypeError for what is none."""
        pieces = pieces if isinstance(pieces, list) else [pieces]
        if not all(isinstance(piece, Mapping) for piece in pieces):
            raise TypeError("a tool call is no object")
        found = [self._feed_one(piece) for piece in pieces]
        return [piece for piece in found if piece is not None]

    def finish(self) -> list[ToolCallPiece]:
        """Ids for the calls to which the server gave none: both frameworks need one to match the result."""
        pieces = []
        for slot, call in enumerate(self._calls):
            if not call.id:
                call.id = f"call_{uuid.uuid4().hex[:24]}"
                pieces.append(ToolCallPiece(slot, call.id, None, ""))
        return pieces

    def wire(self) -> list[dict[str, Any]]:
        """The whole calls, in wire form."""
        return [
            {
                **call.extra,
                "id": call.id,
                "type": call.type,
                "function": {"name": call.name, "arguments": "".join(call.arguments)},
            }
            for call in self._calls
        ]

    def _feed_one(self, piece: Mapping[str, Any]) -> ToolCallPiece | None:
        function = piece.get("function")
        if not isinstance(function, Mapping):
            function = {}
        call_id, name = piece.get("id") or "", function.get("name") or ""
        slot = self._slot(piece.get("index"), str(call_id), str(name), function.get("arguments"))
        call = self._calls[slot]
        if piece.get("type"):
            call.type = piece["type"]
        for key, value in piece.items():
            if key not in ("index", "id", "type", "function") and value is not None:
                call.extra[key] = value
        new_id = self._new_part(call.id, str(call_id)) if not call.arguments else ""
        new_name = self._new_part(call.name, str(name))
        arguments = self._arguments(call, function.get("arguments"))
        call.id += new_id
        call.name += new_name
        if arguments:
            call.arguments.append(arguments)
        if not (new_id or new_name or arguments):
            return None
        return ToolCallPiece(slot, new_id or None, new_name or None, arguments)

    def _slot(self, index: Any, call_id: str, name: str, arguments: Any) -> int:
        """Which call a piece belongs to; opens a new one where it belongs to none."""
        calls = self._calls
        if index is not None:
            last = next((i for i in range(len(calls) - 1, -1, -1) if calls[i].index == index), None)
        else:
            by_id = next((i for i, call in enumerate(calls) if call_id and call.id == call_id), None)
            last = by_id if by_id is not None else (len(calls) - 1 if calls else None)
        if last is not None and not self._is_new(calls[last], index, call_id, name, arguments):
            return last
        calls.append(_Call(index))
        return len(calls) - 1

    @staticmethod
    def _is_new(call: _Call, index: Any, call_id: str, name: str, arguments: Any) -> bool:
        """Whether a piece under a known index, or without one, begins another call.

        A new id with a name does, unless both only grow. Without an id or an index, a name does once the call has
        arguments, or when it comes with whole ones.
        """
        if call_id and call.id and call_id != call.id and name:
            growing = call_id.startswith(call.id) and name.startswith(call.name)
            return bool(call.arguments) or not growing
        if index is None and not call_id and name and call.name:
            return bool(call.arguments) or isinstance(arguments, Mapping)
        return False

    @staticmethod
    def _new_part(known: str, given: str) -> str:
        """The part of `given` that is not `known` yet: all of a first or next piece, nothing of a repetition."""
        if not given or given == known:
            return ""
        return given[len(known) :] if known and given.startswith(known) else given

    @staticmethod
    def _arguments(call: _Call, given: Any) -> str:
        if given is None or given == "":
            return ""
        if isinstance(given, str):
            return given
        # A whole object, where a string of JSON is the rule; sent again, it says nothing new.
        if call.object_arguments:
            return ""
        call.object_arguments = True
        return json.dumps(given, ensure_ascii=False)
