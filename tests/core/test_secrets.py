"""The key never shows: not in a repr, an error, a log, a pickled error, a dump."""

import copy
import logging
import pickle
import traceback

import pytest

from geekai_core import ChatCompletion, ClientOptions, GeekAIError
from geekai_core.endpoints import call, chat
from geekai_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    InvalidResponseError,
    PartialBatchError,
    RateLimitError,
    StreamInterruptedError,
    TaskFailedError,
)
from geekai_testing.replies import Cut, Hold, Reply, completion, delta, error, json_reply, sse
from tests.core.conftest import ASK, KEY, collect

FAULTS = [
    error(401, f"Incorrect API key provided: {KEY}"),
    Reply(before=[Cut()]),
    Reply(before=[Hold()]),
    Reply(body=f"{KEY} is no JSON".encode()),
    sse(delta("x"), Cut(), done=False),
    sse(delta("x"), {"error": KEY}),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_key_is_in_no_error_and_no_log(clients, server, fault, caplog):
    server.play(fault)
    client = clients(timeout=0.15, max_retries=0)
    with caplog.at_level(logging.DEBUG), pytest.raises(GeekAIError) as caught:
        collect(client)
    raised = caught.value
    shown = "".join(traceback.format_exception(raised)) + repr(raised) + str(vars(raised)) + repr(client)
    assert KEY not in shown
    assert KEY.encode() not in pickle.dumps(raised)
    assert KEY not in caplog.text
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_key_is_in_no_log_of_a_good_call(client, server, caplog):
    server.play(json_reply(completion("好")))
    with caplog.at_level(logging.DEBUG):
        client.chat(**ASK)
    assert caplog.records
    assert KEY not in caplog.text


def test_the_key_is_in_no_repr_on_the_way(client):
    operation = chat(client.config, ASK, one_call=False, tool_names={})
    assert KEY not in repr(client.config) + repr(operation)
    import httpx

    with httpx.Client() as http:
        ready = call(client.config, operation, http)
    assert KEY not in repr(ready)
    assert repr(ready) == f"Call(POST {client.config.base_url}/chat/completions)"


def test_options_show_and_dump_no_headers_and_no_proxy():
    options = ClientOptions(default_headers={"x": "secret"}, proxy="http://u:secret@h", timeout=5)
    assert "secret" not in repr(options) + str(options.model_dump()) + options.model_dump_json()


ERRORS = [
    APIConnectionError("away", retryable=True),
    APITimeoutError("late", limit="read", seconds=3.0),
    RateLimitError("slow", status_code=429, code="c", body={"a": 1}, headers={"retry-after": "1"}, request_id="r"),
    InvalidResponseError("what", excerpt="<", status_code=200, headers={}),
    StreamInterruptedError("cut", partial=ChatCompletion(id="x")),
    TaskFailedError("no", task_id="t", status="failed", code=1, body={}),
    PartialBatchError("some", failed={1: BadRequestError("b", status_code=400)}, results={0: ChatCompletion(id="y")}),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("through", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_an_error_survives_pickling_and_copying(error, through):
    back = through(error)
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert str(vars(back)) == str(vars(error))


def test_a_pickled_error_has_lost_its_cause():
    """The transport's exception holds the request, and the request the key."""
    error = APIConnectionError("away")
    error.__cause__ = OSError(KEY)
    assert KEY.encode() not in pickle.dumps(error)
    assert pickle.loads(pickle.dumps(error)).__cause__ is None


def test_every_error_is_in_one_tree():
    import geekai_core.errors as tree

    classes = [value for value in vars(tree).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(one, GeekAIError) for one in classes)
    assert issubclass(tree.ContextOverflowError, BadRequestError)
    assert issubclass(BadRequestError, APIStatusError)
    assert not issubclass(tree.ConfigurationError, ValueError)
    assert all(one.__name__ in (tree.__doc__ or "") for one in classes if one is not tree.RequestError)


ECHOES = {
    "status line": f"HTTP/1.1 {KEY} OK\r\n\r\n",
    "header": f"HTTP/1.1 200 OK\r\n{KEY} {KEY}\r\n\r\n",
    "chunk header": f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{KEY}\r\n",
    "Location": f"HTTP/1.1 307 Moved\r\nlocation: http://[{KEY}\r\ncontent-length: 0\r\n\r\n",
    "good Location": f"HTTP/1.1 307 Moved\r\nlocation: http://h/{KEY}\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_a_key_that_is_echoed_where_no_body_is_shows_in_no_error_and_none_that_is_attached(client, server, echo):
    server.play(*[Reply(body=[echo.encode()], framing="raw")] * 2)
    for ask in (lambda: client.chat(**ASK), lambda: collect(client)):
        with pytest.raises(GeekAIError) as caught:
            ask()
        told = "".join(traceback.format_exception(caught.value))
        assert KEY not in told
        assert KEY.encode() not in pickle.dumps(caught.value)
    assert len(server.requests) == 2
