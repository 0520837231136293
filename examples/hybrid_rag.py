"""One answer from a folder of Markdown and from the web: both are searched, reranked together, and cited by one list.

    pip install ".[langchain]" typer
    python examples/hybrid_rag.py documents/ "When does the ferry leave in winter?"

The key is in GEEKAI_API_KEY; without one, start `geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to
anything. The vectors are in memory: see `rag_folder.py` for keeping them.
"""

import re
import sys
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel
from langchain_core.vectorstores import InMemoryVectorStore

from geekai_core.citations import markers
from geekai_core.harmless import harmless
from langchain_geekai import ChatGeekAI, GeekAIEmbeddings, GeekAIRerank, GeekAISearchRetriever

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False)]
COUNT = 4  # sources that an answer rests on, from wherever
SYSTEM = "Answer the question using only the context. Be brief. Cite the sources by number, such as [1]."
PROMPT = ChatPromptTemplate([("system", SYSTEM), ("human", "Context:\n{context}\n\nQuestion: {question}")])


def read(folder: Path) -> list[Document]:
    """The paragraphs of the folder's documents, a heading with what follows it. What cannot be read is named."""
    found = []
    for path in sorted(folder.rglob("*.md")):
        try:
            text = path.read_text("utf-8")
        except (OSError, ValueError) as error:
            print(f"{path} cannot be read, and is left out: {error}", file=sys.stderr)
            continue
        about = {"title": path.stem, "url": path.relative_to(folder).as_posix()}
        paragraphs = re.findall(r"(?:#.*\s+)*\S(?:.|\n(?!\s*\n))*", text)
        found += [Document(paragraph.strip(), metadata=about) for paragraph in paragraphs]
    return found


def renumbered(answer: str, found: list[Document]) -> tuple[str, list[Document]]:
    """The answer with its citations numbered from 1 on in their order, and the sources that they name.

    A citation of what is not there goes. An answer that cites nothing rests on all that was found.
    """
    numbers: dict[int, int] = {}
    pieces, at = [], 0
    for (start, end), cited in groupby(markers(answer), key=lambda marker: (marker.start, marker.end)):
        known = [marker.number for marker in cited if marker.number <= len(found)]
        pieces += [answer[at:start], *(f"[{numbers.setdefault(number, len(numbers) + 1)}]" for number in known)]
        at = end
    return "".join([*pieces, answer[at:]]), [found[number - 1] for number in numbers] or found


def main(folder: Folder, question: str, model: str = "gpt-4o-mini", rerank: str = "bge-reranker-v2-m3") -> None:
    """Answer QUESTION from the Markdown in FOLDER and from the web."""
    if not (documents := read(folder)):
        raise SystemExit(f"No text in the .md files of {folder}.")
    store = InMemoryVectorStore(GeekAIEmbeddings(model="text-embedding-3-small"))
    store.add_documents(documents)
    sources = RunnableParallel(local=store.as_retriever(search_kwargs={"k": 8}), web=GeekAISearchRetriever(count=8))
    both = sources.invoke(question)
    different = {document.page_content: document for document in [*both["web"], *both["local"]]}
    best = GeekAIRerank(model=rerank, top_n=COUNT).compress_documents([*different.values()], question)
    context = "\n\n".join(f"[{number}] {document.page_content}" for number, document in enumerate(best, 1))
    chain = PROMPT | ChatGeekAI(model=model) | StrOutputParser()
    answer, cited = renumbered(chain.invoke({"context": context, "question": question}), best)
    print(harmless(answer) + "\n")
    for number, document in enumerate(cited, 1):
        print(harmless(f"[{number}] {document.metadata.get('title')} ({document.metadata.get('url')})"))


if __name__ == "__main__":
    typer.run(main)
