"""The chat in a terminal: what it sends, shows and remembers."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples import chat
from geekai_testing.replies import Hold, delta, error, sse
from geekai_testing.scripted import ScriptedServer

SYSTEM = {"role": "system", "content": chat.SYSTEM}


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_it_streams_dims_thoughts_ends_with_ctrl_c_and_goes_on(scripted: ScriptedServer) -> None:
    """As a person types it, with colours on."""
    thinking = delta(reasoning_content="想一想")
    scripted.play(sse(thinking, delta("九点"), Hold()), sse(delta("十点"), delta(finish_reason="stop")))
    command = [sys.executable, "-W", "error", str(Path(chat.__file__)), "--think"]
    env = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("夏天几点开？\n".encode())
        process.stdin.flush()
        shown = b""
        while "九点".encode() not in shown:
            more = os.read(process.stdout.fileno(), 4096)
            assert more, shown
            shown += more
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate("冬天呢？\n\n".encode(), timeout=30)
    assert process.returncode == 0
    assert "\x1b[2m想一想\x1b[0m" in shown.decode()
    assert "十点" in out.decode()
    assert scripted.requests[0].client_left.is_set()
    first, second = (request.json for request in scripted.requests)
    assert first["enable_thinking"] is True
    assert first["messages"] == [SYSTEM, {"role": "user", "content": "夏天几点开？"}]
    assert second["messages"][2:] == [
        {"role": "assistant", "content": "九点"},
        {"role": "user", "content": "冬天呢？"},
    ]


def test_it_remembers_across_runs_and_forgets_the_question_that_failed(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = tmp_path / "chat.json"
    results = [{"link": "https://harbour.example", "title": "时刻表", "content": "9:00"}]
    scripted.play(sse(delta("九点 [1]", finish_reason="stop", search_results=results)), error(402, "余额不足"))
    typed(monkeypatch, "几点开？", "为什么？", "")
    chat.main(search=True, memory=memory)
    assert "[1] 时刻表 https://harbour.example" in (shown := capsys.readouterr().out)
    assert "InsufficientBalanceError: HTTP 402: 余额不足" in shown
    assert "几点开？" in memory.read_text("utf-8")

    typed(monkeypatch, "谢谢")
    chat.main(memory=memory)
    assert scripted.requests[2].json["messages"] == [
        SYSTEM,
        {"role": "user", "content": "几点开？"},
        {"role": "assistant", "content": "九点 [1]"},
        {"role": "user", "content": "谢谢"},
    ]


def test_a_long_chat_sends_its_end_from_a_question_on(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "SENT", 40)
    typed(monkeypatch, *(f"Question {number} about ferries, islands and lighthouses?" for number in range(5)))
    chat.main()
    sent = scripted.requests[4].json["messages"]
    assert sent[0] == SYSTEM
    assert sent[1]["role"] == "user"
    assert sent[-1]["content"].startswith("Question 4")
    assert len(sent) < len(scripted.requests[3].json["messages"]) + 2


def test_a_full_disk_costs_neither_the_talk_nor_what_was_kept(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = tmp_path / "chat.json"
    typed(monkeypatch, "One?", "")
    chat.main(memory=memory)
    kept = memory.read_text("utf-8")
    (tmp_path / "chat.json.new").symlink_to("/dev/full")
    typed(monkeypatch, "Two?", "Three?", "")
    chat.main(memory=memory)
    assert "not kept: [Errno 28]" in capsys.readouterr().out
    assert memory.read_text("utf-8") == kept
    assert [m["content"] for m in scripted.requests[-1].json["messages"] if m["role"] == "user"] == [
        "One?",
        "Two?",
        "Three?",
    ]


@pytest.mark.parametrize("kept", [b'[{"type": "hum', b"\xff", b'{"a": 1}', b"[1]", b'[{"type": "none", "data": {}}]'])
def test_a_memory_that_cannot_be_read_is_named_and_left_as_it_is(
    scripted: ScriptedServer, kept: bytes, tmp_path: Path
) -> None:
    memory = tmp_path / "chat.json"
    memory.write_bytes(kept)
    with pytest.raises(SystemExit, match=r"chat\.json holds no conversation"):
        chat.main(memory=memory)
    assert memory.read_bytes() == kept
    assert scripted.requests == []


def test_an_answer_commands_no_terminal(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [{"link": "https://a.example", "title": "\x1b]0;t\x07", "content": "c"}]
    thought, text = (
        delta(reasoning_content="\x9b1m"),
        delta("\x1b[2J [1]", finish_reason="stop", search_results=results),
    )
    scripted.play(sse(thought, text))
    typed(monkeypatch, "Hi", "")
    chat.main()
    shown = capsys.readouterr().out
    assert "␛[2J [1]" in shown
    assert not set(shown) & set("\x1b\x9b\x07")


@pytest.mark.local_model
def test_a_real_model_chats(
    local: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "When was the lighthouse built?", "And who built it?", "")
    chat.main(search=True, memory=tmp_path / "chat.json")
    kept = json.loads((tmp_path / "chat.json").read_text("utf-8"))
    assert [message["type"] for message in kept] == ["system", "human", "ai", "human", "ai"]
    assert all(message["data"]["content"].strip() for message in kept)
    assert "[1] The Lighthouse at Cape Torv" in capsys.readouterr().out
