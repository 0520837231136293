"""`geekai doctor`: one finding for each thing that was looked at, and whether all is well."""

from __future__ import annotations

import json
import platform
from typing import Any

import pytest

from geekai_core import __version__
from geekai_testing.replies import completion, error, json_reply, usage
from geekai_testing.scripted import ScriptedServer
from tests.addresses import unreachable
from tests.cli.command import KEY, geekai

MODELS = json_reply({"data": [{"id": "qwen-max"}, {"id": "glm-4"}], "total": 2})


def examined(*words: str, server: ScriptedServer | None = None, **env: str) -> tuple[dict[str, Any], int]:
    """The findings by name, and the exit code."""
    done = geekai("doctor", "--json", *words, server=server, **env)
    assert done.err == ""
    told = json.loads(done.out)
    assert told["ok"] == (done.code == 0)
    return {finding["name"]: finding for finding in told["findings"]}, done.code


def test_where_all_is_well_it_asks_for_the_models_only() -> None:
    with ScriptedServer() as server:
        server.play(MODELS)
        done = geekai("doctor", server=server)
    assert (done.err, done.code) == ("", 0)
    lines = done.out.splitlines()
    assert lines[0].startswith(f"ok       versions  Python {platform.python_version()}, geekai {__version__}, ")
    assert lines[1] == f"ok       key       GEEKAI_API_KEY is set: *** ({len(KEY)} characters)"
    assert (
        lines[2] == f"note     host      {server.base_url} is none of GeekAI's own, which is right for a local endpoint"
    )
    assert lines[3] == "ok       proxies   none"
    assert lines[4].startswith("ok       models    2 listed in ")
    assert lines[5:] == ["all is well"]
    assert [(request.method, request.route) for request in server.requests] == [("GET", "/models")]


def test_it_speaks_chinese_where_the_locale_does_and_json_keeps_its_names() -> None:
    chinese = {"LANG": "zh_CN.UTF-8"}
    with ScriptedServer() as server:
        server.play(*[MODELS] * 2)
        done, (found, _) = geekai("doctor", server=server, **chinese), examined(server=server, **chinese)
    lines = [line.split() for line in done.out.splitlines()]
    assert [line[:2] for line in lines[:5]] == [
        *(["正常", "版本"], ["正常", "密钥"], ["注意", "地址"], ["正常", "代理"], ["正常", "模型列表"])
    ]
    assert lines[5] == ["一切正常"]
    assert (found["key"]["status"], found["proxies"]["detail"]) == ("ok", "无")
    none = geekai("doctor", GEEKAI_API_KEY="", **chinese)
    assert none.code == 1
    assert "没有密钥：请把 GEEKAI_API_KEY 设为" in none.out
    assert none.out.endswith("问题 1 个\n")


def test_a_named_model_is_asked_for_a_few_tokens() -> None:
    with ScriptedServer() as server:
        server.play(MODELS, json_reply(completion("OK", usage=usage(9, 2))))
        found, code = examined("--model", "glm-4", server=server)
    assert code == 0
    assert found["chat"]["detail"].startswith("glm-4 answered, 11 tokens in ")
    hello = [{"role": "user", "content": "Say OK."}]
    assert server.requests[1].json == {"model": "glm-4", "messages": hello, "max_completion_tokens": 5, "max_tokens": 5}


def test_a_model_that_is_not_listed_is_told_with_the_nearest_and_the_server_s_own_words() -> None:
    with ScriptedServer() as server:
        server.play(MODELS, error(404, "模型不存在"))
        found, code = examined("--model", "GLM4", server=server)
    assert code == 1
    assert found["model"]["detail"] == "'GLM4' is not listed; did you mean 'glm-4'?"
    assert found["chat"]["status"] == "PROBLEM"
    assert "模型不存在" in found["chat"]["detail"]


