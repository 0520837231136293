"""What the tests of LlamaIndex's GeekAI share: calling any of the eight methods, and scripting an answer both ways."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from llama_index.core.llms import ChatMessage

from geekai_testing.replies import Reply, completion, json_reply, sse
from geekai_testing.scripted import ScriptedServer

CHATS = ("chat", "achat", "stream_chat", "astream_chat")
COMPLETIONS = ("complete", "acomplete", "stream_complete", "astream_complete")
USER = [ChatMessage(role="user", content="Where do pandas live?")]


async def responses(llm: Any, how: str, asked: Any = None, **kwargs: Any) -> list[Any]:
    """All that a method gives: one response, or every piece of a stream."""
    if asked is None:
        asked = USER if "chat" in how or how == "achat" else "Where do pandas live?"
    result = getattr(llm, how)(asked, **kwargs)
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aiter__"):
        return [response async for response in result]
    return list(result) if inspect.isgenerator(result) else [result]


async def last(llm: Any, how: str, asked: Any = None, **kwargs: Any) -> Any:
    """The whole response, or the last piece of a stream."""
    return (await responses(llm, how, asked, **kwargs))[-1]


def play(server: ScriptedServer, how: str, whole: Mapping[str, Any], chunks: list[Any]) -> None:
    """Queue the answer in the form that the method asks for."""
    server.play(reply(how, whole, chunks))


def reply(how: str, whole: Mapping[str, Any], chunks: list[Any]) -> Reply:
    """A whole answer, or the same as a stream."""
    return sse(*chunks) if "stream" in how else json_reply(whole)


def play_text(server: ScriptedServer, how: str, text: str = "In China.", **top: Any) -> None:
    """Queue a plain answer."""
    from geekai_testing.replies import delta

    play(server, how, completion(text, **top), [delta(text), delta(finish_reason="stop", **top)])
