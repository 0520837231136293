"""What is sent, to the byte where it matters, and what is refused before anything is sent."""

import base64
import json
import math
import warnings

import pytest

from geekai_core import ChatRequest, ConfigurationError, SearchConfig, Thinking
from geekai_core.options import ChatOptions
from geekai_core.request.body import call_fields, chat_body, option_fields, refuse_unknown
from geekai_testing.replies import completion, delta, json_reply, sse
from tests.core.conftest import ASK, HELLO, KEY, collect

FIELDS = {
    "temperature": 0.0,
    "top_p": 0.9,
    "top_k": 40,
    "stop": ["。", "\n"],
    "seed": 7,
    "n": 2,
    "logprobs": True,
    "top_logprobs": 3,
    "frequency_penalty": -0.5,
    "presence_penalty": 0.5,
    "enable_search": True,
    "search_config": {"engine": "glm/search-pro", "count": 5, "x_new": [1]},
    "enable_thinking": False,
    "enable_url_context": True,
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": False,
    "tool_config": {"functionCallingConfig": {"mode": "ANY"}},
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "image": {"aspect_ratio": "1:1"},
    "image_generation": True,
    "retries": 2,
    "sess_id": "5c2f",
    "user": "u1",
    "logit_bias": {"50256": -100},
    "prediction": {"type": "content", "content": "好"},
    "prompt_cache_key": "k",
    "service_tier": "flex",
    "store": False,
    "verbosity": "low",
    "safety_identifier": "h1",
    "web_search_options": {"search_context_size": "low"},
}


def limit(tokens):
    """The token limit as servers that are not GeekAI's are sent it: under both of its names."""
    return {"max_completion_tokens": tokens, "max_tokens": tokens}


def test_every_field_travels_under_its_wire_name(client, server):
    server.play(json_reply(completion("好")))
    client.chat(**ASK, **FIELDS, max_tokens=50, request_metadata={"a": "b"})
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/api/v1/chat/completions")
    assert request.json == {**ASK, **FIELDS, **limit(50), "metadata": {"a": "b"}}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert "你好".encode() in request.body


def test_every_option_is_tried_here():
    tried = {*FIELDS, "max_tokens", "request_metadata", "thinking", "reasoning_effort", "json_mode", "background"}
    assert set(ChatOptions.model_fields) | {"tools", "tool_choice"} == tried


def test_a_stream_request_asks_for_usage(clients, server):
    server.play(*[sse(delta("好", finish_reason="stop"))] * 3)
    collect(clients(), **ASK)
    collect(clients(), **ASK, stream_options={"include_usage": False})
    collect(clients(stream_usage=False), **ASK)
    assert [request.json for request in server.requests] == [
        {**ASK, "stream": True, "stream_options": {"include_usage": True}},
        {**ASK, "stream": True, "stream_options": {"include_usage": False}},
        {**ASK, "stream": True},
    ]


@pytest.mark.parametrize(
    "model", ["gpt-4-gizmo-g-bo0FiWLY7", "gemini-2.5-flash:no-thinking", "deepseek/deepseek-r1:full", "a*b"]
)
def test_model_ids_pass_through_untouched(client, server, model):
    server.play(json_reply(completion("好")))
    client.chat(model=model, messages=HELLO)
    assert server.requests[0].json["model"] == model


def test_every_role_and_content_part_passes_through(client, server):
    data = "data:image/png;base64," + base64.b64encode(b"png").decode()
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "规则"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "看"},
                {"type": "image_url", "image_url": {"url": data}},
                {"type": "video_url", "video_url": {"url": "https://v/x.mp4"}},
                {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
                {"type": "file_url", "file_url": {"url": "https://f/x.pdf", "mime_type": "application/pdf"}},
            ],
        },
        {"role": "assistant", "content": None, "reasoning_content": "想", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "晴"},
    ]
    server.play(json_reply(completion("好")))
    client.chat(model="m", messages=messages)
    assert server.requests[0].json["messages"] == messages


def test_extra_body_is_merged_last_and_none_is_not_sent(client, server):
    server.play(json_reply(completion("好")))
    client.chat(**ASK, temperature=0.5, top_p=None, tools=[], extra_body={"temperature": 1, "new": None})
    assert server.requests[0].json == {**ASK, "temperature": 1, "new": None}


def test_json_mode_is_sent_both_ways(client, server):
    server.play(*[json_reply(completion("{}"))] * 2)
    client.chat(**ASK, json_mode=True)
    client.chat(**ASK, json_mode=True, response_format={"type": "text"})
    assert server.requests[0].json == {**ASK, "json_mode": True, "response_format": {"type": "json_object"}}
    assert server.requests[1].json == {**ASK, "json_mode": True, "response_format": {"type": "text"}}


def test_one_stop_text_is_sent_as_a_list(client, server):
    server.play(json_reply(completion("好")))
    client.chat(**ASK, stop_sequences="。", max_completion_tokens=5)
    assert server.requests[0].json == {**ASK, "stop": ["。"], **limit(5)}


