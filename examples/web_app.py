"""A web page that shows an answer while it is written, and its sources: FastAPI and server-sent events.

    pip install ".[langchain,fast]" fastapi uvicorn typer
    python examples/web_app.py --model gpt-4o-mini

The key is in GEEKAI_API_KEY; without one, start `geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to
anything. Who closes the page ends the answer: nothing is written for nobody.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import typer
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, StreamingResponse

from geekai_core import GeekAIError
from langchain_geekai import ChatGeekAI, get_citations

SEARCH: dict[str, Any] = {"enable_search": True, "search_config": {"return_result": True, "count": 5}}
PAGE = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")


def create_app(model: ChatGeekAI) -> FastAPI:
    """The page, and `/ask?q=…`, which answers with the events `text`, `sources` and `end`."""
    app = FastAPI()

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return PAGE

    @app.get("/ask")
    async def ask(q: str) -> StreamingResponse:
        return StreamingResponse(events(q), media_type="text/event-stream")

    async def events(question: str) -> AsyncIterator[str]:
        found: list[Any] = []
        try:
            async with aclosing(model.astream(question, **SEARCH)) as chunks:
                async for chunk in chunks:
                    found = get_citations(chunk) or found
                    if chunk.text:
                        yield event("text", chunk.text)
        except GeekAIError as error:
            yield event("text", f"\n{error}")
        yield event("sources", [{"title": source.title, "url": source.url} for source in found])
        yield event("end", None)

    return app


def event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def main(model: str = "gpt-4o-mini", port: int = 8000) -> None:
    """Serve the page on this machine."""
    uvicorn.run(create_app(ChatGeekAI(model=model)), port=port)


if __name__ == "__main__":
    typer.run(main)
