"""Secrets are taken out of texts: the key, and what else of a client's settings nobody may read. Pure."""

from __future__ import annotations

import functools
import re
import traceback
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

_LONG = 10
"""From so many characters on, a secret is no word that a message may hold by chance."""
_ALONE = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))%s(?![A-Za-z0-9])"
"""A short secret by itself, be it behind an escape of JSON; within a longer word it is none."""
_PLAIN_NAME = r"(?i)accept.*|content-type|user-agent|.*version|.*beta|(http-)?referer|x-title|origin|host"
"""Headers and parameters whose values are no secrets."""
_SECRET_NAME = r"(?i)auth|key|token|secret|pass|cookie|sign?\b|signature|cred"
"""Headers and parameters whose values are secrets, however short."""


class Secrets:
    """Texts that nobody may read. `redact` takes them out; the `repr` shows none."""

    __slots__ = ("_long", "_pattern", "_short")

    def __init__(self, texts: tuple[str, ...]) -> None:
        by_length = sorted(filter(None, texts), key=len, reverse=True)  # of two, one may hold the other
        self._long = [text for text in by_length if len(text) >= _LONG]
        self._short = [text for text in by_length if len(text) < _LONG]
        self._pattern: re.Pattern[str] | None = None

    def __repr__(self) -> str:
        return "***"

    def without(self, text: str) -> str:
        """`text` with `***` for each secret, in whatever case, and however its characters are escaped."""
        escaped, lower = "%" in text or "\\" in text or "&#" in text or "+" in text, text.lower()
        if self._long and (escaped or any(secret.lower() in lower for secret in self._long)):
            if self._pattern is None:  # compiling takes some milliseconds, and few answers need it
                self._pattern = re.compile("|".join("".join(map(_ways, secret)) for secret in self._long))
            text = self._pattern.sub("***", text)
        for secret in self._short:
            if secret in text:
                text = re.sub(_ALONE % re.escape(secret), "***", text)
        return text


def _ways(char: str) -> str:
    """A pattern of the ways to write a character: in JSON, in a URL, in HTML, in the `repr` of bytes."""
    utf8, code = char.encode("utf-8", "replace"), ord(char)
    escaped = {"".join(f"%{byte:02x}" for byte in utf8), "".join(f"\\x{byte:02x}" for byte in utf8), f"\\u{code:04x}"}
    escaped |= {re.sub("[a-f]", lambda hit: hit[0].upper(), way) for way in escaped}
    ways = {char.lower(), char.upper(), *escaped, char if char.isalnum() else f"\\{char}", "+" if char == " " else char}
    return rf"(?:{'|'.join(map(re.escape, sorted(ways)))}|&#0*{code};|&#[xX]0*(?i:{code:x});)"


@functools.lru_cache(maxsize=64)
def secrets(*texts: str) -> Secrets:
    """The `Secrets` that these texts are; empty ones are none."""
    return Secrets(texts)


def redact(value: object, secrets: Secrets | None) -> Any:
    """`value`, a text, bytes or parsed JSON, with `***` in place of every secret.

    >>> redact({"message": "bad key: sk-1"}, secrets("sk-1")), redact("Too many tokens", secrets("any"))
    ({'message': 'bad key: ***'}, 'Too many tokens')
    >>> redact("/?key=SK%2D0123456789", secrets("sk-0123456789"))
    '/?key=***'
    """
    if not secrets:
        return value
    if isinstance(value, str):
        return secrets.without(value)
    if isinstance(value, bytes):
        return secrets.without(value.decode("latin-1")).encode("latin-1")
    if isinstance(value, list):
        return [redact(item, secrets) for item in value]
    if isinstance(value, dict):
        return {redact(name, secrets): redact(item, secrets) for name, item in value.items()}
    return value


def secret_values(named: Mapping[str, object]) -> Iterator[str]:
    """What is secret of headers or parameters: all values of some length, and those whose name says so.

    >>> list(secret_values({"Authorization": "Bearer abc-123-def", "api-version": "2026-01-01", "x-team": "blue"}))
    ['Bearer abc-123-def', 'abc-123-def']
    """
    for name, value in named.items():
        secret = re.search(_SECRET_NAME, name)
        for text in map(str, value if isinstance(value, list | tuple) else [value]):
            if secret or (len(text) >= 8 and not re.fullmatch(_PLAIN_NAME, name)):
                yield text
            if secret:
                yield from (part for part in re.split(r"[\s;,=]+", text) if len(part) >= 8 and part != text)


def address_secrets(address: str | None) -> Iterator[str]:
    """User and password of an address, with a scheme or without, as they stand, decoded, and as a header has them."""
    login = (address or "").rpartition("@")[0].rpartition("://")[2]
    for spelled in {login, unquote(login)} - {""}:
        user, _, password = spelled.partition(":")
        yield from (spelled, password, user if len(user) >= 8 else "", b64encode(spelled.encode()).decode())


def clear_traces(error: BaseException) -> None:
    """Forget the variables of an error's finished frames, and what it was raised in place of: all may hold secrets."""
    traceback.clear_frames(error.__traceback__)
    if error.__suppress_context__:
        error.__context__ = None
