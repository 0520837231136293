"""Questions to a folder of PDFs and Markdown, in LlamaIndex: vectors on disk, and only what changed is embedded again.

    pip install ".[llama-index]" llama-index-vector-stores-qdrant pypdf typer
    python examples/rag_folder_llama_index.py documents/ "When was the lighthouse built?"

The store is Qdrant within this process: no server, the same code for one later, and the smallest of the three that
people use so (130 MB installed; LanceDB 450, Chroma 500). A passage's id tells its page and what that held, so the
store itself knows what is new and what is gone: no list stands beside it that a run could leave untrue. The key is in
GEEKAI_API_KEY; without one, start `geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to anything. In
LangChain: `rag_folder.py`.
"""

import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.ingestion import run_transformations
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode
from llama_index.vector_stores.qdrant import QdrantVectorStore
from pypdf import PdfReader
from qdrant_client import QdrantClient

from geekai_core.harmless import harmless
from llama_index_geekai import GeekAI, GeekAIEmbedding

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False)]
NAME = "passages"
COUNT = 4  # passages that an answer rests on


def pages(path: Path) -> list[str]:
    """The texts of a document's pages; of one that cannot be read none, and its name is printed."""
    try:
        if path.suffix == ".pdf":
            return [harmless(page.extract_text()) for page in PdfReader(path).pages]
        return [path.read_text("utf-8")]
    except Exception as error:  # pypdf raises whatever a broken file leads it to
        print(f"{path} cannot be read, and is left out: {error}", file=sys.stderr)
        return []


def documents(folder: Path) -> list[Document]:
    """A document for each page of the folder's; its id is its place."""
    found = []
    for path in sorted([*folder.rglob("*.md"), *folder.rglob("*.pdf")]):
        for number, text in enumerate(pages(path), 1):
            place = f"{path.relative_to(folder).as_posix()}, page {number}"
            found.append(Document(text=text, id_=place, metadata={"place": place}))
    return found


def node_id(number: int, page: BaseNode) -> str:
    """The same for the same passage of the same page, and another once the page has changed."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{page.id_}, {page.hash}, passage {number}"))


def update(client: QdrantClient, vectors: QdrantVectorStore, folder: Path, embedding: GeekAIEmbedding) -> None:
    """Bring the store up to date with the folder."""
    splitter = SentenceSplitter(chunk_size=200, chunk_overlap=20, id_func=node_id)
    wanted = {node.id_: node for node in splitter(documents(folder)) if node.get_content().strip()}
    if not wanted:
        raise SystemExit(f"No text in the .md and .pdf files of {folder}: the store is left as it is.")
    known: set[str] = set()
    if client.collection_exists(NAME):
        points, _ = client.scroll(NAME, limit=client.count(NAME).count + 1, with_payload=False)
        known = {str(point.id) for point in points}
    new = [node for id, node in wanted.items() if id not in known]
    vectors.add([*run_transformations(new, [embedding], show_progress=True)])
    if gone := [*known - wanted.keys()]:
        vectors.delete_nodes(gone)
    print(f"{len(new)} passages embedded, {len(gone)} removed, {len(known) - len(gone)} as before")


def main(folder: Folder, question: str, store: Path = Path("vectors"), model: str = "gpt-4o-mini") -> None:
    """Answer QUESTION from the documents in FOLDER; the vectors are kept in STORE."""
    embedding = GeekAIEmbedding(model="text-embedding-3-small")
    with closing(QdrantClient(path=str(store))) as client:
        vectors = QdrantVectorStore(NAME, client, index_doc_id=False)  # in this process it has no such index
        update(client, vectors, folder, embedding)
        index = VectorStoreIndex.from_vector_store(vectors, embed_model=embedding)
        engine = index.as_query_engine(GeekAI(model=model), similarity_top_k=COUNT, streaming=True)
        response = engine.query(question)
        for text in response.response_gen:
            print(harmless(text), end="", flush=True)
    print("\n\n" + "\n".join(f"{source.metadata['place']} ({source.score:.2f})" for source in response.source_nodes))


if __name__ == "__main__":
    typer.run(main)
