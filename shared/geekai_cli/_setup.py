"""What a command needs before it can ask: a host, a key, and for some a model."""

from __future__ import annotations

import os
import sys
from gettext import gettext as _
from typing import Any
from urllib.parse import urlsplit

from geekai_core import MAINLAND, Client, ConfigurationError
from geekai_core.config import HOSTS, checked_url, is_here
from geekai_core.harmless import shown_address

_EXPORT = ':\n    $env:{} = "{}"' if sys.platform == "win32" else ":\n    export {}={}"
NO_KEY = _(
    "no GeekAI key: set GEEKAI_API_KEY, to a key of your account at https://geekai.co or https://geekai.dev"
    " (a server on this machine needs none)"
)


def host_of(base_url: str | None) -> str:
    """The base URL given, else `GEEKAI_BASE_URL`, else GeekAI's mainland host. Raises `ConfigurationError`."""
    return checked_url(base_url or os.environ.get("GEEKAI_BASE_URL") or MAINLAND)


def missing_key(url: str) -> str | None:
    """What to do about a key that is needed and not set; None where all is well."""
    if is_here(url) or os.environ.get("GEEKAI_API_KEY", "").strip():
        return None
    another = _("no key for {}: set GEEKAI_API_KEY").format(shown_address(url))
    words = NO_KEY if urlsplit(url).hostname in HOSTS else another
    return words + _EXPORT.format("GEEKAI_API_KEY", "sk-...")


def open_client(base_url: str | None, model: str | None = "", **more: Any) -> Client:
    """A client. Raises `ConfigurationError`, which names key and model together where both are missing.

    `model` is None where one is needed and none was given.
    """
    url = host_of(base_url)
    no_model = _("no model: give --model NAME or set GEEKAI_MODEL ('geekai models' lists them)")
    missing = [missing_key(url), None if model is not None else no_model + _EXPORT.format("GEEKAI_MODEL", "NAME")]
    if any(missing):
        raise ConfigurationError(_("\nand ").join(filter(None, missing)))
    return Client(base_url=url, **more)
