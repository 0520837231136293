"""What GeekAI adds to LlamaIndex's contract: its own fields, their spellings, and what a call may override."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from typing import Any

import httpx
import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, SecretStr

from geekai_core import ConfigurationError, TaskFailedError
from geekai_testing.replies import Hold, completion, delta, error, json_reply, sse
from llama_index_geekai import GeekAI
from tests.llama_index.conformance.test_blocks import echoed, loop
from tests.llama_index.support import CHATS, USER, last, play_text

KEY = "sk-x"


class Ferry(BaseModel):
    """A ferry."""

    name: str


OK = json_reply(completion("ok"))


@pytest.fixture
def geekai(server: Any) -> Any:
    made = []

    def build(**options: Any) -> GeekAI:
        made.append(GeekAI(**{"model": "m", "api_key": KEY, "api_base": server.base_url, **options}))
        return made[-1]

    yield build
    for llm in made:
        llm.close()


def sent(server: Any) -> dict[str, Any]:
    body = dict(server.requests[-1].json)
    del body["messages"], body["model"]
    return body


def test_nothing_is_sent_that_was_not_set(server: Any, geekai: Any) -> None:
    server.play(OK)
    geekai().chat(USER)
    assert server.requests[0].json == {
        "model": "m",
        "messages": [{"role": "user", "content": "Where do pandas live?"}],
    }


@pytest.mark.parametrize("how", CHATS)
async def test_every_field_reaches_the_wire_under_its_name_there(server: Any, geekai: Any, how: str) -> None:
    llm = geekai(
        temperature=0.1, top_p=0.9, top_k=5, max_tokens=7, stop="END", seed=3, frequency_penalty=0.5,
        presence_penalty=0.6, enable_search=True,
        search_config={"engine": "glm/search-pro", "return_result": True, "new": 1},
        enable_thinking=True, thinking={"budget_tokens": 99}, enable_url_context=True, retries=2, sess_id="s",
        request_metadata={"a": 1}, user="u", extra_body={"brand_new": [1]},
    )  # fmt: skip
    play_text(server, how)
    await last(llm, how)
    expected: dict[str, Any] = {
        "temperature": 0.1, "top_p": 0.9, "top_k": 5, "max_completion_tokens": 7, "max_tokens": 7, "stop": ["END"], "seed": 3,
        "frequency_penalty": 0.5, "presence_penalty": 0.6, "enable_search": True,
        "search_config": {"engine": "glm/search-pro", "return_result": True, "new": 1},
        "enable_thinking": True, "thinking": {"budget_tokens": 99}, "enable_url_context": True, "retries": 2,
        "sess_id": "s", "metadata": {"a": 1}, "user": "u", "brand_new": [1],
    }  # fmt: skip
    if "stream" in how:
        expected |= {"stream": True, "stream_options": {"include_usage": True}}
    assert sent(server) == expected


@pytest.mark.parametrize("how", CHATS)
async def test_a_call_overrides_the_fields(server: Any, geekai: Any, how: str) -> None:
    llm = geekai(temperature=0.1, seed=3, enable_search=True, search_config={"count": 3}, stream_usage=False)
    play_text(server, how)
    await last(llm, how, temperature=0.7, seed=None, max_tokens=5, enable_search=False, extra_body={"x": 1})
    body = sent(server)
    body.pop("stream", None)
    assert body == {"temperature": 0.7, "max_completion_tokens": 5, "max_tokens": 5, "enable_search": False, "x": 1}


SPELLINGS = {
    "max_new_tokens": ({"max_new_tokens": 7}, {"max_completion_tokens": 7, "max_tokens": 7}),
    "max_completion_tokens": ({"max_completion_tokens": 7}, {"max_completion_tokens": 7, "max_tokens": 7}),
    "stop_sequences": ({"stop_sequences": ["a"]}, {"stop": ["a"]}),
    "additional_kwargs": ({"additional_kwargs": {"x": 1}}, {"x": 1}),
    "extra_body within additional_kwargs": ({"additional_kwargs": {"y": 2, "extra_body": {"x": 1}}}, {"x": 1, "y": 2}),
    "audio_config": (
        {"modalities": ["text", "audio"], "audio_config": {"voice": "v", "format": "mp3"}},
        {"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "mp3"}},
    ),
    "reasoning_effort": (
        {"reasoning_effort": "high"},
        {"enable_thinking": True, "thinking": {"reasoning_effort": "high"}},
    ),
    "json_mode": ({"json_mode": True}, {"json_mode": True, "response_format": {"type": "json_object"}}),
    "reuse_client": ({"reuse_client": True}, {}),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_names_that_others_use_are_understood(server: Any, geekai: Any, spelling: str) -> None:
    given, expected = SPELLINGS[spelling]
    server.play(OK, OK)
    geekai(**given).chat(USER)
    assert sent(server) == expected
    per_call = {name: value for name, value in given.items() if name != "reuse_client"}
    geekai().chat(USER, **per_call)
    assert sent(server) == expected


def test_an_unknown_name_is_refused_with_the_nearest(geekai: Any) -> None:
    with pytest.raises(ConfigurationError, match="'tempratur'; did you mean 'temperature'"):
        geekai(tempratur=1)
    with pytest.raises(ConfigurationError, match="'enable_serch'; did you mean 'enable_search'"):
        geekai().chat(USER, enable_serch=True)
    with pytest.raises(ConfigurationError, match="'enable_serch'; did you mean 'enable_search'"):
        geekai().chat_with_tools([FunctionTool.from_defaults(len, name="len")], "Hi", enable_serch=True)
    with pytest.raises(ConfigurationError, match="'tempratur'; did you mean 'temperature'"):
        geekai().structured_predict(Ferry, PromptTemplate("Hi"), llm_kwargs={"tempratur": 1})
    with pytest.raises(ConfigurationError, match="'api_version'; GeekAI's API has no versions: leave it out"):
        geekai(api_version="1")
    with pytest.raises(ConfigurationError, match="'tokenizer'; the server counts the tokens: leave it out"):
        geekai(tokenizer="gpt2")
    with pytest.raises(ConfigurationError, match="'context_windw'; did you mean 'context_window'"):
        geekai(context_windw=4096)
    with pytest.raises(ConfigurationError, match="'max_tokens' and 'max_new_tokens' are one field"):
        geekai(max_tokens=1, max_new_tokens=2)


@pytest.mark.parametrize("how", CHATS)
async def test_response_headers_are_kept_where_they_are_wanted(server: Any, geekai: Any, how: str) -> None:
    reply = sse(delta("Hi."), delta(finish_reason="stop")) if "stream" in how else json_reply(completion("Hi."))
    reply.headers["X-Cost"] = "0.01"
    server.default = reply
    kept = await last(geekai(include_response_headers=True), how)
    assert kept.additional_kwargs["headers"]["x-cost"] == "0.01"
    assert "headers" not in (await last(geekai(), how)).additional_kwargs


def test_keywords_of_llama_index_itself_are_dropped(server: Any, geekai: Any) -> None:
    server.play(OK, OK)
    geekai().complete("Hi", formatted=True)
    geekai().chat(USER, extra_headers={})
    assert sent(server) == {}


@pytest.mark.parametrize("key", [None, "", " ", "a\nb"])
def test_a_key_that_cannot_be_one_is_refused_by_the_constructor(monkeypatch: pytest.MonkeyPatch, key: Any) -> None:
    monkeypatch.delenv("GEEKAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError):
        GeekAI(model="m", api_key=key)
    with pytest.raises(ConfigurationError):
        GeekAI(model="m", api_key="k", api_base="geekai.co/api")
    with pytest.raises(ConfigurationError, match="model"):
        GeekAI(api_key="k")


def test_key_and_url_come_from_the_environment(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEEKAI_API_KEY", "sk-env")
    monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url + "/")
    server.play(OK)
    llm = GeekAI(model="m")
    llm.chat(USER)
    llm.close()
    assert server.requests[0].headers["authorization"] == "Bearer sk-env"
    assert isinstance(llm.api_key, SecretStr)


def test_a_key_may_be_a_function(server: Any, geekai: Any) -> None:
    keys = iter(["sk-1", "sk-2"])
    server.play(OK, OK)
    llm = geekai(api_key=lambda: next(keys))
    llm.chat(USER)
    llm.chat(USER)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer sk-1", "Bearer sk-2"]


def test_a_setting_assigned_later_counts(server: Any, geekai: Any) -> None:
    server.default = lambda request: error(503, "busy", headers={"retry-after": "0"})
    llm = geekai(max_retries=0)
    llm.max_retries = 1
    llm.api_key = "sk-new"
    with pytest.raises(Exception, match="busy"):
        llm.chat(USER)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer sk-new"] * 2
    llm.close()


@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
async def test_llms_made_anew_for_each_call_share_one_connection(server: Any, later: bool) -> None:
    """The object of the call before is gone by then; the connection is not."""
    server.play(*[OK] * 10)
    for _ in range(10):
        llm = GeekAI("m", api_key="sk-anew", api_base=server.base_url)
        await llm.achat(USER) if later else llm.chat(USER)
        del llm
        gc.collect()
    assert len(server.requests) == 10
    assert server.connections == 1


def test_the_time_limit_has_a_second_name(server: Any, geekai: Any) -> None:
    llm = geekai(request_timeout=3)
    assert (llm.timeout, llm.request_timeout) == (3, 3)
    llm.request_timeout = 5
    assert llm.timeout == 5
    with pytest.raises(ConfigurationError, match="one field"):
        geekai(request_timeout=3, timeout=4)


def test_a_copy_with_other_options_shares_the_connections(server: Any, geekai: Any) -> None:
    server.play(OK, OK)
    llm = geekai(enable_search=True)
    llm.chat(USER)
    llm.model_copy(update={"enable_search": False}).chat(USER)
    assert [request.json["enable_search"] for request in server.requests] == [True, False]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("tools", [None, None, None, "new thought", None]),
        ("all", [None, "old thought", None, "new thought", None]),
        ("never", [None] * 5),
    ],
)
def test_reasoning_goes_back_as_the_policy_says(server: Any, geekai: Any, policy: str, expected: Any) -> None:
    server.play(OK)
    geekai(reasoning_history=policy).chat(loop())
    assert echoed(server) == expected


def test_the_context_window_is_fetched_when_asked_for(server: Any, geekai: Any) -> None:
    server.play(json_reply({"data": [{"id": "m", "context_window": 128_000}], "total": 1}), path="/models")
    llm = geekai()
    assert llm.fetch_metadata().context_window == 128_000
    assert llm.metadata.context_window == 128_000
    assert len(server.requests) == 1


async def test_the_context_window_is_fetched_awaiting_and_the_users_own_wins(server: Any, geekai: Any) -> None:
    server.play(json_reply({"data": [{"id": "m", "context_window": 128_000}], "total": 1}), path="/models")
    assert (await geekai().afetch_metadata()).context_window == 128_000
    assert (await geekai(context_window=5).afetch_metadata()).context_window == 5
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", ["stream_complete", "astream_complete"])
async def test_leaving_a_streamed_completion_early_closes_its_connection(server: Any, geekai: Any, how: str) -> None:
    server.play(sse(delta("Hel"), delta("lo"), Hold()))
    stream = getattr(geekai(), how)("Hi")
    if how == "astream_complete":
        stream = await stream
        assert (await anext(stream)).text == "Hel"
        await stream.aclose()
    else:
        assert next(stream).text == "Hel"
        stream.close()
    assert await asyncio.to_thread(server.requests[0].client_left.wait, 2)


@pytest.mark.parametrize("how", ["chat", "achat"])
async def test_a_background_call_is_submitted_and_waited_for(server: Any, geekai: Any, how: str) -> None:
    server.play(json_reply({"id": "t1", "status": "pending"}), path="/chat/completions")
    server.play(json_reply({"id": "t1", "status": "pending"}), json_reply(completion("done")), path="/chat/t1")
    assert (await last(geekai(background=True), how)).message.content == "done"
    assert server.requests[0].json["background"] is True


@pytest.mark.parametrize("how", ["chat", "achat"])
async def test_a_background_call_that_fails_says_so(server: Any, geekai: Any, how: str) -> None:
    server.play(json_reply({"id": "t1", "status": "pending"}), path="/chat/completions")
    server.play(json_reply({"id": "t1", "status": "failed", "error": {"message": "内容违规"}}), path="/chat/t1")
    with pytest.raises(TaskFailedError, match="内容违规"):
        await last(geekai(background=True), how)


def test_a_background_call_cannot_be_streamed(geekai: Any) -> None:
    with pytest.raises(ConfigurationError, match="background"):
        geekai(background=True).stream_chat(USER)


@pytest.mark.parametrize("how", CHATS)
async def test_inline_thoughts_are_split_off_when_asked_for(server: Any, geekai: Any, how: str) -> None:
    play_text(server, how, "<think>hm</think>\n\nIn China.")
    response = await last(geekai(split_think=True), how)
    assert response.message.content == "In China."
    assert response.message.blocks[0].content == "hm"


async def test_a_model_closes_its_connections(server: Any, geekai: Any) -> None:
    server.play(OK, OK, OK)
    llm = geekai()
    llm.chat(USER)
    llm.close()
    await llm.achat(USER)
    await llm.aclose()
    assert server.wait_for(lambda s: s.open_connections == 0)
    llm.chat([ChatMessage(content="again")])
    assert server.connections == 3


def test_a_proxy_and_headers_are_used(server: Any, geekai: Any) -> None:
    server.play(OK)
    geekai(default_headers={"x-team": "red"}, default_query={"v": "2"}).chat(USER)
    assert server.requests[0].headers["x-team"] == "red"
    assert server.requests[0].path.endswith("?v=2")


def test_injected_clients_are_not_part_of_a_pickle_and_a_warning_says_so(
    server: Any, geekai: Any, caplog: pytest.LogCaptureFixture
) -> None:
    import pickle

    server.play(OK)
    with httpx.Client() as http:
        original = geekai(http_client=http)
        llm = pickle.loads(pickle.dumps(original))
        assert original.http_client is http
    assert llm.http_client is None
    assert llm.chat(USER).message.content == "ok"
    assert "http_client" in caplog.text
    llm.close()


def test_without_llama_index_the_import_says_which_extra_is_missing() -> None:
    code = "import sys; sys.modules.update({'llama_index': None, 'llama_index.core': None}); import llama_index_geekai"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install ".[llama-index]"' in done.stderr
