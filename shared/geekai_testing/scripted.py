"""A GeekAI endpoint for tests: it records the requests and plays the replies, byte for byte, over a real socket.

Standard library only. One thread runs one asyncio loop, so a thousand open streams are a thousand small tasks.

    with ScriptedServer() as server:
        server.play(error(503, "busy"), sse(delta("Hel"), delta("lo", finish_reason="stop")))
        ...  # a client with base_url=server.base_url
        assert server.requests[0].json["model"] == "gpt-4o"
"""

from __future__ import annotations

import asyncio
import fnmatch
import inspect
import reprlib
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from http.client import responses
from typing import cast

from geekai_testing import replies
from geekai_testing.replies import BASE_PATH, Cut, Hold, Pause, Reply, Request, Responder, Step
from geekai_testing.schema_answers import answer_from_schemas

LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # on, for no time: closing sends a reset
LOOK_AGAIN = 0.005  # seconds; a threading.Event cannot wake an event loop, so a pausing reply looks at it


class ScriptedServer:
    """A context manager that serves on 127.0.0.1 until it is left, which cuts whatever is still open.

    Replies are played in the order of the requests: those for the request's path, then those for any path, then what
    `default` answers. Responders run on the server's loop and must not block. An exception in one is a 500 on the wire,
    and is raised again when the server is left. With `deaf=True` connections are made, but nothing is read from them.
    With `all_played=True` (or set later) leaving the server raises `AssertionError` if a reply was never requested.
    """

    def __init__(
        self, default: Responder = answer_from_schemas, *, deaf: bool = False, all_played: bool = False
    ) -> None:
        self.default = default
        self.all_played = all_played
        self.requests: list[Request] = []
        self.connections = 0  # how many were ever opened
        self._deaf = deaf
        self._failures: list[Exception] = []
        self._queues: dict[str, deque[Reply | Responder]] = {}
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._stop = threading.Event()

    @property
    def open_connections(self) -> int:
        """How many connections are open at this moment."""
        return len(self._open)

    @property
    def base_url(self) -> str:
        """What a client is given as its base URL."""
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    def play(self, *replies: str | Reply | Responder, path: str = "*") -> None:
        """Queue replies for requests to `path` below the base (`*` is anything, as in `/chat/task-*`), or for any.

        Text is the chat answer of these words. Raises `TypeError` for what cannot be played, and queues nothing then.
        """
        self._queues.setdefault(path, deque()).extend([_playable(reply) for reply in replies])

    def wait_for(self, condition: Callable[[ScriptedServer], bool], timeout: float = 5) -> bool:
        """Wait until the condition holds, and say whether it does."""
        deadline = time.monotonic() + timeout
        while not (held := condition(self)) and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN)
        return held

    def __enter__(self) -> ScriptedServer:
        # asyncio lets replies leave at once (TCP_NODELAY) only where a socket names its protocol, as `create_server`'s
        # does not: each but the first reply on a kept connection waited 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(4096)
        self.port: int = self._socket.getsockname()[1]
        if self._deaf:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a deaf server's buffer is full soon
        # Of a deaf one, the kernel makes the connections: nobody accepts them.
        run = self._stop.wait if self._deaf else lambda: asyncio.run(self._serve())
        self._thread = threading.Thread(target=run, name="scripted-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, exc: BaseException | None, traceback: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
        if exc is None and self._failures:
            raise self._failures[0]
        left = {path: len(queue) for path, queue in self._queues.items() if queue}
        if exc is None and self.all_played and left:
            unplayed = ", ".join(f"{count} for {'any path' if path == '*' else path}" for path, count in left.items())
            came = ", ".join(f"{request.method} {request.route}" for request in self.requests) or "none"
            raise AssertionError(f"replies never requested: {unplayed}; the requests were: {came}")

    async def _serve(self) -> None:
        listener = await asyncio.start_server(self._accept, sock=self._socket, limit=2**20, backlog=4096)
        await asyncio.to_thread(self._stop.wait)
        listener.close()
        while len(asyncio.all_tasks()) > 1:  # closing takes some turns of the loop, and so does accepting
            for writer in list(self._open):
                writer.transport.abort()
            await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open[writer] = asyncio.ensure_future(self._converse(self.connections, reader, writer))

    async def _converse(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: read requests, play replies."""
        writer.transport.set_write_buffer_limits(high=0)  # so that drain() means: the kernel has it
        try:
            first = await reader.read(1)
            while first.isalpha():  # nothing is the end, another byte no HTTP, such as the greeting of a TLS client
                request = await _read_request(first, reader, number)
                first = await self._reply(request, reader, writer)
        except (ConnectionError, EOFError, asyncio.LimitOverrunError):
            pass  # the peer went away or spoke no HTTP, or the script wanted it so
        except Exception as failure:  # a body that could not be made
            self._failures.append(failure)
        finally:
            del self._open[writer]
            writer.transport.abort()

    async def _reply(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Play the reply, unless the peer leaves first; the first byte of the next request, if there may be one."""
        playing = asyncio.ensure_future(_play(self._answer(request), writer))
        following = asyncio.ensure_future(reader.read(1))  # nobody pipelines: an end of it now is the peer's leaving
        try:
            await asyncio.wait({playing, following}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done() or isinstance(playing.exception(), ConnectionError):
                if not self._stop.is_set():  # else it is we who closed
                    request.client_left.set()
                return b""
            stays = playing.result() and request.headers.get("connection", "").lower() != "close"
            return await following if stays else b""
        finally:
            playing.cancel()
            following.cancel()
            await asyncio.gather(playing, following, return_exceptions=True)

    def _answer(self, request: Request) -> Reply:
        self.requests.append(request)
        try:
            reply = self._next(request)
            while not isinstance(reply, Reply):
                reply = _playable(reply(request))
            return reply
        except Exception as failure:
            self._failures.append(failure)
            return replies.error(500, f"the script failed: {failure!r}")

    def _next(self, request: Request) -> Reply | Responder:
        names = (request.route, request.path.partition("?")[0])
        for path, queue in sorted(self._queues.items(), key=lambda item: item[0] == "*"):
            if queue and any(fnmatch.fnmatchcase(name, path) for name in names):
                return queue.popleft()
        return _playable(self.default)


def _playable(value: object) -> Reply | Responder:
    """A reply, or a function that makes one. Raises `TypeError`, which says what can be played."""
    if isinstance(value, str):
        return replies.answer(value)
    if isinstance(value, Reply):
        return value
    if callable(value) and not isinstance(value, type) and not inspect.iscoroutinefunction(value):
        return cast("Responder", value)
    raise TypeError(
        f"{reprlib.repr(value)} cannot be played: a reply is text (the words of a chat answer), a Reply, such as"
        " json_reply({…}) or error(429, …), or a function that takes the Request and returns one, such as answer(…)"
    )


async def _play(reply: Reply, writer: asyncio.StreamWriter) -> bool:
    """Play it all and say whether the connection may stay open."""
    await _write(writer, reply.before)
    framing, length, steps = reply.framing or "chunked", reply.length, reply.body
    if isinstance(steps, bytes):
        framing, length = reply.framing or "length", len(steps) if length is None else length
        steps = [steps]
    if framing != "raw":
        await _write(writer, [_head(reply, framing, length)])
    written = await _write(writer, steps, chunked=framing == "chunked")
    if framing == "chunked":
        await _write(writer, [b"0\r\n\r\n"])
    ended = framing == "chunked" or (framing == "length" and written == length)
    return ended and reply.connection == "keep-alive"


async def _write(writer: asyncio.StreamWriter, steps: Iterable[Step], chunked: bool = False) -> int:
    """Play steps; how many bytes of them were written."""
    written = 0
    for step in steps:
        await asyncio.sleep(0)  # an endless body must not keep the loop from seeing that the peer has left
        if isinstance(step, bytes) and step:
            writer.write(b"%x\r\n%b\r\n" % (len(step), step) if chunked else step)
            await writer.drain()
            written += len(step)
        elif isinstance(step, Cut):
            if step.reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            raise EOFError
        elif isinstance(step, Hold):
            await asyncio.get_running_loop().create_future()
        elif isinstance(step, Pause):
            if isinstance(step.until, float | int):
                await asyncio.sleep(step.until)
            else:
                while not step.until.is_set():  # noqa: ASYNC110  # it is a thread's event, no loop can await it
                    await asyncio.sleep(LOOK_AGAIN)
    return written


def _head(reply: Reply, framing: str, length: int | None) -> bytes:
    sizes = {"chunked": {"transfer-encoding": "chunked"}, "length": {"content-length": str(length)}}
    headers = {"connection": "close" if "close" in (framing, reply.connection) else "keep-alive"}
    headers |= sizes.get(framing, {}) | {name.lower(): value for name, value in reply.headers.items()}
    first = f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Unknown')}"
    return "\r\n".join([first, *map(": ".join, headers.items()), "", ""]).encode()


async def _read_request(first: bytes, reader: asyncio.StreamReader, connection: int) -> Request:
    head = first + await reader.readuntil(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")[:-2]
    pairs = (field.partition(":") for field in fields)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    method, path, *_ = [*line.split(" "), ""]
    body = b""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body, connection)
