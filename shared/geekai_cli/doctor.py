"""`geekai doctor`: what may be wrong, looked at in turn, with advice."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from geekai_cli._screen import Screen, print_json
from geekai_core import MAINLAND, OVERSEAS, Client, ConfigurationError, GeekAIError, __version__
from geekai_core.config import checked_key, checked_url
from geekai_core.errors import APIConnectionError, APITimeoutError
from geekai_core.request.hints import nearest

PACKAGES = ("langchain-core", "llama-index-core", "httpx", "pydantic", "aiohttp", "httpx-aiohttp")
STYLES = {"ok": "green", "note": "yellow", "PROBLEM": "bold red"}
NETWORK = "check the network, the proxy (GEEKAI_PROXY, HTTPS_PROXY) and the host"
PATIENCE = 15.0
"""Seconds that one request may take."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `advice`: what to do about it, where there is something to do."""

    name: str
    status: Literal["ok", "note", "PROBLEM"]
    detail: str
    advice: str = ""


def run(model: str | None, as_json: bool) -> bool:
    """Print the findings; whether all is well."""
    screen, findings = Screen(), []
    for finding in examine(model):
        findings.append(finding)
        if not as_json:
            screen.write(f"{finding.status:<9}", STYLES[finding.status])
            screen.write(f"{finding.name:<10}{finding.detail}\n")
            if finding.advice:
                screen.write(f"{'':<19}{finding.advice}\n")
    problems = sum(finding.status == "PROBLEM" for finding in findings)
    if as_json:
        print_json({"ok": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        screen.write(f"{problems} problem{'s' if problems > 1 else ''}\n" if problems else "all is well\n")
    return not problems


def examine(model: str | None) -> Iterator[Finding]:
    """Everything in turn; requests are made only where key and host can work."""
    yield Finding("versions", "ok", ", ".join(_versions()))
    key, host = _key(), _host()
    yield key
    yield host
    yield _proxies()
    if "PROBLEM" in (key.status, host.status):
        yield Finding("requests", "note", "none made: key and host come first")
    else:
        yield from _requests(model)


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield f"geekai {__version__}"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} not installed"


def _key() -> Finding:
    try:
        key = checked_key(os.environ.get("GEEKAI_API_KEY"))
    except ConfigurationError as error:
        return Finding("key", "PROBLEM", str(error), "geekai.co and geekai.dev have keys of their own")
    return Finding("key", "ok", f"GEEKAI_API_KEY is set: *** ({len(key)} characters)")


def _host() -> Finding:
    given = os.environ.get("GEEKAI_BASE_URL")
    try:
        url = checked_url(given or MAINLAND)
    except ConfigurationError as error:
        return Finding("host", "PROBLEM", str(error), f"set GEEKAI_BASE_URL to {MAINLAND} or {OVERSEAS}, or unset it")
    if url in (MAINLAND, OVERSEAS):
        return Finding("host", "ok", url)
    parts = urlsplit(url)
    if parts.hostname in {urlsplit(known).hostname for known in (MAINLAND, OVERSEAS)}:
        return Finding("host", "PROBLEM", url, f"set GEEKAI_BASE_URL to https://{parts.hostname}/api/v1")
    advice = "" if parts.path.endswith("/v1") else "does it lack /api/v1 at its end?"
    return Finding("host", "note", f"{url} is none of GeekAI's own, which is right for a local endpoint", advice)


def _proxies() -> Finding:
    proxies = {name: url for name, url in getproxies().items() if name != "no"}
    if own := os.environ.get("GEEKAI_PROXY"):
        proxies = {"GEEKAI_PROXY": own}
    if not proxies:
        return Finding("proxies", "ok", "none")
    shown = ", ".join(f"{name} {re.sub(r'//[^/@]*@', '//***@', url)}" for name, url in sorted(proxies.items()))
    host = urlsplit(os.environ.get("GEEKAI_BASE_URL") or MAINLAND).hostname or ""
    if not own and proxy_bypass(host):
        return Finding("proxies", "ok", f"{shown}; not used for {host} (no_proxy)")
    return Finding("proxies", "note", shown, "every request goes through it: look here first where one fails")


def _requests(model: str | None) -> Iterator[Finding]:
    """The list of models, then, of one model, a few tokens."""
    names: list[str] = []

    def listed() -> str:
        names.extend(known.id for known in client.models())
        return f"{len(names)} listed"

    def answered() -> str:
        answer = client.chat(model=model, messages=[{"role": "user", "content": "Say OK."}], max_tokens=5)
        return f"{model} answered, {answer.usage.total_tokens if answer.usage else 'unknown'} tokens"

    with Client(timeout=PATIENCE, max_retries=0) as client:
        yield _tried("models", listed)
        if model is not None:
            if names and model not in names:
                yield Finding("model", "note", f"{model!r} is not listed{nearest(model, names)}")
            yield _tried("chat", answered)


def _tried(name: str, ask: Callable[[], str]) -> Finding:
    started = time.monotonic()
    try:
        return Finding(name, "ok", f"{ask()} in {time.monotonic() - started:.1f} s")
    except GeekAIError as error:
        advice = NETWORK if isinstance(error, (APIConnectionError, APITimeoutError)) else ""
        return Finding(name, "PROBLEM", str(error), advice)
