"""The pytest fixture `geekai_server`: GeekAI on this machine, scripted, for the tests of your own app (extra `test`).

    def test_the_answer_cites_its_source(geekai_server):
        geekai_server.play(answer("At nine [1].", citations=["https://harbour.example/timetable"]))
        assert ask("When does the ferry leave?") == "At nine [1]."
        assert geekai_server.requests[0].json["enable_search"] is True

pytest finds it by itself once `geekai` is installed. `geekai_testing.replies` has the answers and the faults to play.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # loaded with the fixture, so that a run of tests that never asks for it does not pay
    from geekai_testing.scripted import ScriptedServer


@pytest.fixture
def geekai_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A `ScriptedServer`, to which every client made within the test talks: key, base URL and proxies say so."""
    from geekai_testing.scripted import ScriptedServer

    with ScriptedServer() as server:
        here = {"GEEKAI_API_KEY": "sk-scripted", "GEEKAI_BASE_URL": server.base_url}
        for name, value in {**here, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("GEEKAI_PROXY", raising=False)
        yield server
