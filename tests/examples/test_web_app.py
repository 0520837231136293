"""The web page: what its events are, what a browser shows of them, and that nobody writes for nobody."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from examples.web_app import create_app
from geekai_testing import replies
from geekai_testing.replies import Hold, Pause, delta, error, sse
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI
from tests.examples.browser import opened

RESULTS = [{"link": "https://harbour.example/timetable", "title": "时刻表 <b>", "content": "9:00"}]


@contextmanager
def served() -> Iterator[str]:
    """The example's own app on a free port, with a model from the environment; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(ChatGeekAI(model="local", max_tokens=24, temperature=0, max_retries=0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    with listener:
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


def asked(url: str, question: str) -> list[tuple[str, Any]]:
    """The events of an answer."""
    text = httpx.get(f"{url}ask", params={"q": question}, timeout=60).text
    events = [event.split("\n") for event in text.removesuffix("\n\n").split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in events]


def test_tokens_and_then_sources_are_events(scripted: ScriptedServer) -> None:
    scripted.play(sse(delta("九点"), delta(" [1]\n"), delta(finish_reason="stop", search_results=RESULTS)))
    with served() as url:
        events = asked(url, "轮渡几点开？")
    sources = [{"title": "时刻表 <b>", "url": "https://harbour.example/timetable"}]
    assert events == [("text", "九点"), ("text", " [1]\n"), ("sources", sources), ("end", None)]
    (request,) = scripted.requests
    assert request.json["messages"] == [{"role": "user", "content": "轮渡几点开？"}]
    assert request.json["enable_search"] is True
    assert request.json["stream"] is True


def test_a_failure_is_said_in_the_page(scripted: ScriptedServer) -> None:
    scripted.play(error(402, "余额不足"))
    with served() as url:
        (name, text), *others = asked(url, "?")
    assert name == "text"
    assert "HTTP 402: 余额不足" in text
    assert others == [("sources", []), ("end", None)]


@pytest.mark.parametrize(
    "then", [[Hold()], itertools.chain.from_iterable(itertools.repeat((b": wait\n\n", Pause(0.01))))]
)
def test_who_leaves_ends_the_answer(scripted: ScriptedServer, then: Any) -> None:
    """Whether more is being written at that moment or not."""
    scripted.play(replies.Reply(200, {"content-type": "text/event-stream"}, itertools.chain(_first(), then)))
    with served() as url:
        with httpx.stream("GET", f"{url}ask", params={"q": "?"}) as response:
            assert next(response.iter_lines()) == "event: text"
        assert scripted.requests[0].client_left.wait(5)


def _first() -> list[bytes]:
    return [f"data: {replies.dumps(delta('One'))}\n\n".encode()]


@pytest.mark.local_model
def test_a_browser_shows_the_answer_and_its_sources(local: str, tmp_path: Path) -> None:
    with served() as url, opened(url, tmp_path) as page:
        page.run("document.querySelector('input').value = 'When was the lighthouse built?'")
        page.run("document.querySelector('button').click()")
        assert page.until("document.querySelector('#answer').textContent").strip()
        page.until("document.querySelector('#answer').dataset.ended !== undefined")
        links = page.run("[...document.querySelectorAll('#sources a')].map(link => [link.textContent, link.href])")
        assert any("lighthouse" in text.lower() for text, _ in links)


def test_a_browser_shows_tokens_as_they_come_and_titles_as_text_and_ends_the_answer_when_it_leaves(
    scripted: ScriptedServer, tmp_path: Path
) -> None:
    more = threading.Event()
    scripted.play(
        sse(delta("九点 <i>", search_results=RESULTS), Pause(more), delta("开船"), delta(finish_reason="stop"))
    )
    scripted.play(sse(delta("One"), Hold()))
    with served() as url, opened(url, tmp_path) as page:
        page.run("document.querySelector('input').value = '轮渡？'; document.querySelector('button').click()")
        assert page.until("document.querySelector('#answer').textContent") == "九点 <i>"
        more.set()
        page.until("document.querySelector('#answer').dataset.ended !== undefined")
        assert page.run("document.querySelector('#answer').textContent") == "九点 <i>开船"
        assert page.run("document.querySelector('#sources').innerText").strip() == "时刻表 <b>"
        page.run("document.querySelector('button').click()")
        page.until("document.querySelector('#answer').textContent == 'One'")
        page.command("Page.navigate", url="about:blank")
        assert scripted.requests[1].client_left.wait(10)
