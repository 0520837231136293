"""Bulk work on a real local Ray: what is asked, what is written, and what a dead actor costs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geekai_testing import replies
from geekai_testing.replies import Pause, Reply, Request
from geekai_testing.scripted import ScriptedServer

ray = pytest.importorskip("ray", reason="needs the extra `ray`")

from examples import bulk_ray  # noqa: E402  # it imports Ray

KEY = "sk-never-in-a-log-2f6b"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # it reads its own old settings


def question(request: Request) -> str:
    return str(request.json["messages"][-1]["content"])


def answer(request: Request) -> Reply:
    """Fifteen tokens and half a search for each question."""
    return replies.json_reply(replies.completion(f"Re: {question(request)}", usage=replies.usage(10, 5, 0.5)))


@pytest.fixture(scope="module")
def running() -> Iterator[ScriptedServer]:
    with ScriptedServer(answer) as server:
        yield server


@pytest.fixture
def server(running: ScriptedServer) -> Iterator[ScriptedServer]:
    """The one server that Ray's workers know from their environment, with nothing heard yet."""
    running.requests.clear()
    yield running
    running.default = answer


@pytest.fixture(scope="module", autouse=True)
def ray_folder(running: ScriptedServer) -> Iterator[Path]:
    """A Ray of two cores with the key in its environment, as on a user's machine; and the folder that it writes in."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short, for the sockets in it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEEKAI_API_KEY", KEY)
        patch.setenv("GEEKAI_BASE_URL", running.base_url)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else it leaves a token in the home folder
        ray.init(
            num_cpus=2, include_dashboard=False, object_store_memory=80 * 2**20, _temp_dir=str(folder),
            log_to_driver=False, logging_level="error",
        )  # fmt: skip
        yield folder
        ray.shutdown()
    shutil.rmtree(folder)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Forty questions in parts of about eight, some with a line separator that JSON lets stand, and where the answers go."""
    rows = [{"id": f"row-{number}", "question": f"问题 {number}\u2028?"} for number in range(40)]
    monkeypatch.setattr(bulk_ray, "BATCH", 8)
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(f"{replies.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path, tmp_path / "answers"


def asked(server: ScriptedServer) -> Counter[str]:
    return Counter(f"row-{question(request).split()[1]}" for request in server.requests)


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for part in folder.glob("part-*.jsonl") for line in part.read_bytes().splitlines()]


ALL = [f"row-{number}" for number in range(40)]


