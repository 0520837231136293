"""How good is a RAG chain: LlamaIndex's evaluators over your questions, as a table.

    pip install ".[llama-index,fast]" rich tqdm typer
    python examples/evaluate.py documents/ questions.txt --judge gpt-4o

`questions.txt` has a question on each line. A judge says whether an answer says only what the passages say (faithful),
and whether answer and passages fit the question (relevant). The key is in GEEKAI_API_KEY; without one, start
`geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to anything: its small model is a poor judge.
"""

import asyncio
import sys
from pathlib import Path

import typer
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.evaluation import BatchEvalRunner, EvaluationResult, FaithfulnessEvaluator, RelevancyEvaluator
from llama_index.core.node_parser import SentenceSplitter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from geekai_core.harmless import harmless
from llama_index_geekai import GeekAI, GeekAIEmbedding, collect

COUNT = 2  # passages that an answer rests on


def read(folder: Path) -> list[Document]:
    """The folder's documents. What cannot be read is named."""
    found = []
    for path in sorted(folder.rglob("*.md")):
        try:
            found.append(Document(text=path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            print(f"{path} cannot be read, and is left out: {error}", file=sys.stderr)
    return found


def evaluate(folder: Path, questions: list[str], model: str, judge: str) -> dict[str, list[EvaluationResult]]:
    """What the judge says of the answer to each question, by evaluator."""
    index = VectorStoreIndex.from_documents(
        read(folder),
        transformations=[SentenceSplitter(chunk_size=200, chunk_overlap=20)],
        embed_model=GeekAIEmbedding(model="text-embedding-3-small"),
    )
    engine = index.as_query_engine(GeekAI(model=model, temperature=0), similarity_top_k=COUNT)
    judging = GeekAI(model=judge, temperature=0)
    evaluators = {"faithful": FaithfulnessEvaluator(judging), "relevant": RelevancyEvaluator(judging)}
    runner = BatchEvalRunner(evaluators, workers=8, show_progress=True)
    return asyncio.run(runner.aevaluate_queries(engine, questions))


def main(folder: Path, questions: Path, model: str = "gpt-4o-mini", judge: str = "gpt-4o") -> None:
    """Answer QUESTIONS from the Markdown in FOLDER, and show what the judge says of the answers."""
    lines = [line for line in questions.read_text("utf-8").split("\n") if line.strip()]
    with collect() as spent:
        results = evaluate(folder, lines, model, judge)
    table = Table("question", "answer", show_lines=True, show_footer=True)
    for name, verdicts in results.items():
        table.add_column(name, footer=f"{sum(bool(verdict.passing) for verdict in verdicts)}/{len(verdicts)}")
    for row in zip(*results.values(), strict=True):
        cells = ["yes" if verdict.passing else "[red]no[/red]" for verdict in row]
        table.add_row(*(escape(harmless(text or "")) for text in (row[0].query, row[0].response)), *cells)
    console = Console()
    console.print(table)
    console.print(f"{len(spent.calls)} calls, {spent.usage.get('total_tokens', 0)} tokens")


if __name__ == "__main__":
    typer.run(main)
