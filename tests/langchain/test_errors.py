"""Errors are of two families at once: GeekAI's, and those by which LangChain's middleware decides."""

import pickle
from typing import Any

import pytest
from langchain_core import exceptions as lc
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage

import geekai_core
from geekai_testing.replies import Cut, Reply, delta, error, sse
from geekai_testing.scripted import ScriptedServer
from tests.addresses import unreachable
from tests.langchain.conftest import KEY, STREAMED, WAYS, Make, ask


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("status", "message", "ours", "theirs", "retryable"),
    [
        (400, "bad parameter", geekai_core.BadRequestError, lc.ModelInvalidRequestError, False),
        (422, "bad parameter", geekai_core.BadRequestError, lc.ModelInvalidRequestError, False),
        (400, "maximum context length is 8192", geekai_core.ContextOverflowError, lc.ContextOverflowError, False),
        (400, "输入内容过长，超出上下文", geekai_core.ContextOverflowError, lc.ContextOverflowError, False),
        (401, "密钥错误", geekai_core.AuthenticationError, lc.ModelAuthenticationError, False),
        (402, "余额不足", geekai_core.InsufficientBalanceError, lc.ModelPermissionDeniedError, False),
        (403, "no access", geekai_core.PermissionDeniedError, lc.ModelPermissionDeniedError, False),
        (404, "no such model", geekai_core.NotFoundError, lc.ModelNotFoundError, False),
        (409, "conflict", geekai_core.APIStatusError, lc.ModelError, False),
        (413, "too large", geekai_core.RequestTooLargeError, lc.ModelInvalidRequestError, False),
        (429, "slow down", geekai_core.RateLimitError, lc.ModelRateLimitError, True),
        (500, "服务端异常，请重试", geekai_core.ServerError, lc.ModelAPIError, True),
    ],
)
async def test_a_status_is_an_error_of_both_families(
    server: ScriptedServer,
    make: Make,
    way: str,
    status: int,
    message: str,
    ours: type[Exception],
    theirs: type[lc.ModelError],
    retryable: bool,
) -> None:
    server.play(error(status, message, code=f"c{status}", headers={"X-Request-Id": "r1"}))
    with pytest.raises(ours) as caught:
        await ask(make(), way)
    failure: Any = caught.value
    assert isinstance(failure, theirs)
    assert failure.is_retryable is retryable
    assert (failure.status_code, failure.code, failure.request_id) == (status, f"c{status}", "r1")
    assert failure.body == {"error": {"message": message, "code": f"c{status}"}}
    assert message in str(failure)
    copy = pickle.loads(pickle.dumps(failure))
    assert type(copy) is type(failure)
    assert (str(copy), copy.body) == (str(failure), failure.body)


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_no_answer_is_an_error_of_both_families(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(Reply(200, {"content-type": "text/html"}, b"<html>Bad gateway</html>"))
    with pytest.raises(geekai_core.GeekAIError, match="Bad gateway") as caught:
        await ask(make(), way)
    assert isinstance(caught.value, lc.ModelError)


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_cannot_be_reached_is_a_connection_error(make: Make, way: str) -> None:
    with unreachable() as url, pytest.raises(geekai_core.APIConnectionError) as caught:
        await ask(make(base_url=url), way)
    assert isinstance(caught.value, lc.ModelConnectionError)


@pytest.mark.parametrize("way", STREAMED)
async def test_a_stream_that_is_cut_says_so_and_keeps_what_had_arrived(
    server: ScriptedServer, make: Make, way: str
) -> None:
    server.play(sse(delta("Hel"), delta("lo"), Cut(), done=False))
    with pytest.raises(geekai_core.StreamInterruptedError) as caught:
        await ask(make(), way)
    assert isinstance(caught.value, lc.ModelConnectionError)
    assert caught.value.partial.message.content == "Hello"


@pytest.mark.parametrize("way", STREAMED)
async def test_an_error_inside_a_stream_is_raised_in_its_place(server: ScriptedServer, make: Make, way: str) -> None:
    server.play(sse(delta("Hel"), {"error": {"message": "vendor failed", "code": 503}}))
    with pytest.raises(geekai_core.ServerError, match="vendor failed") as caught:
        await ask(make(), way)
    assert isinstance(caught.value, lc.ModelAPIError)


async def test_the_trace_of_a_failed_call_holds_the_response_but_never_the_key(
    server: ScriptedServer, make: Make
) -> None:
    seen = []

    class Trace(BaseCallbackHandler):
        def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
            seen.append((error, kwargs["response"].generations[0][0].message.response_metadata))

    server.play(error(429, f"key {KEY} is over its limit", headers={"X-Request-Id": "r1"}))
    with pytest.raises(geekai_core.RateLimitError):
        make().invoke("Hi", config={"callbacks": [Trace()]})
    failure, told = seen[0]
    assert told["status_code"] == 429
    assert told["body"] == {"error": {"message": "key *** is over its limit"}}
    assert told["request_id"] == "r1"
    assert KEY not in str(failure) + repr(failure) + repr(told)


async def test_a_message_that_has_no_form_on_the_wire_is_a_configuration_error(make: Make) -> None:
    with pytest.raises(geekai_core.ConfigurationError, match="type 'hologram' cannot be sent") as caught:
        make().invoke([HumanMessage([{"type": "hologram", "data": "x"}])])
    assert isinstance(caught.value, lc.ModelInvalidRequestError)
