"""A forward proxy that wants a password, and TLS through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from geekai_core import APIConnectionError
from geekai_testing.replies import BASE_PATH, answer
from geekai_testing.scripted import ScriptedServer
from tests.addresses import unreachable
from tests.servers.conftest import Make, entered
from tests.servers.gateways import certificate_for_host, nginx, tinyproxy
from tests.servers.running import Server
from tests.servers.subjects import WAYS

# httpx-aiohttp 0.2 passes the proxy's password as aiohttp 3.14 calls old.
pytestmark = pytest.mark.filterwarnings(
    "ignore:BasicAuth is deprecated:DeprecationWarning", "ignore:The 'proxy_auth' parameter:DeprecationWarning"
)


@pytest.fixture
def proxy() -> Iterator[str]:
    with ExitStack() as stack:
        yield entered(stack, tinyproxy("mei", "s3cret"))


@pytest.fixture
def secure(behind: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The scripted server behind TLS, its certificate trusted by `SSL_CERT_FILE`."""
    with ExitStack() as stack:
        certificate = certificate_for_host(tmp_path)
        url = entered(stack, nginx(f"http://127.0.0.1:{behind.port}", "", certificate))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("certificate.pem")))
        yield Server(url + BASE_PATH)


@pytest.mark.parametrize("transport", ["TLS", "plain"])
async def test_calls_go_through_the_proxy(
    transport: str, proxy: str, secure: Server, behind: ScriptedServer, subject_of: Make
) -> None:
    server = secure if transport == "TLS" else Server(f"http://localhost:{behind.port}{BASE_PATH}")
    subject = subject_of(server, proxy=f"http://mei:s3cret@{proxy}")
    for way in WAYS:
        behind.play(answer("Hello."))
        assert (await subject.ask(way)).text == "Hello."
    assert len(behind.requests) == 4
    assert not [request for request in behind.requests if "proxy-authorization" in request.headers]
    assert ["via" in request.headers for request in behind.requests] == [transport == "plain"] * 4


@pytest.mark.parametrize("user", ["", "mei:wr0ng@"], ids=["no password", "a wrong password"])
async def test_a_proxy_that_refuses_is_named_and_its_password_is_not(
    user: str, proxy: str, secure: Server, behind: ScriptedServer, subject_of: Make
) -> None:
    """tinyproxy answers 407 where there is none, and 401 where it is wrong."""
    subject = subject_of(secure, proxy=f"http://{user}{proxy}", max_retries=2)
    for way in WAYS:
        with pytest.raises(APIConnectionError, match=r"could not be reached: 40[17].*user:password") as caught:
            await subject.ask(way)
        assert "wr0ng" not in str(caught.value)
    assert behind.requests == []


async def test_a_proxy_that_cannot_reach_the_server_is_no_answer_of_the_server(proxy: str, subject_of: Make) -> None:
    with unreachable() as url:
        subject = subject_of(Server(url.replace("http:", "https:")), proxy=f"http://mei:s3cret@{proxy}")
        for way in WAYS:
            with pytest.raises(APIConnectionError, match=r"could not be reached: 5\d\d") as caught:
                await subject.ask(way)
            assert caught.value.retryable


async def test_a_certificate_that_nobody_trusts_is_named(
    proxy: str, secure: Server, behind: ScriptedServer, subject_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    subject = subject_of(secure, proxy=f"http://mei:s3cret@{proxy}")
    for way in ("whole", "astream"):
        with pytest.raises(APIConnectionError, match="certificate"):
            await subject.ask(way)
    assert behind.requests == []
