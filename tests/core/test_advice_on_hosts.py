"""What an error advises about hosts and keys: what fits the host that was asked, and nothing else."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from geekai_core.config import configure, is_geekai, is_here
from geekai_core.errors import APIConnectionError, AuthenticationError, ConfigurationError, NotFoundError
from geekai_testing.replies import error
from tests.core.conftest import ASK, collect

HOSTS = [
    ("https://geekai.co/api/v1", True, False),
    ("https://geekai.dev", True, False),
    ("https://api.geekai.pro/v1", False, False),
    ("https://geekai.co.example/api/v1", False, False),
    ("http://127.0.0.1:8421/api/v1", True, True),
    ("http://localhost:8421/api/v1", True, True),
    ("http://[::1]:11434/v1", False, True),
    ("http://127.0.0.7:11434/v1", False, True),
    ("http://127.0.0.1.example/api/v1", False, False),
]


@pytest.mark.parametrize(("url", "geekai", "here"), HOSTS)
def test_a_host_is_known_for_what_it_is(url, geekai, here):
    assert (is_geekai(url), is_here(url)) == (geekai, here)


@contextlib.contextmanager
def closed_port():
    """A port that stays bound, and on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_refused_port_of_this_machine_asks_whether_the_local_endpoint_runs(clients):
    with closed_port() as port, pytest.raises(APIConnectionError, match=r"is geekai-local running\?\]$"):
        clients(base_url=f"http://127.0.0.1:{port}/api/v1", max_retries=0).chat(**ASK)


def test_a_host_that_is_not_found_is_a_matter_of_the_network(clients):
    with pytest.raises(APIConnectionError, match=r"\[check base_url or GEEKAI_BASE_URL, the network and the proxy\]$"):
        clients(base_url="http://nowhere.invalid/api/v1", max_retries=0).chat(**ASK)


def test_tls_with_a_port_that_speaks_plain_http_says_so(clients):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        with pytest.raises(APIConnectionError, match="speak plain HTTP: use http:// in the base URL"):
            clients(base_url=url, max_retries=0).chat(**ASK)
        thread.join()


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # httpx-aiohttp's own uses of aiohttp
@pytest.mark.filterwarnings("ignore:.*proxy_auth:DeprecationWarning")
@pytest.mark.parametrize("ask", [lambda client: client.chat(**ASK), collect], ids=["whole", "stream"])
@pytest.mark.parametrize("user", ["", "mei:wr0ng-word@"], ids=["no password", "a wrong password"])
def test_a_proxy_that_wants_a_password_says_where_to_give_one(clients, server, user, ask):
    """It answers 407 to CONNECT, so the server itself has seen nothing."""
    server.default = lambda request: error(407, "who are you?")
    proxy = server.base_url.removesuffix("/api/v1").replace("://", f"://{user}")
    advice = r"nowhere\.invalid could not be reached: 407.*\[a proxy wants a user and a password: GEEKAI_PROXY=http://user:password@host:port\]$"
    with pytest.raises(APIConnectionError, match=advice) as refused:
        ask(clients(base_url="https://nowhere.invalid/api/v1", proxy=proxy))
    assert "wr0ng" not in str(refused.value)
    assert [request.method for request in server.requests] == ["CONNECT"], "a password is not mended by asking again"


@pytest.mark.parametrize("ask", [lambda client: client.chat(**ASK), collect], ids=["whole", "stream"])
def test_a_certificate_that_is_not_trusted_says_where_to_name_its_authority(clients, ask):
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(Path(__file__).parent / "self_signed.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def show() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                shown.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        with pytest.raises(APIConnectionError, match=r"\[the certificate is not trusted here: .* in SSL_CERT_FILE\]$"):
            ask(clients(base_url=url))
        thread.join()


def test_another_vendors_404_holds_no_word_of_geekais_path(clients, server):
    server.play(error(404, "no worker for model geekai-test"), path="*")
    with pytest.raises(NotFoundError, match="no worker for model geekai-test") as refused:
        clients(base_url=server.base_url.replace("/api/v1", "/v1")).chat(**ASK)
    assert "/api/v1" not in str(refused.value)


def test_another_vendors_401_holds_no_word_of_geekais_hosts(clients, server):
    server.play(error(401, "bad key"), path="*")
    with pytest.raises(AuthenticationError, match="the key must be one of this host") as refused:
        clients(base_url=server.base_url.replace("/api/v1", "/v1")).chat(**ASK)
    assert "geekai." not in str(refused.value)


@pytest.mark.parametrize("key", ["sk-...", "sk-…", "...", "sk-xxxxxx", "sk-XXX", "sk-****", "<your-key>"])
def test_the_placeholder_of_a_page_is_no_key(key):
    with pytest.raises(ConfigurationError, match=r"^the GeekAI key is a placeholder: put your own key in its place$"):
        configure(api_key=key)


@pytest.mark.parametrize("key", ["x", "any", "sk-x", "sk-xxy", "none-needed", "."])
def test_a_short_key_for_a_local_server_is_one(key):
    assert configure(api_key=key).key().get_secret_value() == key


def test_a_key_in_the_place_of_a_host_is_not_shown_when_it_is_not_found(clients):
    with pytest.raises(APIConnectionError) as failed:
        clients(base_url="https://sk-other-9b1e44/api/v1", max_retries=0).chat(**ASK)
    assert "9b1e44" not in str(failed.value)
