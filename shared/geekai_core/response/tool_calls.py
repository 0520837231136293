"""The tool calls of an answer, in every way that servers cut, number and name them.

Each entry of a whole message is a call of its own. The pieces of a stream are put together by six rules:

(a) They are for streams alone.
(b) A piece without a name opens no call while one is open: it belongs to the call of its id, else of its index, else
    to the one opened last.
(c) A piece with a name, where the call's arguments are whole already, opens a new call.
(d) Once arguments have come, name and id are closed.
(e) A call that never gets a name is none.
(f) A repeated id under the same index is the same call; a new id with a name is a new call.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from geekai_core.response.arguments import GrowingArguments
from geekai_core.response.extras import Extras

_KNOWN = frozenset({"index", "id", "type", "function"})
_ARGUMENTS = ("arguments", "args", "input", "parameters")
"""What the arguments of a call are called: by OpenAI, by LangChain and Gemini, by Anthropic, by some models."""
_NOTHING = frozenset({"null", "None", "undefined"})
"""Names and ids that some servers make of a null."""


def openai_form(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call, or a piece of one, in OpenAI's form, also where it is flat, as Anthropic and others have it. A new dict.

    >>> openai_form({"id": "c1", "name": "weather", "input": {"city": "Lyon"}})
    {'id': 'c1', 'function': {'name': 'weather', 'arguments': {'city': 'Lyon'}}}
    """
    inner = call.get("function")
    kept, function = call, {**inner} if isinstance(inner, Mapping) else None
    if function is None:
        function = {key: call[key] for key in _FLAT if key in call}
        kept = {key: value for key, value in call.items() if key not in _FLAT}
    other = next((key for key in _ARGUMENTS if key in function), "arguments")
    if other != "arguments":
        function["arguments"] = function.pop(other)
    return {**kept, "function": function}


_FLAT = ("name", *_ARGUMENTS)


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

    def join(self, other: ToolCallPiece) -> None:
        """Take in the next piece of the same call."""
        if other is not self:
            self.id = (self.id or "") + (other.id or "") or None
            self.name = (self.name or "") + (other.name or "") or None
            self.arguments += other.arguments

    def __repr__(self) -> str:
        return f"ToolCallPiece(slot={self.slot}, id={self.id!r}, name={self.name!r}, arguments={self.arguments!r})"


class _Call:
    __slots__ = ("arguments", "closed", "early", "extras", "function_extras", "id", "index", "name", "slot", "type")

    def __init__(self, index: Any) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.type = "function"
        self.slot = -1
        self.closed = False
        self.arguments = GrowingArguments()
        self.early: list[str] = []
        self.extras = Extras()
        self.function_extras = Extras()

    @property
    def name_closed(self) -> bool:
        """Whether the name is whole. Some servers send it in pieces, beside empty arguments, of calls with an id."""
        return bool(self.arguments) or (self.closed and not self.id)

    def wire(self) -> dict[str, Any]:
        function = {**self.function_extras.wire(), "name": self.name, "arguments": self.arguments.text}
        return {**self.extras.wire(), "id": self.id, "type": self.type, "function": function}


