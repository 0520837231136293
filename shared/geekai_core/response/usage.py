"""Usage of several answers, summed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sum_into(total: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Add a usage to a total, number by number, at every depth; what does not add up is left out.

    >>> total = {"total_tokens": 1}
    >>> sum_into(total, {"total_tokens": 2, "details": {"text": 1}, "note": "x"})
    >>> total
    {'total_tokens': 3, 'details': {'text': 1}}
    """
    for name, value in usage.items():
        known = total.get(name)
        if isinstance(value, Mapping):
            if known is None or isinstance(known, dict):
                sum_into(total.setdefault(name, {}), value)
        elif _counts(value) and not isinstance(known, dict):
            total[name] = (known or 0) + value


def _counts(value: Any) -> bool:
    """Whether a value is a number that can be summed: neither NaN, nor one that no float holds."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63
