"""The tests know nothing of the machine they run on: no key, proxy, tracing, language or width of a terminal of its own."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

from geekai_core.memory import forget

FOREIGN = re.compile(
    "GEEKAI_.*|OPENAI_.*|LANGCHAIN_.*|LANGSMITH_.*|OTEL_.*|RAY_.*"  # keys and addresses, what traces or sends
    "|.*_proxy|ssl_cert_.*|sslkeylogfile"
    "|lang|language|lc_.*|columns|lines|term|no_color|force_color|colorterm|py_colors|github_actions"
    "|pythonioencoding|pythonutf8|pythonwarnings|pythondevmode",
    re.IGNORECASE,
)

# At import: what the session's fixtures and the libraries read once comes after it.
for name in [name for name in os.environ if FOREIGN.fullmatch(name)]:
    del os.environ[name]

# A shell's job in the background inherits that Ctrl-C and the end of a terminal are ignored, and so would each command.
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def nothing_is_remembered_of_any_server() -> None:
    """What one test's server refused is nothing to the next one's on the same port."""
    forget()
