"""A talk on a terminal: what ends it, what is turned on within it, what is kept of it, how it looks."""

from __future__ import annotations

import json
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from geekai_testing.replies import Cut, Pause, Reply, delta, error, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from tests.cli.command import folded, geekai, on_terminal

terminal = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
CTRL_C, CTRL_D = "\x03", "\x04"
SEARCHING = {"enable_search": True, "search_config": {"return_result": True}}


def saying(text: str, **more: Any) -> Reply:
    return sse(delta(text, finish_reason="stop", usage=usage(3, 2), **more))


def messages(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


@terminal
def test_ctrl_c_ends_an_answer_whose_beginning_is_remembered_and_a_second_one_the_talk() -> None:
    with ScriptedServer() as server:
        server.play(sse(delta("One, two"), Pause(threading.Event()), done=False), saying("three."))
        steps = [("> ", "Count.\n"), ("One, two", CTRL_C), ("> ", "Go on.\n"), ("three.", ""), ("> ", CTRL_C)]
        screen, code = on_terminal("chat", "-m", "m", server=server, steps=steps)
        assert server.requests[0].client_left.wait(5)
    assert code == 130
    assert "(ended; Ctrl-C once more ends the talk)" in screen
    assert server.requests[1].json["messages"] == messages("Count.", "One, two", "Go on.")


@terminal
def test_ctrl_c_before_any_answer_came_forgets_the_question() -> None:
    with ScriptedServer() as server:
        server.play(sse(delta(reasoning_content="Hm"), Pause(threading.Event()), done=False), saying("four."))
        steps = [("> ", "Count.\n"), ("Hm", CTRL_C), ("> ", "2+2?\n"), ("four.", ""), ("> ", CTRL_D)]
        _, code = on_terminal("chat", "-m", "m", server=server, steps=steps)
    assert code == 0
    assert server.requests[1].json["messages"] == messages("2+2?")


@terminal
def test_search_and_thinking_are_turned_on_and_off_within_a_talk() -> None:
    lines = ["one", "/search on", "/think on", "two", "/search off", "/search", "three", "/etc/passwd is what?"]
    with ScriptedServer() as server:
        server.play(*[saying("ok")] * 4)
        typed = "".join(f"{line}\n" for line in [*lines, "/search please"]) + CTRL_D
        screen, code = on_terminal("chat", "-m", "m", server=server, typed=typed, until=lambda shown: "> " in shown)
    assert code == 0
    sent = [
        {k: v for k, v in request.json.items() if k.startswith(("enable", "search"))} for request in server.requests
    ]
    assert sent == [{}, {**SEARCHING, "enable_thinking": True}, {"enable_thinking": True}, {"enable_thinking": True}]
    assert server.requests[-1].json["messages"][-1]["content"] == "/etc/passwd is what?"
    assert screen.count("/search off\n") >= 2
    assert "/search on, /think on, and off" in screen


@terminal
def test_a_slip_in_a_switch_s_name_gets_help_and_is_not_sent() -> None:
    with ScriptedServer() as server:
        server.play(saying("ok"))
        typed = "/help\n/serach on\n/exit\none\n" + CTRL_D
        screen, code = on_terminal("chat", "-m", "m", server=server, typed=typed, until=lambda shown: "> " in shown)
    assert code == 0
    assert [request.json["messages"] for request in server.requests] == [messages("one")]
    assert screen.count("/search on, /think on, and off") == 4  # at the start, too


def test_a_talk_is_saved_as_markdown_and_grows(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        found = [{"link": "https://b.example/%E9%A3%8E", "title": "Wind"}]
        server.play(saying("Sun\x1b[2J[1]", search_results=found), sse(delta("Half"), Cut(reset=False), done=False))
        geekai("chat", "最近？", "-m", "qwen", "--save", str(tmp_path / "talk.md"), server=server)
        geekai("chat", "More", "-m", "qwen", "--save", str(tmp_path / "talk.md"), server=server)
    assert (tmp_path / "talk.md").read_text(encoding="utf-8") == (
        "## You\n\n最近？\n\n## qwen\n\nSun␛[2J[1]\n\n1. Wind https://b.example/%E9%A3%8E\n\n"
        "## You\n\nMore\n\n## qwen\n\nHalf\n\n"
    )


def test_a_talk_goes_on_from_the_file_that_keeps_it_and_from_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with ScriptedServer() as server:
        server.play(saying("Hello,\nAda."), error(400, "坏"), saying("Ada."), saying("Who?"))
        ask = ["chat", "-m", "m", "--system", "S", "--history", str(path)]
        for question in ("I am Ada.", "bad", "Who am I?"):
            geekai(*ask, question, server=server)
        geekai("chat", "-m", "m", "Who am I?", server=server)
    system = {"role": "system", "content": "S"}
    first = messages("I am Ada.", "Hello,\nAda.")
    assert server.requests[2].json["messages"] == [system, *first, {"role": "user", "content": "Who am I?"}]
    assert server.requests[3].json["messages"] == messages("Who am I?")
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert kept == messages("I am Ada.", "Hello,\nAda.", "Who am I?", "Ada.")
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or sys.platform == "win32"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("line", ["no json", '{"role": "user"}', '["a"]', '{"role": "user", "content": 1}', "\x80"])
def test_a_broken_line_of_a_history_is_named_and_nothing_is_asked(tmp_path: Path, line: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"role": "user", "content": "a"}\n' + line.encode("latin-1") + b"\n")
    with ScriptedServer() as server:
        done = geekai("chat", "hi", "-m", "m", "--history", str(path), server=server)
    assert (done.out, done.code) == ("", 2)
    assert done.err.startswith("geekai: line 2 of ")
    assert not server.requests


@pytest.mark.parametrize("option", ["--save", "--history"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(tmp_path: Path, option: str) -> None:
    with ScriptedServer() as server:
        done = geekai("chat", "hi", "-m", "m", option, str(tmp_path / "no" / "talk"), server=server)
    assert (done.out, done.code) == ("", 2)
    assert done.err == f"geekai: {tmp_path / 'no' / 'talk'} cannot be used: No such file or directory\n"
    assert not server.requests


TEXT = "Solar power grows quickly because modules are inexpensive; wind follows more slowly, and storage last of all. "


@terminal
@pytest.mark.parametrize("columns", [40, 60])
def test_no_line_of_an_answer_is_broken_within_a_word(columns: int) -> None:
    pieces = [TEXT[at : at + 3] for at in range(0, len(TEXT), 3)]  # words come in pieces
    code = "```\n" + "x = " + "1 + " * 30 + "1\n```\n"
    with ScriptedServer() as server:
        server.play(sse(*map(delta, pieces), delta("\n" + code), delta(finish_reason="stop")))
        screen, _ = on_terminal("chat", "hi", "-m", "m", server=server, columns=columns)
    shown = displayed(screen)
    lines = shown[: shown.index("```")]
    assert folded(" ".join(lines)) == TEXT.strip()
    assert max(map(len, lines)) <= columns
    assert len(lines) < len(TEXT) / (columns - 15)
    assert code.splitlines()[1] in shown, "code stays as it came"


def displayed(screen: str) -> list[str]:
    """The lines that a terminal shows, with what was taken back taken back."""
    text = ""
    for character in screen:
        text = text[:-1] if character == "\b" else text + character
    return [line.rstrip() for line in text.replace("  \n", "\n").splitlines()]


@terminal
@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_styles_no_escape_is_written_and_reasoning_is_told_by_a_word(env: dict[str, str]) -> None:
    with ScriptedServer() as server:
        server.play(sse(delta(reasoning_content="想"), delta("Red"), delta(finish_reason="stop")))
        screen, code = on_terminal("chat", "hi", "-m", "m", server=server, **env)
        server.play(json_reply({"data": [{"id": "glm-4"}], "total": 1}))
        listed, _ = on_terminal("models", server=server, **env)
        server.play(json_reply({"data": [{"id": "glm-4"}], "total": 1}))
        examined, _ = on_terminal("doctor", server=server, **env)
    assert code == 0
    assert screen.startswith("thinking: 想\n\nRed\n")
    assert "\x1b" not in screen + listed + examined
