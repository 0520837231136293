"""`geekai chat`: what it sends, what a pipe and a terminal get, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from geekai_testing.replies import Cut, Pause, Reply, delta, error, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from tests.cli.command import COMMAND, environment, folded, geekai, on_terminal

terminal = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
ASK = {"stream": True, "stream_options": {"include_usage": True}}
SOURCES = {
    "citations": ["https://a.example/光伏", "https://b.example"],
    "search_results": [{"link": "https://b.example", "title": "Wind, 风", "content": "…"}],
}


def answer(*deltas: dict[str, object]) -> Reply:
    """A streamed answer with two sources and its usage."""
    return sse(*deltas, delta(finish_reason="stop", usage=usage(12, 5, billed_units=1), **SOURCES))


def test_a_pipe_gets_the_answer_and_its_numbered_sources_and_nothing_else() -> None:
    with ScriptedServer() as server:
        server.play(answer(delta(reasoning_content="想一想。"), delta("太阳\t[1]"), delta("，风[2]。\r\nEnd")))
        done = geekai("chat", "--model", "qwen-max", "最近如何？", server=server)
    assert done.out == "太阳\t[1]，风[2]。\r\nEnd\n\n[1] https://a.example/光伏\n[2] Wind, 风 https://b.example\n"
    assert done.err == "prompt_tokens 12, completion_tokens 5, billed_units 1 (searches, not money)\n"
    assert done.code == 0
    (request,) = server.requests
    assert request.json == {"model": "qwen-max", "messages": [{"role": "user", "content": "最近如何？"}], **ASK}


def test_the_options_are_sent_by_their_wire_names() -> None:
    with ScriptedServer() as server:
        geekai("chat", "hi", "--system", "Be brief.", "--search", "--think", server=server, GEEKAI_MODEL="glm-4")
    assert server.requests[0].json == {
        "model": "glm-4",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "enable_search": True,
        "search_config": {"return_result": True},
        "enable_thinking": True,
        **ASK,
    }


def test_json_is_one_object_with_all_of_the_answer() -> None:
    with ScriptedServer() as server:
        server.play(answer(delta(reasoning_content="嗯"), delta("风[2]")))
        done = geekai("chat", "hi", "--model", "m", "--json", server=server, stdin=b"unread")
    assert json.loads(done.out) == {
        "model": "geekai-test",
        "answer": "风[2]",
        "reasoning": "嗯",
        "citations": [
            {"number": 1, "title": None, "url": "https://a.example/光伏"},
            {"number": 2, "title": "Wind, 风", "url": "https://b.example"},
        ],
        "usage": usage(12, 5, billed_units=1),
    }
    assert "风[2]" in done.out, "Chinese stays Chinese"
    assert (done.err, done.code) == ("", 0)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
def test_the_question_is_read_from_a_pipe(mark: bytes) -> None:
    with ScriptedServer() as server:
        done = geekai("chat", "--model", "m", server=server, stdin=mark + "你好\n".encode())
    assert done.code == 0
    assert server.requests[0].json["messages"] == [{"role": "user", "content": "你好\n"}]


def test_a_question_and_what_is_piped_in_are_both_sent() -> None:
    with ScriptedServer() as server:
        done = geekai("chat", "Summarise this", "-m", "m", server=server, stdin="风，\nsun\n".encode())
        geekai("chat", "Summarise this", "-m", "m", server=server, stdin=b" \n")
    assert done.code == 0
    sent = [request.json["messages"] for request in server.requests]
    assert sent == [
        [{"role": "user", "content": content}] for content in ("Summarise this\n\n风，\nsun\n", "Summarise this")
    ]


def test_a_file_as_standard_input_is_sent_too_and_a_terminal_or_nothing_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_bytes("风".encode("utf-16"))
    with ScriptedServer() as server, (tmp_path / "page.txt").open("rb") as page:
        for stdin in (page, subprocess.DEVNULL):
            run = [*COMMAND, "chat", "Read", "-m", "m"]
            subprocess.run(run, stdin=stdin, env=environment(server), timeout=60, check=True, capture_output=True)
    assert [request.json["messages"][0]["content"] for request in server.requests] == ["Read\n\n风", "Read"]


def test_a_file_that_is_no_text_is_refused_before_it_is_billed() -> None:
    with ScriptedServer() as server:
        done = geekai("chat", "Read", "-m", "m", server=server, stdin=b"%PDF-1.7\0\xff")
    assert (done.out, done.code) == ("", 2)
    assert "standard input is no text" in done.err
    assert not server.requests


@pytest.mark.parametrize("encoding", ["ascii", "latin-1:strict", ""])
def test_chinese_goes_in_and_out_whatever_the_locale_says(encoding: str) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding}
    with ScriptedServer() as server:
        server.play(sse(delta("好的 🚀", finish_reason="stop")), error(402, "余额不足"))
        done = geekai("chat", "--model", "m", "余额？".encode(), server=server, **locale)
        failed = geekai("chat", "--model", "m", server=server, stdin="余额？".encode(), **locale)
    assert (done.out, done.code) == ("好的 🚀\n", 0)
    assert "余额不足" in failed.err
    assert [request.json["messages"][0]["content"] for request in server.requests] == ["余额？", "余额？"]


@terminal
def test_a_terminal_shows_reasoning_dimmed_and_obeys_no_escape_of_an_answer() -> None:
    with ScriptedServer() as server:
        server.play(answer(delta(reasoning_content="想"), delta("the \x1b[31mred[1]")))
        screen, code = on_terminal("chat", "hi", "--model", "m", server=server)
    assert code == 0
    assert screen.startswith("\x1b[2m想\x1b[0m\n\nthe ␛[31mred[1]\n\n[1] https://a.example/光伏\n[2] Wind, 风 ")
    assert screen.endswith("billed_units 1 (searches, not money)\n")


@terminal
def test_a_talk_remembers_what_was_said_and_forgets_a_question_that_failed() -> None:
    def prompts(screen: str) -> bool:
        return screen.endswith("> ")

    with ScriptedServer() as server:
        server.play(
            sse(delta("Hello.", finish_reason="stop")), error(400, "参数错误"), sse(delta("Ada.", finish_reason="stop"))
        )
        screen, code = on_terminal(
            "chat",
            "--model",
            "m",
            "--system",
            "S",
            server=server,
            typed="I am Ada.\n\n坏\nWho am I?\n\x04",
            until=prompts,
        )
    assert code == 0
    assert "geekai: HTTP 400: 参数错误" in screen
    said = [{"role": "system", "content": "S"}, {"role": "user", "content": "I am Ada."}]
    said += [{"role": "assistant", "content": "Hello."}]
    assert server.requests[1].json["messages"] == [*said, {"role": "user", "content": "坏"}]
    assert server.requests[2].json["messages"] == [*said, {"role": "user", "content": "Who am I?"}]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("chat", "hi"), "no model: give --model NAME or set GEEKAI_MODEL"),
        (("chat", "--model", "m"), "no question: give one as an argument or through a pipe"),
        (("chat", "--modell", "m"), "No such option"),
    ],
)
def test_a_wrong_use_says_what_to_do_and_sends_nothing(words: tuple[str, ...], hint: str) -> None:
    with ScriptedServer() as server:
        done = geekai(*words, server=server)
    assert (done.out, done.code) == ("", 2)
    assert hint in done.err
    assert not server.requests


def test_without_a_key_it_says_where_one_comes_from() -> None:
    done = geekai("chat", "hi", "--model", "m", GEEKAI_API_KEY="")
    assert (done.out, done.code) == ("", 2)
    assert "set GEEKAI_API_KEY" in done.err
    assert done.err.count("\n") == 1


def test_a_missing_key_and_model_are_told_together_with_what_to_type() -> None:
    done = geekai("chat", "hi", GEEKAI_API_KEY="")
    assert (done.out, done.code) == ("", 2)
    assert done.err.count("\n") == 1
    for words in (
        "no GeekAI key: set GEEKAI_API_KEY, to a key of your account at https://geekai.co or https://geekai.dev",
        "(a server on this machine needs none)",
        "export GEEKAI_API_KEY=sk-...",
        "no model: give --model NAME or set GEEKAI_MODEL",
        "export GEEKAI_MODEL=NAME",
    ):
        assert words in folded(done.err)


def test_a_missing_key_and_model_are_told_in_the_user_s_language() -> None:
    done = geekai("chat", "hi", GEEKAI_API_KEY="", LANG="zh_CN.UTF-8")
    assert (done.out, done.code) == ("", 2)
    for words in (
        "没有密钥：",
        "https://geekai.co",
        "本机的服务不需要密钥",
        "export GEEKAI_API_KEY=",
        "没有指定模型：",
    ):
        assert words in done.err
    assert "no " not in done.err


def test_a_refused_key_and_the_usage_are_told_in_the_user_s_language() -> None:
    with ScriptedServer() as server:
        server.play(error(401, "无效的令牌"), sse(delta("a", finish_reason="length", usage=None)))
        refused = geekai("chat", "hi", "-m", "m", server=server, LANG="zh_CN.UTF-8")
        cut = geekai("chat", "hi", "-m", "m", server=server, LANG="zh_CN.UTF-8")
    assert (
        refused.err
        == "geekai: HTTP 401: 无效的令牌 [请检查 GEEKAI_API_KEY 和地址：geekai.co 与 geekai.dev 的密钥互不通用]\n"
    )
    assert cut.err == "结束原因：length\n"


@terminal
def test_on_a_terminal_what_to_type_stands_on_lines_of_its_own() -> None:
    with ScriptedServer() as server:
        env = {"GEEKAI_API_KEY": "", "GEEKAI_BASE_URL": "https://geekai.co/api/v1"}
        screen, code = on_terminal("chat", "hi", server=server, columns=60, **env)
    assert code == 2
    assert {"export GEEKAI_API_KEY=sk-...", "export GEEKAI_MODEL=NAME"} <= {
        line.strip() for line in screen.splitlines()
    }


def test_another_host_s_key_is_not_said_to_come_from_geekai() -> None:
    done = geekai("chat", "hi", "-m", "m", "--base-url", "https://llm.example/v1", GEEKAI_API_KEY="")
    assert (done.out, done.code) == ("", 2)
    assert "no key for https://llm.example/v1: set GEEKAI_API_KEY" in folded(done.err)
    assert "geekai.co" not in done.err


def test_a_server_on_this_machine_needs_no_key() -> None:
    with ScriptedServer() as server:
        done = geekai("chat", "hi", "-m", "m", server=server, GEEKAI_API_KEY="")
    assert done.code == 0
    assert server.requests[0].headers["authorization"] == "Bearer none-needed"


def test_urls_are_shown_with_their_letters_and_json_has_them_as_they_came() -> None:
    urls = ["https://zh.wiki.example/%E5%85%89%E4%BC%8F?a=%20%2F", "https://b.example/%E2%80%AE%1b%FF"]
    with ScriptedServer() as server:
        server.play(*[sse(delta("a", finish_reason="stop", citations=urls))] * 2)
        done = geekai("chat", "hi", "-m", "m", server=server)
        as_json = geekai("chat", "hi", "-m", "m", "--json", server=server)
    assert done.out.endswith("[1] https://zh.wiki.example/光伏?a=%20%2F\n[2] https://b.example/%E2%80%AE%1b%FF\n")
    assert [one["url"] for one in json.loads(as_json.out)["citations"]] == urls


HOSTILE = "\x1b]0;owned\x07\x9b2J\x00\x7f\u202e\r!"
OBEYED = ["\x1b", "\x07", "\x9b", "\x00", "\x7f", "\u202e"]


@terminal
def test_no_text_of_a_server_reaches_a_terminal_as_control_characters() -> None:
    found = [{"link": f"https://a.example/{HOSTILE}", "title": f"A\n[9] forged {HOSTILE}"}]
    listed = {"data": [{"id": f"m{HOSTILE}", "owned_by": f"o\n{HOSTILE}", "capabilities": [HOSTILE]}], "total": 1}
    with ScriptedServer() as server:
        server.play(
            sse(
                delta(reasoning_content=HOSTILE),
                delta(HOSTILE),
                delta(finish_reason=f"odd {HOSTILE}", search_results=found),
            )
        )
        server.play(error(400, HOSTILE), *[json_reply(listed)] * 3, error(404, HOSTILE), error(404, HOSTILE))
        dumb = {"server": server, "TERM": "dumb"}
        screens = [on_terminal("chat", "hi", "-m", "m", **dumb)[0] for _ in range(2)]
        screens += [on_terminal("models", **dumb, columns=columns)[0] for columns in (200, 40)]
        screens += [on_terminal("models", "--json", **dumb)[0]]
        screens += [on_terminal("doctor", "-m", "m", **dumb)[0]]
    for screen in screens:
        assert not [character for character in OBEYED if character in screen], screen
        assert "\r" not in screen
        assert "owned" in screen, "it is shown"
    assert "\n[9] forged" not in screens[0]


def test_json_holds_an_answer_s_control_characters_as_escapes() -> None:
    with ScriptedServer() as server:
        server.play(sse(delta(HOSTILE, finish_reason="stop")))
        done = geekai("chat", "hi", "-m", "m", "--json", server=server)
    assert json.loads(done.out)["answer"] == HOSTILE
    assert not [character for character in OBEYED if character in done.out]


def test_a_warning_is_one_line_of_harmless_text() -> None:
    code = f"import warnings\nwarnings.warn({HOSTILE!r} + 'a\\nb')"
    program = f"from geekai_cli.__main__ import main\nimport geekai_cli.app as app\napp.app = lambda **_: exec({code!r})\nmain([])"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, check=True, timeout=60
    )
    assert done.stderr.decode() == "geekai: ␛]0;owned␇\\u009b2J␀\\u007f\\u202e !a b\n"


def test_a_failed_request_is_one_line_in_the_server_s_words_and_never_shows_the_key() -> None:
    with ScriptedServer() as server:
        server.play(error(401, "密钥 sk-test-5f2c9a71e0 无效,\n请检查"))
        done = geekai("chat", "hi", "--model", "m", server=server)
    assert (done.out, done.code) == ("", 1)
    assert done.err.startswith("geekai: HTTP 401: 密钥 *** 无效, 请检查")
    assert done.err.count("\n") == 1


def test_what_came_before_a_stream_broke_stays_on_a_line_of_its_own() -> None:
    with ScriptedServer() as server:
        server.play(sse(delta("一半"), Cut(reset=False), done=False))
        done = geekai("chat", "hi", "--model", "m", server=server)
    assert (done.out, done.code) == ("一半\n", 1)
    assert done.err.startswith("geekai: the stream was cut short")


def test_an_answer_that_ended_early_says_why() -> None:
    with ScriptedServer() as server:
        server.play(sse(delta("一", finish_reason="length")))
        done = geekai("chat", "hi", "--model", "m", server=server)
    assert (done.err, done.code) == ("ended by length\n", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_it_quietly_with_130_and_closes_the_stream() -> None:
    with ScriptedServer() as server:
        server.play(sse(delta("一"), Pause(threading.Event()), done=False))
        pipe = subprocess.PIPE
        command = [*COMMAND, "chat", "hi", "--model", "m"]
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment(server)) as process:
            assert process.stdout
            assert process.stdout.read(3) == "一".encode()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert (out, err, process.returncode) == (b"\n", b"", 130)
        assert server.requests[0].client_left.wait(5)


@pytest.mark.skipif(sys.platform == "win32", reason="closes a POSIX pipe")
def test_a_reader_who_leaves_makes_no_noise() -> None:
    with ScriptedServer() as server:
        gone = threading.Event()
        server.play(sse(delta("first\n"), Pause(gone), *[delta("x" * 1000)] * 100, delta(finish_reason="stop")))
        pipe = subprocess.PIPE
        command = [*COMMAND, "chat", "hi", "--model", "m"]
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment(server)) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.read(6)
            process.stdout.close()
            gone.set()
            assert process.stderr.read() == b""
        assert process.returncode == 1
