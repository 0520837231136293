"""C23, engines: query engines in every mode, chat engines, routers, evaluators, rerankers, extractors, ingestion."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, Settings, VectorStoreIndex
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.evaluation import (
    AnswerRelevancyEvaluator,
    CorrectnessEvaluator,
    FaithfulnessEvaluator,
    GuidelineEvaluator,
    RelevancyEvaluator,
)
from llama_index.core.extractors import KeywordExtractor, QuestionsAnsweredExtractor, SummaryExtractor, TitleExtractor
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.postprocessor import LLMRerank, StructuredLLMRerank
from llama_index.core.query_engine import CitationQueryEngine, RouterQueryEngine, SubQuestionQueryEngine
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import QueryEngineTool

from geekai_testing.replies import Reply, completion, delta, json_reply, sse, tool_call

PANDAS = ["Pandas live in the mountains of China.", "Pandas eat bamboo all day.", "A panda weighs a hundred kilos."]
WITHOUT_LLM = {ResponseMode.NO_TEXT, ResponseMode.CONTEXT_ONLY}


def says(text: str) -> Any:
    """A server that always says the same, with a citation and a billed search."""
    top = {"citations": ["https://a.example"], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "billed_units": 1}}

    def answer(request: Any) -> Reply:
        if request.json.get("stream"):
            return sse(*(delta(word + " ") for word in text.split(" ")), delta(finish_reason="stop", **top))
        return json_reply(completion(text, **top))

    return answer


@pytest.fixture
def index() -> VectorStoreIndex:
    return VectorStoreIndex([TextNode(text=text) for text in PANDAS], embed_model=MockEmbedding(embed_dim=4))


@pytest.mark.parametrize("mode", list(ResponseMode))
async def test_c23_a_query_engine_answers_in_every_mode(
    server: Any, llm: Any, index: Any, mode: ResponseMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.default = says("In China.")
    monkeypatch.setattr(Settings, "_llm", llm)  # the modes without a model ask for the default one all the same
    engine = index.as_query_engine(llm=llm, response_mode=mode, similarity_top_k=2)
    answers = [str(engine.query("Where?")), str(await engine.aquery("Where?"))]
    if mode in WITHOUT_LLM:
        assert server.requests == []
        return
    assert all("In China." in answer for answer in answers)
    if mode == ResponseMode.TREE_SUMMARIZE:
        assert "anda" in str(server.requests[0].json["messages"])


@pytest.mark.parametrize("mode", ["compact", "refine", "tree_summarize", "simple_summarize", "generation"])
async def test_c23_a_query_engine_streams(server: Any, llm: Any, index: Any, mode: str) -> None:
    server.default = says("In China.")
    engine = index.as_query_engine(llm=llm, response_mode=mode, similarity_top_k=2, streaming=True)
    assert "".join(engine.query("Where?").response_gen).strip() == "In China."
    response = await engine.aquery("Where?")
    assert "".join([part async for part in response.async_response_gen()]).strip() == "In China."


async def test_c23_a_query_engine_gives_a_typed_answer(server: Any, llm: Any, index: Any) -> None:
    from tests.llama_index.conformance.test_structured import GOOD, City

    server.default = lambda request: json_reply(completion(GOOD))
    engine = index.as_query_engine(llm=llm, output_cls=City, response_mode="tree_summarize")
    assert engine.query("Which?").response == City(name="北京", people=22)
    assert (await engine.aquery("Which?")).response == City(name="北京", people=22)


async def test_c23_a_citation_query_engine_numbers_its_sources(server: Any, llm: Any, index: Any) -> None:
    server.default = says("In China [1].")
    engine = CitationQueryEngine.from_args(index, llm=llm, similarity_top_k=2)
    response = await engine.aquery("Where?")
    assert str(response) == "In China [1]."
    assert "Source 1:" in str(server.requests[0].json["messages"])
    assert str(engine.query("Where?")) == "In China [1]."


async def test_c23_a_router_takes_the_engine_that_the_model_selects(server: Any, llm: Any, index: Any) -> None:
    tools = [
        QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), name=name, description=name)
        for name in ("places", "food")
    ]

    def answer(request: Any) -> Reply:
        body = request.json
        if not body.get("tools"):
            return json_reply(completion("Bamboo."))
        name = body["tools"][0]["function"]["name"]
        return json_reply(completion(None, tool_calls=[tool_call(name, {"index": 2, "reason": "food"}, id="c1")]))

    server.default = answer
    router = RouterQueryEngine.from_defaults(tools, llm=llm)
    response = await router.aquery("What do they eat?")
    assert str(response) == "Bamboo."
    assert response.metadata["selector_result"].ind == 1
    assert str(router.query("What do they eat?")) == "Bamboo."


async def test_c23_a_router_asks_in_words_where_the_model_has_no_tools(server: Any, make: Any, index: Any) -> None:
    llm = make(is_function_calling_model=False)
    tools = [QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), name="places", description="places")]
    server.play(json_reply(completion('```json\n[{"choice": 1, "reason": "places"}]\n```')), says("In China."))
    assert str(RouterQueryEngine.from_defaults(tools, llm=llm).query("Where?")) == "In China."


async def test_c23_sub_questions_are_asked_and_put_together(server: Any, llm: Any, index: Any) -> None:
    tools = [QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), name="pandas", description="Pandas.")]
    asked = [{"sub_question": question, "tool_name": "pandas"} for question in ("Where?", "What food?")]

    def answer(request: Any) -> Reply:
        text = str(request.json["messages"])
        if "sub_question" in text:
            return json_reply(completion(f"```json\n{json.dumps({'items': asked})}\n```"))
        return json_reply(completion("All told." if "Sub question" in text else "A part."))

    server.default = answer
    engine = SubQuestionQueryEngine.from_defaults(
        tools, llm=llm, question_gen=LLMQuestionGenerator.from_defaults(llm), use_async=False, verbose=False
    )
    response = await engine.aquery("Where do they live and what do they eat?")
    assert str(response) == "All told."
    assert len(server.requests) == 4


CHAT_MODES = ["simple", "context", "condense_question", "condense_plus_context"]


@pytest.mark.parametrize("mode", CHAT_MODES)
@pytest.mark.parametrize("how", ["chat", "achat", "stream_chat", "astream_chat"])
async def test_c23_a_chat_engine_remembers(server: Any, llm: Any, index: Any, mode: str, how: str) -> None:
    server.default = says("In China.")
    memory = ChatMemoryBuffer.from_defaults(llm=llm)  # the default one leaves an open database behind
    if mode == "simple":
        engine: Any = SimpleChatEngine.from_defaults(llm=llm, system_prompt="Be kind.", memory=memory)
    else:
        engine = index.as_chat_engine(chat_mode=mode, llm=llm, memory=memory, similarity_top_k=1)
    for question in ("Where do pandas live?", "And the cubs?"):
        response = getattr(engine, how)(question)
        response = await response if hasattr(response, "__await__") else response
        if how == "astream_chat":
            text = "".join([part async for part in response.async_response_gen()])
        elif how == "stream_chat":
            text = "".join(response.response_gen)
        else:
            text = str(response)
        assert text.strip() == "In China."
    assert [message.role.value for message in engine.chat_history] == ["user", "assistant"] * 2
    assert "Where do pandas live?" in str(server.requests[-1].json["messages"]) or mode == "condense_question"


def judged(content: str, thought: str) -> Any:
    return lambda request: json_reply(completion(content, reasoning_content=thought))


@pytest.mark.parametrize("verdict", [True, False])
@pytest.mark.parametrize("evaluator", [FaithfulnessEvaluator, RelevancyEvaluator])
async def test_c23_an_evaluator_judges_by_the_answer_and_not_by_the_thoughts(
    server: Any, llm: Any, evaluator: Any, verdict: bool
) -> None:
    server.default = judged("YES" if verdict else "NO", "no, no" if verdict else "yes, yes")
    result = await evaluator(llm=llm).aevaluate(query="Where?", response="China.", contexts=PANDAS)
    assert result.passing is verdict


async def test_c23_evaluators_read_scores(server: Any, llm: Any) -> None:
    server.default = judged("4.0\nQuite right.", "3?")
    assert (await CorrectnessEvaluator(llm=llm).aevaluate(query="q", response="r", reference="r")).score == 4.0
    server.default = judged("1. Yes.\n2. Yes.\n[RESULT] 2", "hm")
    assert (await AnswerRelevancyEvaluator(llm=llm).aevaluate(query="q", response="r")).score == 1.0
    server.default = judged('{"passing": true, "feedback": "ok"}', "hm")
    assert (await GuidelineEvaluator(llm=llm, guidelines="Be kind.").aevaluate(query="q", response="r")).passing


async def test_c23_rerankers_order_the_nodes(server: Any, llm: Any) -> None:
    nodes = [NodeWithScore(node=TextNode(text=text), score=0.1) for text in PANDAS]
    server.default = lambda request: json_reply(completion("Doc: 2, Relevance: 9\nDoc: 1, Relevance: 3"))
    ranked = LLMRerank(llm=llm, top_n=2).postprocess_nodes(nodes, query_str="food?")
    assert [node.node.get_content() for node in ranked] == [PANDAS[1], PANDAS[0]]
    told = {"documents": [{"document_number": 3, "relevance": 8}, {"document_number": 1, "relevance": 2}]}
    server.default = lambda request: json_reply(completion(json.dumps(told)))
    ranked = await StructuredLLMRerank(llm=llm, top_n=2).apostprocess_nodes(nodes, query_str="weight?")
    assert [node.node.get_content() for node in ranked] == [PANDAS[2], PANDAS[0]]


async def test_c23_extractors_describe_the_nodes(server: Any, llm: Any) -> None:
    server.default = says("Pandas of China")
    extractors = [
        TitleExtractor(llm=llm, show_progress=False),
        KeywordExtractor(llm=llm, show_progress=False),
        SummaryExtractor(llm=llm, show_progress=False),
        QuestionsAnsweredExtractor(llm=llm, questions=1, show_progress=False),
    ]
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(chunk_size=64, chunk_overlap=0), *extractors])
    (node,) = await pipeline.arun(documents=[Document(text=PANDAS[0])])
    found = {name: node.metadata[name] for name in ("document_title", "excerpt_keywords", "section_summary")}
    assert set(found.values()) == {"Pandas of China"}


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="LlamaIndex warns of more workers than processors")
def test_c23_an_ingestion_pipeline_works_in_other_processes(server: Any, llm: Any) -> None:
    server.default = says("Pandas of China")
    llm.complete("warm up, so that there is an open connection")
    splitter = SentenceSplitter(tokenizer=str.split)  # tiktoken's own, unpickled in a new process, asks the network
    pipeline = IngestionPipeline(
        transformations=[splitter, KeywordExtractor(llm=llm, show_progress=False)], disable_cache=True
    )
    nodes = pipeline.run(documents=[Document(text=text) for text in PANDAS], num_workers=2)
    assert sorted(node.get_content() for node in nodes) == sorted(PANDAS)
    assert {node.metadata["excerpt_keywords"] for node in nodes} == {"Pandas of China"}
    assert len(server.requests) == 4
