"""`collect()` gathers what every call inside came to, whatever stands between the call and the block."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables.config import ContextThreadPoolExecutor

from geekai_testing.replies import completion, delta, json_reply, sse, usage
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import collect, get_citations, get_search_results
from tests.langchain.conftest import EVERY_WAY, WHOLE, Make, ask

URLS = ["https://a.example/tea", "https://b.example/ferry"]
RESULTS = [{"title": "Tea", "link": URLS[0], "content": "Hot."}]


def play(server: ScriptedServer, way: str, *, times: int = 1) -> None:
    top = {"citations": URLS, "search_results": RESULTS, "usage": usage(10, 5, 2, prompt={"cached_tokens": 3})}
    for _ in range(times):
        if way in WHOLE:
            server.play(json_reply(completion("Tea [1].", **top)))
        else:
            server.play(sse(delta("Tea [1]."), delta(finish_reason="stop", **top)))


def check(collected: Any, *, calls: int) -> None:
    assert len(collected.calls) == calls
    assert collected.citations == URLS
    assert collected.search_results == RESULTS
    assert collected.billed_units == 2 * calls
    assert collected.usage["prompt_tokens"] == 10 * calls
    assert collected.usage["prompt_tokens_details"]["cached_tokens"] == 3 * calls


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_a_call_is_collected_whichever_way_it_is_made(server: ScriptedServer, make: Make, way: str) -> None:
    play(server, way, times=2)
    with collect() as collected:
        await ask(make(), way)
        await ask(make(), way)
    check(collected, calls=2)
    await ask(make(), way)
    assert len(collected.calls) == 2


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream", "batch", "abatch"])
async def test_a_chain_that_ends_in_a_string_is_collected(server: ScriptedServer, make: Make, way: str) -> None:
    chain = ChatPromptTemplate.from_template("{question}") | make() | StrOutputParser()
    asked = {"question": "Tea?"}
    play(server, "invoke" if "stream" not in way else "stream", times=3 if "batch" in way else 1)
    with collect() as collected:
        if way == "invoke":
            chain.invoke(asked)
        elif way == "ainvoke":
            await chain.ainvoke(asked)
        elif way == "stream":
            assert "".join(chain.stream(asked)) == "Tea [1]."
        elif way == "astream":
            assert "".join([part async for part in chain.astream(asked)]) == "Tea [1]."
        elif way == "batch":
            chain.batch([asked] * 3)
        else:
            await chain.abatch([asked] * 3)
    check(collected, calls=3 if "batch" in way else 1)


async def test_an_agent_is_collected(server: ScriptedServer, make: Make) -> None:
    play(server, "invoke")
    with collect() as collected:
        create_agent(make(), tools=[]).invoke({"messages": [("user", "Tea?")]})
    check(collected, calls=1)


async def test_blocks_may_be_nested_and_stand_beside_one_another(server: ScriptedServer, make: Make) -> None:
    play(server, "invoke", times=3)
    with collect() as outer:
        make().invoke("Hi")
        with collect() as inner:
            make().invoke("Hi")
        make().invoke("Hi")
    assert (len(outer.calls), len(inner.calls)) == (3, 1)


async def test_threads_that_carry_the_context_are_collected_and_others_are_not(
    server: ScriptedServer, make: Make
) -> None:
    play(server, "invoke", times=4)
    model = make()
    with collect() as collected:
        with ContextThreadPoolExecutor(2) as pool:
            list(pool.map(model.invoke, ["a", "b"]))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(model.invoke, ["a", "b"]))
    check(collected, calls=2)


async def test_a_cached_answer_adds_its_citations_but_no_usage(server: ScriptedServer, make: Make) -> None:
    play(server, "invoke")
    model = make(cache=InMemoryCache())
    with collect() as collected:
        model.invoke("Hi")
        model.invoke("Hi")
    assert collected.usage["prompt_tokens"] == 10
    assert collected.billed_units == 2
    assert [call["citations"] for call in collected.calls] == [URLS, URLS]


def test_a_message_tells_its_sources_as_title_url_and_content() -> None:
    message = AIMessage("Tea [1].", additional_kwargs={"citations": URLS, "search_results": RESULTS})
    first, second = get_citations(message)
    assert (first.number, first.url, first.title, first.content) == (1, URLS[0], "Tea", "Hot.")
    assert (second.number, second.url, second.title) == (2, URLS[1], None)
    (result,) = get_search_results(message)
    assert (result.url, result.raw) == (URLS[0], RESULTS[0])
    assert get_citations(AIMessage("Hi")) == get_search_results(AIMessage("Hi")) == []
