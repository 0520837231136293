"""Questions to a folder of PDFs and Markdown, in LlamaIndex: vectors on disk, and only what changed is embedded again.

    pip install ".[llama-index]" llama-index-vector-stores-qdrant pypdf typer
    python examples/rag_folder_llama_index.py documents/ "When was the lighthouse built?"

The store is Qdrant within this process: no server, the same code for one later, and the smallest of the three that
people use so (130 MB installed; LanceDB 450, Chroma 500). Beside it a document store remembers what each page held: the
pipeline embeds new and changed pages and deletes those that are gone. The key is in GEEKAI_API_KEY; without one, start
`geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to anything. In LangChain: `rag_folder.py`.
"""

import uuid
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from pypdf import PdfReader
from qdrant_client import QdrantClient

from llama_index_geekai import GeekAI, GeekAIEmbedding

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False)]
COUNT = 4  # passages that an answer rests on


def pages(folder: Path) -> list[Document]:
    """A document for each page; its id is its place."""
    texts = {(path, 1): path.read_text("utf-8") for path in folder.rglob("*.md")}
    for path in folder.rglob("*.pdf"):
        texts |= {(path, number): page.extract_text() for number, page in enumerate(PdfReader(path).pages, 1)}
    places = {place: f"{place[0].relative_to(folder).as_posix()}, page {place[1]}" for place in sorted(texts)}
    return [Document(text=texts[place], id_=name, metadata={"place": name}) for place, name in places.items()]


def node_id(number: int, page: BaseNode) -> str:
    """The same for the same passage: a run that broke off writes over what it had written."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{page.id_}, passage {number}"))


def update(vectors: QdrantVectorStore, known: Path, folder: Path, embedding: GeekAIEmbedding) -> None:
    """Bring the store up to date with the folder."""
    found = pages(folder)
    if not any(page.text.strip() for page in found):
        raise SystemExit(f"No text in the .md and .pdf files of {folder}: the store is left as it is.")
    docstore = SimpleDocumentStore.from_persist_path(str(known)) if known.exists() else SimpleDocumentStore()
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=200, chunk_overlap=20, id_func=node_id), embedding],
        vector_store=vectors,
        docstore=docstore,
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        disable_cache=True,  # the two stores know it all
    )
    embedded = pipeline.run(documents=found, show_progress=True)
    docstore.persist(str(known))
    print(f"{len(embedded)} passages embedded")


def main(folder: Folder, question: str, store: Path = Path("vectors"), model: str = "gpt-4o-mini") -> None:
    """Answer QUESTION from the documents in FOLDER; the vectors are kept in STORE."""
    embedding = GeekAIEmbedding(model="text-embedding-3-small")
    with closing(QdrantClient(path=str(store))) as client:
        vectors = QdrantVectorStore("passages", client, index_doc_id=False)  # in this process it has no such index
        update(vectors, store / "pages.json", folder, embedding)
        index = VectorStoreIndex.from_vector_store(vectors, embed_model=embedding)
        engine = index.as_query_engine(GeekAI(model=model), similarity_top_k=COUNT, streaming=True)
        response = engine.query(question)
        response.print_response_stream()
    print("\n\n" + "\n".join(f"{source.metadata['place']} ({source.score:.2f})" for source in response.source_nodes))


if __name__ == "__main__":
    typer.run(main)
