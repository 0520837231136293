"""What every command shares: a quick start, the missing extra, `geekai serve`."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages import mofile, pofile

import geekai_cli
import geekai_core
from geekai_cli.app import USAGE_ERRORS
from geekai_cli.doctor import WORDS
from geekai_core import __version__
from geekai_testing.replies import json_reply
from geekai_testing.scripted import ScriptedServer
from tests.cli.command import environment, folded, geekai


def python(code: str) -> subprocess.CompletedProcess[str]:
    """`code` in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=60, check=False
    )


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["chat", "--help"], ["models", "--help"]])
def test_help_and_version_load_neither_the_frameworks_nor_httpx(words: list[str]) -> None:
    heavy = ("httpx", "langchain_core", "llama_index", "uvicorn", "starlette")
    code = f"import sys\nfrom geekai_cli.__main__ import main\ntry: main({words!r})\nexcept SystemExit as end: "
    done = python(f"{code}print(end.code, [n for n in {heavy!r} if n in sys.modules])")
    assert done.stdout.endswith("0 []\n"), done.stderr
    assert done.stdout.startswith(f"geekai {__version__}" if words == ["--version"] else "Usage: geekai ")


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(library: str) -> None:
    run = "import runpy; sys.argv[1:] = ['models']; runpy.run_module('geekai_cli', run_name='__main__')"
    done = python(f"import sys; sys.modules[{library!r}] = None\n{run}")
    assert done.stderr == f'geekai: {library} is not installed: pip install ".[cli]" in the clone\n'
    assert done.returncode == 2


def test_serve_hands_its_options_to_the_local_endpoint(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    done = geekai("serve", "--port", "0", "--gguf", str(tmp_path / "broken.gguf"))
    assert (done.out, done.code) == ("", 2)
    assert done.err.startswith("geekai-local: ")
    assert "broken.gguf" in done.err
    assert done.err.count("\n") == 1
    helped = geekai("serve", "--help")
    assert "--install-weights" in helped.out
    assert helped.code == 0


def test_the_short_options_that_everyone_tries_work() -> None:
    assert geekai("-h").out == geekai("--help").out
    assert geekai("chat", "-h").out == geekai("chat", "--help").out


@pytest.mark.parametrize("command", ["chat", "models", "doctor", "bill", "balance"])
def test_every_command_that_asks_takes_a_base_url(command: str) -> None:
    assert "--base-url URL" in folded(geekai(command, "--help").out)


SOURCES = sorted(Path(geekai_cli.__file__).parent.glob("*.py"))
CORE = Path(geekai_core.__file__).parent
CATALOGUE = SOURCES[0].parent / "locale/zh/LC_MESSAGES/geekai.po"


@pytest.mark.parametrize(("lang", "columns"), [("zh_CN.UTF-8", "40"), ("zh_TW", "200"), ("zh", "80")])
def test_help_speaks_chinese_where_the_locale_does(lang: str, columns: str) -> None:
    page = geekai("chat", "--help", LANG=lang, COLUMNS=columns).out
    assert page.startswith("用法: geekai chat ")
    for words in ("提一个问题，或连续对话。", "选项:", "--search 先联网搜索（收费）。", "-h, --help 显示本帮助。"):
        assert words in folded(page)


@pytest.mark.parametrize("lang", ["", "C", "de_DE.UTF-8"])
def test_help_speaks_english_anywhere_else(lang: str) -> None:
    assert geekai("chat", "--help", LANG=lang).out.startswith("Usage: geekai chat ")


def test_the_catalogue_holds_every_word_of_the_help_and_is_compiled() -> None:
    with CATALOGUE.open("rb") as source, CATALOGUE.with_suffix(".mo").open("rb") as file:
        catalogue = {message.id: message.string for message in pofile.read_po(source) if message.id}
        compiled = {message.id: message.string for message in mofile.read_mo(file) if message.id}
    assert compiled == catalogue, "run: pybabel compile -i geekai.po -o geekai.mo"
    assert all(catalogue.values())
    trees = [ast.parse(path.read_text("utf-8")) for path in SOURCES]
    calls = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "_"]
    marked = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert len(marked) > 50
    functions = [
        n for n in ast.parse((SOURCES[0].parent / "app.py").read_text("utf-8")).body if isinstance(n, ast.FunctionDef)
    ]
    described = {ast.get_docstring(function) for function in functions if function.decorator_list} - {None}
    of_the_library = {"Options", "Arguments", "Commands", "required", "default: {default}", *USAGE_ERRORS}
    ours = marked | described | of_the_library | WORDS.keys()
    assert ours <= catalogue.keys()
    core = "".join(ast.unparse(ast.parse(path.read_text("utf-8"))) for path in CORE.rglob("*.py"))
    assert [words for words in catalogue.keys() - ours if words not in core] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["chat", "--nope"], "没有这个选项：--nope"),
        (["nope"], "没有这个命令：'nope'。"),
        (["bill"], "缺少参数 'id'。"),
        (["models", "a", "b"], "多余的参数：b"),
        (["chat", "hi", "-m"], "选项 '-m' 需要一个值。"),
        (["models", "--min-context", "x"], "'--min-context' 的值不对："),
    ],
)
def test_a_wrong_command_line_is_told_in_the_user_s_language(words: list[str], told: str) -> None:
    done = geekai(*words, LANG="zh_CN.UTF-8")
    assert (done.out, done.code) == ("", 2)
    assert f"错误：{told}" in done.err
    assert "Error" not in done.err
    assert geekai(*words).err.splitlines()[-1].startswith("Error: ")


