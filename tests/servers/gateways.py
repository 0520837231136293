"""nginx, HAProxy and tinyproxy before a server, each as a context manager. Raises `NotInstalledError`."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.running import HOST, ports, program, running

NGINX = """
daemon off; worker_processes 1; error_log stderr; pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen {host}:{port}{tls};
        location / {{ proxy_pass {behind}; {settings} }}
    }}
}}
"""
HAPROXY = """
global
    maxconn 512
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    retries 0
frontend front
    bind {host}:{port}
    {front}
    default_backend back
backend back
    {back}
    server only {behind}
"""
TINYPROXY = """
Port {port}
Listen {host}
Timeout 60
MaxClients 100
BasicAuth {user} {password}
"""


@contextmanager
def nginx(behind: str, settings: str = "", certificate: Path | None = None) -> Iterator[str]:
    """nginx before the origin `behind`, with these settings of its location; with a certificate it speaks TLS."""
    path, port = program("nginx", "gateways"), next(ports)
    tls = f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}" if certificate else ""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(NGINX.format(folder=folder, host=HOST, port=port, tls=tls, behind=behind, settings=settings))
        with running([path, "-c", str(config), "-p", folder], port):
            yield f"{'https' if certificate else 'http'}://{HOST}:{port}"


@contextmanager
def haproxy(behind: str, front: str = "", back: str = "") -> Iterator[str]:
    """HAProxy before the origin `behind`, with these settings of its frontend and backend."""
    path, port = program("haproxy", "gateways"), next(ports)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "haproxy.cfg")
        config.write_text(
            HAPROXY.format(host=HOST, port=port, behind=behind.partition("//")[2], front=front, back=back)
        )
        with running([path, "-f", str(config)], port):
            yield f"http://{HOST}:{port}"


@contextmanager
def tinyproxy(user: str, password: str) -> Iterator[str]:
    """A forward proxy that wants a user and a password; gives its `host:port`."""
    path, port = program("tinyproxy", "gateways"), next(ports)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "tinyproxy.conf")
        config.write_text(TINYPROXY.format(host=HOST, port=port, user=user, password=password))
        with running([path, "-d", "-c", str(config)], port):
            yield f"{HOST}:{port}"


def certificate_for_host(folder: Path) -> Path:
    """A new certificate for `HOST`, and its key, in one file. It is its own authority."""
    command = [program("openssl", "gateways"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}"]
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    return both
