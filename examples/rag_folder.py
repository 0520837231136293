"""Questions to a folder of PDFs and Markdown, in LangChain: vectors on disk, and only what changed is embedded again.

    pip install ".[langchain]" langchain-qdrant pypdf tqdm typer
    python examples/rag_folder.py documents/ "When was the lighthouse built?"

The store is Qdrant within this process: no server, and the smallest of the three (130 MB installed; LanceDB 450, Chroma
500). A run adds what the store lacks and deletes what the folder lacks. Without a key in GEEKAI_API_KEY, start
`geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to anything. LlamaIndex: `rag_folder_llama_index.py`.
"""

import re
import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_qdrant import QdrantVectorStore
from pypdf import PdfReader
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from geekai_core.harmless import harmless
from langchain_geekai import ChatGeekAI, GeekAIEmbeddings

# At most 600 characters: to the end of a paragraph, else of a sentence, else of a word, else wherever that is.
ENDS = (r"(?=\n\s*\n|\s*\Z)", r"(?<=[.!?。！？])", r"(?=\s)", "")
PASSAGE = re.compile("|".join(rf"\S.{{0,599}}{end}" for end in ENDS), re.DOTALL)
Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False)]
COUNT = 4  # passages that an answer rests on
SYSTEM = "Answer the question using only the context. Be brief. Cite the passages by number, such as [1]."
PROMPT = ChatPromptTemplate([("system", SYSTEM), ("human", "Context:\n{context}\n\nQuestion: {question}")])


def pages(path: Path) -> list[str]:
    """The texts of a document's pages; of one that cannot be read none, and its name is printed."""
    try:
        if path.suffix == ".pdf":
            return [harmless(page.extract_text()) for page in PdfReader(path).pages]
        return [path.read_text("utf-8")]
    except Exception as error:  # pypdf raises whatever a broken file leads it to
        print(f"{path} cannot be read, and is left out: {error}", file=sys.stderr)
        return []


def passages(folder: Path) -> dict[str, Document]:
    """The passages of the folder's documents by their ids."""
    found = {}
    for path in sorted([*folder.rglob("*.md"), *folder.rglob("*.pdf")]):
        for number, text in enumerate(pages(path), 1):
            place = f"{path.relative_to(folder).as_posix()}, page {number}"
            for passage in PASSAGE.findall(text):
                id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{place}\n{passage}"))
                found[id] = Document(passage, id=id, metadata={"place": place})
    return found


def updated(client: QdrantClient, folder: Path, embeddings: GeekAIEmbeddings) -> QdrantVectorStore:
    """The store, brought up to date with the folder."""
    if not (wanted := passages(folder)):
        raise SystemExit(f"No text in the .md and .pdf files of {folder}: the store is left as it is.")
    name = re.sub(r"\W", "-", embeddings.model)  # the vectors of one model are of no use to another
    if not client.collection_exists(name):
        size = len(embeddings.embed_query("How long is a vector?"))
        client.create_collection(name, VectorParams(size=size, distance=Distance.COSINE))
    store = QdrantVectorStore(client, name, embeddings, validate_collection_config=False)  # to check, it would embed
    points, _ = client.scroll(name, limit=client.count(name).count + 1, with_payload=False)
    known = {str(point.id) for point in points}
    store.add_documents(new := [passage for id, passage in wanted.items() if id not in known])
    if gone := [*known - wanted.keys()]:
        store.delete(gone)
    print(f"{len(new)} passages embedded, {len(gone)} removed, {len(known) - len(gone)} as before")
    return store


def main(folder: Folder, question: str, store: Path = Path("vectors"), model: str = "gpt-4o-mini") -> None:
    """Answer QUESTION from the documents in FOLDER; the vectors are kept in STORE."""
    with closing(QdrantClient(path=str(store))) as client:
        embeddings = GeekAIEmbeddings(model="text-embedding-3-small", show_progress=True)
        found = updated(client, folder, embeddings).similarity_search(question, COUNT)
    context = "\n\n".join(f"[{number}] {passage.page_content}" for number, passage in enumerate(found, 1))
    for chunk in (PROMPT | ChatGeekAI(model=model)).stream({"context": context, "question": question}):
        print(harmless(chunk.text), end="", flush=True)
    print("\n\n" + "\n".join(f"[{number}] {passage.metadata['place']}" for number, passage in enumerate(found, 1)))


if __name__ == "__main__":
    typer.run(main)
