"""Compressed bodies, unpacked in pieces: some kilobytes may hold gigabytes, which nobody must have at once."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

PIECE = 2**16
"""The largest piece, in bytes."""

_GZIP_BEGINS = b"\x1f\x8b"


class DecodingError(Exception):
    """A body that is not compressed as its header says, or by a coding that was not offered."""


def unpacked(coding: str, body: Iterator[bytes]) -> Iterator[bytes]:
    """A body without its compression. Raises `DecodingError`."""
    decoder = Decoder(coding)
    for data in body:
        yield from decoder.feed(data)


async def async_unpacked(coding: str, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`unpacked`, awaiting."""
    decoder = Decoder(coding)
    async for data in body:
        for piece in decoder.feed(data):
            yield piece


class Decoder:
    """Unpacks one body. `coding` is its `content-encoding`; raises `DecodingError` for one that was not offered."""

    def __init__(self, coding: str) -> None:
        self._coding = coding.strip().lower().removeprefix("x-")
        if self._coding not in ("gzip", "deflate", "identity", ""):
            raise DecodingError(f"{coding[:40]!r} was not offered")
        self._first = b""
        self._inflate: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bytes that `data` unpacks to, each piece made when it is taken."""
        if self._coding in ("identity", ""):
            yield data
            return
        if self._inflate is None:
            self._first = data = self._first + data
            if len(data) < 2:
                return
            self._inflate = zlib.decompressobj(self._window(data))
        while data:
            try:
                piece = self._inflate.decompress(data, PIECE)
            except zlib.error as exc:
                raise DecodingError(str(exc)) from None
            data = self._inflate.unconsumed_tail
            if self._inflate.eof:
                data = self._inflate.unused_data
                if self._coding == "gzip" and data.startswith(_GZIP_BEGINS):
                    self._inflate = zlib.decompressobj(self._window(data))
                else:
                    data = b""  # padding, as some servers send
            if piece:
                yield piece

    def _window(self, first: bytes) -> int:
        """zlib's `wbits`. Some servers' deflate lacks the header that it should have."""
        if self._coding == "gzip":
            return zlib.MAX_WBITS | 16
        has_header = first[0] & 15 == 8 and int.from_bytes(first[:2], "big") % 31 == 0
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
