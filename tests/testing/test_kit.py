"""The test kit: its page's tests run under pytest as a user's would, and one described answer comes both ways."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from geekai_core import APITimeoutError, Client, ServerError
from geekai_testing.replies import answer, balance, bill, pages, ranking, tool_call, usage, vectors
from geekai_testing.scripted import ScriptedServer
from tests.core.conftest import Clients

PAGE = Path(__file__).parents[2] / "docs/testing.md"
FAILING = """
def test_a_script_that_fails_is_told(geekai_server):
    geekai_server.play(lambda request: 1 / 0)
    try:
        ask("When?")
    except Exception:
        pass


def test_each_test_has_a_server_and_an_environment_of_its_own(geekai_server):
    import os

    assert geekai_server.requests == []
    assert os.environ["GEEKAI_BASE_URL"] == geekai_server.base_url
    assert "GEEKAI_PROXY" not in os.environ
    assert ask("When?")[0]
"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture(params=["sync", "httpx"])
def client(request: pytest.FixtureRequest, server: ScriptedServer) -> Iterator[Any]:
    with closing(asyncio.new_event_loop()) as loop:
        with closing(Clients(request.param, server, loop)) as clients:
            yield clients(max_retries=0, system_key="sk-account")
        loop.run_until_complete(loop.shutdown_asyncgens())


