"""Answer every line of a JSONL file on Ray, on one machine or a cluster; a restart asks only what is missing.

    pip install ".[langchain,fast,ray]" tqdm typer
    python examples/bulk_ray.py questions.jsonl answers/ --model gpt-4o-mini

A line is `{"id": "…", "question": "…"}`; answers stand in `answers/part-….jsonl`, in a folder that all machines see. A
part is written whole or not at all, and named after its ids: what a dead actor leaves is asked and written again. A row
that cannot be asked fails by name, a full disk ends the asking, and a second run on the same answers says so and ends.
GEEKAI_API_KEY and GEEKAI_BASE_URL are each machine's (no key: `geekai-local`); Ray's own `runtime_env` would log them.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import sys
from pathlib import Path

import ray.data
import typer
from tqdm import tqdm

from geekai_core import AuthenticationError, GeekAIError, InsufficientBalanceError
from langchain_geekai import ChatGeekAI

BATCH = 128  # rows in a part, and what is asked again, at most, when an actor dies; several times `at_once`


def write(part: Path, lines: list[bytes]) -> None:
    """Write a part whole, or not at all."""
    new = part.with_suffix(f".{os.getpid()}.tmp")
    with new.open("wb") as file:
        file.writelines(line + b"\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    new.replace(part)


def answered(folder: Path) -> set[str]:
    """The ids that have an answer. A part with a broken line is named, and keeps the others."""
    done: set[str] = set()
    for part in folder.glob("part-*.jsonl"):
        lines, sound = part.read_bytes().splitlines(), {}
        for line in lines:
            try:
                sound[json.loads(line)["id"]] = line
            except (ValueError, LookupError, TypeError):
                print(f"{part} has a broken line: {line[:60]!r}; its row is asked again", file=sys.stderr)
        if len(sound) < len(lines):
            write(part, list(sound.values()))
        done |= sound.keys()
    return done


def asked(questions: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The questions by their ids, and what is wrong with the other rows."""
    rows, failed = {}, {}
    for number, line in enumerate(questions.read_bytes().splitlines(), 1):
        name = f"line {number}"
        try:
            row = json.loads(line)
            name = ascii(row["id"])
            str(row["id"]).encode()  # half a surrogate pair names no row
            rows[str(row["id"])] = row["question"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            failed[name] = f"no question: {error}"
    return rows, failed


class Asker:
    """An actor's model: it asks a batch at a time, with at most `at_once` requests in flight."""

    def __init__(self, model: str, folder: Path, at_once: int) -> None:
        self.model = ChatGeekAI(model=model, max_retries=6)
        self.folder, self.free, self.over = folder, asyncio.Semaphore(at_once), None

    async def __call__(self, batch: dict) -> dict[str, list]:
        rows = await asyncio.gather(*map(self.ask, batch["id"].tolist(), batch["question"].tolist()))
        name = hashlib.sha256(json.dumps(batch["id"].tolist()).encode()).hexdigest()[:20]
        lines = [json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") for row in rows if "answer" in row]
        try:
            write(self.folder / f"part-{name}.jsonl", lines)
        except OSError as error:
            self.over = error  # a full disk: what else is answered could not be kept
            raise
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
    with (answers / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"another run writes to {answers}: wait for its end") from None
        if failed := run(questions, answers, model, actors, at_once):
            raise SystemExit("\n".join(f"{id}: {error}" for id, error in failed.items()))


def run(questions: Path, answers: Path, model: str, actors: int, at_once: int) -> dict[str, str]:
    """Ask, write and show what it costs; what failed, by id."""
    done = answered(answers)
    rows, failed = asked(questions)
    items = [{"id": id, "question": question} for id, question in rows.items() if id not in done]
    ray.data.DataContext.get_current().enable_progress_bars = False  # ours tells what is spent
    todo = ray.data.from_items(items, override_num_blocks=len(items) // BATCH + 1)  # a block is a batch is a part
    pool = ray.data.ActorPoolStrategy(size=actors)
    data = todo.map_batches(Asker, fn_constructor_args=(model, answers.absolute(), at_once), compute=pool, num_cpus=0.5)
    tokens, units = 0, 0.0
    with tqdm(total=len(rows), initial=len(rows) - len(items), unit="row") as bar:
        for batch in data.iter_batches(batch_size=None) if items else ():
            failed |= {id: error for id, error in zip(batch["id"], batch["error"], strict=True) if error}
            tokens, units = tokens + batch["tokens"].sum(), units + batch["billed_units"].sum()
            bar.set_postfix(tokens=tokens, billed_units=units, failed=len(failed))
            bar.update(len(batch["id"]))
    return failed


if __name__ == "__main__":
    typer.run(main)
