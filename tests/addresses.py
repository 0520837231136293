"""Addresses at which something is to be missing: they are held, so that nobody else can take them meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unreachable() -> Iterator[str]:
    """A base URL where every connection is refused: the port is ours, and we do not listen."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"
