"""A run as Markdown and as a picture. `python -m benchmarks.report RUN.json PICTURE.svg` draws the picture."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
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
        scale, unit = (1, "MiB") if name.startswith("memory") else SCALES.get(case["unit"], (1e3, "ms"))
        for side, spent in case["sides"].items():
            cpu, wall = statistics.median(spent["cpu"]), statistics.median(spent["wall"])
            columns = (f"{cpu * scale:.4g} {unit}", f"{_spread(spent['cpu']) * scale:.2g}", f"{wall * scale:.4g}")
            lines.append(f"| {name}, a {case['unit']} | {side} | {' | '.join(columns)} |")
        for side, why in case.get("failed", {}).items():
            lines.append(f"| {name}, a {case['unit']} | {side} | failed: {why.replace('|', '/')} | | |")
    return "\n".join(lines)


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
    return f"{where}.\n" + "\n".join(f"- {group}" for group in groups)


def draw(run: Mapping[str, Any], target: Path) -> None:
    """Bars: the CPU of a streamed chunk, on each side."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "geekai"  # the same run draws the same file
    matplotlib.rcParams["svg.fonttype"] = "none"  # words as words: a tenth of the size
    from matplotlib import pyplot

    panels = [
        ("langchain", "stream 2000", "LangChain, sync"),
        ("langchain", "astream 2000", "LangChain, async"),
        ("llama-index", "stream_chat 2000", "LlamaIndex, sync"),
        ("llama-index", "astream_chat 2000", "LlamaIndex, async"),
    ]
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 6.5), layout="constrained")
    for (group, case, title), axis in zip(panels, axes.flat, strict=True):
        bars = _bars(run["results"].get(group, {}).get(case, {"sides": {}})["sides"].items())
        drawn = axis.barh([n for n, _ in bars], [v for _, v in bars], color=[_colour(n) for n, _ in bars])
        axis.bar_label(drawn, fmt="%.0f", padding=3)
        axis.set_title(f"{title}: µs of CPU a chunk", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.12)
    figure.savefig(target, metadata={"Date": None})


def _colour(side: str) -> str:
    """Ours blue, the peers that the bounds are held against orange, the rest grey."""
    return "#1668dc" if "GeekAI" in side else "#e0913c" if side.startswith(("ChatOpenAI", "OpenAILike")) else "#c9ccd1"


def _bars(sides: Iterable[tuple[str, Mapping[str, list[float]]]]) -> list[tuple[str, float]]:
    return sorted(((n, statistics.median(s["cpu"]) * 1e6) for n, s in sides), key=lambda bar: -bar[1])


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