def test_a_ready_body_goes_out_as_it_is(client, server):
    server.play(json_reply(completion("好")))
    client.chat({"anything": [1], "文": "字"})
    assert server.requests[0].json == {"anything": [1], "文": "字"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_token": 5}, "did you mean 'max_tokens'"),
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"timeot": 1}, "unknown field 'timeot'; did you mean 'timeout'[?]$"),
        ({"request_timeout": 1}, "unknown field 'request_timeout'; give 'timeout'$"),
        ({"extra_header": {}}, "unknown field 'extra_header'; did you mean 'extra_headers'[?]$"),
        ({"zzz": 1}, "unknown field 'zzz' .a field that this package does not know goes into extra_body"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "'max_tokens' is given twice"),
        ({"background": True}, "background=True cannot stream"),
        ({"model": None}, "no model was named"),
        ({"messages": "你好"}, "messages="),
        ({"messages": None}, "messages="),
        ({"metadata": object()}, "unknown field 'metadata'"),
        ({"request_metadata": {"a": object()}}, "cannot be written as JSON"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(client, server, fields, words):
    with pytest.raises(ConfigurationError, match=words):
        collect(client, **{**ASK, **fields})
    assert server.connections == 0


def test_a_whole_answer_cannot_stream_and_a_task_neither(client, server):
    with pytest.raises(ConfigurationError, match="use stream"):
        client.chat({**ASK, "stream": True})
    with pytest.raises(ConfigurationError, match="cannot stream"):
        client.submit({**ASK, "stream": True})
    assert server.connections == 0


def test_nesting_without_end_is_refused(client):
    loop: list = []
    loop.append(loop)
    with pytest.raises(ConfigurationError, match="JSON"):
        client.chat(**ASK, extra_body={"a": loop})


def test_numbers_that_json_has_not_are_sent_as_python_writes_them(client, server):
    """The server's error says more than ours could."""
    server.play(json_reply(completion("好")))
    client.chat({"temperature": math.inf})
    assert server.requests[0].json["temperature"] == math.inf


@pytest.mark.parametrize(("setting", "switch"), [("search_config", "enable_search"), ("thinking", "enable_thinking")])
def test_a_setting_without_its_switch_is_sent_with_a_warning(client, server, setting, switch):
    server.play(*[json_reply(completion("好"))] * 2)
    with pytest.warns(UserWarning, match=f"'{setting}' has no effect without {switch}=True"):
        client.chat(**ASK, **{setting: {"x": 1}})
    client.chat(**ASK, **{setting: {"x": 1}, switch: True})
    assert server.requests[0].json == {**ASK, setting: {"x": 1}}


def test_typed_settings_pass_unknown_keys_and_leave_none_out(client, server):
    server.play(json_reply(completion("好")))
    client.chat(
        **ASK,
        enable_search=True,
        search_config=SearchConfig(engine="e", count=None, x_new=1),
        enable_thinking=True,
        thinking=Thinking(budget_tokens=9, y_new=2),
    )
    assert server.requests[0].json["search_config"] == {"engine": "e", "x_new": 1}
    assert server.requests[0].json["thinking"] == {"budget_tokens": 9, "y_new": 2}


def test_the_adapters_extra_body_comes_before_the_calls():
    body = chat_body(HELLO, {"model": "m", "extra_body": {"b": 2}}, extra_body={"a": 1, "b": 1})
    assert body == {"model": "m", "messages": HELLO, "a": 1, "b": 2}


def test_options_validate_aliases_and_keep_what_is_set():
    options = ChatOptions(max_completion_tokens=5, stop="。", thinking={"z": 1})
    assert option_fields(options) == {"max_tokens": 5, "stop": ["。"], "thinking": {"z": 1}}
    assert call_fields({"audio_config": {"voice": "a"}, "max_new_tokens": None}) == {
        "audio": {"voice": "a"},
        "max_tokens": None,
    }


def test_a_constructor_refuses_unknown_names_and_two_for_one_field():
    refuse_unknown(ChatOptions, ["stop_sequences", "seed"])
    with pytest.raises(ConfigurationError, match="did you mean 'temperature'"):
        refuse_unknown(ChatOptions, ["temprature"])
    with pytest.raises(ConfigurationError, match="'max_tokens' and 'max_completion_tokens' are one field"):
        refuse_unknown(ChatOptions, ["max_tokens", "max_completion_tokens"])


def test_a_request_model_keeps_unknown_fields():
    request = ChatRequest(model="m", messages=HELLO, tool_choice="auto", x_new=1)
    assert json.loads(request.model_dump_json(exclude_none=True)) == {
        "model": "m", "messages": HELLO, "tool_choice": "auto", "x_new": 1,
    }  # fmt: skip


def test_default_headers_and_query_go_with_every_request(clients, server):
    """A header of the user's takes the place of ours, however it is written."""
    server.play(json_reply(completion("好")))
    clients(default_headers={"authorization": "Basic x", "X-Team": "t"}, default_query={"v": "1"}).chat(**ASK)
    request = server.requests[0]
    assert request.path == "/api/v1/chat/completions?v=1"
    assert (request.headers["authorization"], request.headers["x-team"]) == ("Basic x", "t")


def test_a_key_may_be_asked_for_with_each_request(clients, server):
    keys = iter(["sk-one", "sk-two"])
    client = clients(api_key=lambda: next(keys))
    server.play(*[json_reply(completion("好"))] * 2)
    client.chat(**ASK)
    client.chat(**ASK)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer sk-one", "Bearer sk-two"]


def test_no_warning_of_ours_comes_from_a_plain_call(client, server):
    server.play(json_reply(completion("好")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.chat(**ASK)
