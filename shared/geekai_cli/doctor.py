"""`geekai doctor`: what may be wrong, looked at in turn, with advice."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from geekai_cli._screen import Screen, print_json
from geekai_cli._setup import NO_NEED, host_of, key_for, open_client
from geekai_core import MAINLAND, OVERSEAS, ConfigurationError, GeekAIError, __version__
from geekai_core.config import HOSTS, checked_key
from geekai_core.errors import APIConnectionError, APITimeoutError
from geekai_core.harmless import shown_address
from geekai_core.request.hints import nearest

PACKAGES = ("langchain-core", "llama-index-core", "httpx", "pydantic", "aiohttp", "httpx-aiohttp")
STYLES = {"ok": "green", "note": "yellow", "PROBLEM": "red"}
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


def run(model: str | None, base_url: str | None, as_json: bool) -> bool:
    """Print the findings; whether all is well."""
    screen, findings = Screen(), []
    for finding in examine(model, base_url):
        findings.append(finding)
        if not as_json:
            screen.write(f"{finding.status:<9}", STYLES[finding.status])
            screen.write(f"{finding.name:<10}")
            screen.line(finding.detail, indent=19)
            if finding.advice:
                screen.write(" " * 19)
                screen.line(finding.advice, indent=19)
    problems = sum(finding.status == "PROBLEM" for finding in findings)
    if as_json:
        print_json({"ok": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        screen.write(f"{problems} problem{'s' if problems > 1 else ''}\n" if problems else "all is well\n")
    return not problems


def examine(model: str | None, base_url: str | None) -> Iterator[Finding]:
    """Everything in turn; requests are made only where key and host can work."""
    yield Finding("versions", "ok", ", ".join(_versions()))
    try:
        url = host_of(base_url)
        host = _host(url)
    except ConfigurationError as error:
        url, advice = MAINLAND, f"set GEEKAI_BASE_URL to {MAINLAND} or {OVERSEAS}, or unset it"
        host = Finding("host", "PROBLEM", str(error), advice)
    key = _key(url)
    yield key
    yield host
    yield _proxies(url)
    if "PROBLEM" in (key.status, host.status):
        yield Finding("requests", "note", "none made: key and host come first")
    else:
        yield from _requests(model, url)


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield f"geekai {__version__}"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} not installed"


def _key(url: str) -> Finding:
    ours = urlsplit(url).hostname in HOSTS
    try:
        key = checked_key(key_for(url)).get_secret_value()
    except ConfigurationError as error:
        return Finding("key", "PROBLEM", str(error), "geekai.co and geekai.dev have keys of their own" if ours else "")
    if key == NO_NEED:
        return Finding("key", "ok", "GEEKAI_API_KEY is not set; a server on this machine needs none")
    return Finding("key", "ok", f"GEEKAI_API_KEY is set: *** ({len(key)} characters)")


def _host(url: str) -> Finding:
    parts, shown = urlsplit(url), shown_address(url)
    host = f".{parts.hostname}"
    if url in (MAINLAND, OVERSEAS):
        return Finding("host", "ok", url)
    if own := next((known for known in HOSTS if host.endswith(f".{known}")), None):
        return Finding("host", "PROBLEM", shown, f"set GEEKAI_BASE_URL to https://{own}/api/v1")
    if host.endswith(".geekai.pro"):
        words = "geekai.pro is another vendor of like name: neither one's keys fit the other's host"
        return Finding("host", "PROBLEM", shown, f"{words}; GeekAI's are {MAINLAND} and {OVERSEAS}")
    advice = "" if parts.path else "most base URLs end in /v1, that of geekai-local in /api/v1"
    return Finding("host", "note", f"{shown} is none of GeekAI's own, which is right for a local endpoint", advice)


def _proxies(url: str) -> Finding:
    proxies = {name: address for name, address in getproxies().items() if name != "no"}
    if own := os.environ.get("GEEKAI_PROXY"):
        proxies = {"GEEKAI_PROXY": own}
    if not proxies:
        return Finding("proxies", "ok", "none")
    shown = ", ".join(f"{name} {shown_address(address)}" for name, address in sorted(proxies.items()))
    host = urlsplit(url).hostname or ""
    if not own and proxy_bypass(host):
        return Finding("proxies", "ok", f"{shown}; not used for {host} (no_proxy)")
    return Finding("proxies", "note", shown, "every request goes through it: look here first where one fails")


def _requests(model: str | None, url: str) -> Iterator[Finding]:
    """The list of models, then, of one model, a few tokens."""
    names: list[str] = []

    def listed() -> str:
        names.extend(known.id for known in client.models())
        return f"{len(names)} listed"

    def answered() -> str:
        answer = client.chat(model=model, messages=[{"role": "user", "content": "Say OK."}], max_tokens=5)
        return f"{model} answered, {answer.usage.total_tokens if answer.usage else 'unknown'} tokens"

    with open_client(url, timeout=PATIENCE, max_retries=0) as client:
        models = _tried("models", listed)
        if model is None:
            yield models
            return
        chat = _tried("chat", answered)
        if models.status == "PROBLEM" and chat.status == "ok":
            models = replace(models, status="note", advice="the chat works without it")
        yield models
        if names and model not in names:
            yield Finding("model", "note", f"{model!r} is not listed{nearest(model, names)}")
        yield chat


def _tried(name: str, ask: Callable[[], str]) -> Finding:
    started = time.monotonic()
    try:
        return Finding(name, "ok", f"{ask()} in {time.monotonic() - started:.1f} s")
    except GeekAIError as error:
        advice = NETWORK if isinstance(error, (APIConnectionError, APITimeoutError)) else ""
        return Finding(name, "PROBLEM", str(error), advice)