def run_tests(folder: Path, code: str, *options: str, **variables: str) -> str:
    """What pytest says of `code`, in a run of its own, on a machine with a key and a proxy of its own."""
    (folder / "test_app.py").write_text(code, encoding="utf-8")
    dead = "http://127.0.0.1:9"
    env = {**os.environ, "GEEKAI_API_KEY": "sk-real", "GEEKAI_PROXY": dead, "HTTP_PROXY": dead, "http_proxy": dead}
    env |= variables
    known = entry_points(group="pytest11", name="geekai")
    plugin = [] if known else ["-p", "geekai_testing.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *options, "."]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout + done.stderr


def test_the_tests_of_the_page_pass_as_a_user_runs_them(tmp_path: Path) -> None:
    """All that the page defines, in one file; what it runs for its readers is left out."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    code = "\n".join(block for block in blocks if "def " in block)
    assert code.count("\ndef test_") == 5
    assert "5 passed" in run_tests(tmp_path, code)


def test_a_failing_script_fails_its_test_and_the_environment_comes_back(tmp_path: Path) -> None:
    """An exception in a responder is never lost, though the app swallowed what it led to."""
    app = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    report = run_tests(tmp_path, app + FAILING)
    assert "2 passed, 1 error" in report
    assert "ZeroDivisionError" in report


STRICT = """
import pytest


@pytest.mark.geekai_server(all_played=True)
def test_leaves_one(geekai_server):
    geekai_server.play("At nine.", "At ten.")
    assert ask("When?")[0] == "At nine."


@pytest.mark.geekai_server(all_played=True)
def test_takes_all(geekai_server):
    geekai_server.play("At nine.")
    assert ask("When?")[0] == "At nine."


def test_leaves_one_and_may(geekai_server):
    geekai_server.play("At nine.")
"""
REAL = """
import socket

import pytest
from geekai_core import APIConnectionError

early = ChatGeekAI(model="m", max_retries=0)


@pytest.mark.parametrize("url", ["https://geekai.co/api/v1", "https://geekai.dev/api/v1", "https://API.geekai.co"])
async def test_no_model_reaches_geekai(geekai_server, url):
    for model in (early, ChatGeekAI(model="m", max_retries=0, api_key="sk-real", base_url=url)):
        with pytest.raises(APIConnectionError, match="may not reach .*geekai.*: make the model within the test"):
            model.invoke("?")
        with pytest.raises(APIConnectionError, match="may not reach .*geekai.*: make the model within the test"):
            await model.ainvoke("?")
    assert geekai_server.requests == []


@pytest.fixture
def no_names(monkeypatch):
    def look_up(host, *args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, f"{host} was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("host", ["notgeekai.co", "my-geekai.dev", "geekai.co.example", "xgeekai.co."])
def test_hosts_of_like_name_are_others(no_names, geekai_server, host):
    model = ChatGeekAI(model="m", max_retries=0, api_key="sk-real", base_url=f"https://{host}/v1")
    with pytest.raises(APIConnectionError) as caught:
        model.invoke("?")
    assert "may not reach" not in str(caught.value)


@pytest.mark.parametrize("host", ["GeekAI.co.", "a.b.geekai.dev"])
def test_hosts_below_geekai_s_are_geekai_s(no_names, geekai_server, host):
    model = ChatGeekAI(model="m", max_retries=0, api_key="sk-real", base_url=f"https://{host}/v1")
    with pytest.raises(APIConnectionError, match="may not reach"):
        model.invoke("?")
"""


def test_answers_never_requested_fail_a_test_that_wishes_it(tmp_path: Path) -> None:
    app = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    report = run_tests(tmp_path, app + STRICT, "--strict-markers")
    assert "3 passed, 1 error" in report
    assert "replies never requested: 1 for any path; the requests were: POST /chat/completions" in report


def test_no_model_of_a_test_with_the_fixture_reaches_geekai(tmp_path: Path) -> None:
    """Whether it was made before the fixture, with a real key, or was given a base URL; hosts of like name are free."""
    code = "from langchain_geekai import ChatGeekAI\n" + REAL
    report = run_tests(tmp_path, code, "-o", "asyncio_mode=auto", GEEKAI_PROXY="", HTTP_PROXY="", http_proxy="")
    assert "9 passed" in report, report


def test_the_plugin_is_cheap_to_import() -> None:
    """It is loaded with every run of pytest, wherever geekai is installed."""
    code = "import sys, pytest; before = set(sys.modules); import geekai_testing.pytest_plugin; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"geekai_testing", "geekai_testing.pytest_plugin"}


def test_a_described_answer_is_the_same_whole_and_streamed(client: Any, server: ScriptedServer) -> None:
    """Text in two scripts, thoughts, calls with ids, sources, usage and whatever else is told."""
    found = [{"title": "港", "link": "https://harbour.example", "content": "九点。"}]
    described = answer(
        "九点 sharp[1]。", reasoning="Hm, 想。", search_results=found, citations=["https://harbour.example"],
        tool_calls=[tool_call("now", {"city": "北京"}), tool_call("stop")], usage=usage(9, 4, 2), status="succeed",
    )  # fmt: skip
    server.play(described, described)
    fields: Any = {"model": "glm-4.6", "messages": [{"role": "user", "content": "?"}]}
    whole = client.chat(**fields)
    with client.stream(**fields) as stream:
        assert len([delta for delta in stream if delta.content]) == 3
    for got in (whole, stream.answer):
        assert (got.message.content, got.message.reasoning_content) == ("九点 sharp[1]。", "Hm, 想。")
        assert [(call.id, call.function.name) for call in got.message.tool_calls] == [
            ("call_1", "now"),
            ("call_2", "stop"),
        ]
        assert got.message.tool_calls[0].function.arguments == '{"city": "北京"}'
        assert (got.citations, got.search_results) == (["https://harbour.example"], found)
        assert (got.billed_units, got.usage.total_tokens, got.model, got.status) == (2, 13, "glm-4.6", "succeed")
        assert got.choices[0].finish_reason == "tool_calls"


def test_text_is_played_as_an_answer(client: Any, server: ScriptedServer) -> None:
    fields: Any = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
    server.play("hello", "你好", lambda request: "made of " + request.json["model"])
    assert client.chat(**fields).message.content == "hello"
    with client.stream(**fields) as stream:
        assert "".join(delta.content or "" for delta in stream) == "你好"
    assert client.chat(**fields).message.content == "made of m"


async def later(request: Any) -> None:
    """No reply: it would have to be awaited."""


@pytest.mark.parametrize("value", [{"a": 1}, ["hello"], b"hello", None, 7, ValueError("x"), ScriptedServer, later])
def test_what_cannot_be_played_is_refused_at_once(server: ScriptedServer, value: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot be played: a reply is text .*, a Reply, such as json_reply"):
        server.play("hello", value)
    server.all_played = True  # nothing was queued


def test_what_a_function_returns_is_played_or_fails_the_test() -> None:
    server = ScriptedServer(lambda request: {"a": 1})  # type: ignore[arg-type, return-value]
    with server, closing(Client(api_key="k", base_url=server.base_url, max_retries=0)) as client:
        with pytest.raises(ServerError, match="cannot be played"):
            client.models()
        failures, server._failures = server._failures, []
    assert [type(failure) for failure in failures] == [TypeError]


def test_bills_and_the_balance_have_their_lines_and_are_served_unscripted(client: Any, server: ScriptedServer) -> None:
    server.play(bill(None), path="/chat/transaction/*")
    with pytest.raises(APITimeoutError, match="not ready"):
        client.bill("a-1", timeout=0)
    server.play(bill(0.5, input_tokens=3, event="chat"), path="/chat/transaction/a-*")
    server.play(balance(99.5), path="/credit/balance")
    got = client.bill("a-2")
    assert (got.amount, got.tokens, got.input_tokens, got.output_tokens) == (Decimal("0.5"), 8, 3, 5)
    assert (got.event, client.balance().balance) == ("chat", Decimal("99.5"))
    assert (client.bill("a-3").amount, client.balance().balance) == (Decimal("1.26"), 8750)
    paths = [(request.method, request.path) for request in server.requests]
    assert paths[:2] == [("GET", "/api/chat/transaction/a-1"), ("GET", "/api/chat/transaction/a-2")]
    assert paths[2] == ("GET", "/api/credit/balance")
    assert server.requests[2].route == "/credit/balance"


def test_an_answer_of_words_alone_tells_nothing_else(client: Any, server: ScriptedServer) -> None:
    server.play(answer("Yes."))
    got = client.chat(model="m", messages=[{"role": "user", "content": "?"}])
    assert got.raw["choices"][0]["message"] == {"role": "assistant", "content": "Yes."}
    assert not got.raw.keys() & {"citations", "search_results"}


def test_vectors_scores_and_pages_have_their_lines(client: Any, server: ScriptedServer) -> None:
    """Whatever the order of the calls, each path takes its own."""
    server.play(pages({"title": "茶", "link": "https://tea.example"}), path="/web_search")
    server.play(ranking(0.1, 0.9, 0.5), path="/rerank")
    server.play(vectors([1.0, 0.0], tokens=3), path="/embeddings")
    embedded = client.embed("茶", model="m")
    assert (embedded.data[0].embedding, embedded.usage.total_tokens) == ([1.0, 0.0], 3)
    ranked = client.rerank("茶", ["a", "b", "c"], model="m", top_n=2)
    assert [(one.index, one.relevance_score, one.document) for one in ranked.results] == [(1, 0.9, "b"), (2, 0.5, "c")]
    (page,) = client.web_search("茶").results
    assert (page.title, page.link) == ("茶", "https://tea.example")
