"""What no client can be cheaper than: the bytes of the same answers, read by httpx itself."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
from pydantic_core import from_json

BODY = {"model": "bench", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
HISTORY = [("user", "assistant")[i % 2] for i in range(199)] + ["user"]
"""The roles of 200 messages; with `TEXT` for each they make 100 KB."""
TEXT = "Eight words of a long chat, and more. " * 13


def read_bytes(http: httpx.Client, url: str) -> None:
    """Read a stream, and look at nothing."""
    with http.stream("POST", f"{url}/chat/completions", json=BODY) as response:
        for _ in response.iter_bytes():
            pass


def read_sse(http: httpx.Client, url: str) -> None:
    """Read a stream with httpx-sse, and its JSON."""
    import httpx_sse

    with httpx_sse.connect_sse(http, "POST", f"{url}/chat/completions", json=BODY) as source:
        for event in source.iter_sse():
            if event.data != "[DONE]":
                json.loads(event.data)


def read_own_sse(http: httpx.Client, url: str) -> None:
    """Read a stream with our decoder, and its JSON."""
    from geekai_core.response.sse import SSEDecoder

    decoder = SSEDecoder()
    with http.stream("POST", f"{url}/chat/completions", json=BODY) as response:
        for data in response.iter_bytes():
            for payload in decoder.feed(data):
                if payload != b"[DONE]":
                    from_json(payload)


async def aread_bytes(http: httpx.AsyncClient, url: str) -> None:
    """`read_bytes`, awaiting."""
    async with http.stream("POST", f"{url}/chat/completions", json=BODY) as response:
        async for _ in response.aiter_bytes():
            pass


async def in_flight(call: Any, workers: int, total: int) -> None:
    """Make `total` calls, `workers` of them at any time."""
    left = iter(range(total))

    async def worker() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(worker() for _ in range(workers)))


async def post(http: httpx.AsyncClient, url: str) -> None:
    """A whole answer, and its JSON."""
    (await http.post(f"{url}/chat/completions", json=BODY)).json()


def first_bytes(http: httpx.Client, url: str, messages: list[dict[str, str]], times: int) -> tuple[float, float]:
    """CPU and wall seconds until the first byte of `times` streams; the rest is read outside of that time."""
    total = [0.0, 0.0]
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        with http.stream("POST", f"{url}/chat/completions", json={**BODY, "messages": messages}) as response:
            pieces = response.iter_bytes()
            next(pieces)
            total[0] += time.process_time() - cpu
            total[1] += time.perf_counter() - wall
            for _ in pieces:
                pass
    return total[0], total[1]


def first_token(stream: Any, times: int) -> tuple[float, float]:
    """The same of `times` calls of `stream`, an iterator over a framework's chunks, until the first with content."""
    total = [0.0, 0.0]
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        chunks = stream()
        next(chunks)
        total[0] += time.process_time() - cpu
        total[1] += time.perf_counter() - wall
        for _ in chunks:
            pass
    return total[0], total[1]


def messages() -> list[dict[str, str]]:
    """200 messages on the wire."""
    return [{"role": role, "content": TEXT} for role in HISTORY]
