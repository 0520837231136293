"""A scripted GeekAI, a model that talks to it, and every way of asking a LangChain model."""

import asyncio
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core._api import LangChainBetaWarning
from langchain_core.messages import AIMessage

from geekai_testing.scripted import ScriptedServer
from langchain_geekai import ChatGeekAI

KEY = "sk-test-key"
Make = Callable[..., ChatGeekAI]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def make(server: ScriptedServer) -> Iterator[Make]:
    made = []

    def model(**fields: Any) -> ChatGeekAI:
        known = {"model": "gpt-4o", "api_key": KEY, "base_url": server.base_url, "max_retries": 0}
        made.append(ChatGeekAI(**known | fields))
        return made[-1]

    yield model
    for one in made:
        one.close()


async def ask(model: Any, way: str, asked: Any = "Hi", /, **kwargs: Any) -> AIMessage:
    """One answer, got in one of the `WAYS`; chunks are added up."""
    if way == "invoke":
        return model.invoke(asked, **kwargs)
    if way == "ainvoke":
        return await model.ainvoke(asked, **kwargs)
    if way == "stream":
        chunks = list(model.stream(asked, **kwargs))
    elif way == "astream":
        chunks = [chunk async for chunk in model.astream(asked, **kwargs)]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LangChainBetaWarning)  # v3 is LangChain's beta; its users chose it
            if way == "v3":
                return model.stream_events(asked, version="v3", **kwargs).output
            answer = await (await model.astream_events(asked, version="v3", **kwargs)).output
            # LangChain's producer tells the callbacks of the end after it has handed over the output.
            if others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
            return answer
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    return total


WHOLE = ("invoke", "ainvoke")
STREAMED = ("stream", "astream")
BRIDGED = ("v3", "av3")
WAYS = (*WHOLE, *STREAMED)
EVERY_WAY = (*WAYS, *BRIDGED)