class ToolCalls:
    """The calls of one choice."""

    __slots__ = ("_by_key", "_last", "_mixed", "_named", "_shared", "_unfinished")

    def __init__(self) -> None:
        self._named: list[_Call] = []
        self._last: _Call | None = None
        self._by_key: dict[Any, _Call] = {}
        self._shared: set[Any] = set()
        self._unfinished: set[_Call] = set()
        self._mixed = False

    def __bool__(self) -> bool:
        return bool(self._named)

    def feed(self, pieces: Any, *, whole: bool = False) -> list[ToolCallPiece]:
        """The pieces of a delta's `tool_calls`, or the entries of a `whole` message's; what is none is passed over."""
        found: dict[int, ToolCallPiece] = {}
        for given in _entries(pieces):
            piece = self._feed_one(given, whole)
            if piece is not None:
                found.setdefault(piece.slot, piece).join(piece)
        return list(found.values())

    def finish(self, finish_reason: str | None, beside: Iterable[ToolCallPiece] = ()) -> list[ToolCallPiece]:
        """What is left to say at the end: arguments held back, and an id for each call without one of its own.

        `beside`: pieces of the same delta, to which it is added.
        """
        pieces = list(beside)
        last = {piece.slot: piece for piece in pieces}
        if self._unfinished and any(call.arguments.surplus for call in self._named):
            self._mixed = True
        for call in self._named:
            left = call.arguments.end(finish_reason, mixed=self._mixed)
            made = "" if call.id else f"call_{uuid.uuid4().hex[:24]}"
            call.id = call.id or made
            if left or made:
                piece = last.get(call.slot)
                if piece is None:
                    piece = ToolCallPiece(call.slot, None, None, "")
                    pieces.append(piece)
                piece.arguments += left
                piece.id = piece.id or made or None
        return pieces

    def wire(self) -> list[dict[str, Any]]:
        """The whole calls, in wire form."""
        return [call.wire() for call in self._named]

    def _feed_one(self, piece: Mapping[str, Any], whole: bool) -> ToolCallPiece | None:
        piece = openai_form(piece)
        function = piece["function"]
        index, call_id, name = piece.get("index"), _text(piece.get("id")), _text(function.get("name"))
        arguments = _arguments_text(function.get("arguments"))
        keys = _keys(index, call_id)
        call = None if whole else self._owner(keys, index, call_id, name, arguments)
        if call is None:
            call = self._open(index, keys)
        if piece.get("type"):
            call.type = _text(piece["type"]) or call.type
        call.extras.add_all(piece, _KNOWN)
        call.function_extras.add_all(function, ("name", "arguments"))
        new_id = "" if call.id and (call.closed or arguments) and not name else self._new_id(call, index, call_id)
        new_name = "" if call.name and call.name_closed else _new_part(call.name, name)
        call.name += new_name
        call.closed = call.closed or function.get("arguments") is not None
        added = self._piece(call, new_id, new_name, arguments)
        if call.arguments.complete:
            self._unfinished.discard(call)
        return added

    def _open(self, index: Any, keys: list[Any]) -> _Call:
        call = self._last = _Call(index)
        self._shared.update(key for key in keys if self._by_key.get(key) in self._unfinished)
        self._by_key.update(dict.fromkeys(keys, call))
        self._unfinished.add(call)
        return call

    def _owner(self, keys: list[Any], index: Any, call_id: str, name: str, arguments: str) -> _Call | None:
        """The call that a piece of a stream belongs to; None where it opens one."""
        if self._last is None:
            return None
        key = next((key for key in keys if key in self._by_key), None)
        call = self._last if key is None else self._by_key[key]
        if name and key is None and index is not None and call.name:
            return None
        if name and _opens(call, index, call_id, name, arguments):
            return None
        guessed = bool(arguments) and (key is None or key in self._shared) and not self._unfinished <= {call}
        strange = bool(name and call.name_closed) and name != call.name
        self._mixed = self._mixed or guessed or strange
        return call

    def _piece(self, call: _Call, new_id: str, new_name: str, arguments: str) -> ToolCallPiece | None:
        """What a piece adds to a call; nothing before its name has come, and then everything."""
        if not call.name:
            call.early.append(arguments)
            return None
        if call.slot < 0:
            call.slot = len(self._named)
            self._named.append(call)
            new_id = call.id
        parts, call.early = [*call.early, arguments], []
        added = "".join(call.arguments.add(part) for part in parts if part)
        if not (new_id or new_name or added):
            return None
        return ToolCallPiece(call.slot, new_id or None, new_name or None, added)

    def _new_id(self, call: _Call, index: Any, call_id: str) -> str:
        """What a piece adds to a call's id. An id that another call has already is none of its own."""
        new = _new_part(call.id, call_id)
        if not new or (call.id and call.closed):
            return ""
        if not call.id and ("own id", call_id) in self._by_key:
            return ""
        call.id += new
        self._by_key.update(dict.fromkeys([*_keys(index, call.id), ("own id", call.id)], call))
        return new


def _keys(index: Any, call_id: str) -> list[Any]:
    """By what the call of a piece is found, the surest first."""
    index = index if isinstance(index, (int, str)) else None
    by_id = [("index and id", index, call_id), ("id", call_id)] if call_id else []
    return by_id if index is None else [*by_id, ("index", index)]


def _opens(call: _Call, index: Any, call_id: str, name: str, arguments: str) -> bool:
    """Whether a piece with a name that leads to a known call opens another one."""
    same_id = bool(call_id) and call_id == call.id
    if same_id and index == call.index:
        return False
    if call.arguments.complete:
        return True
    if same_id or not call.name:
        return same_id and name != call.name
    grows = not call.name_closed and name.startswith(call.name)
    if call_id and call.id:
        goes_on = name == call.name and call.arguments and arguments.lstrip()[:1] not in ("", "{")
        return not (goes_on or (grows and call_id.startswith(call.id)))
    return (
        not call.arguments and name != call.name and (call.name_closed or (not grows and arguments.lstrip()[:1] == "{"))
    )


def _new_part(known: str, given: str) -> str:
    """The part of `given` that is not `known` yet: all of a first or next piece, nothing of a repetition."""
    return "" if given == known else given.removeprefix(known)


def _text(value: Any) -> str:
    """A name or an id, which some servers send as a number, with blanks around it, or as a word for nothing."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = str(value).strip()
    return "" if text in _NOTHING else text


def _entries(given: Any) -> Iterator[Mapping[str, Any]]:
    """The pieces of calls in whatever lists they stand."""
    if isinstance(given, Mapping):
        yield given
    elif isinstance(given, list):
        for one in given:
            yield from _entries(one)


def _arguments_text(given: Any) -> str:
    """Arguments as JSON text; some servers send the object itself."""
    if given is None or isinstance(given, str):
        return given or ""
    return json.dumps(given, ensure_ascii=False)
