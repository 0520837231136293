"""Speech in pieces to one whole."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

_PADDED = re.compile("[^=]*=+|[^=]+")


class AudioPieces:
    """Audio deltas to one `audio` object.

    Base64 does not concatenate blindly: a piece may end with its own padding, or be cut anywhere.
    """

    __slots__ = ("_data", "_fields", "_transcript")

    def __init__(self) -> None:
        self._data: list[str] = []
        self._transcript: list[str] = []
        self._fields: dict[str, Any] = {}

    def feed(self, piece: Mapping[str, Any]) -> None:
        """One delta's `audio`."""
        for key, value in piece.items():
            if value is None:
                continue
            if key == "data" and isinstance(value, str):
                self._data.append(value)
            elif key == "transcript" and isinstance(value, str):
                self._transcript.append(value)
            else:
                self._fields[key] = value

    def wire(self) -> dict[str, Any]:
        """The whole, in wire form."""
        audio = dict(self._fields)
        if self._data:
            audio["data"] = _joined("".join(self._data))
        if self._transcript:
            audio["transcript"] = "".join(self._transcript)
        return audio


def _joined(data: str) -> str:
    """Base64 with padding at its end only; what is no base64 stays as it came.

    >>> _joined("QQ==Qg==QUJD"), _joined("QQ=Q")
    ('QUJBQkM=', 'QQ=Q')
    """
    try:
        whole = b"".join(base64.b64decode(group, validate=True) for group in _PADDED.findall(data))
    except ValueError:
        return data
    return base64.b64encode(whole).decode()
