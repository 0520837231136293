"""Facts from a folder of PDFs, Markdown and text as JSON lines: many documents at a time, with progress.

    pip install ".[langchain,fast]" pypdf tqdm typer
    python examples/extract.py documents/ facts.jsonl --at-once 20

The key is in GEEKAI_API_KEY; without one, start `geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to
anything. `Facts` is what is looked for: put your own fields there. What failed is named at the end; the rest stands.
"""

import asyncio
import json
from pathlib import Path
from typing import Literal

import typer
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, Field
from pypdf import PdfReader
from tqdm import tqdm

from geekai_core.harmless import harmless
from langchain_geekai import ChatGeekAI, collect

PROMPT = ChatPromptTemplate([("system", "Extract the facts that the document states."), ("human", "{text}")])


class Facts(BaseModel):
    """What a document tells."""

    kind: Literal["place", "transport", "event", "other"] = Field(description="What the document is about")
    year: int | None = Field(description="The first year that the document names, if any")
    title: str = Field(description="A title of at most six words", max_length=60)


def read(path: Path) -> str:
    """The text of a document."""
    if path.suffix == ".pdf":
        return "\n".join(page.extract_text() for page in PdfReader(path).pages)
    return path.read_text(encoding="utf-8")


async def extract(paths: list[Path], out: Path, model: str, at_once: int) -> list[str]:
    """Write a line for each document as it is done; what failed, with the document's name."""
    full: list[OSError] = []  # the disk is: what else was found could not be kept

    def first(path: Path) -> str:
        if full:
            raise full[0]
        return read(path)

    chain = RunnableLambda(first) | PROMPT | ChatGeekAI(model=model, temperature=0).with_structured_output(Facts)
    failed = []
    with out.open("w", encoding="utf-8") as lines, tqdm(total=len(paths), unit="document") as bar, collect() as spent:
        results = chain.abatch_as_completed(paths, {"max_concurrency": at_once}, return_exceptions=True)
        async for index, result in results:
            if isinstance(result, Exception):
                failed.append(harmless(f"{paths[index]}: {type(result).__name__}: {result}"))
            else:
                try:
                    lines.write(
                        json.dumps({"file": str(paths[index]), **result.model_dump()}, ensure_ascii=False) + "\n"
                    )
                    lines.flush()
                except OSError as error:
                    full.append(error)
                    failed.append(f"{paths[index]}: {error}")
            bar.set_postfix(tokens=spent.usage.get("total_tokens", 0), failed=len(failed))
            bar.update()
    return failed


def main(folder: Path, out: Path, model: str = "gpt-4o-mini", at_once: int = 10) -> None:
    """Read the documents of FOLDER, at most AT_ONCE at a time, and write what they state to OUT."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in {".md", ".txt", ".pdf"})
    try:
        if failed := asyncio.run(extract(paths, out, model, at_once)):
            raise SystemExit("\n".join(failed))
    except OSError as error:
        raise SystemExit(f"no more is asked, for {out} cannot be written: {error}") from None


if __name__ == "__main__":
    typer.run(main)
