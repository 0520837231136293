"""Never run: only type-checked. What users write must check, and what they get must have the types they expect."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import httpx
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.schema import NodeWithScore
from pydantic import SecretStr

import langchain_geekai
from geekai_core import AsyncClient, ChatCompletion, Client, Delta, GeekAIError, SearchConfig, Thinking, Usage
from geekai_core.citations import Source
from geekai_core.collecting import Collected
from langchain_geekai import ChatGeekAI
from langchain_geekai import collect as collect_langchain
from llama_index_geekai import (
    GeekAI,
    GeekAIEmbedding,
    GeekAIRerank,
    GeekAISearchRetriever,
    GeekAISearchToolSpec,
    get_citations,
    get_search_results,
    to_nodes,
)


def core() -> None:
    with Client(api_key="sk-1", timeout=30) as client:
        answer = client.chat(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], enable_search=True)
        assert_type(answer, ChatCompletion)
        assert_type(answer.message.content, str | None)
        assert_type(answer.message.reasoning_content, str | None)
        assert_type(answer.usage, Usage | None)
        assert_type(answer.billed_units, int | float | None)
        with client.stream(model="gpt-4o", messages=[]) as stream:
            for delta in stream:
                assert_type(delta, Delta)
            assert_type(stream.answer, ChatCompletion)


async def core_async() -> None:
    async with AsyncClient() as client:
        assert_type(await client.chat(model="gpt-4o", messages=[]), ChatCompletion)
        async with client.stream(model="gpt-4o", messages=[]) as stream:
            async for delta in stream:
                assert_type(delta.content, str | None)


def langchain() -> None:
    llm = ChatGeekAI(
        model="deepseek/deepseek-r1:full",
        temperature=0.5,
        max_tokens=100,
        enable_search=True,
        search_config=SearchConfig(engine="glm/search-std", recency_filter="oneWeek", return_result=True),
        enable_thinking=True,
        thinking={"reasoning_effort": "low"},
    )
    assert_type(llm.invoke("hi"), AIMessage)
    chunks: Iterator[AIMessageChunk] = llm.stream("hi")
    later: AsyncIterator[AIMessageChunk] = llm.astream("hi")
    assert_type(llm.enable_search, bool | None)
    assert_type(llm.temperature, float | None)
    with collect_langchain() as collected:
        assert_type(collected, Collected)
    print(chunks, later)


def llama_index() -> None:
    llm = GeekAI(model="qwen-max", thinking=Thinking(budget_tokens=200), stop=["\n"], max_retries=3)
    response = llm.chat([ChatMessage("hi")])
    assert_type(response, ChatResponse)
    assert_type(llm.complete("hi"), CompletionResponse)
    assert_type(get_citations(response), list[Source])
    assert_type(get_search_results(response), list[Source])
    assert_type(llm.search_config, SearchConfig | dict[str, Any] | None)


async def llama_index_retrieval() -> None:
    embedding = GeekAIEmbedding(model="text-embedding-3-small", dimensions=256, num_workers=4, on_error="return")
    assert_type(embedding.get_text_embedding_batch(["hi"], show_progress=True), list[list[float]])
    assert_type(await embedding.aget_text_embedding_batch(["hi"]), list[list[float]])
    rerank = GeekAIRerank(model="qwen3-rerank", top_n=3, timeout=30)
    retriever = GeekAISearchRetriever(count=5, recency_filter="oneWeek")
    nodes = await retriever.aretrieve("hi")
    assert_type(rerank.postprocess_nodes(nodes, query_str="hi"), list[NodeWithScore])
    assert_type(to_nodes("hi"), list[NodeWithScore])
    assert_type(await GeekAISearchToolSpec(count=5).aweb_search("hi"), str)


def other_names() -> None:
    """What a user of ChatOpenAI or OpenAILike writes; each name is an attribute too."""
    llm = ChatGeekAI(
        model="gpt-4o", api_key="sk-1", base_url="https://geekai.dev/api/v1", request_timeout=30, stop="\n"
    )
    ChatGeekAI(model="gpt-4o", geekai_api_key=SecretStr("sk-1"), geekai_api_base=None, max_completion_tokens=9)
    ChatGeekAI(model="gpt-4o", api_key=lambda: "sk-1", stop_sequences=["\n"], timeout=httpx.Timeout(3))
    GeekAI(model="gpt-4o", api_key="sk-1", base_url="https://geekai.dev/api/v1", max_completion_tokens=9)
    GeekAI(model="gpt-4o", api_key=SecretStr("sk-1"), api_base="https://geekai.dev/api/v1", stop_sequences="\n")
    assert_type(llm.base_url, str | None)
    assert_type(llm.max_completion_tokens, int | None)
    assert_type(
        llm.request_timeout,
        float
        | tuple[float | None, float | None]
        | tuple[float | None, float | None, float | None, float | None]
        | httpx.Timeout
        | None,
    )


def langchain_retrieval() -> None:
    vectors = langchain_geekai.GeekAIEmbeddings(model="bge-m3", api_key="sk-1", base_url=None, dimensions=256)
    assert_type(vectors.embed_query("tea"), list[float])
    ranking = langchain_geekai.GeekAIRerank(model="bge-reranker-v2-m3", api_key="sk-1", top_n=2)
    assert_type(ranking.compress_documents([], "tea"), list[Document])
    web = langchain_geekai.GeekAISearchRetriever(api_key="sk-1", count=2, recency_filter="oneWeek", content_size="high")
    assert_type(web.invoke("tea"), list[Document])
    langchain_geekai.GeekAISearchTool(api_key="sk-1", count=2)


def wrong() -> None:
    """Both checkers must find each of these: a comment that ignores nothing is an error."""
    Thinking(budget_tokens="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChatGeekAI(model=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChatGeekAI(model="m", temperature="hot")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChatGeekAI(model="m", reasoning_history="some")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChatGeekAI(model="m", max_token=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChatGeekAI()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChatGeekAI(model="m", search_config="glm/search-std")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    GeekAI(model=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    GeekAI(model="m", max_token=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    GeekAI()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    GeekAIEmbedding(model="m", on_error="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    GeekAIRerank(model="m", top_n="all")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    GeekAISearchToolSpec(counts=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    try:
        pass
    except GeekAIError as error:
        assert_type(error.message, str)
