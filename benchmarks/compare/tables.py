"""Results as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Fates = Mapping[str, Mapping[str, Mapping[str, str]]]

TOPICS = {
    "1": "metadata of any model",
    "2": "the eight methods say the same",
    "3": "pieces add up and never change",
    "4": "however a stream begins",
    "5": "usage and citations wherever they come",
    "6": "streamed tool calls in every shape",
    "7": "tool arguments piece by piece, cheaply",
    "8": "the caller's history is left alone",
    "9": "the choice of a tool on the wire",
    "10": "Chinese and generic tool names",
    "11": "structured output, whatever is refused",
    "12": "the system prompt where it belongs",
    "13": "every block in every role",
    "14": "reasoning goes back in a tool loop",
    "15": "speech",
    "16": "log probabilities",
    "17": "several answers",
    "18": "errors, bad bodies, cut streams",
    "19": "exact retries",
    "20": "time limits, clients, connections",
    "21": "copies, pickles, no key shown",
    "22": "events and token counts, once",
    "23": "engines, agents, evaluators",
    "24": "offline, and cheap to import",
}
"""What the numbers of the conformance suite stand for."""


def cell(ways: Mapping[str, str]) -> str:
    """One field of one class: a word where all ways agree, else the ways in which it is not lost."""
    by_state: dict[str, list[str]] = {}
    for way, state in ways.items():
        by_state.setdefault("raises" if state.startswith("raises") else state, []).append(way)
    if len(by_state) == 1:
        return next(iter(by_state))
    kept = ", ".join(by_state.pop("kept", []))
    others = "; ".join(f"{state}: {', '.join(found)}" for state, found in sorted(by_state.items()) if state != "lost")
    return f"{kept} ({others})" if kept and others else kept or others


def _ours_first(names: Iterable[str]) -> list[str]:
    """GeekAI's own class stands beside the fields, where a narrow screen shows it; the rest in their order."""
    return sorted(names, key=lambda name: "GeekAI" not in name)


def kept(ways: Mapping[str, str]) -> bool:
    """Whether a field is kept in every way."""
    return set(ways.values()) <= {"kept", "raw"}


def fates_table(fates: Fates, shown: Sequence[str] | None = None) -> str:
    """A line for each field (or each one shown), a column for each class; below, how many are kept in every way."""
    names = _ours_first(fates)
    lines = [f"| | {' | '.join(names)} |", f"|---{'|---' * len(names)}|"]
    fields = list(next(iter(fates.values())))
    lines += [f"| {field} | {' | '.join(cell(fates[name][field]) for name in names)} |" for field in shown or fields]
    whole = [sum(kept(fates[name][field]) for field in fields) for name in names]
    lines.append(f"| **kept in every way, of {len(fields)}** | {' | '.join(f'**{count}**' for count in whole)} |")
    return "\n".join(lines)


def conformance_table(counted: Mapping[str, Any]) -> str:
    """Tests passed of tests made, by topic, for each subject."""
    names = _ours_first(counted)
    lines = [f"| | topic | {' | '.join(names)} |", f"|---|---{'|---' * len(names)}|"]
    for number, topic in TOPICS.items():
        lines.append(f"| C{number} | {topic} | {' | '.join(_share(counted[name], number) for name in names)} |")
    return "\n".join([*lines, f"| | **all** | {' | '.join(f'**{_share(counted[name])}**' for name in names)} |"])


def _share(counts: Mapping[str, Mapping[str, int]], number: str | None = None) -> str:
    def count(state: str) -> int:
        return sum(counts[state].values()) if number is None else counts[state].get(number, 0)

    return f"{count('passed')} of {count('passed') + count('failed')}"


def rows_table(found: Mapping[str, Any], names: Sequence[str]) -> str:
    """Rows that are right of rows tried, a line for each table, for the classes that are named."""
    lines = [f"| | {' | '.join(names)} |", f"|---{'|---' * len(names)}|"]
    for title in found[names[0]]:
        cells = [f"{found[name][title]['right']} of {found[name][title]['rows']}" for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    totals = [[sum(table[key] for table in found[name].values()) for key in ("right", "rows")] for name in names]
    return "\n".join([*lines, f"| **all** | {' | '.join(f'**{right} of {rows}**' for right, rows in totals)} |"])


def releases(pinned: Mapping[str, str]) -> str:
    """The releases that were compared, in a line."""
    return "Releases: " + ", ".join(f"{name} {release}" for name, release in sorted(pinned.items())) + "."


def fate_parts(found: Mapping[str, Any]) -> dict[str, str]:
    """What a page shows of one group: the table, and the releases."""
    return {"fates": fates_table(found["fates"]), "releases": releases(found["releases"])}


def peer_parts(peer: str, ours: str) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    """What a page on one peer tells: the fields that it does not keep in every way, beside ours."""

    def tell(found: Mapping[str, Any]) -> dict[str, str]:
        two = {name: found["fates"][name] for name in (peer, ours)}
        return {"losses": fates_table(two, [field for field, ways in two[peer].items() if not kept(ways)])}

    return tell


def put(page: str, parts: Mapping[str, str]) -> str:
    """A page with parts put between `<!-- name -->` and `<!-- /name -->`; `ValueError` where one has no place."""
    for name, part in parts.items():
        before, opened, rest = page.partition(f"<!-- {name} -->")
        _, closed, after = rest.partition(f"<!-- /{name} -->")
        if not closed:
            raise ValueError(f"the page has no place for {name}")
        page = f"{before}{opened}\n{part}\n{closed}{after}"
    return page
