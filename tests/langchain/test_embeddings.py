"""`GeekAIEmbeddings`: what is sent, what comes back, and what becomes of failures; sync and async alike."""

import base64
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.exceptions import ModelError, ModelInvalidRequestError
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from geekai_core import BadRequestError, ConfigurationError, PartialBatchError
from geekai_testing.replies import Reply, Request, error, json_reply
from geekai_testing.schema_answers import answer_from_schemas
from geekai_testing.scripted import ScriptedServer
from langchain_geekai import GeekAIEmbeddings, collect
from tests.langchain.conftest import KEY

Make = Callable[..., GeekAIEmbeddings]
SIDES = ("sync", "async")


@pytest.fixture
def make(server: ScriptedServer) -> Iterator[Make]:
    made = []

    def embeddings(**fields: Any) -> GeekAIEmbeddings:
        known = {"model": "e", "api_key": KEY, "base_url": server.base_url, "max_retries": 0}
        made.append(GeekAIEmbeddings(**known | fields))
        return made[-1]

    yield embeddings
    for one in made:
        one.close()


async def embed(embeddings: GeekAIEmbeddings, side: str, inputs: Any, what: str = "documents") -> Any:
    if side == "sync":
        return getattr(embeddings, f"embed_{what}")(inputs)
    return await getattr(embeddings, f"aembed_{what}")(inputs)


def vectors(*values: float, **more: Any) -> Reply:
    return json_reply({"data": [{"index": at, "embedding": [value]} for at, value in enumerate(values)], **more})


def bodies(server: ScriptedServer) -> list[Any]:
    """What was sent, in the order of the inputs: asynchronous requests may overtake one another."""
    return sorted((request.json for request in server.requests), key=lambda body: str(body["input"]))


@pytest.mark.parametrize("side", SIDES)
async def test_documents_and_queries_are_sent_with_what_was_set_and_nothing_else(
    server: ScriptedServer, make: Make, side: str
) -> None:
    server.play(vectors(0.5), vectors(0.25), vectors(0.1))
    assert await embed(make(), side, ["茶"]) == [[0.5]]
    full = make(
        model="e2", dimensions=8, document_intent="search_document", query_intent="search_query",
        retries=1, extra_body={"user": "u"},
    )  # fmt: skip
    assert await embed(full, side, ["茶"]) == [[0.25]]
    assert await embed(full, side, "茶?", "query") == [0.1]
    more = {"model": "e2", "dimensions": 8, "retries": 1, "user": "u"}
    assert [request.json for request in server.requests] == [
        {"model": "e", "input": ["茶"]},
        {"input": ["茶"], "intent": "search_document", **more},
        {"input": ["茶?"], "intent": "search_query", **more},
    ]
    assert {request.path for request in server.requests} == {"/api/v1/embeddings"}
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("side", SIDES)
async def test_vectors_come_in_the_order_of_the_inputs_over_requests_of_ten(
    server: ScriptedServer, make: Make, side: str
) -> None:
    def backwards(request: Request) -> Reply:
        data = [{"index": at, "embedding": [float(text)]} for at, text in enumerate(request.json["input"])]
        return json_reply({"data": data[::-1], "usage": {"total_tokens": len(data)}})

    server.default = backwards
    texts = [str(number) for number in range(25)]
    with collect() as collected:
        assert await embed(make(), side, texts) == [[float(text)] for text in texts]
    assert sorted(len(body["input"]) for body in bodies(server)) == [5, 10, 10]
    assert await embed(make(chunk_size=100), side, texts) == [[float(text)] for text in texts]
    assert len(server.requests) == 4
    assert collected.calls == [
        {"id": None, "model": "e", "usage": {"total_tokens": 25}, "citations": [], "search_results": []}
    ]


@pytest.mark.parametrize("side", SIDES)
async def test_what_is_empty_is_sent_as_a_space_and_an_empty_list_not_at_all(
    server: ScriptedServer, make: Make, side: str
) -> None:
    with collect() as collected:
        assert await embed(make(), side, []) == []
    assert collected.calls == []
    assert len(await embed(make(), side, ["", "tea", " \n"])) == 3
    assert await embed(make(), side, "", "query")
    assert [request.json["input"] for request in server.requests] == [[" ", "tea", " "], [" "]]


@pytest.mark.parametrize("side", SIDES)
async def test_dicts_are_sent_as_they_are_and_images_in_a_chats_form(
    server: ScriptedServer, make: Make, side: str, tmp_path: Path
) -> None:
    picture, nameless = tmp_path / "picture.jpg", tmp_path / "picture"
    picture.write_bytes(b"\xff\xd8")
    nameless.write_bytes(b"\x89PNG")
    embeddings = make(image_intent="image", document_intent="search_document")
    part = {"type": "text", "text": "Tea"}
    assert len(await embed(embeddings, side, [part, "Tea"])) == 2
    uris = ["HTTPS://example.com/a.png", "data:image/gif;base64,R0lG", str(picture), str(nameless)]
    assert len(await embed(embeddings, side, uris, "image")) == 4
    sent = [*uris[:2]]
    sent += [
        f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
        for kind, path in (("jpeg", picture), ("png", nameless))
    ]
    assert [request.json for request in server.requests] == [
        {"model": "e", "input": [part, "Tea"], "intent": "search_document"},
        {"model": "e", "input": [{"type": "image_url", "image_url": {"url": url}} for url in sent], "intent": "image"},
    ]


