"""The four classes, made and asked alike. Each is imported only in the environment that has it."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.faults.cases import KEY

LIMIT = 1.0
"""Seconds of silence that each class is set to bear."""

COMMON = {"model": "geekai-test", "api_key": KEY, "max_retries": 2, "timeout": LIMIT}
LANGCHAIN = {
    "ChatGeekAI": ("langchain_geekai", {"stream_chunk_timeout": LIMIT}),
    "ChatOpenAI": ("langchain_openai", {"stream_chunk_timeout": LIMIT}),
}
LLAMA_INDEX = {
    "GeekAI": ("llama_index_geekai", {"stream_chunk_timeout": LIMIT}),
    "OpenAILike": ("llama_index.llms.openai_like", {"is_chat_model": True}),
}
FRAMEWORKS = (
    "openai",
    "langchain_core",
    "langchain_openai",
    "llama_index",
    "geekai_core",
    "langchain_geekai",
    "llama_index_geekai",
)
"""Whose exceptions stand in a tree that callers can catch; any other is foreign."""


class Subject:
    """One class at one endpoint."""

    def __init__(self, name: str, base_url: str) -> None:
        self._langchain = name in LANGCHAIN
        module, own = (LANGCHAIN | LLAMA_INDEX)[name]
        where = "base_url" if self._langchain else "api_base"
        self.model: Any = getattr(importlib.import_module(module), name)(**{where: base_url}, **COMMON, **own)

    def whole(self) -> str:
        """The text of a whole answer."""
        if self._langchain:
            return str(self.model.invoke("你好").content)
        return str(self.model.chat(self._messages()).message.content)

    def stream(self) -> Iterator[str]:
        """The pieces of a streamed answer."""
        if self._langchain:
            return (str(piece.content) for piece in self.model.stream("你好"))
        return (str(piece.delta or "") for piece in self.model.stream_chat(self._messages()))

    async def awhole(self) -> str:
        """`whole`, awaiting."""
        if self._langchain:
            return str((await self.model.ainvoke("你好")).content)
        return str((await self.model.achat(self._messages())).message.content)

    async def astream(self) -> AsyncIterator[str]:
        """`stream`, awaiting."""
        if self._langchain:
            async for chunk in self.model.astream("你好"):
                yield str(chunk.content)
        else:
            async for answer in await self.model.astream_chat(self._messages()):
                yield str(answer.delta or "")

    @staticmethod
    def _messages() -> list[Any]:
        return [importlib.import_module("llama_index.core.llms").ChatMessage(role="user", content="你好")]
