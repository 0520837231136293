"""What our httpx clients do cheaper they do the same."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import httpx
import pytest

from geekai_core import Client, configure
from geekai_core.transport.httpx_clients import new_async_client, new_client
from geekai_testing.replies import completion, json_reply
from geekai_testing.scripted import ScriptedServer

CONFIG = configure(api_key="k")
URL = "https://geekai.test:8443/api/v1/chat/completions"
TIMEOUT = {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0}


def told(request: httpx.Request) -> tuple[object, ...]:
    return request.method, request.url, sorted(request.headers.multi_items()), request.read(), request.extensions


@pytest.mark.parametrize("make", [new_client, new_async_client])
def test_a_request_is_the_one_that_httpx_builds(make):
    lean, plain = make(CONFIG), httpx.Client(timeout=None)
    for headers, content, params in (
        ({"authorization": "Bearer one", "user-agent": "u"}, b"{}", None),
        ({"authorization": "Bearer one", "user-agent": "u"}, "查".encode() * 9, None),
        ({"authorization": "Bearer two", "accept": "text/plain"}, b"{}", None),
        ({"authorization": "Bearer two", "host": "else.test"}, b"{}", {"a": "b"}),
        ({"authorization": "Bearer two", "host": "else.test"}, b"", None),
    ):
        for cookie in (False, True):
            asked = {"headers": headers, "content": content, "params": params, "extensions": {"timeout": TIMEOUT}}
            if cookie:
                plain.cookies.set("a", "b", domain="geekai.test")
                lean.cookies.set("a", "b", domain="geekai.test")
            assert told(lean.build_request("POST", URL, **asked)) == told(plain.build_request("POST", URL, **asked))
            plain.cookies.clear()
            lean.cookies.clear()


def test_a_cookie_that_an_answer_sets_comes_back():
    with ScriptedServer() as server, Client(api_key="k", base_url=server.base_url) as client:
        server.play(json_reply(completion("a"), headers={"Set-Cookie": "route=7; Path=/"}))
        for _ in range(3):
            client.chat(model="m", messages=[{"role": "user", "content": "Hi"}])
        assert [request.headers.get("cookie") for request in server.requests] == [None, "route=7", "route=7"]


AT_ONCE = """
import sys, threading
from geekai_core.wire import ChatCompletion, FunctionCall

failed, begin = [], threading.Barrier(8)

def use():
    begin.wait()
    try:
        FunctionCall(name="a"), ChatCompletion.model_validate({"choices": [{"message": {"content": "a"}}]})
    except BaseException as error:
        failed.append(error)

sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=use) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
sys.exit(repr(failed) if failed else 0)
"""


def test_threads_may_be_the_first_to_read_an_answer_at_once():
    """The answers' classes are built when first needed."""
    paths = os.pathsep.join(path for path in sys.path if path)
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", AT_ONCE], env={**os.environ, "PYTHONPATH": paths}, check=False)
        assert done.returncode == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_leaves_nothing_to_the_garbage_collector(streamed: bool):
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    with ScriptedServer() as server, Client(api_key="k", base_url=server.base_url) as client:

        def call():
            if streamed:
                with client.stream(**asked) as stream:
                    list(stream)
            else:
                client.chat(**asked)

        call()
        gc.collect()
        gc.disable()
        try:
            call()
            assert not any(isinstance(one, httpx.Response) for one in gc.get_objects())
        finally:
            gc.enable()


def test_every_name_that_the_core_promises_is_there() -> None:
    import geekai_core

    assert [name for name in geekai_core.__all__ if not hasattr(geekai_core, name)] == []
