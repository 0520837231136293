"""How many connections, each with a TLS handshake, 100 calls through models made anew open.

`python -m benchmarks.anew NAME` prints the count of a server that runs in a thread of this process, behind a
certificate for 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.server import rendered, serve

CALLS = 100


def _langchain(module: str, name: str) -> Callable[[str], Any]:
    def call(url: str) -> Any:
        model = getattr(__import__(module), name)(model="bench", api_key="k", base_url=url)
        return model.invoke("Hi")

    return call


def _geekai(url: str) -> Any:
    from llama_index_geekai import GeekAI

    return GeekAI(model="bench", api_key="k", api_base=url).complete("Hi")


def _openai_like(url: str) -> Any:
    from llama_index.llms.openai_like import OpenAILike

    return OpenAILike(model="bench", api_key="k", api_base=url, is_chat_model=True).complete("Hi")


MAKERS = {
    "ChatGeekAI": _langchain("langchain_geekai", "ChatGeekAI"),
    "ChatOpenAI": _langchain("langchain_openai", "ChatOpenAI"),
    "GeekAI": _geekai,
    "OpenAILike": _openai_like,
}


def certificate(folder: Path) -> Path:
    """A new certificate for 127.0.0.1 with its key, in one file; it is its own authority. By openssl."""
    path = folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text((folder / "cert").read_text() + (folder / "key").read_text())
    return path


def count(name: str) -> int:
    """The connections that 100 calls opened, each through a model made for it."""
    opened = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await serve(reader, writer)

    async def listen() -> None:
        server = await asyncio.start_server(counted, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    with tempfile.TemporaryDirectory() as folder:
        path = certificate(Path(folder))
        os.environ["SSL_CERT_FILE"] = str(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        ports: list[int] = []
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(listen()), daemon=True).start()
        ready.wait()
        rendered("whole-1024-0")
        for _ in range(CALLS):
            MAKERS[name](f"https://127.0.0.1:{ports[0]}/whole-1024-0")
    return opened


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        found = count(sys.argv[1])
    print(found, flush=True)
    os._exit(0)
