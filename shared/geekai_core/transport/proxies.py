"""Which proxy of the environment leads to a host. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_for(url: str, proxies: Mapping[str, str]) -> str | None:
    """The proxy for a URL out of `urllib.request.getproxies()`, or None: no proxy, or excepted by `NO_PROXY`.

    >>> proxy_for("https://[::1]:8000/v1", {"all": "proxy:3128", "no": "10.0.0.0/8,::1"})
    >>> proxy_for("https://api.example/v1", {"all": "proxy:3128", "no": "10.0.0.0/8,::1"})
    'http://proxy:3128'
    """
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    host, port = parts.hostname or "", parts.port
    if not proxy or any(_matches(entry.strip().lower(), host, port) for entry in proxies.get("no", "").split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _matches(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of `NO_PROXY` means this host: a name with all below it, an address, or a network."""
    if entry in ("", "*"):
        return entry == "*"
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    if entry.startswith("[") or entry.count(":") == 1:  # with a port
        entry, _, named = entry.rpartition(":")
        if named != str(port) and not named.endswith("]"):
            return False
    name = entry.strip("[]").removeprefix("*").removeprefix(".")
    return host == name or host.endswith(f".{name}")
