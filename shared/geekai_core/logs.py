"""Log lines of this package, and of the libraries under it: without secrets, and each of them one line."""

from __future__ import annotations

import logging
from contextvars import ContextVar

from geekai_core.harmless import harmless
from geekai_core.redaction import Secrets, redact

LOGGERS = (
    "geekai_core", "langchain_geekai", "llama_index_geekai", "httpx",
    "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks",
    "hpack.hpack", "hpack.table", "aiohttp.client", "aiohttp.internal",
)  # fmt: skip

secrets_of_call: ContextVar[Secrets | None] = ContextVar("secrets_of_call", default=None)
"""The secrets of the call that this thread or task sends, or has sent last."""


class _Clean(logging.Filter):
    """Lets every record pass, without secrets and control characters."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        shown = harmless(redact(message, secrets_of_call.get()), one_line=True)
        if shown != message:
            record.msg, record.args = shown, ()
        return True


for name in LOGGERS:
    logging.getLogger(name).addFilter(_Clean())
