"""Writes docs/vendors.md from the tables' own names: `python -m tests.parity.page`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from tests.parity import (
    arguments,
    callers,
    calls,
    ends,
    fields,
    histories,
    ladder,
    odd_answers,
    odd_usage,
    parts,
    refusals,
    refused_fields,
)

PAGE = Path(__file__).parent.parent.parent / "docs/vendors.md"
SECTIONS: dict[str, tuple[ModuleType, str]] = {
    "Tool calls in pieces": (
        calls,
        "Each call comes whole, with its own id and arguments. Where it cannot be known whose a piece of arguments is, the call is invalid,"
        " and never runs.",
    ),
    "Arguments of tool calls": (
        arguments,
        "Only a JSON object is a call's arguments; nothing at all is an empty one. A call that is cut or broken never runs, and the reason is"
        " given.",
    ),
    "Histories that go back": (
        histories,
        "Whatever an app kept is sent in the form that the strictest servers take: each call named, with an object as its arguments, and"
        " answered; reasoning by `reasoning_history`.",
    ),
    "Parts of messages": (
        parts,
        "No key of a part is dropped; a picture that a tool returns travels in a message of the user.",
    ),
    "Vendors' own fields": (fields, "They go back with the call or the message that they came with."),
    "Requests that are refused": (
        refusals,
        "A forced tool is offered, a stream is asked for, a history is sent with the other reasoning. What a model refused is remembered for an"
        " hour.",
    ),
    "Fields that are refused": (refused_fields, "The field is left out the second time, and from then on."),
    "Ways to ask for an object": (
        ladder,
        "`response_format`, a tool, JSON mode, words: the next way is tried where a model refuses one or ignores it.",
    ),
    "Side fields of odd types": (
        odd_answers,
        "The answer comes; what cannot be read is kept as it came, and reads as None.",
    ),
    "Usage and reasoning by other names": (odd_usage, "They are counted and shown under the standard names."),
    "How answers end": (
        ends,
        "A broken end is an error with the server's words and what had come; a good one is never called broken.",
    ),
    "What callers give": (callers, "Whatever means the same does the same in both frameworks."),
}


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _mark(table: ModuleType, name: str, side: str, sides: object) -> str:
    if side not in str(sides):
        return ""
    return "not yet" if side in table.NOT_YET.get(name, "").split() else "right"


def page() -> str:
    """The page."""
    lines = [
        "# Vendors' oddities",
        "",
        "A gateway passes on what hundreds of vendors' servers say. This page lists what is known to be odd of answers, requests and histories, and",
        "what comes of it in `ChatGeekAI` (LangChain) and `GeekAI` (LlamaIndex). Each row is a test that is run whole and streamed, sync and",
        "async, and the page is made of the tests' own names.",
    ]
    for title, (table, what) in SECTIONS.items():
        lines += ["", f"## {title}", "", what, "", "| what comes | ChatGeekAI | GeekAI |", "|---|---|---|"]
        for wish in table.WISHES:
            marks = [_mark(table, wish.name, side, wish.sides) for side in ("lc", "li")]
            lines.append(f"| {_cell(wish.name)} | {marks[0]} | {marks[1]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