@pytest.mark.parametrize("name", ["missing.png", "a\0b.png"])
@pytest.mark.parametrize("side", SIDES)
async def test_an_image_that_cannot_be_read_says_so_before_anything_is_sent(
    server: ScriptedServer, make: Make, side: str, name: str
) -> None:
    with pytest.raises(ConfigurationError, match="the image cannot be read") as caught:
        await embed(make(), side, [name], "image")
    assert isinstance(caught.value, ModelInvalidRequestError)
    assert server.requests == []


def refuse_milk(request: Request) -> Reply:
    return error(400, "牛奶不行") if "milk" in request.json["input"] else answer_from_schemas(request)


@pytest.mark.parametrize("side", SIDES)
async def test_a_failed_request_names_its_inputs_and_the_error_carries_the_other_vectors(
    server: ScriptedServer, make: Make, side: str
) -> None:
    server.default = refuse_milk
    with (
        collect() as collected,
        pytest.raises(PartialBatchError, match=r"2 of 5 inputs failed \(index 2, 3\).*牛奶不行") as caught,
    ):
        await embed(make(batch_size=2), side, ["a", "b", "milk", "c", "d"])
    assert collected.usage["total_tokens"] == 3  # which were billed
    assert isinstance(caught.value, ModelError)
    assert sorted(caught.value.results) == [0, 1, 4]
    assert isinstance(caught.value.failed[2], BadRequestError)


@pytest.mark.parametrize("side", SIDES)
async def test_what_there_is_may_be_returned_and_the_log_names_the_rest(
    server: ScriptedServer, make: Make, side: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.default = refuse_milk
    embeddings = make(batch_size=2, on_error="return")
    found = await embed(embeddings, side, ["a", "b", "milk", "c", "d"])
    (warned,) = [record for record in caplog.records if record.name == "langchain_geekai"]
    assert re.match(r"2 of 5 inputs failed \(index 2, 3\).*牛奶不行", warned.getMessage())
    assert [bool(vector) for vector in found] == [True, True, False, False, True]
    with pytest.raises(BadRequestError, match="牛奶不行"):
        await embed(embeddings, side, "milk", "query")


@pytest.mark.parametrize("side", SIDES)
async def test_errors_are_geekais_and_langchains_at_once(server: ScriptedServer, make: Make, side: str) -> None:
    server.play(error(400, "模型不存在"), json_reply({"data": []}))
    with pytest.raises(BadRequestError, match="模型不存在") as caught:
        await embed(make(), side, ["a"])
    assert isinstance(caught.value, ModelInvalidRequestError)
    with pytest.raises(ModelInvalidRequestError, match="1 inputs, but 0 vectors"):
        await embed(make(), side, "a", "query")


@pytest.mark.parametrize("side", SIDES)
async def test_progress_is_shown_where_it_is_asked_for(
    server: ScriptedServer, make: Make, side: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await embed(make(), side, ["a"] * 25)
    assert capsys.readouterr().err == ""
    embeddings = make(show_progress_bar=True)
    await embed(embeddings, side, ["a"] * 25)
    shown = capsys.readouterr().err
    assert "Embedding: 100%" in shown
    assert "25/25" in shown
    await embed(embeddings, side, "a", "query")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("side", SIDES)
async def test_without_tqdm_the_error_says_what_to_install(
    server: ScriptedServer, make: Make, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ConfigurationError, match="pip install tqdm"):
        await embed(make(show_progress=True), side, ["a", "b"])
    assert server.requests == []


async def test_no_more_requests_than_allowed_are_in_flight(server: ScriptedServer, make: Make) -> None:
    def counted(request: Request) -> Reply:
        return vectors(float(request.connection))

    server.default = counted
    embeddings = make(batch_size=1, max_concurrency=2)
    found = await embeddings.aembed_documents(["a"] * 20)
    assert {int(value) for (value,) in found} <= {1, 2}
    await embeddings.aclose()


async def test_a_vector_store_finds_by_them(server: ScriptedServer, make: Make) -> None:
    store = InMemoryVectorStore(make(batch_size=2))
    texts = ["tea is hot", "the ferry leaves at nine", "灯塔很高"]
    store.add_documents([Document(text) for text in texts])
    assert store.similarity_search("when leaves the ferry", k=1)[0].page_content == texts[1]
    (found,) = await store.asimilarity_search("灯塔", k=1)
    assert found.page_content == texts[2]


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"max_concurrency": 0}, {"on_error": "ignore"}])
def test_settings_that_make_no_sense_are_refused_at_once(make: Make, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make(**wrong)


class TestUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return GeekAIEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "e", "api_key": "sk-test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"GEEKAI_API_KEY": "sk-env", "GEEKAI_BASE_URL": "https://geekai.dev/api/v1"},
            {"model": "e"},
            {"geekai_api_key": "sk-env", "geekai_api_base": "https://geekai.dev/api/v1"},
        )


class TestIntegration(EmbeddingsIntegrationTests):
    @pytest.fixture
    def model(self, make: Make) -> Embeddings:
        return make()

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return GeekAIEmbeddings
