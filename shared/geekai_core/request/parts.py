"""Content parts: media by location. Pure."""

from __future__ import annotations

import re

from geekai_core.errors import ConfigurationError

_ADDRESS = r"(?i)(?!file:)[a-z][a-z0-9+.-]+://|data:"


def media_url(url: str, instead: str) -> str:
    """`url` as it is; a file's path, which the server cannot read, is a `ConfigurationError` that tells what to do.

    >>> media_url("https://a.example/cat.png", "…")
    'https://a.example/cat.png'
    """
    if re.match(_ADDRESS, url) or ("." not in url and not url.startswith("file:")):  # bare base64 has no dot
        return url
    raise ConfigurationError(f"{url!r} is a path on this machine, which the server cannot read: {instead}")
