"""The pytest fixture `geekai_server`: GeekAI on this machine, scripted, for the tests of your own app (extra `test`).

    def test_the_answer_cites_its_source(geekai_server):
        geekai_server.play(answer("At nine [1].", citations=["https://harbour.example/timetable"]))
        assert ask("When does the ferry leave?") == "At nine [1]."
        assert geekai_server.requests[0].json["enable_search"] is True

pytest finds it by itself once `geekai` is installed. `geekai_testing.replies` has the answers and the faults to play.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # loaded with the fixture, so that a run of tests that never asks for it does not pay
    from geekai_testing.scripted import ScriptedServer


MARKER = "geekai_server(**options): options of the server for this test, such as all_played=True"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker `geekai_server` known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def geekai_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A `ScriptedServer`. Clients made within the test talk to it, and none can reach GeekAI itself.

    Its options are the marker's: with `@pytest.mark.geekai_server(all_played=True)` a test fails that leaves replies
    unplayed.
    """
    import socket

    from geekai_testing.scripted import ScriptedServer

    look_up = socket.getaddrinfo

    def look_up_others(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = (host.decode() if isinstance(host, bytes) else host or "").lower().rstrip(".")
        if f".{name}".endswith((".geekai.co", ".geekai.dev")):
            words = (
                f"a test with geekai_server may not reach {host}: make the model within the test, without a base URL"
            )
            raise socket.gaierror(socket.EAI_NONAME, words)
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_others)
    marker = request.node.get_closest_marker("geekai_server")
    with ScriptedServer(**(marker.kwargs if marker else {})) as server:
        keys = dict.fromkeys(("GEEKAI_API_KEY", "GEEKAI_SYSTEM_KEY"), "sk-scripted")
        here = {**keys, "GEEKAI_BASE_URL": server.base_url}
        for name, value in {**here, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("GEEKAI_PROXY", raising=False)
        yield server
