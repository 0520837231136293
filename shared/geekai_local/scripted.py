"""A GeekAI endpoint for tests: it records what it hears and plays what it is told, byte for byte, over a real socket.

Standard library only. One thread runs one asyncio loop, so a thousand open streams are a thousand small tasks.

    with ScriptedServer() as server:
        server.play(error(503, "busy"), sse(delta("Hel"), delta("lo", finish_reason="stop")))
        ...  # a client with base_url=server.base_url
        assert server.requests[0].json["model"] == "gpt-4o"

`python -m geekai_local.scripted` runs one in a process of its own, for load tests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fnmatch
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from http.client import responses

from geekai_local.replies import (
    BASE_PATH,
    Cut,
    Hold,
    Pause,
    Reply,
    Request,
    Responder,
    Step,
    completion,
    delta,
    dumps,
    error,
    json_reply,
    sse,
)
from geekai_local.schema_answers import answer_from_schemas

LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # on, for no time: closing sends a reset
LOOK_AGAIN = 0.005  # seconds; a threading.Event cannot wake an event loop, so a pausing reply looks at it


class ScriptedServer:
    """A context manager that serves on 127.0.0.1 until it is left, which cuts whatever is still open.

    Replies are played in the order of the requests: those for the request's path, then those for any path, then what
    `default` answers. Responders run on the server's loop and must not block. An exception in one is a 500 on the wire,
    and is raised again when the server is left. With `deaf=True` connections are made, but nothing is read from them.
    """

    def __init__(self, default: Responder = answer_from_schemas, *, port: int = 0, deaf: bool = False) -> None:
        self.default = default
        self.port = port
        self.requests: list[Request] = []
        self.connections = 0  # how many were ever opened
        self.failures: list[Exception] = []
        self._deaf = deaf
        self._queues: dict[str, deque[Reply | Responder]] = {}
        self._open: set[_Connection] = set()
        self._changed = threading.Condition()

    @property
    def base_url(self) -> str:
        """What a client is given as its base URL."""
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    @property
    def open_connections(self) -> int:
        """How many connections are open at this moment."""
        return len(self._open)

    @property
    def unplayed(self) -> int:
        """How many queued replies nobody has asked for yet."""
        return sum(map(len, self._queues.values()))

    def play(self, *replies: Reply | Responder, path: str = "*") -> None:
        """Queue replies for requests to `path` below the base (`*` is anything, as in `/chat/task-*`), or for any."""
        self._queues.setdefault(path, deque()).extend(replies)

    def wait_for(self, condition: Callable[[ScriptedServer], bool], timeout: float = 5) -> bool:
        """Wait until the condition holds, asking anew at each request and at each connection that opens or closes."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout)

    def __enter__(self) -> ScriptedServer:
        self._socket = socket.create_server(("127.0.0.1", self.port), backlog=4096)
        self.port = self._socket.getsockname()[1]
        if self._deaf:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a deaf server's buffer is full soon
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="scripted-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, exc: BaseException | None, traceback: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if exc is None and self.failures:
            raise self.failures[0]

    def _run(self) -> None:
        with contextlib.closing(self._loop), self._socket:
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        if self._deaf:  # the kernel makes the connections, nobody accepts them
            await self._stop.wait()
            return
        listener = await self._loop.create_server(lambda: _Connection(self), sock=self._socket, backlog=4096)
        await self._stop.wait()
        listener.close()
        while self._open or len(asyncio.all_tasks()) > 1:  # closing takes a transport some turns of the loop
            for connection in list(self._open):
                connection.drop()
            await asyncio.sleep(0)

    def _opened(self, connection: _Connection) -> int:
        with self._changed:
            self._open.add(connection)
            self.connections += 1
            self._changed.notify_all()
            return self.connections

    def _closed(self, connection: _Connection) -> None:
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def _answer(self, request: Request) -> Reply:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        try:
            reply = self._next(request.route)
            return reply if isinstance(reply, Reply) else reply(request)
        except Exception as failure:
            self.failures.append(failure)
            return error(500, f"the script failed: {failure!r}")

    def _next(self, route: str) -> Reply | Responder:
        for path, queue in sorted(self._queues.items(), key=lambda item: item[0] == "*"):
            if queue and fnmatch.fnmatchcase(route, path):
                return queue.popleft()
        return self.default


class _CutError(Exception):
    """A reply has closed its connection."""


