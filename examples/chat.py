"""A chat in the terminal: it remembers, streams, dims the model's thoughts, and names its sources.

    pip install ".[langchain]" rich typer
    python examples/chat.py --model deepseek-r1 --think --memory chat.json

The key is in GEEKAI_API_KEY; without one, start `geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to
anything. Ctrl-C ends an answer, and what was said stands; an empty line ends the chat.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from langchain_core import messages as lc
from rich.console import Console

from geekai_core import GeekAIError
from geekai_core.citations import Source
from geekai_core.harmless import harmless
from langchain_geekai import ChatGeekAI, get_citations

SYSTEM = "You are a helpful assistant."
SENT = 8000  # tokens of the conversation, at most; the oldest questions are left out first
console = Console(highlight=False, markup=False)


def questions() -> Iterator[str]:
    """What is typed, until an empty line, Ctrl-D or Ctrl-C."""
    try:
        while question := console.input("\n> ").strip():
            yield question
    except (EOFError, KeyboardInterrupt):
        console.print()


def answer(model: ChatGeekAI, messages: list[lc.BaseMessage]) -> lc.AIMessage:
    """Print an answer as it comes, then its sources; the answer, as far as it came."""
    words: list[str] = []
    sources: list[Source] = []
    between = ""
    try:
        for chunk in model.stream(messages):
            words.append(chunk.text)
            if thought := chunk.additional_kwargs.get("reasoning_content"):
                console.print(harmless(thought), end="", style="dim", soft_wrap=True)
                between = "\n\n"
            if chunk.text:
                console.print(between + harmless(chunk.text), end="", soft_wrap=True)
                between = ""
            sources = get_citations(chunk) or sources
    except KeyboardInterrupt:
        console.print(" …", end="")
    console.print()
    for source in sources:
        console.print(harmless(f"[{source.number}] {source.title or ''} {source.url or ''}"), style="dim")
    return lc.AIMessage("".join(words))


def remembered(memory: Path) -> list[lc.BaseMessage]:
    """The conversation in the file, where there is one."""
    try:
        return lc.messages_from_dict(json.loads(memory.read_text("utf-8"))) if memory.exists() else []
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SystemExit(f"{memory} holds no conversation, and is left as it is: {error}") from None


def keep(memory: Path, messages: list[lc.BaseMessage]) -> None:
    """Write the conversation to a new file, which then takes the old one's place: one of both is always whole."""
    new = memory.with_name(f"{memory.name}.new")
    try:
        with new.open("w", encoding="utf-8", errors="replace") as file:
            json.dump(lc.messages_to_dict(messages), file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        new.replace(memory)
    except OSError as error:
        console.print(f"not kept: {error}", style="red")


def main(model: str = "gpt-4o-mini", think: bool = False, search: bool = False, memory: Path | None = None) -> None:
    """Chat. The conversation is kept in the file MEMORY, where one is given."""
    config = {"return_result": True, "count": 5}
    searching: dict[str, Any] = {"enable_search": True, "search_config": config} if search else {}
    chat = ChatGeekAI(model=model, enable_thinking=think or None, **searching)
    messages = (remembered(memory) if memory else []) or [lc.SystemMessage(SYSTEM)]
    for question in questions():
        talk = [*messages, lc.HumanMessage(question)]
        sent = lc.trim_messages(talk, max_tokens=SENT, token_counter=chat, start_on="human", include_system=True)
        try:
            messages = [*talk, answer(chat, sent)]
        except GeekAIError as error:
            console.print(f"{type(error).__name__}: {error}", style="red")
        if memory:
            keep(memory, messages)


if __name__ == "__main__":
    typer.run(main)