@pytest.mark.parametrize("base_url", ["", "https://geekai.dev/api/v1"])
def test_without_a_key_nothing_is_sent(base_url: str) -> None:
    found, code = examined(GEEKAI_API_KEY="", GEEKAI_BASE_URL=base_url)
    assert code == 1
    assert found["key"]["status"] == "PROBLEM"
    assert "set GEEKAI_API_KEY" in found["key"]["detail"]
    assert found["key"]["advice"] == "geekai.co and geekai.dev have keys of their own"
    assert found["requests"]["detail"] == "none made: key and host come first"


def test_a_server_on_this_machine_needs_no_key() -> None:
    with ScriptedServer() as server:
        server.play(MODELS)
        found, code = examined(server=server, GEEKAI_API_KEY="")
    assert code == 0
    assert found["key"]["detail"] == "GEEKAI_API_KEY is not set; a server on this machine needs none"
    assert len(server.requests) == 1


def test_of_another_host_nothing_is_said_of_geekai_s_keys_and_paths() -> None:
    found, code = examined(GEEKAI_API_KEY="", GEEKAI_BASE_URL="https://llm.example/v1")
    assert code == 1
    assert (found["key"]["advice"], found["host"]["advice"]) == ("", "")
    found, _ = examined(GEEKAI_API_KEY="", GEEKAI_BASE_URL="https://llm.example")
    assert found["host"]["advice"] == "most base URLs end in /v1, that of geekai-local in /api/v1"


def test_a_missing_list_of_models_is_a_note_where_the_chat_works() -> None:
    with ScriptedServer() as server:
        server.play(error(404, "no such path"), json_reply(completion("OK")))
        found, code = examined("-m", "m", server=server)
        assert code == 0
        assert (found["models"]["status"], found["chat"]["status"]) == ("note", "ok")
        assert "no such path" in found["models"]["detail"]
        server.play(error(404, "no such path"), error(404, "no such model"))
        found, code = examined("-m", "m", server=server)
        assert code == 1
        assert (found["models"]["status"], found["chat"]["status"]) == ("PROBLEM", "PROBLEM")


@pytest.mark.parametrize(
    "host", ["https://api.geekai.pro/v1", "https://geekai.pro", "http://a.b.GeekAI.pro:8443/api/v1"]
)
def test_the_vendor_of_like_name_is_told_apart_and_gets_no_key(host: str) -> None:
    found, code = examined(GEEKAI_BASE_URL=host)
    assert code == 1
    assert found["host"]["status"] == "PROBLEM"
    assert "geekai.pro is another vendor of like name" in found["host"]["advice"]
    assert found["requests"]["detail"] == "none made: key and host come first"


@pytest.mark.parametrize("host", ["https://www.geekai.co", "https://docs.geekai.co/api/v1", "http://geekai.co/api/v1"])
def test_a_host_beside_geekai_s_own_is_told_the_right_one(host: str) -> None:
    found, code = examined(GEEKAI_BASE_URL=host)
    assert code == 1
    assert found["host"]["advice"] == "set GEEKAI_BASE_URL to https://geekai.co/api/v1"


def test_a_host_given_as_an_option_is_the_one_that_is_examined() -> None:
    with ScriptedServer() as server:
        server.play(MODELS)
        found, code = examined("--base-url", server.base_url, GEEKAI_BASE_URL="https://geekai.pro")
    assert code == 0
    assert found["host"]["detail"].startswith(server.base_url)


