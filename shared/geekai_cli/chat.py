"""`geekai chat`: one question, or a talk with memory."""

from __future__ import annotations

import contextlib
import locale
import sys
from collections.abc import Mapping
from typing import Any

from geekai_cli._screen import Screen, complain, print_json
from geekai_core import ChatCompletion, Client, ConfigurationError, GeekAIError
from geekai_core.citations import sources

Messages = list[dict[str, Any]]


def run(question: str | None, system: str | None, fields: Mapping[str, Any], as_json: bool) -> None:
    """Ask the question, else what standard input holds; between two terminals, talk until it ends."""
    if not fields["model"]:
        raise ConfigurationError("no model: give --model NAME or set GEEKAI_MODEL ('geekai models' lists them)")
    messages: Messages = [{"role": "system", "content": system}] if system else []
    with Client() as client:
        if question is None and not as_json and sys.stdin.isatty() and sys.stdout.isatty():
            _talk(client, messages, fields)
            return
        question = _piped() if question is None else question
        if not question.strip():
            raise ConfigurationError("no question: give one as an argument or through a pipe")
        messages.append({"role": "user", "content": question})
        if as_json:
            with client.stream(messages=messages, **fields) as stream:
                for _ in stream:
                    pass
            print_json(told(stream.answer))
        else:
            _show(client, messages, fields)


def told(answer: ChatCompletion) -> dict[str, Any]:
    """An answer as the one object of `--json`."""
    found = sources(answer.citations, answer.search_results)
    return {
        "model": answer.model,
        "answer": answer.message.content,
        "reasoning": answer.message.reasoning_content,
        "citations": [{"number": source.number, "title": source.title, "url": source.url} for source in found],
        "usage": answer.usage.model_dump(exclude_unset=True) if answer.usage else None,
    }


def _piped() -> str:
    """All of standard input: UTF-8, with or without a byte order mark, else what the locale says."""
    content = sys.stdin.buffer.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(locale.getpreferredencoding(False), errors="replace")


def _talk(client: Client, messages: Messages, fields: Mapping[str, Any]) -> None:
    """Question and answer in turn; a question that failed is forgotten."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # arrows and history for input()
    print("Ctrl-D ends the talk (Windows: Ctrl-Z, Enter).", file=sys.stderr)
    while True:
        try:
            question = input("> ")
        except EOFError:
            print()
            return
        if not question.strip():
            continue
        messages.append({"role": "user", "content": question})
        try:
            answer = _show(client, messages, fields)
        except GeekAIError as error:
            messages.pop()
            complain(error)
        else:
            messages.append({"role": "assistant", "content": answer.message.content or ""})


def _show(client: Client, messages: Messages, fields: Mapping[str, Any]) -> ChatCompletion:
    """Stream one answer, then its numbered sources; tokens go to stderr.

    Reasoning is dimmed on a terminal and left out elsewhere.
    """
    screen, thinking = Screen(), False
    try:
        with client.stream(messages=messages, **fields) as stream:
            for delta in stream:
                if delta.reasoning_content and screen.is_terminal:
                    screen.write(delta.reasoning_content, "dim")
                    thinking = True
                if delta.content:
                    screen.write(("\n\n" if thinking else "") + delta.content)
                    thinking = False
    finally:
        screen.end_line()
    answer = stream.answer
    for source in sources(answer.citations, answer.search_results):
        blank = "\n" if source.number == 1 else ""
        screen.write(f"{blank}[{source.number}] {' '.join(filter(None, (source.title, source.url)))}\n")
    print(spent(answer), file=sys.stderr)
    return answer


def spent(answer: ChatCompletion) -> str:
    """Tokens and billed searches of an answer, and why it ended where that is not its own end."""
    usage = answer.usage.model_dump(exclude_none=True) if answer.usage else {}
    names = {"prompt_tokens": "", "completion_tokens": "", "billed_units": " (searches, not money)"}
    counts = [f"{name} {usage[name]}{note}" for name, note in names.items() if name in usage]
    reason = answer.choices[0].finish_reason if answer.choices else None
    if reason not in ("stop", None):
        counts.append(f"ended by {reason}")
    return ", ".join(counts) or "the server told no usage"
