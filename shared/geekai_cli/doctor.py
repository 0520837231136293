"""`geekai doctor`: what may be wrong, looked at in turn, with advice."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from gettext import gettext as _
from importlib.metadata import PackageNotFoundError, version
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from geekai_cli._screen import Screen, padded, print_json, words_of
from geekai_cli._setup import host_of, missing_key, open_client
from geekai_core import MAINLAND, OVERSEAS, ConfigurationError, GeekAIError, __version__
from geekai_core.config import HOSTS, checked_key
from geekai_core.errors import APIConnectionError, APITimeoutError
from geekai_core.harmless import shown_address
from geekai_core.request.hints import nearest

PACKAGES = ("langchain-core", "llama-index-core", "httpx", "pydantic", "aiohttp", "httpx-aiohttp")
STYLES = {"ok": "green", "note": "yellow", "PROBLEM": "red"}
NAMES = ("versions", "key", "host", "proxies", "requests", "models", "model", "chat")
WORDS = {name: _(name) for name in (*STYLES, *NAMES)}
"""A status or the name of a finding, as it is shown."""
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
            screen.write(padded(WORDS[finding.status], 9), STYLES[finding.status])
            screen.write(padded(WORDS[finding.name], 10))
            screen.line(finding.detail, indent=19)
            if finding.advice:
                screen.write(" " * 19)
                screen.line(finding.advice, indent=19)
    problems = sum(finding.status == "PROBLEM" for finding in findings)
    if as_json:
        print_json({"ok": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        screen.line(_("problems: {}").format(problems) if problems else _("all is well"))
    return not problems


def examine(model: str | None, base_url: str | None) -> Iterator[Finding]:
    """Everything in turn; requests are made only where key and host can work."""
    yield Finding("versions", "ok", ", ".join(_versions()))
    try:
        url = host_of(base_url)
        host = _host(url)
    except ConfigurationError as error:
        url, advice = MAINLAND, _("set GEEKAI_BASE_URL to {} or {}, or unset it").format(MAINLAND, OVERSEAS)
        host = Finding("host", "PROBLEM", words_of(error), advice)
    key = _key(url)
    yield key
    yield host
    yield _proxies(url)
    if "PROBLEM" in (key.status, host.status):
        yield Finding("requests", "note", _("none made: key and host come first"))
    else:
        yield from _requests(model, url)


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield f"geekai {__version__}"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield _("{} not installed").format(package)


def _key(url: str) -> Finding:
    if (missing := missing_key(url)) is not None:
        advice = _("geekai.co and geekai.dev have keys of their own") if urlsplit(url).hostname in HOSTS else ""
        return Finding("key", "PROBLEM", missing, advice)
    if not (key := os.environ.get("GEEKAI_API_KEY", "").strip()):
        return Finding("key", "ok", _("GEEKAI_API_KEY is not set; a server on this machine needs none"))
    try:
        checked_key(key)
    except ConfigurationError as error:
        return Finding("key", "PROBLEM", words_of(error))
    return Finding("key", "ok", _("GEEKAI_API_KEY is set: *** ({} characters)").format(len(key)))


def _host(url: str) -> Finding:
    parts, shown = urlsplit(url), shown_address(url)
    host = f".{parts.hostname}"
    if url in (MAINLAND, OVERSEAS):
        return Finding("host", "ok", url)
    if own := next((known for known in HOSTS if host.endswith(f".{known}")), None):
        return Finding("host", "PROBLEM", shown, _("set GEEKAI_BASE_URL to {}").format(f"https://{own}/api/v1"))
    if host.endswith(".geekai.pro"):
        advice = _("geekai.pro is another vendor of like name: neither one's keys fit the other's host")
        return Finding("host", "PROBLEM", shown, f"{advice} ({MAINLAND}, {OVERSEAS})")
    advice = "" if parts.path else _("most base URLs end in /v1, that of geekai-local in /api/v1")
    words = _("{} is none of GeekAI's own, which is right for a local endpoint").format(shown)
    return Finding("host", "note", words, advice)


def _proxies(url: str) -> Finding:
    proxies = {name: address for name, address in getproxies().items() if name != "no"}
    if own := os.environ.get("GEEKAI_PROXY"):
        proxies = {"GEEKAI_PROXY": own}
    if not proxies:
        return Finding("proxies", "ok", _("none"))
    shown = ", ".join(f"{name} {shown_address(address)}" for name, address in sorted(proxies.items()))
    host = urlsplit(url).hostname or ""
    if not own and proxy_bypass(host):
        return Finding("proxies", "ok", _("{}; not used for {} (no_proxy)").format(shown, host))
    return Finding("proxies", "note", shown, _("every request goes through it: look here first where one fails"))


def _requests(model: str | None, url: str) -> Iterator[Finding]:
    """The list of models, then, of one model, a few tokens."""
    names: list[str] = []

    def listed() -> str:
        names.extend(known.id for known in client.models())
        return _("{} listed").format(len(names))

    def answered() -> str:
        answer = client.chat(model=model, messages=[{"role": "user", "content": "Say OK."}], max_tokens=5)
        tokens = answer.usage.total_tokens if answer.usage else "?"
        return _("{} answered, {} tokens").format(model, tokens)

    with open_client(url, timeout=PATIENCE, max_retries=0) as client:
        models = _tried("models", listed)
        if model is None:
            yield models
            return
        chat = _tried("chat", answered)
        if models.status == "PROBLEM" and chat.status == "ok":
            models = replace(models, status="note", advice=_("the chat works without it"))
        yield models
        if names and model not in names:
            yield Finding("model", "note", _("{!r} is not listed").format(model) + nearest(model, names))
        yield chat


def _tried(name: str, ask: Callable[[], str]) -> Finding:
    started = time.monotonic()
    try:
        return Finding(name, "ok", _("{} in {:.1f} s").format(ask(), time.monotonic() - started))
    except GeekAIError as error:
        network = isinstance(error, (APIConnectionError, APITimeoutError))
        advice = _("check the network, the proxy (GEEKAI_PROXY, HTTPS_PROXY) and the host") if network else ""
        return Finding(name, "PROBLEM", words_of(error), advice)
