"""What is driven: a chat model of LangChain or an LLM of LlamaIndex, ours or a peer's, asked in one plain form.

Each framework is imported where it is used: the peers stand in an environment that has no other.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from tests.servers.running import Server

WAYS = ("whole", "awhole", "stream", "astream")
HI = "Say hi."


class Mood(BaseModel):
    """What a sentence sounds like."""

    mood: Literal["good", "bad"]


@dataclass
class Answer:
    """What came back, in neither framework's terms. `pieces`: of a stream, those with text."""

    text: str = ""
    pieces: list[str] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    usage: tuple[int, int] | None = None
    finish: str | None = None
    logprobs: list[str] = field(default_factory=list)


class Subject:
    """One class, pointed at one server. `options` join those of the constructor."""

    name: str
    make: Callable[..., Any]

    def __init__(self, server: Server, **options: Any) -> None:
        known = {"model": server.model, "api_key": server.key, "max_retries": 0, "temperature": 0, "max_tokens": 48}
        self.model = type(self).make(server.url, **{**known, "timeout": 240, **options})
        self.server = server

    async def ask(self, way: str, text: str = HI, tool: Callable[..., Any] | None = None, **call: Any) -> Answer:
        """One answer; with `tool`, one that must call it."""
        raise NotImplementedError

    async def first_piece(self, way: str, **call: Any) -> None:
        """Begin a stream, read its first text, and leave it."""
        raise NotImplementedError

    async def value(self, way: str, text: str) -> Any:
        """A `Mood`, asked for as a JSON schema."""
        raise NotImplementedError

    async def several(self, text: str, n: int) -> list[str]:
        """The texts of several answers to one request."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the clients, where they can be closed."""
        if hasattr(self.model, "aclose"):
            self.model.close()
            await self.model.aclose()


async def _leave(stream: Any) -> None:
    closed = getattr(stream, "aclose", None) or stream.close
    done = closed()
    if inspect.isawaitable(done):
        await done


class LangChain(Subject):
    """A chat model of LangChain."""

    async def ask(self, way: str, text: str = HI, tool: Callable[..., Any] | None = None, **call: Any) -> Answer:
        model = self.model if tool is None else self.model.bind_tools([tool], tool_choice=tool.__name__)
        if way in ("whole", "awhole"):
            message = model.invoke(text, **call) if way == "whole" else await model.ainvoke(text, **call)
            return self._read(message, [])
        chunks = model.stream(text, **call) if way == "stream" else [c async for c in model.astream(text, **call)]
        first, *more = chunks
        total = first
        for chunk in more:
            total = total + chunk
        return self._read(total, [str(chunk.text) for chunk in (first, *more) if chunk.text])

    def _read(self, message: Any, pieces: list[str]) -> Answer:
        used, metadata = message.usage_metadata, message.response_metadata
        found = Answer(str(message.text), pieces, [(call["name"], call["args"]) for call in message.tool_calls])
        found.usage = used and (used["input_tokens"], used["output_tokens"])
        found.finish = metadata.get("finish_reason")
        found.logprobs = [one["token"] for one in (metadata.get("logprobs") or {}).get("content") or ()]
        return found

    async def first_piece(self, way: str, **call: Any) -> None:
        if way == "stream":
            stream = self.model.stream(HI, **call)
            next(chunk for chunk in stream if chunk.text)
        else:
            stream = self.model.astream(HI, **call)
            async for chunk in stream:
                if chunk.text:
                    break
        await _leave(stream)

    async def value(self, way: str, text: str) -> Any:
        asked = self.model.with_structured_output(Mood, method="json_schema")
        if way in ("whole", "awhole"):
            return asked.invoke(text) if way == "whole" else await asked.ainvoke(text)
        return [*asked.stream(text)][-1] if way == "stream" else [one async for one in asked.astream(text)][-1]

    async def several(self, text: str, n: int) -> list[str]:
        from langchain_core.messages import HumanMessage

        return [one.text for one in self.model.generate([[HumanMessage(text)]], n=n).generations[0]]


