"""`geekai bill` and `geekai balance`: money, as GeekAI tells it."""

from __future__ import annotations

from collections.abc import Callable

from geekai_cli._screen import Screen, print_json
from geekai_cli._setup import NO_NEED, open_client
from geekai_core import Balance, Bill, Client


def show(ask: Callable[[Client], Bill | Balance], base_url: str | None, as_json: bool) -> None:
    """Print a bill or the balance, a line for each value; money in coins and in yuan."""
    with open_client(base_url, default_key=NO_NEED) as client:
        found = ask(client)
    values = {**found.model_dump(exclude_none=True), "yuan": found.yuan}
    if as_json:
        print_json(values)
        return
    screen = Screen()
    for name, value in values.items():
        unit = " coins" if name in ("amount", "balance") else ""
        screen.line(f"{name:<20}{value}{unit}")
