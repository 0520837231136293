"""Text made fit to be shown: on a terminal, in a log, in an error. Pure."""

from __future__ import annotations

import re

_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x2070))
_VISIBLE = _CONTROLS | {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *_BIDI)}
_HALF_PAIR = "[\ud800-\udfff]"


def harmless(text: str, *, one_line: bool = False) -> str:
    r"""`text` with its control characters made visible: a terminal obeys none of them.

    Concerned are C0 but tab and newline (shown as control pictures), DEL, C1 and the characters that reorder text
    (shown as `\u` escapes, which leave JSON what it is). Half a surrogate pair becomes U+FFFD. `one_line`: every run
    of white space becomes one space, so that no text begins a line of its own.

    >>> harmless("a\x1b[31m\x9b1m \u202eb\r\n"), harmless("one\ntwo\x85", one_line=True)
    ('a␛[31m\\u009b1m \\u202eb\n', 'one two')
    """
    if one_line:
        text = " ".join(text.split())
    if text.isprintable():
        return text
    return re.sub(_HALF_PAIR, "\ufffd", text.replace("\r\n", "\n").translate(_VISIBLE))


_KEY_LIKE = r"\bsk-[\w-]{4,}|\b(?=\w*[0-9])\w{24,}"


def key_like(text: str) -> list[str]:
    """What looks like a key in a text."""
    return re.findall(_KEY_LIKE, text)


_HOST = r"(?:localhost|[\w-]+(?=[:/])|(?:[\w-]+\.)+(?:[a-z]{2,12}|[0-9]{1,3}))(?::[0-9]+)?(?:/\S*)?"
"""A host without a scheme, with or without port and path: no key looks like that."""


def shown_address(address: str) -> str:
    """The address of a host or a proxy as it may be shown: user, password, query and whatever looks like a key hidden.

    >>> shown_address("http://ada:p@ss/word@127.0.0.1:9"), shown_address("ada:pass@proxy:9"), shown_address("sk-1a2b3c")
    ('http://***@127.0.0.1:9', '***@proxy:9', '***')
    """
    scheme, mark, rest = address.strip().partition("://")
    if not mark:
        scheme, rest = "", scheme
    _, at, rest = rest.rpartition("@")
    if not mark and not at and not re.fullmatch(_HOST, rest):
        return "***"
    rest = re.sub(_KEY_LIKE, "***", re.sub(r"(?s)[?#].*", "?***", rest))
    return f"{re.sub(_KEY_LIKE, '***', scheme)}{mark}{'***@' if at else ''}{rest}"
