"""What a client is set up with: an argument, else the environment, else the default; read at construction."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from geekai_core._version import __version__
from geekai_core.errors import ConfigurationError
from geekai_core.harmless import key_like, shown_address
from geekai_core.options import ClientOptions, Timeout
from geekai_core.redaction import Secrets, address_secrets, secret_values, secrets
from geekai_core.request.hints import unknown_field

MAINLAND = "https://geekai.co/api/v1"
"""GeekAI's host for mainland China (documented): the default."""
OVERSEAS = "https://geekai.dev/api/v1"
"""GeekAI's host overseas (documented)."""

HOSTS = frozenset(urlsplit(url).hostname for url in (MAINLAND, OVERSEAS))

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 300.0

NO_NEED = "none-needed"
"""The key that is sent to a server on this machine where none is set."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class Config:
    """The settings of a client. It pickles, with its key: treat a pickle as a secret. Its repr never shows the key.

    Each setting is documented in `ClientOptions`, which the adapters inherit.
    """

    api_key: SecretStr | Callable[[], str]
    base_url: str
    timeout: Timeout
    max_retries: int
    stream_chunk_timeout: float | None
    total_timeout: float | None
    max_response_bytes: int
    default_headers: Mapping[str, str] = field(repr=False)
    default_query: Mapping[str, str] = field(repr=False)
    proxy: str | None = field(repr=False)
    system_key: SecretStr | None
    stream_usage: bool
    split_think: bool
    join_deltas: bool
    known_models: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    """The ids that `/models` listed, once it was asked: an unknown model's error names the nearest."""

    hidden: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)
    """What is secret of the settings beside the key."""

    def __post_init__(self) -> None:
        texts = [text for proxy in (self.proxy, *map(os.environ.get, _PROXIES)) for text in address_secrets(proxy)]
        texts += [*secret_values(self.default_headers), *secret_values(self.default_query)]
        object.__setattr__(self, "hidden", (*texts, *key_like(self.base_url)))

    def key(self) -> SecretStr:
        """The key, asked for anew with each request when it was given as a callable."""
        return self.api_key if isinstance(self.api_key, SecretStr) else checked_key(self.api_key())

    def secrets(self, key: SecretStr, headers: Mapping[str, str], query: Mapping[str, object]) -> Secrets:
        """What nobody may read of a call: `key`, and what is secret of the settings, its headers and its query."""
        return secrets(key.get_secret_value(), *self.hidden, *secret_values(headers), *secret_values(query))

    def account_key(self) -> SecretStr:
        """The key for bills and balances. Raises `ConfigurationError` where none is set."""
        if self.system_key is None:
            raise ConfigurationError(
                "no system key: set GEEKAI_SYSTEM_KEY, or in code pass system_key=…; bills and balances take it"
                " in place of the API key (没有系统密钥：请设置 GEEKAI_SYSTEM_KEY，或在代码中传入 system_key)"
            )
        return self.system_key

    @property
    def is_geekai(self) -> bool:
        """Whether the base URL is one of GeekAI's own hosts, and no other server that speaks its language."""
        host = urlsplit(self.base_url).hostname or ""
        return host.endswith(("geekai.co", "geekai.dev")) and host.split(".")[-2] == "geekai"

    def headers(self, key: SecretStr, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The headers of a request; `extra`: those of this call alone."""
        return {
            "authorization": f"Bearer {key.get_secret_value()}",
            "content-type": "application/json",
            "accept-encoding": "gzip, deflate",  # what can be unpacked in pieces
            "user-agent": f"geekai-python/{__version__}",
            **{name.lower(): value for name, value in self.default_headers.items()},
            **{name.lower(): value for name, value in (extra or {}).items()},
        }

    def reading(self) -> dict[str, bool]:
        """How answers are read: the keywords of the core's `Accumulator`."""
        return {"split_think": self.split_think}

    def timeouts(self) -> dict[str, float | None]:
        """Seconds for each of httpx's four limits."""
        return seconds(self.timeout)


_KNOWN = frozenset(name for name, declared in Config.__dataclass_fields__.items() if declared.init)
_DEFAULTS: dict[str, Any] = {
    **{name: option.default for name, option in ClientOptions.model_fields.items() if name in _KNOWN},
    "default_headers": {},
    "default_query": {},
}


def seconds(timeout: Timeout) -> dict[str, float | None]:
    """Seconds for each of httpx's four limits.

    A number limits reading, and connecting up to ten seconds; a pair is for connecting and for reading; four are
    httpx's own: connecting, reading, writing, and waiting for a connection; else an `httpx.Timeout`. Raises
    `ConfigurationError`.

    >>> seconds((5, 60))
    {'connect': 5, 'read': 60, 'write': 60, 'pool': 60}
    """
    if timeout is None:
        timeout = READ_TIMEOUT
    if isinstance(timeout, (int, float)):
        timeout = (min(timeout, CONNECT_TIMEOUT), timeout)
    if isinstance(timeout, (tuple, list)) and len(timeout) in (2, 4):
        connect, read, write, pool = timeout if len(timeout) == 4 else (*timeout, timeout[1], timeout[1])
        limits = {"connect": connect, "read": read, "write": write, "pool": pool}
    elif callable(as_dict := getattr(timeout, "as_dict", None)):
        limits = as_dict()
    else:
        raise ConfigurationError(f"timeout must be seconds, two or four of them or an httpx.Timeout, not {timeout!r}")
    for limit in limits.values():
        if limit is not None and not (isinstance(limit, (int, float)) and limit > 0):
            raise ConfigurationError(f"timeout must be more than 0 seconds, not {limit!r}")
    return limits


def configure(
    api_key: str | SecretStr | Callable[[], str] | None = None, base_url: str | None = None, **settings: object
) -> Config:
    """A `Config` from arguments, else `GEEKAI_API_KEY`, `GEEKAI_BASE_URL`, `GEEKAI_SYSTEM_KEY`, `GEEKAI_PROXY`, else
    the defaults.

    A setting that is None takes its default, but for `stream_chunk_timeout`. No key is needed for a server on this
    machine, nor with a system key, for bills and balances alone. Raises `ConfigurationError`.
    """
    if api_key is None:
        api_key = os.environ.get("GEEKAI_API_KEY", "").strip()
    if isinstance(api_key, str):
        api_key = SecretStr(api_key)
    url = checked_url(base_url if base_url is not None else os.environ.get("GEEKAI_BASE_URL") or MAINLAND)
    settings["proxy"] = settings.get("proxy") or os.environ.get("GEEKAI_PROXY")
    settings["system_key"] = settings.get("system_key") or os.environ.get("GEEKAI_SYSTEM_KEY")
    if not api_key:
        api_key = SecretStr(NO_NEED) if is_here(url) else no_key if settings["system_key"] else api_key
    key = api_key if callable(api_key) else checked_key(api_key)
    return Config(api_key=key, base_url=url, **_checked({**_DEFAULTS, **settings}))


def no_key() -> str:
    """The API key where there is a system key alone: asking for it raises the error of a missing one."""
    return ""


def with_options(config: Config, headers: Mapping[str, str] | None, settings: Mapping[str, Any]) -> Config:
    """A copy of `config` with other settings; `headers` are added to its own. Raises `ConfigurationError`."""
    kept = {name: getattr(config, name) for name in _KNOWN}
    added = {**config.default_headers, **(settings.get("default_headers") or {}), **(headers or {})}
    changed = _checked({**kept, **settings, "default_headers": added})
    for name in ("api_key", "base_url"):
        if name in settings:
            raise ConfigurationError(f"with_options keeps {name}: make a new client for another one")
    copy = dataclasses.replace(config, **changed)
    copy.known_models[:] = config.known_models
    return copy


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without what is no such thing; raises `ConfigurationError`.

    None is the default, but for `stream_chunk_timeout`, where None and 0 mean: no limit.
    """
    for name in settings.keys() - _KNOWN:
        raise unknown_field(name, sorted(_KNOWN))
    if system_key := settings["system_key"]:
        settings["system_key"] = system_key = checked_key(system_key)
    if not settings["stream_chunk_timeout"]:
        settings["stream_chunk_timeout"] = None
    settings = {
        name: _DEFAULTS.get(name) if value is None and name != "stream_chunk_timeout" else value
        for name, value in settings.items()
    }
    _check_numbers(settings)
    check_headers(settings["default_headers"])
    return settings


def checked_key(key: SecretStr | str | None) -> SecretStr:
    """`key` without the blanks around it; raises `ConfigurationError` when it cannot be one. Never shows it."""
    key = key if isinstance(key, SecretStr) else SecretStr(key or "")  # a traceback may show the variables of a frame
    if problem := _key_problem(key.get_secret_value()):
        raise ConfigurationError(problem)
    is_bare = key.get_secret_value() == key.get_secret_value().strip()
    return key if is_bare else SecretStr(key.get_secret_value().strip())


def _key_problem(key: str) -> str | None:
    """Why a text is no key."""
    if not key.strip():
        return (
            "no GeekAI key: 'export GEEKAI_API_KEY=sk-...' with a key of your account at https://geekai.co or "
            "https://geekai.dev, or in code pass api_key=…; a server on this machine needs none (没有密钥：请设置"
            " GEEKAI_API_KEY 或传入 api_key，密钥来自 geekai.co 或 geekai.dev 的账户；本机的服务不需要密钥)"
        )
    if "\n" in key or "\r" in key:
        return "the GeekAI key holds a line break: give the key alone, without the end of its line"
    key = key.strip()
    if re.fullmatch(r"(sk-)?(\.{2,}|…|\*{2,})|sk-[xX]{3,}|<.*>", key):
        return "the GeekAI key is a placeholder: put your own key in its place"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "the GeekAI key holds characters that no key has (white space within, or not ASCII)"
    return None


@functools.lru_cache(maxsize=64)
def checked_url(url: str) -> str:
    """`url` without a trailing slash; raises `ConfigurationError` when it is no http(s) URL."""
    trimmed = url.strip().rstrip("/")
    try:
        parts = urlsplit(trimmed)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"\s", trimmed):
        raise ConfigurationError(
            f"the base URL {shown_address(url)!r} is no http(s) URL; GeekAI's are {MAINLAND} and {OVERSEAS}"
        )
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigurationError("the base URL must have no user, query or fragment: use default_query for a query")
    return trimmed.removesuffix("/chat/completions")


def is_here(url: str) -> bool:
    """Whether a URL is of this machine.

    >>> is_here("http://127.0.0.1:8421/api/v1"), is_here("http://[::1]/v1"), is_here("https://geekai.co/api/v1")
    (True, True, False)
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return bool(re.fullmatch(r"localhost|.*\.localhost|127(\.\d+){3}|::1", host))


def is_geekai(url: str) -> bool:
    """Whether a URL is of GeekAI, or of its local endpoint: another vendor's host gets no advice about GeekAI's."""
    return urlsplit(url).hostname in HOSTS or (is_here(url) and "/api/v1" in url)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise `ConfigurationError` for a header that holds a control character. Never shows its value."""
    for name, value in headers.items():
        if isinstance(value, str) and re.search(r"[\x00-\x08\x0a-\x1f\x7f]", name + value):
            raise ConfigurationError(f"the header {name!r} holds a line break or another control character")


def _check_numbers(settings: Mapping[str, Any]) -> None:
    for name, least in (("max_retries", 0), ("max_response_bytes", 1)):
        value = settings.get(name, least)
        if not isinstance(value, int) or value < least:
            raise ConfigurationError(f"{name} must be a whole number of at least {least}, not {value!r}")
    for name in ("stream_chunk_timeout", "total_timeout"):
        value = settings.get(name)
        if value is not None and not (isinstance(value, (int, float)) and value > 0):
            raise ConfigurationError(f"{name} must be more than 0 seconds, not {value!r}")
    seconds(settings["timeout"])
