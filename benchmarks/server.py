"""A pre-rendered OpenAI-compatible server for measuring: it answers any POST from bytes that it made beforehand.

The first part of the path names the answer, so that a base URL chooses the work:

    /text-2000-1    2,000 chunks of text, one event in each chunk of the transfer (think-…: the first half reasons)
    /tool-20480-8   one tool call, 20,480 bytes of arguments in pieces of 8
    /whole-1024-200 a whole answer with 1,024 bytes of text, after 200 ms
    /hold-5         5 chunks of text, then silence for as long as the client stays

Prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import sys
import threading
from typing import Any

SLICE = 256 * 1024
USAGE = {"prompt_tokens": 10, "completion_tokens": 2000, "total_tokens": 2010}
TOP = {"id": "chatcmpl-bench", "created": 1760000000, "model": "bench"}


def chunk(delta: dict[str, Any] | None, finish_reason: str | None = None, **top: Any) -> bytes:
    """One event of a stream."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    body = {**TOP, "object": "chat.completion.chunk", "choices": choices, **top}
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def arguments(size: int) -> str:
    """JSON arguments of about `size` bytes, as an agent that edits files sends them."""
    lines = [f"line {i}: some words of a file, and a number {i * 37}" for i in range(size // 48)]
    return json.dumps({"path": "notes.txt", "lines": lines})


def stream_events(kind: str, size: int, per: int) -> list[bytes]:
    """The events of one stream, without its end."""
    if kind == "tool":
        text = arguments(size)
        function = {"name": "write_file", "arguments": ""}
        first = {"index": 0, "id": "call_1", "type": "function", "function": function}
        pieces = [{"index": 0, "function": {"arguments": text[i : i + per]}} for i in range(0, len(text), per)]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None, "tool_calls": [first]}]
        deltas += [{"tool_calls": [piece]} for piece in pieces]
    else:
        names = ["reasoning_content" if kind == "think" and i < size // 2 else "content" for i in range(size)]
        deltas = [{name: f"tok{i % 1000} "} for i, name in enumerate(names)]
        deltas[0]["role"] = "assistant"
    return [chunk(delta) for delta in deltas]


@functools.cache
def rendered(work: str) -> tuple[bytes, float, bool]:
    """The bytes of the answer that `work` names, the seconds to wait before it, and whether it ends."""
    kind, *numbers = re.split("-", work)
    size, extra = int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 1
    if kind == "whole":
        message = {"role": "assistant", "content": "word " * (size // 5)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({**TOP, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        return head + body, extra / 1000, True
    events = stream_events(kind, size, extra)
    if kind != "hold":
        events.append(chunk({}, "tool_calls" if kind == "tool" else "stop"))
        events.append(chunk(None, usage=USAGE))
        events.append(b"data: [DONE]\n\n")
    per_read = 1 if kind in ("tool", "hold") else extra
    frames = [b"".join(events[i : i + per_read]) for i in range(0, len(events), per_read)]
    parts = [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"]
    parts += [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames]
    if kind != "hold":
        parts.append(b"0\r\n\r\n")
    return b"".join(parts), 0.0, kind != "hold"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            answer, seconds, ends = rendered(head.split(b" ", 2)[1].split(b"/")[1].decode())
            if seconds:
                await asyncio.sleep(seconds)
            for start in range(0, len(answer), SLICE):
                writer.write(answer[start : start + SLICE])
                await writer.drain()
            if not ends:
                await reader.read()
                return
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def main() -> None:
    """Serve until standard input ends."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096, limit=2**22)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
