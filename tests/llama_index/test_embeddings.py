"""`GeekAIEmbedding` over the wire: what is sent, in what order vectors come back, and what becomes of failures."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import logging
import pickle
import threading
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SemanticSplitterNodeParser
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from geekai_core import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidResponseError,
    PartialBatchError,
    ServerError,
)
from geekai_testing.replies import Pause, Reply, Request, error, json_reply
from llama_index_geekai import GeekAIEmbedding, collect
from tests.llama_index.retrieval import KEY, Callbacks, embedded, listening, sent, value, vector

BATCHES = ("get_text_embedding_batch", "aget_text_embedding_batch")
TEXTS = ["一", "bb", "ccc", "dddd", "eeeee"]
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")


@pytest.fixture
async def embedding(server: Any) -> AsyncIterator[Callable[..., GeekAIEmbedding]]:
    made: list[GeekAIEmbedding] = []
    server.default = embedded

    def build(**options: Any) -> GeekAIEmbedding:
        made.append(GeekAIEmbedding(**{"model": "e", "api_key": KEY, "api_base": server.base_url, **options}))
        return made[-1]

    yield build
    for one in made:
        one.close()
        await one.aclose()


@pytest.mark.parametrize("how", ["get_text_embedding", "aget_text_embedding"])
async def test_a_text_is_sent_with_nothing_that_was_not_set(server: Any, embedding: Any, how: str) -> None:
    assert await value(getattr(embedding(), how)("轮渡")) == vector("轮渡")
    assert sent(server) == [{"model": "e", "input": ["轮渡"]}]
    assert server.requests[0].route == "/embeddings"


@pytest.mark.parametrize("prefix", ["get", "aget"])
async def test_every_field_reaches_the_wire_and_each_side_has_its_intent(
    server: Any, embedding: Any, prefix: str
) -> None:
    model = embedding(
        dimensions=2, text_intent="search_document", query_intent="search_query", retries=1,
        additional_kwargs={"a": 1, "b": 1}, extra_body={"b": 2},
    )  # fmt: skip
    for name in ("text_embedding", "query_embedding", "text_embedding_batch"):
        asked = ["x"] if name.endswith("batch") else "x"
        await value(getattr(model, f"{prefix}_{name}")(asked))
    common = {"model": "e", "input": ["x"], "dimensions": 2, "retries": 1, "a": 1, "b": 2}
    document, query = {**common, "intent": "search_document"}, {**common, "intent": "search_query"}
    assert sent(server) == [document, query, document]


@pytest.mark.parametrize("how", BATCHES)
async def test_a_batch_is_one_request_and_vectors_keep_the_order_of_the_texts(
    server: Any, embedding: Any, how: str
) -> None:
    """Though the server answers in another."""
    model = embedding(embed_batch_size=2)
    assert await value(getattr(model, how)(TEXTS)) == [vector(text) for text in TEXTS]
    bodies = sorted((body["input"] for body in sent(server)), key=lambda texts: len(texts[0]))
    assert bodies == [["一", "bb"], ["ccc", "dddd"], ["eeeee"]]


def test_ten_texts_go_into_a_request_unless_told_otherwise(server: Any, embedding: Any) -> None:
    embedding().get_text_embedding_batch(["x"] * 21)
    assert [len(body["input"]) for body in sent(server)] == [10, 10, 1]


@pytest.mark.parametrize("how", BATCHES)
async def test_no_texts_send_nothing_and_blank_ones_a_space(server: Any, embedding: Any, how: str) -> None:
    assert await value(getattr(embedding(), how)([])) == []
    assert sent(server) == []
    assert await value(getattr(embedding(), how)(["", "\n", "x"])) == [vector(" "), vector(" "), vector("x")]
    assert sent(server)[0]["input"] == [" ", " ", "x"]


@pytest.mark.parametrize("how", BATCHES)
async def test_a_model_that_wants_parts_gets_parts(server: Any, embedding: Any, how: str) -> None:
    await value(getattr(embedding(text_parts=True), how)(["茶", ""]))
    assert sent(server)[0]["input"] == [{"type": "text", "text": "茶"}, {"type": "text", "text": " "}]


@pytest.mark.parametrize("prefix", ["get", "aget"])
async def test_images_are_sent_as_in_a_chat_one_request_a_batch(
    server: Any, embedding: Any, prefix: str, tmp_path: Path
) -> None:
    path = tmp_path / "pixel.png"
    path.write_bytes(PIXEL)
    data = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
    answer = json_reply({"data": [{"index": at, "embedding": [float(at)]} for at in range(4)]})
    server.play(answer, json_reply({"data": [{"index": 0, "embedding": [7.0]}]}))
    model = embedding(image_intent="image")
    images = [str(path), BytesIO(PIXEL), "HTTPS://a.example/1.png", data]
    assert await value(getattr(model, f"{prefix}_image_embedding_batch")(images)) == [[0.0], [1.0], [2.0], [3.0]]
    assert await value(getattr(model, f"{prefix}_image_embedding")(images[2])) == [7.0]
    urls = [data, data, "HTTPS://a.example/1.png", data]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    assert sent(server) == [
        {"model": "e", "intent": "image", "input": parts},
        {"model": "e", "intent": "image", "input": [parts[2]]},
    ]


@pytest.mark.parametrize("name", ["none.png", "a\0b.png"])
@pytest.mark.parametrize("how", ["get_image_embedding", "aget_image_embedding"])
async def test_an_image_that_cannot_be_read_says_so_before_anything_is_sent(
    server: Any, embedding: Any, how: str, name: str
) -> None:
    with pytest.raises(ConfigurationError, match="the image cannot be read"):
        await value(getattr(embedding(), how)(name))
    assert sent(server) == []


def refusing(*bad: str) -> Callable[[Request], Reply]:
    """A server that refuses requests that hold any of these texts."""

    def answer(request: Request) -> Reply:
        return error(400, "文本无效") if set(request.json["input"]) & set(bad) else embedded(request)

    return answer


@pytest.mark.parametrize("how", BATCHES)
async def test_a_failed_batch_names_its_texts_and_loses_no_finished_one(server: Any, embedding: Any, how: str) -> None:
    server.default = refusing("ccc")
    with pytest.raises(PartialBatchError, match=r"2 of 5 inputs failed \(index 2, 3\).*文本无效") as caught:
        await value(getattr(embedding(embed_batch_size=2), how)(TEXTS))
    assert {at: type(reason) for at, reason in caught.value.failed.items()} == {2: BadRequestError, 3: BadRequestError}
    assert {at: done.embedding for at, done in caught.value.results.items()} == {
        at: vector(TEXTS[at]) for at in (0, 1, 4)
    }
    assert len(server.requests) == 3


@pytest.mark.parametrize("how", BATCHES)
async def test_what_there_is_comes_back_when_that_is_asked_for(
    server: Any, embedding: Any, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.default = refusing("ccc")
    got = await value(getattr(embedding(embed_batch_size=2, on_error="return"), how)(TEXTS))
    assert got == [vector("一"), vector("bb"), [], [], vector("eeeee")]
    assert "2 of 5 inputs failed (index 2, 3); the first: HTTP 400: 文本无效" in caplog.text


@pytest.mark.parametrize("on_error", ["raise", "return"])
@pytest.mark.parametrize("how", BATCHES)
async def test_where_nothing_was_done_the_first_error_is_raised_itself(
    server: Any, embedding: Any, how: str, on_error: str
) -> None:
    server.default = refusing(*TEXTS)
    with pytest.raises(BadRequestError, match="文本无效"):
        await value(getattr(embedding(on_error=on_error), how)(TEXTS))


@pytest.mark.parametrize("how", BATCHES)
async def test_a_fault_that_all_requests_would_meet_ends_the_sending(server: Any, embedding: Any, how: str) -> None:
    server.default = lambda request: error(401, "bad key") if len(server.requests) > 1 else embedded(request)
    with pytest.raises(PartialBatchError, match="8 of 10 inputs failed") as caught:
        await value(
            getattr(embedding(embed_batch_size=2, num_workers=None if how[0] == "g" else 2), how)(list("0123456789"))
        )
    assert {type(reason) for reason in caught.value.failed.values()} == {AuthenticationError}
    assert len(server.requests) <= 3  # with two workers another one may be on its way


@pytest.mark.parametrize("how", BATCHES)
async def test_a_vector_that_is_no_number_fails_for_its_text_alone(server: Any, embedding: Any, how: str) -> None:
    whole = embedded

    def answer(request: Request) -> Reply:
        reply = whole(request)
        reply.body = bytes(reply.body).replace(b"[2.0, 98.0]", b"[NaN, 98.0]")
        return reply

    server.default = answer
    with pytest.raises(PartialBatchError, match=r"1 of 5 inputs failed \(index 1\)") as caught:
        await value(getattr(embedding(), how)(TEXTS))
    assert isinstance(caught.value.failed[1], InvalidResponseError)
    assert "not a number" in str(caught.value)
    assert sorted(caught.value.results) == [0, 2, 3, 4]


@pytest.mark.parametrize("how", BATCHES)
async def test_a_cache_is_filled_asked_and_kept_clean_of_failures(server: Any, embedding: Any, how: str) -> None:
    server.default = refusing("ccc")
    cache = SimpleKVStore()
    model = embedding(embed_batch_size=2, embeddings_cache=cache)
    with pytest.raises(PartialBatchError, match=r"index 2, 3"):
        await value(getattr(model, how)(TEXTS))
    assert sorted(cache.get_all("embeddings")) == sorted(["一", "bb", "eeeee"])
    server.default, server.requests[:] = embedded, []
    assert await value(getattr(model, how)(TEXTS)) == [vector(text) for text in TEXTS]
    assert [body["input"] for body in sent(server)] == [["ccc", "dddd"]]
    query = "get_query_embedding" if how in BATCHES[:1] else "aget_query_embedding"
    assert await value(getattr(model, query)("bb")) == vector("bb")
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", BATCHES)
async def test_calls_side_by_side_know_nothing_of_each_others_failures(server: Any, embedding: Any, how: str) -> None:
    server.default = refusing("ccc")
    model = embedding(embed_batch_size=1)

    async def call(texts: list[str]) -> Any:
        if how == BATCHES[0]:
            return await asyncio.to_thread(model.get_text_embedding_batch, texts)
        return await model.aget_text_embedding_batch(texts)

    failing, fine = await asyncio.gather(call(["ccc", "一"]), call(["一", "bb"]), return_exceptions=True)
    assert isinstance(failing, PartialBatchError)
    assert fine == [vector("一"), vector("bb")]


@pytest.mark.parametrize(("options", "workers"), [({"num_workers": 3}, 3), ({}, 8), ({"num_workers": None}, 12)])
async def test_so_many_requests_are_on_their_way_as_there_are_workers(
    server: Any, embedding: Any, options: dict[str, Any], workers: int
) -> None:
    gate = threading.Event()

    def answer(request: Request) -> Reply:
        reply = embedded(request)
        reply.before = [Pause(gate)]
        return reply

    server.default = answer
    texts = ["x" * length for length in range(1, 13)]
    task = asyncio.create_task(embedding(embed_batch_size=1, **options).aget_text_embedding_batch(texts))
    assert await asyncio.to_thread(server.wait_for, lambda s: len(s.requests) == workers)
    assert not await asyncio.to_thread(server.wait_for, lambda s: len(s.requests) > workers, 0.2)
    gate.set()
    assert await task == [vector(text) for text in texts]


@pytest.mark.parametrize("how", BATCHES)
async def test_a_rate_limiter_is_asked_once_for_each_request(server: Any, embedding: Any, how: str) -> None:
    if "rate_limiter" not in GeekAIEmbedding.model_fields:
        with pytest.raises(ConfigurationError, match="rate_limiter"):
            embedding(rate_limiter=object())
        return
    asked = []

    class Limiter:
        def acquire(self, num_tokens: int = 0) -> None:
            asked.append("get")

        async def async_acquire(self, num_tokens: int = 0) -> None:
            asked.append("aget")

    await value(getattr(embedding(rate_limiter=Limiter(), embed_batch_size=2), how)(TEXTS))
    assert asked == [how.partition("_")[0]] * 3


@pytest.mark.parametrize("how", BATCHES)
async def test_handlers_hear_of_every_request_and_never_of_the_key(server: Any, embedding: Any, how: str) -> None:
    callbacks = Callbacks()
    model = embedding(embed_batch_size=2, callback_manager=CallbackManager([callbacks]))
    with listening() as ears:
        await value(getattr(model, how)(TEXTS[:4]))
    assert len(ears.names("EmbeddingStart")) == len(ears.names("EmbeddingEnd")) == 2
    chunks = [chunk for event in ears.heard if "End" in event.class_name() for chunk in event.chunks]
    assert chunks == TEXTS[:4]
    assert (
        [kind for kind, _ in callbacks.started] == [kind for kind, _ in callbacks.ended] == [CBEventType.EMBEDDING] * 2
    )
    assert callbacks.ended[0][1][EventPayload.EMBEDDINGS] == [vector("一"), vector("bb")]
    assert KEY not in str([event.model_dump() for event in ears.heard]) + str(callbacks.started + callbacks.ended)


@pytest.mark.parametrize("how", BATCHES)
async def test_progress_is_shown_when_asked_for(
    server: Any, embedding: Any, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await value(getattr(embedding(embed_batch_size=2), how)(TEXTS, show_progress=True))
    assert "Generating embeddings: 100%" in capsys.readouterr().err
    await value(getattr(embedding(), how)(TEXTS))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("how", BATCHES)
async def test_collect_gathers_the_usage_of_every_request(server: Any, embedding: Any, how: str) -> None:
    model = embedding(embed_batch_size=2)
    with collect() as collected:
        await value(getattr(model, how)([]))
        await value(getattr(model, how)(TEXTS))
        query = model.get_query_embedding if how == BATCHES[0] else model.aget_query_embedding
        await value(query("x"))
    assert [call["model"] for call in collected.calls] == ["e"] * 4
    assert collected.usage == {"prompt_tokens": 6, "total_tokens": 6}


def test_collect_gathers_billed_units_and_names_the_model_that_was_asked(server: Any, embedding: Any) -> None:
    usage = {"total_tokens": 3, "billed_units": 2, "prompt_tokens_details": {"text_tokens": 3}}
    server.play(json_reply({"data": [{"index": 0, "embedding": [1.0]}], "usage": usage}))
    with collect() as collected:
        embedding().get_text_embedding("x")
    assert (collected.calls[0]["model"], collected.billed_units, collected.usage) == ("e", 2, usage)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.model_copy()])
def test_a_copy_works_like_the_original(server: Any, embedding: Any, copied: Callable[[Any], Any]) -> None:
    original = embedding(dimensions=2, model="f")
    original.get_text_embedding("x")
    twin = copied(original)
    twin.get_text_embedding("x")
    original.get_text_embedding("x")
    twin.close()
    assert sent(server) == [{"model": "f", "input": ["x"], "dimensions": 2}] * 3
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}


def test_a_deep_copy_counts_against_the_same_limiter_and_fills_the_same_cache(embedding: Any) -> None:
    shared = {"embeddings_cache": SimpleKVStore(), "callback_manager": CallbackManager()}
    if "rate_limiter" in GeekAIEmbedding.model_fields:
        shared["rate_limiter"] = object()
    original = embedding(**shared)
    twin = copy.deepcopy(original)
    assert all(getattr(twin, name) is one for name, one in shared.items())


def test_neither_dumps_nor_repr_nor_logs_tell_the_key(
    server: Any, embedding: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.play(error(401, f"bad key {KEY}"))
    model = embedding(default_headers={"x-secret": "swordfish"})
    with pytest.raises(AuthenticationError) as caught:
        model.get_text_embedding("x")
    payload = model.to_payload() if hasattr(model, "to_payload") else {}
    for text in [
        repr(model),
        str(model),
        json.dumps(model.to_dict()),
        json.dumps(payload),
        repr(caught.value),
        caplog.text,
    ]:
        assert KEY not in text
        assert "swordfish" not in text
    assert GeekAIEmbedding.from_dict(model.to_dict(), api_key=KEY).to_dict() == model.to_dict()


def test_an_unknown_keyword_names_the_nearest_field_and_a_missing_model_is_an_error(embedding: Any) -> None:
    with pytest.raises(ConfigurationError, match="'dimension'; did you mean 'dimensions'"):
        embedding(dimension=5)
    with pytest.raises(ConfigurationError, match="no model was named"):
        GeekAIEmbedding(api_key=KEY)  # type: ignore[call-arg]


def test_an_index_is_built_and_asked_over_the_wire(server: Any, embedding: Any) -> None:
    nodes = [TextNode(text=text) for text in ("a panda", "zz tea", "a")]
    model = embedding()
    index = VectorStoreIndex(nodes, embed_model=model)
    found = index.as_retriever(similarity_top_k=1).retrieve("a panda")
    assert [node.text for node in found] == ["a panda"]
    assert [body["input"] for body in sent(server)] == [["a panda", "zz tea", "a"], ["a panda"]]


async def test_an_index_is_built_and_asked_awaiting(server: Any, embedding: Any) -> None:
    index = VectorStoreIndex([], embed_model=embedding(), use_async=True)
    await index.ainsert_nodes([TextNode(text="a panda"), TextNode(text="zz")])
    assert [node.text for node in await index.as_retriever(similarity_top_k=1).aretrieve("zz")] == ["zz"]


@pytest.mark.parametrize("workers", [None, 2])
def test_an_ingestion_pipeline_embeds_in_this_process_or_in_others(
    server: Any, embedding: Any, workers: int | None
) -> None:
    """Each other process has a copy of the model, with its key."""
    pipeline = IngestionPipeline(transformations=[embedding()])  # core's splitter does not unpickle without a network
    nodes = pipeline.run(nodes=[TextNode(text=text) for text in TEXTS], num_workers=workers)
    assert [node.embedding for node in nodes] == [vector(text) for text in TEXTS]
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}


def test_a_semantic_splitter_embeds_its_sentences(server: Any, embedding: Any) -> None:
    splitter = SemanticSplitterNodeParser(embed_model=embedding(), buffer_size=1)
    text = "Tea is hot. Coffee is hot. The lighthouse stands on a rock. Ships see it from afar."
    assert "".join(node.text for node in splitter.get_nodes_from_documents([Document(text=text)])) == text
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", BATCHES)
async def test_a_busy_server_is_asked_again_by_the_client_alone(server: Any, embedding: Any, how: str) -> None:
    busy = error(503, "忙", headers={"retry-after": "0"})
    server.play(busy)
    assert await value(getattr(embedding(), how)(["x"])) == [vector("x")]
    server.play(busy, busy)
    with pytest.raises(ServerError, match="忙"):
        await value(getattr(embedding(max_retries=1), how)(["x"]))
    assert len(server.requests) == 4
