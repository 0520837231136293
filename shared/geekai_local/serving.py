"""Starting and stopping the endpoint: as a command (`__main__`) or inside a program (`serve`)."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from gettext import gettext as _
from pathlib import Path

from uvicorn import Config, Server

from geekai_local.app import BASE_PATH, create_app
from geekai_local.embedding import Embedder
from geekai_local.engine import Engine
from geekai_local.errors import StartError
from geekai_local.search import CORPUS, Library
from geekai_local.weights import LocalModel, Upstream, packaged_model

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface; port 0 takes a free one. Raises `StartError`."""
    # asyncio lets answers leave at once (TCP_NODELAY) only where a socket names its protocol, as `create_server`'s does
    # not: each but the first answer on a kept connection waited 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would share the port with another program
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        words = _("cannot listen on {address}: {why}; is it running already? --port 0 takes a free port")
        why = getattr(error, "strerror", None) or str(error)
        raise StartError(words.format(address=f"{HOST}:{port}", why=why)) from error
    return listener


def base_url(listener: socket.socket) -> str:
    """What a client takes as its base URL."""
    return f"http://{HOST}:{listener.getsockname()[1]}{BASE_PATH}"


@contextmanager
def load(
    listener: socket.socket, library: Library, model: LocalModel | Upstream, api_key: str | None = None
) -> Iterator[Server]:
    """Load a local `model`, and hand over a server over it and `library` that is ready to run on `listener`.

    Closes all of them in the end. Raises `StartError`.
    """
    with listener, closing(library), closing(Engine(model)) as engine:
        app = create_app(engine, library, api_key)
        # 0 seconds of grace: a stop ends the streams that are under way. `ws`: nothing here is a web socket.
        yield Server(
            Config(app, timeout_graceful_shutdown=0, log_level="critical", log_config=None, lifespan="off", ws="none")
        )


@contextmanager
def serve(
    docs: Path = CORPUS, *, model: LocalModel | Upstream | None = None, api_key: str | None = None
) -> Iterator[str]:
    """Run the endpoint on a thread and a free port until the block is left; yields its base URL.

    `docs`: a folder of documents to search, or one document. `model`: the packaged one, unless another is given, or an
    upstream that has one. Raises `StartError`.

        with serve() as url:
            ...  # a client with base_url=url and any key
    """
    model = model or packaged_model()
    library = Library(docs, Embedder())
    listener = listen(0)
    with load(listener, library, model, api_key) as server:
        # The socket listens already: who connects before the thread is up waits in its queue.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="geekai-local", daemon=True)
        thread.start()
        try:
            yield base_url(listener)
        finally:
            server.should_exit = True
            thread.join()
