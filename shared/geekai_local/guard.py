"""Who may call the endpoint, and with what.

It listens on the loopback interface, where every page in a browser on this machine can reach it. A page of another host
must neither read the documents (by a name of its own that it lets resolve to 127.0.0.1: DNS rebinding) nor spend the
upstream's key (by a form or a script, which may send no JSON to another host unless that allows it).
"""

from __future__ import annotations

import json
import secrets

from pydantic_core import from_json
from starlette.requests import Request

from geekai_core.config import is_here
from geekai_local.errors import AnswerError

MOST_BYTES = 64 * 2**20
"""Of the body of a request."""


def check_caller(request: Request, api_key: str | None) -> None:
    """Refuse what a browser sends for a page of another host, and any key but `api_key`, where there is one.

    Raises `AnswerError`.
    """
    headers = request.headers
    if not is_here(f"//{headers.get('host', '')}"):
        raise AnswerError(403, "forbidden", "the host in the URL must be localhost or 127.0.0.1")
    if "origin" in headers and not is_here(headers["origin"]):
        raise AnswerError(403, "forbidden", "a web page of another host must not call this endpoint")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != "application/json":
        raise AnswerError(400, "invalid_request", "content-type must be application/json")
    given = headers.get("GeekAI-API-Key") or headers.get("Authorization", "").removeprefix("Bearer ")
    if api_key and not secrets.compare_digest(given.encode(), api_key.encode()):
        raise AnswerError(401, "invalid_api_key", "the API key is wrong")


async def read_body(request: Request) -> bytes:
    """The body of a request. Raises `AnswerError` for one that is larger than `MOST_BYTES`, without reading it all."""
    body, announced = bytearray(), int(request.headers.get("content-length", 0))
    async for part in request.stream():
        body += part
        if max(len(body), announced) > MOST_BYTES:
            raise AnswerError(413, "request_too_large", f"the body is larger than {MOST_BYTES // 2**20} MB")
    return bytes(body)


def parse_body(body: bytes) -> object:
    """A body as JSON, which has neither NaN nor infinity. Raises `AnswerError`."""
    try:
        parsed = from_json(body, allow_inf_nan=False)
        json.dumps(parsed, allow_nan=False)  # 1e999 is JSON, and infinite
    except ValueError as error:
        raise AnswerError(400, "invalid_request", f"the body is no JSON: {error}") from error
    return parsed
