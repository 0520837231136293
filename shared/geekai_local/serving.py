"""Starting and stopping the endpoint: as a command (`__main__`) or inside a program (`serve`)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from geekai_local.app import BASE_PATH, create_app
from geekai_local.engine import Engine
from geekai_local.errors import StartError
from geekai_local.search import CORPUS, SearchIndex, read_folder
from geekai_local.weights import LocalModel, Upstream, packaged_model

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface; port 0 takes a free one. Raises `StartError`."""
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise StartError(f"cannot listen on {HOST}:{port}: {getattr(error, 'strerror', None) or error}") from error


def base_url(listener: socket.socket) -> str:
    """What a client takes as its base URL."""
    return f"http://{HOST}:{listener.getsockname()[1]}{BASE_PATH}"


@contextmanager
def load(
    listener: socket.socket, docs: Path, model: LocalModel | Upstream, api_key: str | None = None
) -> Iterator[uvicorn.Server]:
    """Index `docs`, load a local `model`, and hand over a server that is ready to run on `listener`.

    Raises `StartError`.
    """
    with listener, closing(SearchIndex(read_folder(docs))) as index, closing(Engine(model)) as engine:
        app = create_app(engine, index, api_key)
        # 0 seconds of grace: a stop ends the streams that are under way. `ws`: nothing here is a web socket.
        quiet: Any = {"log_level": "critical", "log_config": None, "lifespan": "off", "ws": "none"}
        yield uvicorn.Server(uvicorn.Config(app, timeout_graceful_shutdown=0, **quiet))


@contextmanager
def serve(
    docs: Path = CORPUS, *, model: LocalModel | Upstream | None = None, api_key: str | None = None
) -> Iterator[str]:
    """Run the endpoint on a thread and a free port until the block is left; yields its base URL.

    `model`: the packaged one, unless another is given, or an upstream that has one. Raises `StartError`.

        with serve() as url:
            ...  # a client with base_url=url and any key
    """
    model = model or packaged_model()
    listener = listen(0)
    url = base_url(listener)
    with load(listener, docs, model, api_key) as server:
        # The socket listens already: who connects before the thread is up waits in its queue.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="geekai-local", daemon=True)
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()
