"""A tenfold slip cannot land: ratios with wide margins, against httpx and json on the same bytes.

`scripts/bench` measures the real bounds. Here it is the CPU time of this process alone, and of rounds that take turns
the best, so that a loaded machine does not matter.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage

from benchmarks.report import page, picture
from geekai_core import AsyncClient
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from llama_index_geekai import GeekAI

ROOT = Path(__file__).parent.parent
ROUNDS = 5
STREAM = 6.0
"""A streamed chunk over httpx's bytes and json: 2 to 3 when this was written."""
WHOLE = 8.0
"""A whole answer over httpx and json: 2 when this was written."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The pre-rendered server of the benchmarks, in its own process."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()  # it ends with its standard input


def best_of_turns(works: list[Callable[[], object]]) -> list[float]:
    """The least CPU seconds of each, over rounds that take turns, after one round to warm up."""
    best = [float("inf")] * len(works)
    for turn in range(ROUNDS + 1):
        for i, work in enumerate(works):
            began = time.process_time()
            work()
            if turn:
                best[i] = min(best[i], time.process_time() - began)
    return best


def test_a_streamed_chunk_stays_within_reach_of_plain_httpx(server: str) -> None:
    url = f"{server}/text-500-1"
    langchain = ChatGeekAI(model="bench", api_key="sk-bench", base_url=url)
    llama_index = GeekAI(model="bench", api_key="sk-bench", api_base=url)

    def plain() -> None:
        for line in http_lines(http, url):
            json.loads(line)

    with httpx.Client() as http:
        floor, in_langchain, in_llama_index = best_of_turns(
            [
                plain,
                lambda: list(langchain.stream([HumanMessage("Hi")])),
                lambda: list(llama_index.stream_chat([ChatMessage("Hi")])),
            ]
        )
    langchain.close()
    llama_index.close()
    assert in_langchain / floor < STREAM
    assert in_llama_index / floor < STREAM


def http_lines(http: httpx.Client, url: str) -> Iterator[str]:
    """The JSON of a stream's events, as httpx gives lines."""
    with http.stream("POST", f"{url}/chat/completions", json={}) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                yield line[6:]


def test_a_whole_answer_stays_within_reach_of_plain_httpx(server: str) -> None:
    url = f"{server}/whole-1024-0"
    langchain = ChatGeekAI(model="bench", api_key="sk-bench", base_url=url)
    llama_index = GeekAI(model="bench", api_key="sk-bench", api_base=url)
    asked = {"model": "bench", "messages": [{"role": "user", "content": "Hi"}]}
    with httpx.Client() as http:
        floor, in_langchain, in_llama_index = best_of_turns(
            [
                lambda: [http.post(f"{url}/chat/completions", json=asked).json() for _ in range(20)],
                lambda: [langchain.invoke([HumanMessage("Hi")]) for _ in range(20)],
                lambda: [llama_index.chat([ChatMessage("Hi")]) for _ in range(20)],
            ]
        )
    langchain.close()
    llama_index.close()
    assert in_langchain / floor < WHOLE
    assert in_llama_index / floor < WHOLE


async def test_without_fast_many_calls_share_small_pools_that_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One large pool of httpx's would walk all its connections at each call."""
    monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    asked = {"model": "bench", "messages": [{"role": "user", "content": "Hi"}]}
    with ScriptedServer() as endpoint:
        async with AsyncClient(api_key="sk-bench", base_url=endpoint.base_url) as client:
            answers = await asyncio.gather(*(client.chat(asked) for _ in range(20)))
            opened = endpoint.connections
            for _ in range(5):
                await client.chat(asked)
    assert len(answers) == 20
    assert all(answer.message.content for answer in answers)
    assert 1 < opened <= 20
    assert endpoint.connections == opened


@pytest.mark.parametrize("name", ["docs/performance.md", "README.md", "README.zh-CN.md"])
def test_a_page_shows_the_committed_run(name: str) -> None:
    run = json.loads((ROOT / "benchmarks/results/run.json").read_text())
    text = (ROOT / name).read_text(encoding="utf-8")
    assert any(f"<!-- /{part} -->" in text for part in ("bounds", "peers", "同类库"))
    assert page(text, run) == text


def test_the_plot_is_that_of_the_committed_run_narrow_and_with_colours_for_dark_mode() -> None:
    run = json.loads((ROOT / "benchmarks/results/run.json").read_text())
    plot = (ROOT / "docs/performance.svg").read_text(encoding="utf-8")
    assert picture(run) == plot
    assert 'width="400"' in plot
    assert "prefers-color-scheme:dark" in plot