SECRETS = {
    "a key as the base URL": {"GEEKAI_BASE_URL": "sk-other-9b1e44"},
    "a key behind the scheme": {"GEEKAI_BASE_URL": "https://sk-other-9b1e44"},
    "a user of the base URL": {"GEEKAI_BASE_URL": "https://ada:hunter2@geekai.co/api/v1"},
    "a user without a scheme": {"GEEKAI_BASE_URL": "ada:hunter2@geekai.co/api/v1"},
    "a query of the base URL": {"GEEKAI_BASE_URL": "https://geekai.co/api/v1?key=hunter2"},
    "a line break in the key": {"GEEKAI_API_KEY": "sk-other-9b1e44\nsk-hunter2"},
    "a proxy": {"GEEKAI_PROXY": "http://ada:hunter2@127.0.0.1:1"},
    "a proxy without a scheme": {"GEEKAI_PROXY": "ada:hunter2@127.0.0.1:1"},
    "a proxy of an odd scheme": {"GEEKAI_PROXY": "gopher://ada:hunter2@127.0.0.1:1"},
    "a proxy with odd characters": {"GEEKAI_PROXY": "http://ada:p@/hunter2 x@127.0.0.1:1"},
    "a proxy of the environment": {"https_proxy": "ada:hunter2@127.0.0.1:1", "http_proxy": "ada:hunter2@127.0.0.1:1"},
}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *((name, ("doctor", "--json")) for name in SECRETS),
        ("a proxy without a scheme", ("doctor",)),
        *((name, ("chat", "hi", "-m", "m")) for name in SECRETS if "scheme" in name),
    ],
)
def test_no_command_shows_a_secret_of_its_settings(name: str, words: tuple[str, ...]) -> None:
    with ScriptedServer() as server:
        closed = server.base_url
    done = geekai(*words, **{"GEEKAI_BASE_URL": closed, **SECRETS[name]})
    assert done.code in (1, 2)
    assert "hunter2" not in done.out + done.err
    assert "9b1e44" not in done.out + done.err
    assert "***" in done.out or "line break" in done.out + done.err or words[0] == "chat"


def test_a_refused_key_is_told_in_the_server_s_words_and_never_shown() -> None:
    with ScriptedServer() as server:
        server.play(error(401, f"无效的密钥 {KEY}"))
        found, code = examined(server=server)
    assert code == 1
    assert "HTTP 401: 无效的密钥 ***" in found["models"]["detail"]


def test_a_host_without_its_path_is_told_the_whole_address() -> None:
    found, code = examined(GEEKAI_BASE_URL="https://geekai.dev")
    assert code == 1
    assert found["host"]["advice"] == "set GEEKAI_BASE_URL to https://geekai.dev/api/v1"
    found, code = examined(GEEKAI_BASE_URL="geekai.co/api/v1")
    assert code == 1
    assert found["host"]["advice"].startswith("set GEEKAI_BASE_URL to https://geekai.co/api/v1 or ")


def test_an_unreachable_host_is_told_where_to_look() -> None:
    with unreachable() as base_url:
        found, code = examined(GEEKAI_BASE_URL=base_url)
    assert code == 1
    assert "could not be reached" in found["models"]["detail"]
    assert found["models"]["advice"] == "check the network, the proxy (GEEKAI_PROXY, HTTPS_PROXY) and the host"


def test_proxies_in_force_are_named_without_their_password() -> None:
    with ScriptedServer() as server:
        secret = f"http://ada:hunter2@127.0.0.1:{server.port}"
        server.play(MODELS)
        found, _ = examined(server=server, GEEKAI_PROXY=secret)
        assert found["proxies"]["detail"] == f"GEEKAI_PROXY http://***@127.0.0.1:{server.port}"
        server.play(MODELS)
        found, code = examined(server=server, http_proxy="http://ada:hunter2@127.0.0.1:9", no_proxy="127.0.0.1")
    assert code == 0
    assert found["proxies"]["detail"] == "http http://***@127.0.0.1:9; not used for 127.0.0.1 (no_proxy)"


def test_a_proxy_that_cannot_be_used_is_a_finding_and_no_crash() -> None:
    with ScriptedServer() as server:
        found, code = examined(server=server, GEEKAI_PROXY="gopher://127.0.0.1:70")
    assert code == 1
    assert "the proxy cannot be used" in found["models"]["detail"]
