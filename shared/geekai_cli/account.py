"""`geekai bill` and `geekai balance`: money, as GeekAI tells it."""

from __future__ import annotations

from collections.abc import Callable
from gettext import gettext as _

from geekai_cli._screen import Screen, print_json
from geekai_core import Balance, Bill, Client


def show(ask: Callable[[Client], Bill | Balance], base_url: str | None, as_json: bool) -> None:
    """Print a bill or the balance, a line for each value; money in coins and in yuan."""
    with Client(base_url=base_url or None, api_key=lambda: "") as client:  # the system key alone is asked for
        found = ask(client)
    values = {**found.model_dump(exclude_none=True), "yuan": found.yuan}
    if as_json:
        print_json(values)
        return
    screen = Screen()
    for name, value in values.items():
        unit = _("coins") if name in ("amount", "balance") else ""
        screen.line(f"{name:<20}{value} {unit}")
