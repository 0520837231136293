"""A run as Markdown and as a picture. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.bounds import Results, Row, rows

SCALES = {"chunk": (1e6, "µs"), "process": (1e3, "ms")}


def bounds_table(results: Results) -> str:
    """Each bound, and whether it holds."""
    lines = ["| work | against | bound | measured | lowest to highest round | holds |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(_bound_line(row) for row in rows(results))])


def _bound_line(row: Row) -> str:
    bound, digits = row.bound, 1 if row.bound.at_least else 3
    limit = f"{'at least' if bound.at_least else 'at most'} {bound.limit:g}"
    spread = f"{row.low:.{digits}f} to {row.high:.{digits}f}"
    holds = "yes" if row.holds else "**no**"
    return f"| {bound.work} | {bound.against} | {limit} | {row.ratio:.{digits}f} | {spread} | {holds} |"


PEERS = (
    ("a streamed chunk", "流中的一个数据块", "sync stream, 2,000 chunks", "`stream_chat`, 2,000 chunks"),
    (
        *("the same, async, with `fast`", "同上，异步，装有 `fast`"),
        *("async stream, 2,000 chunks, `fast`", "`astream_chat`, 2,000 chunks, `fast`"),
    ),
    ("a whole answer", "一个完整的回答", "sequential `invoke`, 1 KB", "sequential `chat`, 1 KB"),
    (
        *("the same, after 200 messages", "同上，带 200 条历史消息"),
        *("`invoke` with 200 messages / 100 KB", "`chat` with 200 messages / 100 KB"),
    ),
    ("importing it", "导入", "import, over the framework's", "import, over the framework's"),
)
"""The rows of the READMEs' table, in English and Chinese, and which bound of each framework they show."""


def peers_table(results: Results, language: int) -> str:
    """The CPU of the most usual work, as a share of the usual peer's. `language`: 0 is English, 1 is Chinese."""
    found = {(row.bound.group, row.bound.work): f"{row.ratio:.2f}" for row in rows(results)}
    lines = [
        (
            "| CPU, the less the better | of `ChatOpenAI` | of `OpenAILike` |",
            "| CPU 时间，越小越好 | 与 `ChatOpenAI` 之比 | 与 `OpenAILike` 之比 |",
        )[language]
    ]
    for *names, langchain, llama_index in PEERS:
        ratios = [found.get(at, "–") for at in (("langchain", langchain), ("llama-index", llama_index))]
        lines.append(f"| {names[language]} | {' | '.join(ratios)} |")
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]])


def sides_table(cases: Mapping[str, Any]) -> str:
    """The CPU of every side of every case, with half the distance between its quartiles."""
    lines = ["| work | side | CPU | ± | wall |", "|---|---|---|---|---|"]
    for name, case in cases.items():
        scale, unit = _scale(name, case["unit"])
        for side, spent in case["sides"].items():
            cpu, wall = statistics.median(spent["cpu"]), statistics.median(spent["wall"])
            columns = (f"{cpu * scale:.4g} {unit}", f"{_spread(spent['cpu']) * scale:.2g}", f"{wall * scale:.4g}")
            lines.append(f"| {name}, a {case['unit']} | {side} | {' | '.join(columns)} |")
        for side, why in case.get("failed", {}).items():
            lines.append(f"| {name}, a {case['unit']} | {side} | failed: {why.replace('|', '/')} | | |")
    return "\n".join(lines)


def _scale(name: str, unit: str) -> tuple[float, str]:
    """What a case's numbers are multiplied by, and their unit."""
    counted = {"memory": "MiB", "connections": "connections", "import in instructions": "million instructions"}
    found = [counts for start, counts in counted.items() if name.startswith(start)]
    return (1, found[0]) if found else SCALES.get(unit, (1e3, "ms"))


def _spread(values: list[float]) -> float:
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2


def page(text: str, run: Mapping[str, Any]) -> str:
    """A page with a run's tables put between its `<!-- name -->` and `<!-- /name -->`."""
    results = run["results"]
    parts = {
        "machine": about(run),
        "bounds": bounds_table(results),
        "peers": peers_table(results, 0),
        "同类库": peers_table(results, 1),
    }
    parts.update({group: sides_table(cases) for group, cases in results.items()})
    for name, part in parts.items():
        before, opened, rest = text.partition(f"<!-- {name} -->")
        _, closed, after = rest.partition(f"<!-- /{name} -->")
        if opened and closed:
            text = f"{before}{opened}\n{part}\n{closed}{after}"
    return text


def about(run: Mapping[str, Any]) -> str:
    """Where and with what a run was made."""
    machine = run["machine"]
    groups = [
        f"{group}: {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}"
        for group, versions in run["versions"].items()
    ]
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    return f"{where}.\n\n" + "\n".join(f"- {group}" for group in groups)


PANELS = (
    ("langchain", "stream 2000", "LangChain, sync"),
    ("langchain", "astream 2000", "LangChain, async"),
    ("llama-index", "stream_chat 2000", "LlamaIndex, sync"),
    ("llama-index", "astream_chat 2000", "LlamaIndex, async"),
)
WIDTH, NAMES, STEP = 400, 204, 22
"""The plot's width, what the names take of it, and the height of a bar, in pixels: a phone shows it in its own size."""
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600;font-size:14px}.b{fill:#fff}"
    ".ours{fill:#1668dc}.peer{fill:#e0913c}.rest{fill:#b6bbc3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.b{fill:#161b22}.ours{fill:#4c94f0}.rest{fill:#6b7380}}"
)


def picture(run: Mapping[str, Any]) -> str:
    """Bars as SVG: the CPU of a streamed chunk, on each side. One column, and colours of its own in dark mode."""
    parts, y = [], 26
    for group, case, title in PANELS:
        bars = _bars(run["results"].get(group, {}).get(case, {"sides": {}})["sides"].items())
        parts.append(f'<text class="t" x="12" y="{y}">{title}: µs of CPU a chunk</text>')
        for name, value in bars:
            y += STEP
            length = value / bars[0][1] * (WIDTH - NAMES - 44)
            parts.append(f'<text x="{NAMES - 6}" y="{y + 4}" text-anchor="end">{name}</text>')
            parts.append(f'<rect class="{_kind(name)}" x="{NAMES}" y="{y - 8}" width="{length:.1f}" height="16"/>')
            parts.append(f'<text x="{NAMES + length + 6:.1f}" y="{y + 4}">{value:.0f}</text>')
        y += 2 * STEP
    height = y - STEP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
    return "\n".join([head, f'<style>{STYLE}</style><rect class="b" width="100%" height="100%"/>', *parts, "</svg>\n"])


def _kind(side: str) -> str:
    """Ours, the peers that the bounds are held against, or the rest: each has its colour."""
    return "ours" if "GeekAI" in side else "peer" if side.startswith(("ChatOpenAI", "OpenAILike")) else "rest"


def _bars(sides: Iterable[tuple[str, Mapping[str, list[float]]]]) -> list[tuple[str, float]]:
    return sorted(((n, statistics.median(s["cpu"]) * 1e6) for n, s in sides), key=lambda bar: -bar[1])