class _Connection(asyncio.StreamReaderProtocol):
    """One TCP connection: reads requests, plays replies, and notices at once when its peer leaves."""

    def __init__(self, server: ScriptedServer) -> None:
        self._reader = asyncio.StreamReader(limit=2**20)
        super().__init__(self._reader, self._begin)
        self._server = server
        self._playing: Request | None = None

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)  # so that drain() means: the kernel has it
        self._number = self._server._opened(self)
        self._task = asyncio.ensure_future(self._converse())

    def eof_received(self) -> bool:
        self._peer_left()
        return bool(super().eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._peer_left()
        super().connection_lost(exc)
        self._server._closed(self)

    def drop(self) -> None:
        """Close without a word, whatever is being played."""
        self._playing = None
        self._task.cancel()
        self._writer.transport.abort()

    def _peer_left(self) -> None:
        if request := self._playing:
            request.left_at = time.monotonic()
            request.client_left.set()
            self.drop()

    async def _converse(self) -> None:
        try:
            while request := await _read_request(self._reader, self._number):
                self._playing = request
                stay = await self._play(self._server._answer(request))
                self._playing = None
                if not stay or request.headers.get("connection", "").lower() == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, _CutError):
            pass  # the peer went away or spoke no HTTP, or the script wanted it so
        except Exception as failure:  # a body that could not be made
            self._server.failures.append(failure)
        self._playing = None
        self._writer.close()

    async def _play(self, reply: Reply) -> bool:
        """Play it all and say whether the connection may stay open."""
        await self._steps(reply.before)
        steps: Iterable[Step] = [reply.body] if isinstance(reply.body, bytes) else reply.body
        framing = reply.framing
        if framing == "auto":
            framing = "length" if isinstance(reply.body, bytes) else "chunked"
        length = reply.length
        if framing == "length" and length is None:
            steps = list(steps)
            length = sum(len(step) for step in steps if isinstance(step, bytes))
        if framing != "raw":
            await self._send(_head(reply, framing, length))
        written = await self._steps(steps, chunked=framing == "chunked")
        if framing == "chunked":
            await self._send(b"0\r\n\r\n")
        whole = framing == "chunked" or (framing == "length" and written == length)
        return whole and reply.connection == "keep-alive"

    async def _steps(self, steps: Iterable[Step], chunked: bool = False) -> int:
        written = 0
        for step in steps:
            if isinstance(step, bytes) and step:
                await self._send(b"%x\r\n%b\r\n" % (len(step), step) if chunked else step)
                written += len(step)
            elif isinstance(step, Cut):
                self._cut(step)
            elif isinstance(step, Hold):
                await asyncio.get_running_loop().create_future()
            elif isinstance(step, Pause):
                await _pause(step.until)
        return written

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
        await asyncio.sleep(0)  # an endless body must not keep the loop from seeing that the peer has left

    def _cut(self, cut: Cut) -> None:
        self._playing = None
        if cut.reset:
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            self._writer.transport.abort()
        raise _CutError


async def _pause(until: float | threading.Event) -> None:
    if not isinstance(until, threading.Event):
        await asyncio.sleep(until)
        return
    while not until.is_set():  # noqa: ASYNC110  # it is a thread's event, no loop can await it
        await asyncio.sleep(LOOK_AGAIN)


def _head(reply: Reply, framing: str, length: int | None) -> bytes:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    headers.setdefault("connection", "close" if framing == "close" or reply.connection == "close" else "keep-alive")
    if framing == "chunked":
        headers.setdefault("transfer-encoding", "chunked")
    elif length is not None:
        headers.setdefault("content-length", str(length))
    lines = [
        f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Unknown')}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Request | None:
    """The next request, or None when what comes is not HTTP, such as the greeting of a TLS client."""
    first = await reader.readexactly(1)
    if not first.isalpha():
        return None
    head = first + await reader.readuntil(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")[:-2]
    headers: dict[str, str] = {}
    for name, _, value in (header.partition(":") for header in fields):
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    method, path, *_ = [*line.split(" "), ""]
    body = b""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body, connection)


def _load_answers(delay: float, gap: float, chunks: int) -> Responder:
    """For load tests: the same words for everybody, after a delay, with a gap between two chunks of a stream."""
    words = [f"word{number} " for number in range(chunks)]

    def answer(request: Request) -> Reply:
        if not request.body or not request.json.get("stream"):
            reply = json_reply(completion("".join(words)))
        else:
            steps = [step for word in words for step in (delta(word), Pause(gap))] if gap else [*map(delta, words)]
            reply = sse(*steps, delta(finish_reason="stop"))
        reply.before = [Pause(delay)] if delay else []
        return reply

    return answer


def main() -> None:
    """Print the base URL, then one line of counts for each line that is read, until standard input ends."""
    options = argparse.ArgumentParser(prog="python -m geekai_local.scripted", description=__doc__.partition("\n")[0])
    options.add_argument("--port", type=int, default=0, help="default: a free one")
    options.add_argument("--delay-ms", type=float, default=0, help="before the first byte of each answer")
    options.add_argument("--gap-ms", type=float, default=0, help="between two chunks of a stream")
    options.add_argument("--chunks", type=int, default=20, help="of content in each answer")
    given = options.parse_args()
    with contextlib.suppress(ImportError, ValueError, OSError):  # where there is no such limit, or no right to raise it
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    answers = _load_answers(given.delay_ms / 1000, given.gap_ms / 1000, given.chunks)
    with ScriptedServer(answers, port=given.port) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            counts = {"requests": len(server.requests), "opened": server.connections, "open": server.open_connections}
            sys.stdout.write(dumps(counts) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
