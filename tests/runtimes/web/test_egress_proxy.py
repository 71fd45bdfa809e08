"""The proxy of one context by itself: whom it serves, what it opens, and what it says of what it does not."""

from __future__ import annotations

import asyncio
import os
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest
import pytest_asyncio

from runtimes.errors import ConfigurationError, ToolError
from runtimes.web.egress.guard import Guard
from runtimes.web.egress.proxy import ContextProxy
from sandbox.lookups import Resolve

from .episodes import web_task


@pytest_asyncio.fixture
async def site() -> AsyncIterator[int]:
    """The port of a server on 127.0.0.1 that says "hello" to whatever it gets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read(1 << 16)
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def leads_to(**addresses: str | list[str]) -> Resolve:
    """A resolver that knows `addresses` by the first labels of names in .test, in turn where it is a list."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        found = addresses.get(host.removesuffix(".test"))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found.pop(0) if isinstance(found, list) else found]

    return resolve


async def ask(proxy: ContextProxy, line: str, *, password: str | None = None) -> str:
    """All that the proxy answers to a request with this first line and, unless another, its own password."""
    known = f"{proxy.settings['username']}:{proxy.settings['password'] if password is None else password}"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.address.rpartition(":")[2]))
    credentials = b64encode(known.encode()).decode()
    writer.write(f"{line} HTTP/1.1\r\nProxy-Authorization: Basic {credentials}\r\n\r\n".encode())
    if line.startswith("CONNECT"):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer.decode()


async def test_a_local_site_is_http_on_port_80_and_opens_nothing_else(site: int) -> None:
    async with ContextProxy(Guard(), {"shop.test": site}, resolve=leads_to(shop="127.0.0.1")) as proxy:
        for line in ("GET http://shop.test/", "GET http://SHOP.test.:80/x", "CONNECT shop.test:80"):
            assert "hello" in await ask(proxy, line), line
        assert proxy.blocked == []
        for line in (
            f"GET http://shop.test:{site}/",
            f"CONNECT shop.test:{site}",
            "CONNECT shop.test:443",
            "CONNECT shop.test:22",
            f"CONNECT 127.0.0.1:{site}",
            f"GET http://x.shop.test:{site}/",
        ):
            assert "hello" not in await ask(proxy, line), line
        assert len(proxy.blocked) == 5  # the last has no address at all


async def test_a_local_site_stays_one_for_a_task_that_names_it(site: int) -> None:
    guard = Guard(("other.test",))
    async with ContextProxy(guard, {"other.test": site}, resolve=leads_to(other="127.0.0.1")) as proxy:
        assert "hello" in await ask(proxy, "GET http://other.test/")
        assert "403" in await ask(proxy, f"GET http://other.test:{site}/")
    async with ContextProxy(Guard(()), {"other.test": site, "shop.test": site}) as proxy:
        assert "403" in await ask(proxy, "GET http://other.test/")
        assert "hello" in await ask(proxy, "GET http://shop.test/")


async def test_the_graders_part_of_the_shop_is_refused_by_the_proxy_too(site: int) -> None:
    async with ContextProxy(Guard(), {"shop.test": site}) as proxy:
        assert "graders only" in await ask(proxy, "GET http://shop.test/%5Fworld/state.json")
    async with ContextProxy(Guard(sees_world=True), {"shop.test": site}) as proxy:
        assert "hello" in await ask(proxy, "GET http://shop.test/_world/state.json")


async def test_who_does_not_know_the_password_gets_nothing_and_is_told_nothing_of_hosts(site: int) -> None:
    asked = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with ContextProxy(Guard(), {"shop.test": site}, resolve=resolve) as proxy:
        for line in ("GET http://shop.test/", "CONNECT shop.test:80", "GET http://public.test/"):
            for password in ("", "guess", proxy.settings["password"][:-1], "é"):
                answer = await ask(proxy, line, password=password)
                assert answer.startswith("HTTP/1.1 407 ")
                assert "Proxy-Authenticate: Basic" in answer
        assert "400" in await ask(proxy, "GET nonsense", password="")
        assert (asked, proxy.blocked, proxy.fault("http://shop.test/")) == ([], [], None)


async def test_one_context_does_not_reach_the_proxy_of_another_nor_its_own(site: int) -> None:
    """Not even with leave to reach this machine: the password is missing."""
    async with (
        ContextProxy(Guard(), {"shop.test": site}) as other,
        ContextProxy(Guard(), {}) as usual,
        ContextProxy(Guard(("127.0.0.1",)), {}) as trusted,
    ):
        for proxy in (usual, trusted):
            for target in (other, proxy):
                answer = await ask(proxy, f"GET {target.address}/")
                assert answer.startswith("HTTP/1.1 403 " if proxy is usual else "HTTP/1.1 400 ")
                assert "hello" not in await ask(proxy, f"CONNECT {target.address.removeprefix('http://')}")


