"""A lock that a fork waits for: a child would wait for ever for one that another thread held at that moment."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager


def lock_across_forks() -> AbstractContextManager[bool]:
    """A re-entrant lock, which a fork takes for as long as it lasts."""
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
