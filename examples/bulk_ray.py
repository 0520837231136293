"""Answer every line of a JSONL file on Ray, on one machine or a cluster; a restart asks only what is missing.

    pip install ".[langchain,fast,ray]" tqdm typer
    python examples/bulk_ray.py questions.jsonl answers/ --model gpt-4o-mini

A line is `{"id": "…", "question": "…"}`; answers stand in `answers/part-….jsonl`, in a folder that all machines see. A
part is written whole or not at all, and named after its ids: what a dead actor leaves is asked and written again.
GEEKAI_API_KEY and GEEKAI_BASE_URL are each machine's (no key: `geekai-local`); Ray's own `runtime_env` would log them.
"""

import asyncio
import hashlib
import json
import os
from pathlib import Path

import ray.data
import typer
from tqdm import tqdm

from geekai_core import AuthenticationError, GeekAIError, InsufficientBalanceError
from langchain_geekai import ChatGeekAI

BATCH = 128  # rows in a part, and what is asked again, at most, when an actor dies; several times `at_once`


class Asker:
    """An actor's model: it asks a batch at a time, with at most `at_once` requests in flight."""

    def __init__(self, model: str, folder: Path, at_once: int) -> None:
        self.model = ChatGeekAI(model=model, max_retries=6)
        self.folder, self.free, self.over = folder, asyncio.Semaphore(at_once), None

    async def __call__(self, batch: dict) -> dict[str, list]:
        rows = await asyncio.gather(*map(self.ask, batch["id"].tolist(), batch["question"].tolist()))
        name = hashlib.sha256(json.dumps(batch["id"].tolist()).encode()).hexdigest()[:20]
        part = self.folder / f"{name}.{os.getpid()}.tmp"
        part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows if "answer" in row), "utf-8")
        part.replace(self.folder / f"part-{name}.jsonl")
        return {field: [row.get(field, "") for row in rows] for field in ("id", "error", "tokens", "billed_units")}

    async def ask(self, id: str, question: str) -> dict:
        try:
            async with self.free:
                if self.over:
                    raise self.over
                answer = await self.model.ainvoke(question)
        except (AuthenticationError, InsufficientBalanceError) as error:
            self.over = error  # no other row would fare better, so none is asked
            raise
        except GeekAIError as error:
            return {"id": id, "error": f"{type(error).__name__}: {error}", "tokens": 0, "billed_units": 0.0}
        usage = answer.response_metadata.get("token_usage", {})
        spent = {"tokens": usage.get("total_tokens", 0), "billed_units": float(usage.get("billed_units", 0))}
        return {"id": id, "answer": answer.text, **spent}


def main(questions: Path, answers: Path, model: str = "gpt-4o-mini", actors: int = 2, at_once: int = 32) -> None:
    """Ask what has no answer yet, at most AT_ONCE requests of each of ACTORS at a time."""
    answers.mkdir(parents=True, exist_ok=True)
    done = {json.loads(line)["id"] for part in answers.glob("part-*.jsonl") for line in part.read_bytes().splitlines()}
    rows = {str(row["id"]): row["question"] for row in map(json.loads, questions.read_bytes().splitlines())}
    items = [{"id": id, "question": question} for id, question in rows.items() if id not in done]
    ray.data.DataContext.get_current().enable_progress_bars = False  # ours tells what is spent
    todo = ray.data.from_items(items, override_num_blocks=len(items) // BATCH + 1)  # a block is a batch is a part
    pool = ray.data.ActorPoolStrategy(size=actors)
    data = todo.map_batches(Asker, fn_constructor_args=(model, answers.absolute(), at_once), compute=pool, num_cpus=0.5)
    failed, tokens, units = {}, 0, 0.0
    with tqdm(total=len(rows), initial=len(rows) - len(items), unit="row") as bar:
        for batch in data.iter_batches(batch_size=None) if items else ():
            failed |= {id: error for id, error in zip(batch["id"], batch["error"], strict=True) if error}
            tokens, units = tokens + batch["tokens"].sum(), units + batch["billed_units"].sum()
            bar.set_postfix(tokens=tokens, billed_units=units, failed=len(failed))
            bar.update(len(batch["id"]))
    if failed:
        raise SystemExit("\n".join(f"{id}: {error}" for id, error in failed.items()))


if __name__ == "__main__":
    typer.run(main)
