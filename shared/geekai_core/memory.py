"""What this process has learnt of the models of a server, forgotten after an hour."""

from __future__ import annotations

import time

from geekai_core.locks import lock_across_forks

KEPT_FOR = 3600.0
"""Seconds for which a thing is remembered: a server may learn, too."""

_MOST = 10_000
"""Things remembered at a time, so that made-up names of models fill no memory."""

_known: dict[tuple[str, str], dict[str, float]] = {}
_lock = lock_across_forks()


def remember(base_url: str, model: str, what: str) -> None:
    """Note `what` of a model of this server."""
    with _lock:
        if len(_known) >= _MOST:
            _known.clear()
        _known.setdefault((base_url, model), {})[what] = time.monotonic() + KEPT_FOR


def remembered(base_url: str, model: str) -> frozenset[str]:
    """What was noted of a model of this server within the last hour."""
    noted = _known.get((base_url, model))
    if not noted:
        return frozenset()
    now = time.monotonic()
    return frozenset(what for what, until in list(noted.items()) if until > now)


def forget() -> None:
    """Forget everything, as a new process would."""
    with _lock:
        _known.clear()
