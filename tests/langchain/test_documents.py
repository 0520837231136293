"""`to_documents()`: an answer's citations and search results as documents."""

import pytest

from geekai_core import Client
from geekai_testing.replies import completion, delta, json_reply, sse
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import collect, to_documents
from tests.langchain.conftest import KEY, WAYS, WHOLE, Make, ask

URLS = ["https://a.example/tea", "https://b.example/ferry"]
RESULTS = [
    {"title": "轮渡", "link": URLS[1], "content": "九点开船。", "media": "B"},
    {"title": "Third", "link": "https://c.example", "content": "Wool."},
]
METADATA = [
    {"number": 1, "url": URLS[0], "source": URLS[0]},
    {"number": 2, "title": "轮渡", "url": URLS[1], "source": URLS[1], "link": URLS[1], "media": "B"},
    {
        "number": 3,
        "title": "Third",
        "url": "https://c.example",
        "source": "https://c.example",
        "link": "https://c.example",
    },
]


@pytest.mark.parametrize("way", WAYS)
async def test_a_message_gives_its_sources_as_documents_streamed_or_not(
    server: ScriptedServer, make: Make, way: str
) -> None:
    top = {"citations": URLS, "search_results": RESULTS}
    if way in WHOLE:
        server.play(json_reply(completion("Tea [1].", **top)))
    else:
        server.play(sse(delta("Tea [1]."), delta(finish_reason="stop", **top)))
    with collect() as collected:
        documents = to_documents(await ask(make(), way))
    assert [document.metadata for document in documents] == METADATA
    assert [document.page_content for document in documents] == ["", "九点开船。", "Wool."]
    assert to_documents(collected) == documents


async def test_an_answer_of_the_core_does_too_and_one_without_sources_gives_none(
    server: ScriptedServer, make: Make
) -> None:
    server.play(json_reply(completion("Tea.", citations=URLS, search_results=RESULTS)))
    with Client(api_key=KEY, base_url=server.base_url) as client:
        answer = client.chat(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert [document.metadata for document in to_documents(answer)] == METADATA
    assert to_documents(make().invoke("Hi")) == []
