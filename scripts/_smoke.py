"""Tries the package as it was installed, with one extra: `python -I scripts/_smoke.py langchain`; `none` is no extra.

Every module that should work there is imported, every command says its help, and each adapter whose framework is there
asks the scripted server a question; each other one says which extra it wants.
"""

import importlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

from geekai_core import Client, __version__
from geekai_testing.replies import completion, json_reply
from geekai_testing.scripted import ScriptedServer

MODULES = {
    "fast": "httpx_aiohttp",
    "local": "geekai_local.serving",
    "cli": "geekai_cli",
    "ray": "ray",
    "test": "pytest",
}
ADAPTERS = {"langchain": "langchain_geekai", "llama-index": "llama_index_geekai"}
ALL = {"langchain", "llama-index", "fast", "local", "cli"}


def ask(adapter: str, base_url: str) -> str:
    """The answer to one question, through an adapter or the core."""
    settings = {"api_key": "sk-smoke", "base_url": base_url}
    if adapter == "langchain":
        return importlib.import_module(ADAPTERS[adapter]).ChatGeekAI(model="gpt-4o", **settings).invoke("?").content
    if adapter == "llama-index":
        return importlib.import_module(ADAPTERS[adapter]).GeekAI(model="gpt-4o", **settings).complete("?").text
    with Client(**settings) as client:
        return client.chat({"model": "gpt-4o", "messages": [{"role": "user", "content": "?"}]}).message.content or ""


def refusal(adapter: str) -> str:
    """What the import of an adapter without its framework says."""
    try:
        importlib.import_module(ADAPTERS[adapter])
    except ImportError as error:
        return str(error)
    return "no refusal"


def main(extra: str) -> None:
    """Try everything; an exception is the failure."""
    there = ALL if extra == "all" else {extra}
    distribution = importlib.metadata.distribution("geekai")
    assert distribution.version == __version__
    assert Path(sys.prefix) in Path(importlib.import_module("geekai_core").__file__).parents, "not the installed one"
    assert any(file.name == "LICENSE" for file in distribution.files), "no licence in the wheel"
    for name in there & MODULES.keys():
        importlib.import_module(MODULES[name])
    for command in distribution.entry_points.select(group="console_scripts"):
        if extra == "all":
            subprocess.run([Path(sys.prefix, "bin", command.name), "--help"], check=True, capture_output=True)
    if extra == "test":
        listed = [sys.executable, "-I", "-m", "pytest", "--fixtures", "-p", "no:cacheprovider", "-c", os.devnull]
        assert "geekai_server" in subprocess.run(listed, capture_output=True, text=True).stdout
    with ScriptedServer() as server:
        for adapter in ("core", *ADAPTERS):
            if adapter == "core" or adapter in there:
                server.play(json_reply(completion("好")))
                assert ask(adapter, server.base_url) == "好", adapter
            else:
                assert f".[{adapter}]" in refusal(adapter), adapter
    print(f"geekai {__version__} with {extra}: works")


if __name__ == "__main__":
    main(sys.argv[1])
