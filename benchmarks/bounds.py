"""The ratios to hold, and what a run says about them. Pure: a run's results go in, rows come out."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Mapping[str, Any]]
"""`{group: {case: {"unit", "units", "sides": {side: {"cpu": […], "wall": […]}}}}}`, seconds per unit."""


@dataclass(frozen=True)
class Bound:
    """`ours` over `peer`, each a (case, side) of `group`, less `floor` where only what is added counts."""

    work: str
    against: str
    limit: float
    group: str
    ours: tuple[str, str]
    peer: tuple[str, str]
    floor: str | None = None
    at_least: bool = False
    """More is better, in wall time: requests per second."""


@dataclass(frozen=True)
class Row:
    """One bound as a run has it: the median of the rounds' ratios, and the lowest and highest of them."""

    bound: Bound
    ratio: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the bound holds."""
        return self.ratio >= self.bound.limit if self.bound.at_least else self.ratio <= self.bound.limit


LC, LI = "langchain", "llama-index"


def _pair(
    group: str, work: str, against: str, limit: float, case: str, ours: str, peer: str, floor: str | None = None
) -> Bound:
    return Bound(work, against, limit, group, (case, ours), (case, peer), floor)


def _langchain() -> Iterable[Bound]:
    us, them, aio = "ChatGeekAI", "ChatOpenAI", "ChatOpenAI, aiohttp"
    for size, sync, plain, fast in ((2000, 0.17, 0.15, 0.10), (20000, 0.24, 0.21, 0.18)):
        label = f"{size:,} chunks"
        yield _pair(LC, f"sync stream, {label}", them, sync, f"stream {size}", us, them)
        yield _pair(LC, f"async stream, {label}, plain httpx", them, plain, f"astream {size}", f"{us}, httpx", them)
        yield _pair(LC, f"async stream, {label}, `fast`", aio, fast, f"astream {size}", f"{us}, fast", aio)
    case = "tool arguments 20 KB"
    yield _pair(LC, "tool arguments 20 KB, streamed", them, 0.20, case, us, them)
    for label, floor, limit in (("1 message", "httpx", 0.25), ("200 messages", "httpx", 0.03)):
        yield _pair(LC, f"added time to first token, {label}", them, limit, f"first token, {label}", us, them, floor)
    yield _pair(LC, "sequential `invoke`, 1 KB", them, 0.50, "invoke 1 KB", us, them)
    yield _pair(LC, "`invoke` with 200 messages / 100 KB", them, 0.04, "invoke 200 messages", us, them)
    for count, limit in ((200, 0.55), (1000, 0.45)):
        case = f"{count} in flight"
        yield _pair(LC, f"{count:,} `ainvoke` in flight, `fast`", aio, limit, case, f"{us}, fast", aio)
        yield _pair(LC, f"{count:,} `ainvoke` in flight, plain httpx", them, 0.45, case, f"{us}, httpx", them)
    more, less = ("50 in flight", f"{us}, fast"), ("1000 in flight", f"{us}, fast")
    yield Bound("requests/s at 1,000 in flight over 50, `fast`", "ourselves", 3, LC, more, less, at_least=True)
    core = "langchain-core alone"
    yield _pair(LC, "import, over the framework's", "langchain-openai's", 0.12, "import", us, them, core)
    yield _pair(
        LC,
        "import in instructions, over the framework's",
        "langchain-openai's",
        0.12,
        "import in instructions",
        us,
        them,
        core,
    )
    yield _pair(LC, "v1 stream, 2,000 chunks", them, 0.3, "stream v1 2000", us, them)
    yield _pair(LC, "v3 stream, 2,000 chunks", them, 0.17, "stream v3 2000", us, them)
    yield _pair(LC, "memory, 1,000 streams open", them, 0.85, "memory, 1,000 streams open", us, them)
    yield _pair(LC, "construction", them, 0.05, "construction", us, them)
    yield _pair(LC, "`bind_tools` of 20 tools and a call", them, 0.35, "bind 20 tools and call", us, them)
    long, short = ("linear 50000", "our part"), ("linear 2000", "our part")
    yield Bound("cost per chunk at 50,000 over 2,000, our part", "ourselves", 1.2, LC, long, short)


def _llama_index() -> Iterable[Bound]:
    us, them = "GeekAI", "OpenAILike"
    for history, limit in (("", 0.16), (", 200 messages before", 0.13)):
        for size in (2000, 20000):
            label = f"{size:,} chunks{history}"
            case = f"stream_chat {size}{history}"
            yield _pair(LI, f"`stream_chat`, {label}", them, limit, case, us, them)
            yield _pair(LI, f"`astream_chat`, {label}, plain httpx", them, limit, f"a{case}", f"{us}, httpx", them)
            yield _pair(
                LI,
                f"`astream_chat`, {label}, `fast`",
                f"{them}, aiohttp",
                limit,
                f"a{case}",
                f"{us}, fast",
                f"{them}, aiohttp",
            )
    yield _pair(LI, "`chat` with 200 messages / 100 KB", them, 0.04, "chat 200 messages", us, them)
    yield _pair(LI, "`chat` with 20 tools", them, 0.10, "chat with 20 tools", us, them)
    yield _pair(LI, "tool arguments 20 KB, parsed at every chunk", them, 0.06, "tool arguments 20 KB", us, them)
    yield _pair(LI, "sequential `chat`, 1 KB", them, 0.42, "chat 1 KB", us, them)
    core = "llama-index-core alone"
    yield _pair(LI, "import, over the framework's", f"{them}'s", 0.12, "import", us, them, core)
    yield _pair(
        LI, "import in instructions, over the framework's", f"{them}'s", 0.12, "import in instructions", us, them, core
    )
    yield _pair(LI, "memory, 1,000 streams open", them, 0.85, "memory, 1,000 streams open", us, them)


BOUNDS = (*_langchain(), *_llama_index())


def rows(results: Results) -> list[Row]:
    """The bounds that a run measured."""
    return [row for bound in BOUNDS if (row := _row(bound, results.get(bound.group, {}))) is not None]


def _row(bound: Bound, cases: Mapping[str, Any]) -> Row | None:
    kind = "wall" if bound.at_least else "cpu"
    try:
        ours, peer = (cases[case]["sides"][side][kind] for case, side in (bound.ours, bound.peer))
        floor = statistics.median(cases[bound.ours[0]]["sides"][bound.floor][kind]) if bound.floor else 0.0
    except KeyError:
        return None
    ratios = [(mine - floor) / (theirs - floor) for mine, theirs in zip(ours, peer, strict=False)]
    return Row(bound, statistics.median(ratios), min(ratios), max(ratios))
