"""The sides of the LangChain group: the models, langchain-core alone, and how a stream is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import StructuredTool

from benchmarks import floors

KEY = "sk-bench"
ASKED = [HumanMessage("Hi")]
LONG = [(HumanMessage if role == "user" else AIMessage)(floors.TEXT) for role in floors.HISTORY]


def geekai(url: str, **fields: Any) -> BaseChatModel:
    """Ours. `fast` is on, being installed."""
    from langchain_geekai import ChatGeekAI

    return ChatGeekAI(model="bench", api_key=KEY, base_url=url, **fields)


def openai(url: str, **fields: Any) -> BaseChatModel:
    """The peer that every bound but some is held against."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model="bench", api_key=KEY, base_url=url, stream_usage=True, **fields)


def openai_aiohttp(url: str) -> BaseChatModel:
    """Its aiohttp option on."""
    from openai import DefaultAioHttpClient

    return openai(url, http_async_client=DefaultAioHttpClient())


def deepseek(url: str) -> BaseChatModel:
    """ChatOpenAI with DeepSeek's reasoning kept."""
    from langchain_deepseek import ChatDeepSeek

    return ChatDeepSeek(model="bench", api_key=KEY, api_base=url, stream_usage=True)


def mistral(url: str) -> BaseChatModel:
    """The one that speaks over httpx itself."""
    from langchain_mistralai import ChatMistralAI

    return ChatMistralAI(model_name="bench", api_key=KEY, endpoint=url)


class CoreAlone(BaseChatModel):
    """langchain-core's own cost: a validated message object for each chunk, and no network."""

    chunks: int = 1
    text: str = "tok "

    @property
    def _llm_type(self) -> str:
        return "core-alone"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.text))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for _ in range(self.chunks):
            yield ChatGenerationChunk(message=AIMessageChunk(content=self.text))


def drain(model: BaseChatModel) -> None:
    """Read a stream to its end, keeping nothing."""
    for _ in model.stream(ASKED):
        pass


async def adrain(model: BaseChatModel) -> None:
    """`drain`, awaiting."""
    async for _ in model.astream(ASKED):
        pass


def drain_own(model: BaseChatModel) -> None:
    """Our part alone: core keeps no list of what it passes on."""
    for _ in model._stream(ASKED):
        pass


def agent_step(model: BaseChatModel, *, one_by_one: bool = False) -> None:
    """A stream of tool arguments: passed on as it comes, then merged at once, as core's agents do, or one by one."""
    chunks: list[Any] = []
    whole: Any = None
    for chunk in model.stream(ASKED):
        if one_by_one:
            whole = chunk if whole is None else whole + chunk
        else:
            chunks.append(chunk)
    message = whole if one_by_one else chunks[0] + chunks[1:]
    if len(message.tool_calls) != 1 or "lines" not in message.tool_calls[0]["args"]:
        raise AssertionError("the arguments did not arrive")


def tools() -> list[StructuredTool]:
    """20 tools of an agent, made from functions."""

    def search(query: str, count: int = 10, domain: str | None = None) -> str:
        """Search the company's documents for a query and return the best passages."""
        return query

    return [StructuredTool.from_function(search, name=f"search_{i}") for i in range(20)]
