"""The scripted server and the class under examination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from geekai_testing.scripted import ScriptedServer
from tests.llama_index.subject import Subject, chosen


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture(autouse=True, scope="session")
def warned_of_guesses() -> None:
    """As in a process that has warned of a guessed context window: these tests' models are unknown to everybody."""
    from llama_index_geekai import _metadata

    _metadata.warned.add("the models of the tests")


@pytest.fixture(scope="session")
def subject() -> Subject:
    return chosen()


@pytest.fixture
def make(server: ScriptedServer, subject: Subject) -> Iterator[Callable[..., Any]]:
    """An instance of the class under examination, at the scripted server."""
    made = []

    def build(**options: Any) -> Any:
        made.append(subject.make(server.base_url, **options))
        return made[-1]

    yield build
    for llm in made:
        subject.close(llm)


@pytest.fixture
def llm(make: Callable[..., Any]) -> Any:
    return make()
