"""`geekai models`: the list as it came, filtered; a table for people, lines for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from geekai_testing.replies import error, json_reply
from geekai_testing.scripted import ScriptedServer
from tests.cli.command import Done, folded, geekai, on_terminal

LISTED: list[dict[str, Any]] = [
    {
        "id": "glm-4v",
        "name": "智谱 GLM",
        "owned_by": "zhipu",
        "context_window": 128000,
        "capabilities": ["视觉", "function_calling"],
        "pricing": {"input": 0.5, "output": "1.20"},
        "novel": True,
    },
    {"id": "ernie-x", "owned_by": "baidu", "capabilities": ["Vision", "时间旅行"], "pricing": {"input": 3}},
    {"id": "bare"},
]
ROWS = {
    "glm-4v": "glm-4v\tzhipu\t128000\ttools, vision\tinput 0.5, output 1.20\n",
    "ernie-x": "ernie-x\tbaidu\t\tvision, 时间旅行\tinput 3\n",
    "bare": "bare\t\t\t\t\n",
}
NOTE = "prices are shown as listed, their unit is not documented"


def models(*words: str, server: ScriptedServer) -> Done:
    server.play(json_reply({"data": LISTED, "total": 3}), path="/models")
    return geekai("models", *words, server=server)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["glm-4v", "ernie-x", "bare"]),
        (("--capability", "vision"), ["glm-4v", "ernie-x"]),
        (("--capability", "视觉"), ["glm-4v", "ernie-x"]),
        (("--capability", "vision", "--capability", "tools"), ["glm-4v"]),
        (("--capability", "时间旅行"), ["ernie-x"]),
        (("--min-context", "128000"), ["glm-4v"]),
        (("--min-context", "128001"), []),
        (("智谱",), ["glm-4v"]),
        (("BAIDU",), ["ernie-x"]),
        (("e", "--capability", "vision", "--min-context", "1"), []),
    ],
)
def test_a_pipe_gets_one_tab_separated_line_for_each_model_that_fits(words: tuple[str, ...], found: list[str]) -> None:
    with ScriptedServer() as server:
        done = models(*words, server=server)
    assert done.out == "".join(ROWS[name] for name in found)
    assert done.err.startswith(f"{len(found)} of 3 models; {NOTE}")
    assert done.code == 0


def test_where_nothing_fits_the_capabilities_that_are_listed_are_told() -> None:
    with ScriptedServer() as server:
        done = models("--capability", "flying", server=server)
    assert (done.out, done.code) == ("", 0)
    assert done.err == f"0 of 3 models; {NOTE}; capabilities listed: tools, vision, 时间旅行\n"


def test_json_is_the_list_as_it_came() -> None:
    with ScriptedServer() as server:
        done = models("--json", "--capability", "vision", server=server)
    assert json.loads(done.out) == LISTED[:2]
    assert (done.err, done.code) == ("", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
def test_a_terminal_gets_a_table() -> None:
    with ScriptedServer() as server:
        server.play(json_reply({"data": LISTED, "total": 3}), path="/models")
        screen, code = on_terminal("models", server=server, NO_COLOR="1")
    assert code == 0
    lines = [line.split() for line in screen.splitlines()]
    assert ["glm-4v", "zhipu", "128000", "tools,", "vision", "input", "0.5,", "output", "1.20"] in lines
    assert ["bare"] in lines


def test_a_refusal_is_one_line_and_exit_code_1() -> None:
    with ScriptedServer() as server:
        server.play(error(403, "无权访问"))
        done = geekai("models", server=server)
    assert (done.out, done.code) == ("", 1)
    assert done.err.startswith("geekai: HTTP 403: 无权访问")
    assert done.err.count("\n") == 1


def test_without_a_key_it_says_first_what_a_terminal_can_do() -> None:
    done = geekai("models", GEEKAI_API_KEY="")
    assert (done.out, done.code) == ("", 2)
    assert done.err.startswith("geekai: no GeekAI key: set GEEKAI_API_KEY")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
def test_a_narrow_terminal_gets_whole_words_and_whole_ids() -> None:
    models = [{**LISTED[0], "id": "deepseek/deepseek-r1:full-0528"}, LISTED[1]]
    with ScriptedServer() as server:
        server.play(json_reply({"data": models, "total": 2}), path="/models")
        screen, _ = on_terminal("models", server=server, columns=40, NO_COLOR="1")
    assert folded(screen).startswith(
        "deepseek/deepseek-r1:full-0528 zhipu · 128000 · tools, vision · input 0.5, output 1.20"
        " ernie-x baidu · vision, 时间旅行 · input 3 2 of 2 models; prices are shown as listed"
    )
    assert max(map(len, screen.splitlines())) <= 40


def test_a_cell_with_line_breaks_and_tabs_stays_one_cell() -> None:
    with ScriptedServer() as server:
        server.play(json_reply({"data": [{"id": "a\tb\nforged", "owned_by": "x\x1b[2J"}], "total": 1}), path="/models")
        done = geekai("models", server=server)
    assert done.out == "a b forged\tx␛[2J\t\t\t\n"


def test_the_host_may_be_given_as_an_option() -> None:
    with ScriptedServer() as server:
        server.play(json_reply({"data": LISTED, "total": 3}), path="/models")
        done = geekai("models", "--base-url", server.base_url, GEEKAI_BASE_URL="http://127.0.0.1:1/v1")
    assert done.code == 0
