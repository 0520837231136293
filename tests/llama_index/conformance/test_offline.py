"""C24: nothing but the endpoint is asked for anything, with empty caches too; importing costs little."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from geekai_testing.replies import completion, json_reply

GUARD = """
import socket
def refused(*args, **kwargs):
    raise AssertionError(f"the network was asked for: {args}")
real = socket.socket.connect
def connect(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
        refused(address)
    return real(self, address)
socket.socket.connect = connect
lookup = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    return lookup(host, *args, **kwargs) if host in ("127.0.0.1", "::1", None) else refused(host)
socket.getaddrinfo = getaddrinfo
"""

USE = """
import asyncio, os
from tests.llama_index.subject import chosen
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.llms import ChatMessage

def add(a: int, b: int) -> int:
    "Add."
    return a + b

async def main(llm):
    await llm.achat([ChatMessage(role="user", blocks=[TextBlock(text="x"), ImageBlock(url="https://a.example/c.png")])])
    async for _ in await llm.astream_complete("Hi"):
        pass
    print(await FunctionAgent(tools=[add], llm=llm).run("2+3?"))

llm = chosen().make(os.environ["AT"])
asyncio.run(main(llm))
index = VectorStoreIndex.from_documents([Document(text="Pandas. " * 400)], embed_model=MockEmbedding(embed_dim=4))
print(index.as_query_engine(llm=llm, response_mode="tree_summarize").query("What?"))
"""


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_c24_chats_agents_and_query_engines_need_only_the_endpoint(server: Any, tmp_path: Path) -> None:
    said = python(GUARD + USE, AT=server.base_url, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert "scripted answer" in said or "tools answered" in said


def test_c24_importing_asks_nobody_and_loads_no_heavy_package(subject: Any) -> None:
    code = f"""
import json, sys, llama_index.core
before = set(sys.modules)
import {subject.module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    added = json.loads(python(GUARD + code))
    own = ("geekai_core", subject.module.partition(".")[0])
    others = {name for name in added if not name.startswith(own)}
    assert not {name.partition(".")[0] for name in others} & {
        "httpx",
        "httpcore",
        "openai",
        "tiktoken",
        "langchain_core",
        "transformers",
        "aiohttp",
        "ssl",
    }
    assert len(others) < 10


def test_c24_importing_adds_little_to_llama_index_itself(subject: Any) -> None:
    code = f"""
import time
started = time.process_time(); import llama_index.core
core = time.process_time() - started
started = time.process_time(); import {subject.module}
print((time.process_time() - started) / core)
"""
    assert min(float(python(code)) for _ in range(2)) < 0.25


def test_c24_an_image_by_url_is_sent_as_its_url(server: Any, llm: Any) -> None:
    from llama_index.core.base.llms.types import ImageBlock
    from llama_index.core.llms import ChatMessage

    server.play(json_reply(completion("a cat")))
    llm.chat([ChatMessage(role="user", blocks=[ImageBlock(url="https://nowhere.invalid/cat.png")])])
    (part,) = server.requests[0].json["messages"][0]["content"]
    assert part["image_url"]["url"] == "https://nowhere.invalid/cat.png"