def test_every_row_comes_out_once_within_the_bound_and_what_it_cost_is_shown(
    server: ScriptedServer, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(request: Request) -> Reply:
        reply = answer(request)
        reply.before = [Pause(0.3)]
        return reply

    server.default = slow
    bulk_ray.main(*files, actors=1, at_once=8)
    rows = written(files[1])
    assert sorted(row["id"] for row in rows) == sorted(ALL)
    assert {"id": "row-7", "answer": "Re: 问题 7\u2028?", "tokens": 15, "billed_units": 0.5} in rows
    assert asked(server) == Counter(ALL)
    last = capsys.readouterr().err.rpartition("\r")[2]
    assert "40/40" in last
    assert "billed_units=20, failed=0, tokens=600" in last
    times = [request.received_at for request in server.requests]
    in_flight = [sum(time - 0.3 < other <= time for other in times) for time in times]
    assert 1 < max(in_flight) <= 8


def test_a_run_that_broke_off_is_taken_up_where_it_ended(server: ScriptedServer, files: tuple[Path, Path]) -> None:
    """The balance ends, then one row is refused: each run asks only for what no part holds yet."""
    server.default = lambda request: answer(request) if len(server.requests) <= 20 else replies.error(402, "余额不足")
    with pytest.raises(ray.exceptions.RayTaskError, match="InsufficientBalanceError: HTTP 402: 余额不足"):
        bulk_ray.main(*files, actors=1, at_once=4)
    done = {row["id"] for row in written(files[1])}
    assert 0 < len(done) <= 20
    assert len(server.requests) <= 20 + 4, "after a refusal that all would meet, only what was under way is asked"

    server.requests.clear()
    server.default = lambda request: (
        replies.error(400, "内容违规") if " 39\u2028" in question(request) else answer(request)
    )
    with pytest.raises(SystemExit, match=r"^row-39: BadRequestError: HTTP 400: 内容违规$"):
        bulk_ray.main(*files, actors=1)
    assert asked(server) == Counter(set(ALL) - done)
    assert sorted(row["id"] for row in written(files[1])) == sorted(set(ALL) - {"row-39"})

    server.requests.clear()
    server.default = answer
    bulk_ray.main(*files, actors=1)
    assert asked(server) == Counter(["row-39"])
    assert sorted(row["id"] for row in written(files[1])) == sorted(ALL)

    bulk_ray.main(*files)
    assert asked(server) == Counter(["row-39"])


def test_a_row_that_cannot_be_asked_fails_by_name_and_the_others_are_answered(
    server: ScriptedServer, files: tuple[Path, Path]
) -> None:
    lines = [
        '{"id": "row-40", "question": null}',
        '{"id": "row-41"}',
        '{"id": "half-\\ud83d", "question": "?"}',
        '{"id": "row-43", "question": "问题 43\\ud83d?"}',
        '{"id": null, "question": ["?"]}',
        '{"id": "row-4',
        "",
        "7",
    ]
    with files[0].open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    with pytest.raises(SystemExit) as ended:
        bulk_ray.main(*files, actors=1)
    failed = [line.partition(": ")[0] for line in str(ended.value).splitlines()]
    assert failed == ["'row-40'", "'row-41'", r"'half-\ud83d'", "None", "line 46", "line 47", "line 48"]
    assert sorted(row["id"] for row in written(files[1])) == sorted([*ALL, "row-43"])
    assert "问题 43\ufffd?" in [question(request) for request in server.requests]


def test_a_full_disk_ends_the_asking(
    server: ScriptedServer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device is full once a part is to be written: no row of another part is asked."""

    class Full(bulk_ray.Asker):
        async def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
            self.folder = Path("/dev/full")  # whatever is written beneath it cannot be
            return await super().__call__(batch)

    monkeypatch.setattr(bulk_ray, "Asker", Full)
    with pytest.raises(ray.exceptions.RayTaskError, match=r"NotADirectoryError|No space left"):
        bulk_ray.main(*files, actors=1, at_once=4)
    assert written(files[1]) == []
    assert len(server.requests) <= 12, "a part of about eight, and what was under way"


def test_a_cut_part_is_named_keeps_its_sound_rows_and_only_the_others_are_asked_again(
    server: ScriptedServer, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bulk_ray.main(*files, actors=1)
    part = min(files[1].glob("part-*.jsonl"))
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join(lines)[:-20])
    lost = json.loads(lines[-1])["id"]
    server.requests.clear()
    capsys.readouterr()
    bulk_ray.main(*files, actors=1)
    assert f"{part} has a broken line: " in capsys.readouterr().err
    assert asked(server) == Counter([lost])
    assert sorted(row["id"] for row in written(files[1])) == sorted(ALL)


def test_a_second_run_on_the_same_answers_says_so_and_asks_nothing(
    server: ScriptedServer, files: tuple[Path, Path]
) -> None:
    files[1].mkdir()
    with (files[1] / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="another run writes to"):
            bulk_ray.main(*files, actors=1)
    assert server.requests == []
    bulk_ray.main(*files, actors=1)
    assert sorted(row["id"] for row in written(files[1])) == sorted(ALL)


def test_an_actor_killed_in_mid_run_loses_no_row_and_writes_none_twice(
    server: ScriptedServer, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = tmp_path / "died"

    class Mortal(bulk_ray.Asker):
        """Its process ends in the midst of a batch, once, at a row whose neighbours have been answered."""

        async def ask(self, id: str, question: str) -> dict[str, Any]:
            row = await super().ask(id, question)
            if id == "row-13" and not died.exists():
                died.touch()
                os._exit(1)
            return row

    monkeypatch.setattr(bulk_ray, "Asker", Mortal)
    bulk_ray.main(*files)
    assert died.exists()
    assert asked(server)["row-13"] == 2
    assert set(asked(server)) == set(ALL)
    assert sorted(row["id"] for row in written(files[1])) == sorted(ALL)


def test_the_key_shows_nowhere_in_what_ray_keeps(
    server: ScriptedServer, files: tuple[Path, Path], ray_folder: Path
) -> None:
    """In no log, metadata or function table, though a request with it has failed."""
    server.default = lambda request: replies.error(401, "密钥无效")
    with pytest.raises(ray.exceptions.RayTaskError, match="密钥无效") as caught:
        bulk_ray.main(*files, actors=1)
    assert KEY not in repr(caught.getrepr())
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    logs = {path: path.read_bytes() for path in ray_folder.rglob("*") if path.is_file()}
    assert any(b"Asker" in log for log in logs.values())
    assert not [path for path, log in logs.items() if KEY.encode() in log]
    gcs = ray._private.worker.global_worker.gcs_client
    spaces = [(space, key) for space in (None, b"fun") for key in gcs.internal_kv_keys(b"", space)]
    values = [str(gcs.get_all_job_info()).encode(), *(gcs.internal_kv_get(key, space) or b"" for space, key in spaces)]
    assert any(b"MapWorker" in value for value in values)
    assert not any(KEY.encode() in value for value in values)
