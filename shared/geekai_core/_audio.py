"""Speech in pieces to one whole."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any


class AudioPieces:
    """Audio deltas to one `audio` object.

    Base64 does not concatenate blindly: a piece may end with its own padding, or be cut anywhere. Whole groups of four
    characters are decoded as they come, and the whole is encoded anew.
    """

    __slots__ = ("_bytes", "_fields", "_pending", "_transcript", "_unreadable")

    def __init__(self) -> None:
        self._bytes: list[bytes] = []
        self._pending = ""
        self._unreadable: list[str] = []
        self._transcript: list[str] = []
        self._fields: dict[str, Any] = {}

    def feed(self, piece: Mapping[str, Any]) -> None:
        """One delta's `audio`."""
        for key, value in piece.items():
            if value is None:
                continue
            if key == "data" and isinstance(value, str):
                self._data(value)
            elif key == "transcript" and isinstance(value, str):
                self._transcript.append(value)
            else:
                self._fields[key] = value

    def _data(self, text: str) -> None:
        self._unreadable.append(text)
        text = self._pending + text
        whole = len(text) - len(text) % 4
        self._pending = text[whole:]
        # Padding ends a group of its own, wherever it stands.
        for group in _split_at_padding(text[:whole]):
            try:
                self._bytes.append(base64.b64decode(group, validate=True))
            except binascii.Error:
                self._fields["data_is_not_base64"] = True

    def wire(self) -> dict[str, Any]:
        """The whole, in wire form. Data that is no base64 is the pieces as they came, joined."""
        audio = dict(self._fields)
        readable = not self._pending and not audio.pop("data_is_not_base64", False)
        if self._unreadable:
            audio["data"] = base64.b64encode(b"".join(self._bytes)).decode() if readable else "".join(self._unreadable)
        if self._transcript:
            audio["transcript"] = "".join(self._transcript)
        return audio


def _split_at_padding(text: str) -> list[str]:
    """Groups that each end with at most one run of padding.

    >>> _split_at_padding("QQ==Qg==QUJD")
    ['QQ==', 'Qg==', 'QUJD']
    """
    groups, start = [], 0
    while (at := text.find("=", start)) >= 0:
        end = at - at % 4 + 4
        groups.append(text[start:end])
        start = end
    if start < len(text):
        groups.append(text[start:])
    return groups
