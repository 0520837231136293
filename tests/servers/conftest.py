"""Every test here needs a server that others wrote; where it cannot be had, its tests are skipped with the reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from typing import Any

import pytest

from geekai_testing.scripted import ScriptedServer
from tests.servers import servers
from tests.servers.running import NotInstalledError, Server
from tests.servers.subjects import OURS, Subject

Make = Callable[..., Subject]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/servers/" in item.path.as_posix():
            item.add_marker(pytest.mark.server)


def entered(stack: ExitStack, context: AbstractContextManager[Any]) -> Any:
    """What a server's context gives; skips the test where the server is not installed."""
    try:
        return stack.enter_context(context)
    except NotInstalledError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def llama_cpp() -> Iterator[Server]:
    with ExitStack() as stack:
        yield entered(stack, servers.llama_cpp())


@pytest.fixture(params=OURS, ids=[one.name for one in OURS])
async def subject_of(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Makes the subject for a server, with these options of it."""
    async with AsyncExitStack() as stack:

        def make(server: Server, **options: Any) -> Subject:
            subject: Subject = request.param(server, **options)
            stack.push_async_callback(subject.close)
            return subject

        yield make


@pytest.fixture
def behind() -> Iterator[ScriptedServer]:
    """What a proxy relays."""
    with ScriptedServer() as server:
        yield server
