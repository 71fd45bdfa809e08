"""What code reaches that is granted hosts: those, through the host's proxy, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox import SandboxPool

FETCH = """
import sys, urllib.request
try:
    print(urllib.request.urlopen({url!r}, timeout=10).read().decode())
except OSError as error:
    print(type(error).__name__, error)
"""


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """The address of an HTTP server on the host's loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_granted_host_is_reached_and_others_are_refused_and_told(server: str) -> None:
    async with SandboxPool(allow_private=[server]) as pool:
        granted = await pool.run(code=FETCH.format(url=f"http://{server}/"), hosts=[server])
        other = await pool.run(code=FETCH.format(url="http://example.com/"), hosts=[server])
        tunnel = await pool.run(code=FETCH.format(url="https://example.com/"), hosts=[server])
    assert (granted.stdout, granted.blocked_requests) == ("hello\n", ())
    assert other.blocked_requests == ("example.com:80 not granted",)
    assert "403" in other.stdout
    assert tunnel.blocked_requests == ("example.com:443 not granted",)


async def test_what_the_deployment_denies_is_not_reached_though_it_is_granted(server: str) -> None:
    async with SandboxPool(allow_private=[server], denied=["127.0.0.1"]) as pool:
        result = await pool.run(code=FETCH.format(url=f"http://{server}/"), hosts=[server])
    assert result.blocked_requests == (f"{server} is denied",)


async def test_a_grant_does_not_reach_a_private_address_unless_the_deployment_names_it(server: str) -> None:
    async with SandboxPool() as pool:
        result = await pool.run(code=FETCH.format(url=f"http://{server}/"), hosts=[server])
    (refused,) = result.blocked_requests
    assert "a loopback address" in refused


async def test_the_proxy_is_the_only_way_out(server: str) -> None:
    past_the_proxy = """
import socket
for address in (("127.0.0.1", {port}), ("192.0.2.1", 80)):
    try:
        socket.create_connection(address, timeout=5)
        print("reached", address)
    except OSError as error:
        print(error.strerror)
"""
    port = server.rpartition(":")[2]
    async with SandboxPool(allow_private=[server]) as pool:
        result = await pool.run(code=past_the_proxy.format(port=port), hosts=[server])
    assert result.stdout == "Connection refused\nNetwork is unreachable\n"


async def test_a_grant_is_not_left_in_the_slot(server: str) -> None:
    async with SandboxPool(slots=1, allow_private=[server]) as pool:
        fetch = FETCH.format(url=f"http://{server}/")
        assert (await pool.run(code=fetch, hosts=[server])).stdout == "hello\n"
        assert "refused" in (await pool.run(code=fetch)).stdout
        assert (await pool.run(code=fetch, hosts=["example.com"])).blocked_requests


async def test_a_session_reaches_its_hosts_in_steps_and_runs(server: str) -> None:
    fetch = FETCH.format(url=f"http://{server}/")
    async with SandboxPool(allow_private=[server]) as pool, pool.session(hosts=[server]) as session:
        assert (await session.step(fetch)).stdout == "hello\n"
        assert (await session.run(code=fetch)).stdout == "hello\n"
        refused = await session.step(FETCH.format(url="http://example.com/"))
    assert refused.blocked_requests == ("example.com:80 not granted",)