class LlamaIndex(Subject):
    """An LLM of LlamaIndex."""

    async def _all(self, way: str, method: str, *args: Any, **call: Any) -> list[Any]:
        given = getattr(self.model, method)(*args, **call)
        if inspect.isawaitable(given):
            given = await given
        if way == "astream":
            return [one async for one in given]
        return list(given) if way == "stream" else [given]

    async def ask(self, way: str, text: str = HI, tool: Callable[..., Any] | None = None, **call: Any) -> Answer:
        from llama_index.core.llms import ChatMessage
        from llama_index.core.tools import FunctionTool

        verb = {"whole": "chat", "awhole": "achat", "stream": "stream_chat", "astream": "astream_chat"}[way]
        if tool is None:
            found = await self._all(way, verb, [ChatMessage(role="user", content=text)], **call)
        else:
            tools = [FunctionTool.from_defaults(tool)]
            found = await self._all(way, f"{verb}_with_tools", tools, text, tool_required=True, **call)
        last = found[-1]
        answer = Answer(last.message.content or "", [one.delta for one in found if one.delta])
        if tool is not None:
            calls = self.model.get_tool_calls_from_response(last, error_on_no_tool_call=False)
            answer.calls = [(one.tool_name, one.tool_kwargs) for one in calls]
        raw: Any = last.raw if isinstance(last.raw, dict) else last.raw.model_dump()
        used = raw.get("usage")
        answer.usage = used and (used["prompt_tokens"], used["completion_tokens"])
        answer.finish = next((one.get("finish_reason") for one in raw.get("choices") or ()), None)
        answer.logprobs = [token.token for place in last.logprobs or () for token in place[:1]]
        return answer

    async def first_piece(self, way: str, **call: Any) -> None:
        from llama_index.core.llms import ChatMessage

        messages = [ChatMessage(role="user", content=HI)]
        if way == "stream":
            stream = self.model.stream_chat(messages, **call)
            next(response for response in stream if response.delta)
        else:
            stream = await self.model.astream_chat(messages, **call)
            async for response in stream:
                if response.delta:
                    break
        await _leave(stream)

    async def value(self, way: str, text: str) -> Any:
        from llama_index.core.prompts import PromptTemplate

        names = {"whole": "structured_predict", "awhole": "astructured_predict"}
        names |= {"stream": "stream_structured_predict", "astream": "astream_structured_predict"}
        return (await self._all(way, names[way], Mood, PromptTemplate(text)))[-1]

    async def several(self, text: str, n: int) -> list[str]:
        from llama_index.core.llms import ChatMessage

        raw: Any = (await asyncio.to_thread(self.model.chat, [ChatMessage(role="user", content=text)], n=n)).raw
        raw = raw if isinstance(raw, dict) else raw.model_dump()
        return [choice["message"]["content"] for choice in raw["choices"]]


class ChatGeekAISubject(LangChain):
    """Ours, in LangChain."""

    name = "ChatGeekAI"

    @staticmethod
    def make(url: str, **options: Any) -> Any:
        from langchain_geekai import ChatGeekAI

        return ChatGeekAI(base_url=url, **options)


class ChatOpenAISubject(LangChain):
    """The class that most people point at an OpenAI-compatible endpoint."""

    name = "ChatOpenAI"

    @staticmethod
    def make(url: str, **options: Any) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(base_url=url, stream_usage=True, **options)


class GeekAISubject(LlamaIndex):
    """Ours, in LlamaIndex."""

    name = "GeekAI"

    @staticmethod
    def make(url: str, **options: Any) -> Any:
        from llama_index_geekai import GeekAI

        return GeekAI(api_base=url, should_use_structured_outputs=True, context_window=4096, **options)


class OpenAILikeSubject(LlamaIndex):
    """LlamaIndex's class for OpenAI-compatible endpoints, told what the endpoint can."""

    name = "OpenAILike"

    @staticmethod
    def make(url: str, **options: Any) -> Any:
        from llama_index.llms.openai_like import OpenAILike

        able = {"is_chat_model": True, "is_function_calling_model": True, "should_use_structured_outputs": True}
        counted = {"stream_options": {"include_usage": True}}
        return OpenAILike(api_base=url, context_window=4096, additional_kwargs=counted, **able, **options)


OURS: Sequence[type[Subject]] = (ChatGeekAISubject, GeekAISubject)
PEERS: Sequence[type[Subject]] = (ChatOpenAISubject, OpenAILikeSubject)