def test_nothing_is_written_but_through_the_one_file_that_makes_it_harmless() -> None:
    for path in SOURCES:
        writes = re.findall(r"\bprint\(|std(?:out|err)\.write|console\.(?:out|print)|echo\(", path.read_text("utf-8"))
        allowed = {"_screen.py": 3, "__main__.py": 1, "app.py": 1, "chat.py": 1}
        assert len(writes) <= allowed.get(path.name, 0), path


SYSTEM = {"GEEKAI_SYSTEM_KEY": "sys-7c1d0e44b2f9", "GEEKAI_API_KEY": ""}


def test_a_bill_and_the_balance_are_told_in_coins_and_yuan_with_the_system_key_alone() -> None:
    with ScriptedServer() as server:
        bill = {"amount": 12.345, "input_tokens": 12, "channel": "a\x1b[2Jb"}
        server.play(json_reply(bill), json_reply({"balance": 9950}), json_reply(bill))
        told = geekai("bill", "answer-1", server=server, **SYSTEM)
        left = geekai("balance", server=server, **SYSTEM)
        as_json = geekai("bill", "answer-1", "--json", server=server, **SYSTEM)
    assert [line.split() for line in told.out.splitlines()] == [
        ["amount", "12.345", "coins"],
        ["input_tokens", "12"],
        ["channel", "a␛[2Jb"],
        ["yuan", "0.12345"],
    ]
    assert [line.split() for line in left.out.splitlines()] == [["balance", "9950", "coins"], ["yuan", "99.50"]]
    assert json.loads(as_json.out) == {
        "amount": "12.345",
        "input_tokens": 12,
        "channel": "a\x1b[2Jb",
        "yuan": "0.12345",
    }
    assert (told.code, left.code, as_json.code) == (0, 0, 0)
    assert [request.path for request in server.requests[:2]] == [
        "/api/chat/transaction/answer-1",
        "/api/credit/balance",
    ]
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer sys-7c1d0e44b2f9"}


@pytest.mark.parametrize("key", ["", "sk-test-5f2c9a71e0"])
def test_a_bill_without_a_system_key_says_which_key_it_takes(key: str) -> None:
    done = geekai("balance", GEEKAI_API_KEY=key)
    assert (done.out, done.code) == ("", 2)
    assert "no system key: set GEEKAI_SYSTEM_KEY" in done.err
    done = geekai("balance", GEEKAI_API_KEY=key, LANG="zh_CN.UTF-8")
    assert done.err == "geekai: 没有系统密钥：请设置 GEEKAI_SYSTEM_KEY；账单和余额要用系统密钥，不是 API 密钥\n"
