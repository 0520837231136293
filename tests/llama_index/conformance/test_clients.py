"""C20 and C21: HTTP clients, event loops, early leaving; copies and dumps, none of which tell the key."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
from typing import Any

import httpx
import pytest

from geekai_testing.replies import Hold, completion, delta, json_reply, sse
from tests.llama_index.subject import KEY
from tests.llama_index.support import CHATS, USER, last, play_text

OK = json_reply(completion("ok"))


@pytest.mark.parametrize("how", CHATS)
async def test_c20_a_time_limit_ends_a_silent_request(server: Any, make: Any, subject: Any, how: str) -> None:
    server.play(_silent())
    with pytest.raises(subject.errors):
        await last(make(timeout=0.2, max_retries=0), how)


def _silent() -> Any:
    reply = json_reply(completion("late"))
    reply.before = [Hold()]
    return reply


@pytest.mark.parametrize("timeout", [None, 5.0, httpx.Timeout(5.0), httpx.Timeout(None, connect=3.0)])
def test_c20_a_time_limit_may_be_none_a_number_or_httpx_s_own(server: Any, make: Any, timeout: Any) -> None:
    server.play(OK)
    assert make(timeout=timeout).chat(USER).message.content == "ok"


@pytest.mark.parametrize("how", CHATS)
async def test_c20_clients_of_the_users_own_are_used_and_left_open(server: Any, make: Any, how: str) -> None:
    play_text(server, how)
    with httpx.Client(headers={"x-mine": "sync"}) as sync:
        async with httpx.AsyncClient(headers={"x-mine": "async"}) as waiting:
            await last(make(http_client=sync, async_http_client=waiting), how)
            assert not sync.is_closed
            assert not waiting.is_closed
    assert server.requests[0].headers["x-mine"] == ("async" if how.startswith("a") else "sync")


@pytest.mark.parametrize("how", CHATS)
@pytest.mark.parametrize("reuse", [True, False])
async def test_c20_connections_are_used_again_unless_a_new_client_is_wanted(
    server: Any, make: Any, how: str, reuse: bool
) -> None:
    llm = make(reuse_client=reuse)
    for _ in range(3):
        play_text(server, how)
        await last(llm, how)
    assert server.connections == (1 if reuse else 3)


def test_c20_a_second_event_loop_works_like_the_first(server: Any, make: Any) -> None:
    llm = make(max_retries=0)
    for how in ("achat", "astream_chat", "achat"):
        play_text(server, how)
        assert asyncio.run(last(llm, how)).message.content == "In China."


def test_c20_leaving_a_stream_early_closes_its_connection(server: Any, llm: Any) -> None:
    server.play(sse(delta("Hel"), delta("lo"), Hold()))
    stream = llm.stream_chat(USER)
    assert next(stream).delta == "Hel"
    stream.close()
    assert server.requests[0].client_left.wait(2)


async def test_c20_leaving_an_async_stream_early_closes_its_connection(server: Any, llm: Any) -> None:
    server.play(sse(delta("Hel"), delta("lo"), Hold()))
    stream = await llm.astream_chat(USER)
    assert (await anext(stream)).delta == "Hel"
    await stream.aclose()
    assert await asyncio.to_thread(server.requests[0].client_left.wait, 2)


async def test_c20_cancelling_a_task_closes_its_connection(server: Any, llm: Any) -> None:
    server.play(sse(delta("Hel"), Hold()))

    async def read() -> None:
        async for _ in await llm.astream_chat(USER):
            pass

    task = asyncio.create_task(read())
    await asyncio.to_thread(server.wait_for, lambda s: len(s.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.requests[0].client_left.wait, 2)


@pytest.mark.parametrize("how", ["chat", "achat"])
@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda llm: pickle.loads(pickle.dumps(llm)), lambda llm: llm.model_copy()],
    ids=["copy", "deepcopy", "pickle", "model_copy"],
)
async def test_c21_a_copy_works_before_and_after_use(server: Any, make: Any, copied: Any, how: str) -> None:
    llm = make(temperature=0.5, max_tokens=9)
    for _ in range(2):
        play_text(server, how)
        twin = copied(llm)
        assert (await last(twin, how)).message.content == "In China."
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        assert server.requests[-1].json["temperature"] == 0.5
        play_text(server, how)
        await last(llm, how)
        if hasattr(twin, "aclose"):
            await twin.aclose()
            twin.close()


def test_c21_a_deep_copy_shares_the_users_own_client(server: Any, make: Any) -> None:
    server.play(OK, OK)
    with httpx.Client(headers={"x-mine": "sync"}) as sync:
        llm = make(http_client=sync)
        llm.chat(USER)
        copy.deepcopy(llm).chat(USER)
    assert server.requests[1].headers["x-mine"] == "sync"


def test_c21_neither_dumps_nor_repr_nor_errors_nor_logs_tell_the_key(
    server: Any, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    llm = make(default_headers={"x-secret": "swordfish"}, max_retries=0)
    server.play(json_reply({"error": {"message": f"bad key {KEY}"}}, 401))
    with pytest.raises(Exception, match="bad key") as caught:
        llm.chat(USER)
    shown = [repr(llm), str(llm), json.dumps(llm.to_dict(), default=str), llm.to_json(), json.dumps(llm.to_payload())]
    for text in [*shown, str(caught.value), repr(caught.value), str(pickle.dumps(caught.value)), caplog.text]:
        assert KEY not in text
        assert "swordfish" not in text


def test_c21_to_dict_and_back_is_the_same_llm(make: Any, server: Any) -> None:
    llm = make(temperature=0.25, max_tokens=9, system_prompt="Be kind.", context_window=999)
    again = type(llm).from_dict(llm.to_dict(), api_key=KEY)
    assert again.to_dict() == llm.to_dict()
    assert (again.temperature, again.system_prompt, again.metadata.context_window) == (0.25, "Be kind.", 999)
