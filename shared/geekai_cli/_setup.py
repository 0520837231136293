"""What a command needs before it can ask: a host, a key, and for some a model."""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import urlsplit

from geekai_core import MAINLAND, Client, ConfigurationError
from geekai_core.config import HOSTS, checked_url, is_here
from geekai_core.harmless import shown_address

_EXPORT = ':\n    $env:{} = "{}"' if sys.platform == "win32" else ":\n    export {}={}"
NO_KEY = "no GeekAI key: set GEEKAI_API_KEY, to a key of your account at https://geekai.co or https://geekai.dev"
NO_MODEL = "no model: give --model NAME or set GEEKAI_MODEL ('geekai models' lists them)"
NO_NEED = "none-needed"
"""The key for a server on this machine, where none is set."""


def host_of(base_url: str | None) -> str:
    """The base URL given, else `GEEKAI_BASE_URL`, else GeekAI's mainland host. Raises `ConfigurationError`."""
    return checked_url(base_url or os.environ.get("GEEKAI_BASE_URL") or MAINLAND)


def key_for(url: str) -> str | None:
    """The key that is set, or one of no meaning for a server on this machine, which needs none."""
    return os.environ.get("GEEKAI_API_KEY", "").strip() or (NO_NEED if is_here(url) else None)


def open_client(base_url: str | None, model: str | None = "", default_key: str | None = None, **more: Any) -> Client:
    """A client. Raises `ConfigurationError`, which names key and model together where both are missing.

    `model` is None where one is needed and none was given. `default_key`: in the place of one that is not set.
    """
    url, missing = host_of(base_url), []
    if not (key := key_for(url) or default_key):
        whose = NO_KEY if urlsplit(url).hostname in HOSTS else f"no key for {shown_address(url)}: set GEEKAI_API_KEY"
        missing.append(whose + _EXPORT.format("GEEKAI_API_KEY", "sk-..."))
    if model is None:
        missing.append(NO_MODEL + _EXPORT.format("GEEKAI_MODEL", "NAME"))
    if missing:
        raise ConfigurationError("\nand ".join(missing))
    return Client(api_key=key, base_url=url, **more)
