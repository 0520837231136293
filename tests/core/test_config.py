"""What a client is set up with: an argument, else the environment, else the default. Wrong settings say so at once."""

import httpx
import pytest
from pydantic import SecretStr

from geekai_core import MAINLAND, OVERSEAS, AsyncClient, Client, ClientOptions, Config, ConfigurationError, configure
from geekai_core.config import checked_url
from geekai_core.harmless import shown_address
from geekai_testing.replies import completion, json_reply
from tests.core.conftest import ASK, KEY


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("GEEKAI_API_KEY", "GEEKAI_BASE_URL", "GEEKAI_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_without_a_key_says_how_to_give_one(kind):
    with pytest.raises(ConfigurationError) as missing:
        kind()
    for words in ("export GEEKAI_API_KEY=", "https://geekai.co or https://geekai.dev", "api_key=…", "没有密钥"):
        assert words in str(missing.value)


@pytest.mark.parametrize("given", [None, ""])
def test_a_server_on_this_machine_needs_no_key(server, given):
    server.play(json_reply(completion("hi")))
    Client(api_key=given, base_url=server.base_url).chat(**ASK)
    assert server.requests[0].headers["authorization"] == "Bearer none-needed"
    with pytest.raises(ConfigurationError, match="no GeekAI key"):
        Client(api_key=given, base_url="http://127.0.0.1.example/api/v1")


def test_the_environment_is_read_at_construction(monkeypatch):
    monkeypatch.setenv("GEEKAI_API_KEY", " sk-env ")
    monkeypatch.setenv("GEEKAI_BASE_URL", f"{OVERSEAS}/")
    monkeypatch.setenv("GEEKAI_PROXY", "http://proxy:1")
    config = configure()
    assert (config.key().get_secret_value(), config.base_url, config.proxy) == ("sk-env", OVERSEAS, "http://proxy:1")
    assert configure(api_key=SecretStr("sk-arg"), base_url="http://h:1/x", proxy="http://other").key() == SecretStr(
        "sk-arg"
    )
    monkeypatch.setenv("GEEKAI_BASE_URL", "")
    assert configure().base_url == MAINLAND


@pytest.mark.parametrize("key", ["", "   ", "sk-a\n", "sk-a\r\nb", "sk-a\r", "sk a", "密钥", "sk-\x00"])
def test_what_cannot_be_a_key_is_refused_without_showing_it(key):
    with pytest.raises(ConfigurationError) as caught:
        configure(api_key=key)
    assert key.strip() == "" or key.strip() not in str(caught.value)


def test_a_key_from_a_callable_is_checked_when_asked_for():
    client = Client(api_key=lambda: "sk a")
    with pytest.raises(ConfigurationError, match="characters"):
        client.chat(**ASK)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://geekai.co/api/v1/", MAINLAND),
        (" https://geekai.co/api/v1/chat/completions ", MAINLAND),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_a_base_url_is_tidied(given, url):
    assert checked_url(given) == url


@pytest.mark.parametrize(
    "url",
    ["", "geekai.co/api/v1", "ftp://geekai.co", "https://", "https://a b/v1", "https://h:x/", "https://h:99999/", "http://h:0/",
     "https://u:p@h/v1", "https://h/v1?x=1", "https://h/v1#x", "http://[::1"],
)  # fmt: skip
def test_a_base_url_that_cannot_work_is_refused(url):
    with pytest.raises(ConfigurationError, match="base URL"):
        configure(api_key=KEY, base_url=url)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_retries": -1}, "max_retries must be a whole number of at least 0, not -1"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"max_response_bytes": 0}, "max_response_bytes"),
        ({"timeout": 0}, "timeout must be more than 0 seconds"),
        ({"total_timeout": -1}, "total_timeout"),
        ({"timeout": (5, 0)}, "timeout must be more than 0 seconds, not 0"),
        ({"timeout": (-1, 5)}, "timeout must be more than 0 seconds, not -1"),
        ({"timeout": httpx.Timeout(5, read=0)}, "timeout must be more than 0 seconds"),
        ({"timeout": (1, 2, 3)}, "timeout must be seconds, two or four of them or an httpx.Timeout"),
        ({"timeout": "60"}, "timeout must be seconds"),
        ({"total_timeout": float("nan")}, "total_timeout"),
        ({"stream_chunk_timeout": -0.5}, "stream_chunk_timeout"),
        ({"max_retrys": 1}, "unknown field 'max_retrys'; did you mean 'max_retries'"),
        ({"zzz": 1}, "unknown field 'zzz'"),
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        configure(api_key=KEY, **settings)


def test_none_is_the_default_but_for_the_limit_between_chunks():
    config = configure(api_key=KEY, max_retries=None, total_timeout=None, stream_chunk_timeout=None, default_query=None)
    assert (config.max_retries, config.total_timeout, config.stream_chunk_timeout) == (2, None, None)
    assert config.default_query == {}


@pytest.mark.parametrize("none", [None, 0, 0.0])
def test_no_limit_between_chunks_is_said_by_none_and_by_0(none):
    assert configure(api_key=KEY, stream_chunk_timeout=none).stream_chunk_timeout is None


def test_every_setting_is_documented_in_the_options():
    settings = {name for name, kept in Config.__dataclass_fields__.items() if kept.init} - {"api_key", "base_url"}
    assert settings == set(ClientOptions.model_fields) - {"reasoning_history", "extra_body"}
    defaults = configure(api_key=KEY)
    for name in settings - {"default_headers", "default_query"}:
        assert getattr(defaults, name) == ClientOptions.model_fields[name].default, name


def test_a_number_of_seconds_limits_reading_and_connecting_up_to_ten():
    def timeouts(**settings):
        return configure(api_key=KEY, **settings).timeouts()

    assert timeouts() == {"connect": 10.0, "read": 300.0, "write": 300.0, "pool": 300.0}
    assert timeouts(timeout=60) == {"connect": 10.0, "read": 60, "write": 60, "pool": 60}
    assert timeouts(timeout=(5, 60)) == {"connect": 5, "read": 60, "write": 60, "pool": 60}
    assert timeouts(timeout=(None, 60))["connect"] is None
    assert timeouts(timeout=2) == {"connect": 2, "read": 2, "write": 2, "pool": 2}
    assert timeouts(timeout=httpx.Timeout(5, connect=None)) == {"connect": None, "read": 5, "write": 5, "pool": 5}


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_shows_its_url_and_no_more(kind):
    client = kind(api_key=KEY, base_url="https://h/v1", default_headers={"a": "secret"})
    assert repr(client) == f"{kind.__name__}(base_url='https://h/v1')"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://ada:hunter2@127.0.0.1:9", "http://***@127.0.0.1:9"),
        ("ada:hunter2@127.0.0.1:9", "***@127.0.0.1:9"),
        ("ada@proxy:9", "***@proxy:9"),
        ("http://ada:p@ss/wo://rd@proxy:9", "http://***@proxy:9"),
        ("socks5://ada:hunt er2@[::1]:9", "socks5://***@[::1]:9"),
        ("https://geekai.co/api/v1?key=hunter2#hunter2", "https://geekai.co/api/v1?***"),
        ("sk-test-5f2c9a71e0", "***"),
        ("https://sk-test-5f2c9a71e0", "https://***"),
        ("https://a.example/sk-test-5f2c9a71e0/v1", "https://a.example/***/v1"),
        ("d41d8cd98f00b204e9800998ecf8427e.hunter2X", "***"),
        ("hunter2", "***"),
        ("geekai.co/api/v1", "geekai.co/api/v1"),
        ("localhost", "localhost"),
        ("gateway:8080/v1", "gateway:8080/v1"),
        ("ftp://geekai.co", "ftp://geekai.co"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(address, shown):
    assert shown_address(address) == shown


@pytest.mark.parametrize(
    "secret", ["sk-test-5f2c9a71e0", "ftp://ada:hunter2@geekai.co", "ada:hunter2@geekai.co/api/v1"]
)
def test_a_base_url_that_is_a_secret_is_refused_without_showing_it(secret):
    with pytest.raises(ConfigurationError) as refused:
        configure(api_key=KEY, base_url=secret)
    assert "***" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "5f2c9a71e0" not in str(refused.value)


@pytest.mark.parametrize(
    "proxy",
    ["ada:hunter2@127.0.0.1:9", "Ada:Hunter2@127.0.0.1:9", "gopher://ada:hunter2@h:70", "http://ada:hunter2/x@h"],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(server, proxy):
    with pytest.raises(ConfigurationError, match="the proxy cannot be used: ") as refused:
        Client(api_key=KEY, base_url=server.base_url, proxy=proxy).models()
    assert "hunter2" not in str(refused.value).lower()


@pytest.mark.parametrize("value", ["hunter2\nx-more: 1", "hunter2\r", "hunter2\0"])
def test_a_header_with_a_line_break_is_refused_by_name_alone(value):
    with pytest.raises(ConfigurationError, match=r"^the header 'x-tenant' holds a line break") as refused:
        configure(api_key=KEY, default_headers={"x-tenant": value})
    assert "hunter2" not in str(refused.value)