async def test_a_name_that_a_task_trusts_does_not_come_to_mean_another_machine(site: int) -> None:
    secrets = []

    async def secret(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secrets.append(await reader.read(1 << 16))
        writer.close()

    resolve = leads_to(rebind=["127.0.0.1", "127.0.0.2"])
    async with (
        await asyncio.start_server(secret, "127.0.0.2", site),
        ContextProxy(Guard(("rebind.test",)), {}, resolve=resolve) as proxy,
    ):
        for line in (f"GET http://rebind.test:{site}/", f"CONNECT rebind.test:{site}"):
            assert "hello" in await ask(proxy, line)
        assert secrets == []


@pytest.mark.parametrize(
    ("guard", "line", "reason"),
    [
        (Guard(), "GET http://inside.test:PORT/", "resolves to 127.0.0.1, a loopback address"),
        (Guard(), "CONNECT inside.test:PORT", "resolves to 127.0.0.1, a loopback address"),
        (Guard(("a.test",)), "GET http://inside.test:PORT/", "not among the task's allowed_domains"),
        (Guard(("a.test",)), "CONNECT inside.test:PORT", "not granted"),
        (Guard(("inside.test:1",)), "CONNECT inside.test:PORT", "not granted"),
        (Guard(("test",)), "GET http://inside.test:PORT/", "resolves to 127.0.0.1, a loopback address"),
        (Guard(), "GET http://169.254.169.254/latest/meta-data/", "private or local network"),
        (Guard(), "CONNECT 169.254.169.254:443", "a cloud metadata address"),
        (Guard(("meta.test",)), "GET http://meta.test/", "a cloud metadata address"),
        (Guard(allow_private=("meta.test",)), "CONNECT meta.test:443", "a cloud metadata address"),
        (Guard(), "CONNECT inside.test:25", "not granted"),
        (Guard(), "GET http://inside.test:6667/", "port 6667 is not one that pages use"),
        (Guard(), "CONNECT 2130706433:PORT", "not in its canonical form"),
        (Guard(), "CONNECT [::ffff:127.0.0.1]:PORT", "canonical form"),
        (Guard(), "CONNECT public@127.0.0.1:PORT", "canonical form"),
    ],
)
async def test_what_is_refused_is_listed_with_its_reason(
    site: int, guard: Guard, line: str, reason: str
) -> None:
    resolve = leads_to(inside="127.0.0.1", meta="169.254.169.254")
    async with ContextProxy(guard, {}, resolve=resolve) as proxy:
        answer = await ask(proxy, line.replace("PORT", str(site)))
        assert answer.startswith("HTTP/1.1 403 ")
        assert "Proxy-Status: egress; error=http_request_denied" in answer
        assert len(proxy.blocked) == 1
        assert reason in proxy.blocked[0]


@pytest.mark.parametrize(
    "guard",
    [Guard(("inside.test",)), Guard(allow_private=("inside.test",)), Guard(allow_private=("*.test",))],
)
async def test_a_private_host_is_reached_where_task_or_deployment_name_it(site: int, guard: Guard) -> None:
    async with ContextProxy(guard, {}, resolve=leads_to(inside="127.0.0.1")) as proxy:
        for line in (f"GET http://inside.test:{site}/", f"CONNECT inside.test:{site}"):
            assert "hello" in await ask(proxy, line)
        assert proxy.blocked == []


async def test_what_kept_a_page_from_opening_is_told_by_its_address(site: int) -> None:
    resolve = leads_to(inside="127.0.0.1", closed="127.0.0.2", later=["127.0.0.2", "127.0.0.1"])
    guard = Guard(allow_private=("closed.test",))
    async with ContextProxy(guard, {"shop.test": site}, resolve=resolve) as proxy:

        async def fault(line: str, url: str) -> str:
            await ask(proxy, line)
            found = proxy.fault(url)
            return found[0] if found else ""

        assert await fault("GET http://shop.test/", "http://shop.test/x") == ""
        assert await fault("GET http://No.test/", "http://no.test/") == "name_not_resolved"
        assert await fault("CONNECT no.test:443", "https://no.test/") == "name_not_resolved"
        assert await fault(f"CONNECT closed.test:{site}", f"https://closed.test:{site}/") == (
            "connection_failed"
        )
        assert await fault("CONNECT inside.test:443", "https://user@inside.test/") == "refused_address"
        assert await fault("CONNECT shop.test:443", "https://shop.test/") == "refused_address"


async def test_nothing_of_a_proxy_is_left_when_it_is_closed(site: int) -> None:
    descriptors, tasks = len(os.listdir("/proc/self/fd")), asyncio.all_tasks()
    async with ContextProxy(Guard(), {"shop.test": site}) as proxy:
        waiting = await asyncio.open_connection("127.0.0.1", int(proxy.address.rpartition(":")[2]))
        assert "hello" in await ask(proxy, "GET http://shop.test/")
    assert await waiting[0].read() == b""
    waiting[1].close()
    await waiting[1].wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await ask(proxy, "GET http://shop.test/")
    assert (len(os.listdir("/proc/self/fd")), asyncio.all_tasks()) == (descriptors, tasks)


@pytest.mark.parametrize("entry", ["http://a.test/", "a b", "", "10.0.0.0/8"])
def test_allowed_domains_that_cannot_be_read_fail_the_task_with_the_way_out(entry: str) -> None:
    with pytest.raises(ToolError, match="allowed_domains"):
        Guard.of_task(web_task(allowed_domains=[entry]))


def test_private_hosts_of_the_deployment_that_cannot_be_read_are_its_own_fault() -> None:
    with pytest.raises(ConfigurationError, match=r"private hosts of the settings: .*10\.0\.0\.0/8"):
        Guard.of_task(web_task(allowed_domains=["example.org"]), ("10.0.0.0/8",))


def test_forbidden_domains_that_cannot_be_read_are_the_deployments_fault_too() -> None:
    with pytest.raises(
        ConfigurationError, match=r"forbidden domains of the settings: .*https://bad\.example"
    ):
        Guard.of_task(web_task(allowed_domains=["example.org"]), forbidden=("https://bad.example",))
