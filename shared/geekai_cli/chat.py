"""`geekai chat`: one question, or a talk with memory."""

from __future__ import annotations

import codecs
import contextlib
import locale
import os
import re
import stat
import sys
from collections.abc import Mapping
from gettext import gettext as _
from typing import Any
from urllib.parse import unquote

from geekai_cli._kept import Kept
from geekai_cli._screen import Screen, complain, note, print_json
from geekai_cli._setup import open_client
from geekai_core import ChatCompletion, Client, ConfigurationError, GeekAIError, Stream
from geekai_core.citations import Source, sources

SWITCHES: dict[str, dict[str, Any]] = {
    "/search": {"enable_search": True, "search_config": {"return_result": True}},  # results have the sources' titles
    "/think": {"enable_thinking": True},
}
"""What can be turned on, by an option or within a talk, and what is sent then."""


def run(question: str | None, on: list[str], kept: Kept, base_url: str | None, as_json: bool) -> None:
    """Ask the question, with what standard input holds; between two terminals and without one, talk until it ends.

    `on`: which `SWITCHES` are.
    """
    with open_client(base_url, kept.model) as client:
        kept.open()
        talk = Talk(client, {"model": kept.model, **{k: v for name in on for k, v in SWITCHES[name].items()}}, kept)
        if question is None and not as_json and sys.stdin.isatty() and sys.stdout.isatty():
            talk.go_on()
            return
        question = "\n\n".join(text for text in (question or "", _piped(question)) if text.strip())
        if not question:
            raise ConfigurationError(_("no question: give one as an argument or through a pipe"))
        answer = talk.ask(question, None if as_json else Screen())
        if as_json:
            print_json(described(answer))


def described(answer: ChatCompletion) -> dict[str, Any]:
    """An answer as the one object of `--json`."""
    return {
        "model": answer.model,
        "answer": answer.message.content,
        "reasoning": answer.message.reasoning_content,
        "citations": [{"number": one.number, "title": one.title, "url": one.url} for one in _sources(answer)],
        "usage": answer.usage.model_dump(exclude_unset=True) if answer.usage else None,
    }


def _piped(question: str | None) -> str:
    """All of standard input: UTF-8 or UTF-16 by its mark, else UTF-8, else what the locale says.

    Beside a question, only a pipe or a file is read: whatever else may never end.
    """
    mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin else 0
    if question is not None and not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        return ""
    content = sys.stdin.buffer.read() if sys.stdin else b""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise ConfigurationError(_("standard input is no text: give the text of the file"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(locale.getpreferredencoding(False), errors="replace")


class Talk:
    """Questions and answers, each sent with those before it. What failed before any of its answer came is forgotten."""

    def __init__(self, client: Client, fields: dict[str, Any], kept: Kept) -> None:
        self._client = client
        self._fields = fields
        self._kept = kept

    def go_on(self) -> None:
        """Read questions until the user ends it: with Ctrl-D, or with Ctrl-C where no answer is coming."""
        with contextlib.suppress(ImportError):
            import readline  # arrows and history for input()

            for message in self._kept.messages:
                if message["role"] == "user":
                    readline.add_history(" ".join(message["content"].split()))
        self._obeyed("/help")
        while True:
            try:
                line = input("> ")
            except EOFError:
                print()
                return
            if not line.strip() or self._obeyed(*line.split()):
                continue
            try:
                self.ask(line, Screen())
            except GeekAIError as error:
                complain(error)
            except KeyboardInterrupt:
                note(_("(ended; Ctrl-C once more ends the talk)"))

    def _obeyed(self, name: str, *state: str) -> bool:
        """Whether a line was no question, but a switch of ours, which is done, or a word like one, which gets help."""
        if (switch := SWITCHES.get(name)) is None:
            if unknown := re.fullmatch("/[a-z]+", name):  # no slip is sent, and billed
                note(
                    _("Ctrl-C ends an answer, Ctrl-D the talk (Windows: Ctrl-Z, Enter). /search on, /think on, and off")
                )
            return bool(unknown)
        if state:
            self._fields = {key: value for key, value in self._fields.items() if key not in switch}
            self._fields |= switch if state == ("on",) else {}
        note(f"{name} {'on' if switch.keys() <= self._fields.keys() else 'off'}")
        return True

    def ask(self, question: str, screen: Screen | None) -> ChatCompletion:
        """One answer, shown as it comes. What had come is kept when it fails or is interrupted."""
        words: list[str] = []
        try:
            messages = [*self._kept.messages, {"role": "user", "content": question}]
            with self._client.stream(messages=messages, **self._fields) as stream:
                _show(stream, screen, words)
        except BaseException:
            if words:
                self._kept.add(question, "".join(words))
            raise
        answer = stream.answer
        found = _sources(answer)
        self._kept.add(question, answer.message.content or "", found)
        if screen:
            for source in found:
                blank = "\n" if source.number == 1 else ""
                where = readable(source.url) if source.url else None
                screen.write(blank)
                screen.line(f"[{source.number}] {' '.join(filter(None, (source.title, where)))}")
            note(spent(answer))
        return answer


def _show(stream: Stream, screen: Screen | None, words: list[str]) -> None:
    """An answer as it comes: reasoning on a terminal only, dimmed; the text goes to `words` as well."""
    thinking = False
    try:
        for delta in stream:
            if screen and screen.is_terminal and delta.reasoning_content:
                if not thinking and not screen.styled:
                    screen.write(f"{_('thinking:')} ")
                screen.write(delta.reasoning_content, "dim")
                thinking = True
            if delta.content:
                words.append(delta.content)
                if screen:
                    screen.write(("\n\n" if thinking else "") + delta.content)
                thinking = False
    finally:
        if screen:
            screen.end_line()


def _sources(answer: ChatCompletion) -> list[Source]:
    return sources(answer.citations, answer.search_results)


def readable(url: str) -> str:
    """A URL with its letters of any script decoded; what a URL must not hold stays encoded.

    >>> readable("https://a.example/%E5%85%89%20%2F%1b%E2%80%AE")
    'https://a.example/光%20%2F%1b%E2%80%AE'
    """

    def letters(found: re.Match[str]) -> str:
        text = unquote(found[0], errors="replace")
        return text if text.isprintable() and "\ufffd" not in text else found[0]

    return re.sub(r"(?:%[89a-fA-F][0-9a-fA-F])+", letters, url)


def spent(answer: ChatCompletion) -> str:
    """Tokens and billed searches of an answer, and why it ended where that is not its own end."""
    usage: Mapping[str, Any] = answer.usage.model_dump(exclude_none=True) if answer.usage else {}
    names = {"prompt_tokens": "", "completion_tokens": "", "billed_units": f" {_('(searches, not money)')}"}
    counts = [f"{name} {usage[name]}{about}" for name, about in names.items() if name in usage]
    reason = answer.choices[0].finish_reason if answer.choices else None
    if reason not in ("stop", None):
        counts.append(_("ended by {}").format(reason))
    return ", ".join(counts) or _("the server gave no usage")
