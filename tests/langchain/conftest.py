"""A scripted GeekAI, a model that talks to it, and every way of asking a LangChain model."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from geekai_local.scripted import ScriptedServer
from langchain_core._api import LangChainBetaWarning
from langchain_core.messages import AIMessage
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
            return await (await model.astream_events(asked, version="v3", **kwargs)).output
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    return total


WHOLE = ("invoke", "ainvoke")
STREAMED = ("stream", "astream")
BRIDGED = ("v3", "av3")
WAYS = (*WHOLE, *STREAMED)
EVERY_WAY = (*WAYS, *BRIDGED)
