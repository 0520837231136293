"""What went wrong on the way, judged by the transport's own exception. Pure; knows httpx's names and aiohttp's.

The aiohttp transport reports a refused connection, DNS and resets as `ConnectTimeout`; what it was stands in
`__cause__`, which is therefore looked at by name, so that aiohttp need not be installed.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from geekai_core.config import is_here
from geekai_core.errors import APIConnectionError, APITimeoutError, InvalidResponseError, RequestError
from geekai_core.harmless import shown_address
from geekai_core.redaction import Secrets, clear_traces, redact

_TIMEOUTS = {
    "ConnectTimeout": "connect",
    "PoolTimeout": "pool",
    "ReadTimeout": "read",
    "WriteTimeout": "write",
    "TimeoutError": "read",  # our own limit on a read
}
_RETRYABLE = {"NetworkError", "RemoteProtocolError", "TimeoutException", "ClientError", "OSError"}
"""The transports' base classes of what may be gone the next time."""
_PLAIN_HTTP = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}
"""OpenSSL's reasons when what answers is no TLS: the text of HTTP, read as a record's head."""
_UNREACHED = " [check base_url or GEEKAI_BASE_URL, the network and the proxy]"
_NOTHING_THERE = " [nothing listens there: is geekai-local running?]"
_NO_TLS = " [the port seems to speak plain HTTP: use http:// in the base URL]"
_UNTRUSTED = " [the certificate is not trusted here: name the file of its authority in SSL_CERT_FILE]"
_PASSWORD = " [a proxy wants a user and a password: GEEKAI_PROXY=http://user:password@host:port]"
_UNANSWERED = " [raise timeout=…; it may have been billed, so it is not sent again]"


def map_transport_error(
    exc: Exception, timeouts: Mapping[str, float | None], url: str, *, begun: bool | None, secrets: Secrets
) -> RequestError:
    """The error that a transport's exception stands for; `retryable` where sending the request again may mend it.

    `begun`: whether a byte of the answer had come, so that nothing may be sent again. None: the transport does not
    say, and its exception has to. `secrets` are blotted out of `exc` too, for it is attached.
    """
    if isinstance(exc, RequestError):
        return exc
    chain = _chain(exc)
    names = [type(link).__name__ for link in chain]
    where = urlsplit(shown_address(url)).netloc
    words = redact(str(exc).replace(urlsplit(url).netloc, where), secrets) or names[0]
    _blot_out(secrets, exc)
    if any(isinstance(link, ssl.SSLError) and not isinstance(link, ssl.SSLEOFError) for link in chain):
        plain = any(getattr(link, "reason", None) in _PLAIN_HTTP for link in chain)
        untrusted = _UNTRUSTED if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain) else ""
        return APIConnectionError(f"TLS with {where} failed: {words}{_NO_TLS if plain else untrusted}")
    if names[0] == "ProxyError" and words[0] in "45":  # the proxy's status: the server has seen nothing
        words += _PASSWORD if words[:3] in ("401", "407") else _UNREACHED
        return APIConnectionError(f"{where} could not be reached: {words}", retryable=words[0] == "5")
    if names[0] == "DecodingError":
        return InvalidResponseError(f"{where} compressed its answer wrongly: {words}")
    if limit := _limit(names):
        seconds = timeouts.get(limit)
        size = f"{seconds:g} s" if seconds is not None else "the transport's own limit"
        message = f"{limit} timeout: {where} did not do it within {size}{_UNREACHED if limit == 'connect' else ''}"
        if limit == "read":
            message = f"read timeout: no byte from {where} within {size}{_UNANSWERED}"
        return APITimeoutError(message, limit=limit, seconds=seconds, retryable=limit in ("connect", "pool"))
    if begun is None:  # where h11's or aiohttp's parser raised it, it speaks of an answer's bytes
        begun = any(type(link).__module__.startswith(("h11", "aiohttp.http_exc")) for link in chain)
    verb = "broke off its answer" if begun else "could not be reached"
    retryable = not begun and any(base.__name__ in _RETRYABLE for base in type(exc).__mro__)
    refused = is_here(url) and any(isinstance(link, ConnectionRefusedError) for link in chain)
    advice = "" if begun else _NOTHING_THERE if refused else _UNREACHED
    return APIConnectionError(f"{where} {verb}: {words}{advice}", retryable=retryable)


def _blot_out(secrets: Secrets, exc: Exception) -> None:
    """Leave of a transport's exception what it says, without secrets, for a server may have echoed some.

    The request that it holds goes, with the variables of its frames and the exceptions that it came of: in all of
    them are the request's headers.
    """
    clear_traces(exc)
    exc.__cause__ = exc.__context__ = None
    exc.args = tuple(_plain(arg, secrets) for arg in exc.args)
    vars(exc).update({name: _plain(value, secrets) for name, value in vars(exc).items()})


def _plain(value: object, secrets: Secrets) -> Any:
    if isinstance(value, BaseException):
        return redact(repr(value), secrets)
    return redact(value, secrets) if isinstance(value, str | bytes | int | float) else None


def _limit(names: list[str]) -> str | None:
    """Which of httpx's limits ran out, if one did."""
    if names[0] == "ConnectTimeout" and any("Timeout" not in name for name in names[1:2]):
        return None
    return _TIMEOUTS.get(names[0])


def _chain(exc: BaseException | None) -> list[BaseException]:
    """An exception and its causes; not its context, which may be an error that the caller is handling.

    httpcore's pool raises `from None`, but its exceptions hold their cause as an argument.
    """
    chain: list[BaseException] = []
    while exc is not None and exc not in chain:
        chain.append(exc)
        exc = exc.__cause__ or next((arg for arg in exc.args if isinstance(arg, BaseException)), None)
    return chain
