"""What the egress proxy lets out, what it refuses and says of it, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import struct
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

import pytest

from sandbox.addresses import EgressPolicy, normal_host, not_public
from sandbox.egress import EgressProxy, ProxyLimits
from sandbox.lookups import Resolve
from sandbox.proxy_http import parse_request

ANY = EgressPolicy(granted=("*",))


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.255.0.1", "private"),
        ("100.64.0.1", "CGNAT"),
        ("100.127.255.255", "CGNAT"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.0.1", "link-local"),
        ("169.254.169.254", "metadata"),
        ("168.63.129.16", "metadata"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.8", "reserved"),
        ("192.0.2.1", "documentation"),
        ("192.168.1.1", "private"),
        ("198.19.0.1", "reserved"),
        ("224.0.0.251", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "reserved"),
        ("::ffff:127.0.0.1", "stands for 127.0.0.1, a loopback"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("::ffff:0:127.0.0.1", "reserved"),
        ("64:ff9b::10.0.0.1", "stands for 10.0.0.1, a private"),
        ("64:ff9b::169.254.169.254", "metadata"),
        ("64:ff9b:1::8.8.8.8", "reserved"),
        ("2002:a00:1::1", "stands for 10.0.0.1, a private"),
        ("2002:7f00:1::", "loopback"),
        ("2001:0:0a00:1::", "stands for 10.0.0.1, a private"),  # the Teredo server
        ("2001:0:808:808::f5ff:fffe", "stands for 10.0.0.1, a private"),  # the Teredo client, inverted
        ("2001:db8::1", "documentation"),
        ("2001:20::1", "reserved"),
        ("100::1", "reserved"),
        ("5f00::1", "reserved"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fe80::1", "link-local"),
        ("fe80::1%2", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
    ],
)
def test_an_address_that_is_not_public_is_named_as_what_it_is(address: str, kind: str) -> None:
    assert kind in not_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
        *("128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.169.0.0", "198.17.255.255"),
        *("198.20.0.0", "223.255.255.255", "2606:4700::1111", "2000::1", "3ffe::1", "64:ff9b::8.8.8.8"),
        *("2002:808:808::", "2001:0:808:808::f7f7:f7f7"),
    ],
)
def test_public_addresses_up_to_the_edges_of_the_others_are_public(address: str) -> None:
    assert not_public(ip_address(address)) == ""


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("my_bucket.example.com", "my_bucket.example.com"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("ｅｘａｍｐｌｅ。com", "example.com"),
        ("93.184.216.34", "93.184.216.34"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("[2606:4700::1111]", "[2606:4700::1111]"),
        ("[2606:4700::ABCD]", "[2606:4700::abcd]"),
    ],
)
def test_a_host_has_one_form_however_it_is_written(text: str, host: str) -> None:
    assert normal_host(text) == host == normal_host(host)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2130706433",
            "017700000001",
            "0x7f000001",
            "0X7F000001",
            "127.1",
            "127.0.1",
            "0",
            "0x",
            "1.2.3.0x",
        ),
        *("0177.0.0.1", "0x7f.0.0.1", "127.0.0.01", "127.0.0.1.", "256.0.0.1", "1.2.3.4.5", "①②⑦.1", "a.1"),
        *("[0:0:0:0:0:0:0:1]", "[::0001]", "[::1%eth0]", "[fe80::1%2]", "[127.0.0.1]", "[]", "[::1", "::1]"),
        *("", ".", "a..b", ".a", "a b", "a/b", "a%2eb", "user@host", "::1", "a\r\nb", "a\0", "*.a", "a:80"),
        *("x" * 64, "x." * 127 + "toolong", "faß.example", "℀.example"),
    ],
)
def test_odd_spellings_of_addresses_and_what_is_no_name_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is (an address that is not|not a host name)"):
        normal_host(text)
    assert "is" in (ANY.check(text, 80, ["1.1.1.1"]) or "")


@pytest.mark.parametrize(
    ("entry", "granted", "refused"),
    [
        ("example.org", ["example.org:443", "EXAMPLE.org.:80"], ["example.org:22", "a.example.org:80"]),
        ("example.org:8443", ["example.org:8443"], ["example.org:443"]),
        (
            "*.example.org",
            ["a.example.org:80", "a.b.example.org:443"],
            ["example.org:80", "badexample.org:80"],
        ),
        ("*.example.org:81", ["a.example.org:81"], ["a.example.org:80"]),
        ("Bücher.example", ["xn--bcher-kva.example:80"], ["bucher.example:80"]),
        ("1.1.1.1", ["1.1.1.1:443"], ["1.1.1.2:443", "one.example:443"]),
        ("[2606:4700::1111]:53", ["[2606:4700::1111]:53"], ["[2606:4700::1111]:443"]),
        ("*", ["any.example:80", "1.1.1.1:443"], ["any.example:25"]),
        ("*:8080", ["any.example:8080"], ["any.example:80"]),
    ],
)
def test_an_entry_grants_these_and_not_those(entry: str, granted: list[str], refused: list[str]) -> None:
    policy = EgressPolicy(granted=(entry,))
    for text in granted + refused:
        host, _, port = text.rpartition(":")
        literal = host.strip("[]") if re.fullmatch(r"\[.*\]|[\d.]+", host) else "1.1.1.1"
        reason = policy.check(host, int(port), [literal])
        assert reason == (None if text in granted else f"{normal_host(host)}:{port} not granted")


@pytest.mark.parametrize(
    ("policy", "host", "addresses", "reason"),
    [
        (ANY, "a.test", ["10.0.0.1"], "a.test:80 resolves to 10.0.0.1, a private address"),
        (ANY, "a.test", ["1.1.1.1", "::1"], "a.test:80 resolves to ::1, a loopback address"),
        (ANY, "a.test", [], "a.test:80 has no address"),
        (ANY, "a.test", ["b.test"], "a.test:80 resolves to b.test, not an address"),
        (ANY, "127.0.0.1", ["127.0.0.1"], "127.0.0.1:80 is a loopback address"),
        (ANY, "[::1]", ["::1"], "[::1]:80 is a loopback address"),
        (EgressPolicy(), "a.test", ["1.1.1.1"], "a.test:80 not granted"),
        (EgressPolicy(("*",), denied=("*.ads.test",)), "x.ads.test", ["1.1.1.1"], "x.ads.test:80 is denied"),
        (EgressPolicy(("*",), denied=("a.test:443",)), "a.test", ["1.1.1.1"], None),
        (EgressPolicy(("*",), denied=("9.9.9.9",)), "a.test", ["9.9.9.9"], "a denied address"),
        (EgressPolicy(("*",), denied=("[2620:fe::9]",)), "a.test", ["2620:fe::9"], "a denied address"),
        (EgressPolicy(("*",), allow_private=("a.test",)), "a.test", ["10.0.0.1", "::1"], None),
        (EgressPolicy(("*",), allow_private=("a.test:81",)), "a.test", ["10.0.0.1"], "private"),
        (EgressPolicy(("*",), own=("8.8.8.8",)), "a.test", ["8.8.8.8"], "an address of this machine"),
        (EgressPolicy(("*",), own=("8.8.8.8",)), "a.test", ["8.8.4.4"], None),
        (EgressPolicy(("*",), allow_private=("a.test",), own=("8.8.8.8",)), "a.test", ["8.8.8.8"], None),
        (EgressPolicy(("*",), allow_private=("a.test",)), "b.test", ["10.0.0.1"], "private"),
        (EgressPolicy(allow_private=("a.test",)), "a.test", ["10.0.0.1"], "not granted"),
        (EgressPolicy(("*",), allow_private=("a.test",)), "a.test", ["169.254.169.254"], "metadata"),
        (EgressPolicy(("*",), allow_private=("a.test",)), "a.test", ["::ffff:169.254.169.254"], "metadata"),
        (EgressPolicy(("*",), allow_private=("10.0.0.1",)), "10.0.0.1", ["10.0.0.1"], None),
        (EgressPolicy(("*",), allow_private=("10.0.0.1",)), "a.test", ["10.0.0.1"], "private"),
    ],
)
def test_every_address_of_a_host_is_checked(
    policy: EgressPolicy, host: str, addresses: Sequence[str], reason: str | None
) -> None:
    found = policy.check(host, 80, addresses)
    assert found is None if reason is None else reason in (found or "")


@pytest.mark.parametrize(
    "entry", ["", "a b", "a:0", "a:65536", "*.1.2.3.4", "127.1", "http://a/", "a.*", "*."]
)
def test_an_entry_that_cannot_be_read_says_how_to_write_it(entry: str) -> None:
    with pytest.raises(ValueError, match=r"Write it as example.org, \*.example.org"):
        EgressPolicy(granted=(entry,))


def test_one_string_for_a_tuple_and_a_star_for_private_hosts_are_refused() -> None:
    with pytest.raises(ValueError, match="is one string"):
        EgressPolicy(granted="example.org")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="every private network"):
        EgressPolicy(allow_private=("*:80",))


@pytest.mark.parametrize(
    "line",
    [
        *("", "GET", "GET  http://a/ HTTP/1.1", "GET http://a/ HTTP/2", "GET http://a/ HTTP/1.1 x"),
        *("G\x00T http://a/ HTTP/1.1", "GET http://a/\r\n HTTP/1.1", "GET http://\xe9/ HTTP/1.1"),
        *("CONNECT a HTTP/1.1", "CONNECT a:x HTTP/1.1", "CONNECT ::1:80 HTTP/1.1"),
        *("OPTIONS * HTTP/1.1", "CONNECT http://a:80/ HTTP/1.1"),
        *(
            f"GET {target} HTTP/1.1"
            for target in ("/", "//a/", "a:80", "https://a/", "ftp://a/", "file:///a")
        ),
        *(f"GET {target} HTTP/1.1" for target in ("http:a", "http:///x", "http://u@a/", "http://a/#x")),
        *(
            f"GET http://{authority}/ HTTP/1.1"
            for authority in ("a\\b", "a:b", "a:0", "a:99999", "[::1", "a:")
        ),
    ],
)
def test_a_request_line_that_is_none_for_a_proxy_is_malformed(line: str) -> None:
    with pytest.raises(ValueError, match=r"^(is not|has|does not)"):
        parse_request(line.encode("latin-1"))


@pytest.mark.parametrize(
    "headers",
    [
        *(" folded: 1", "no colon", "A : b", "A: b\nHost: c", "A: b\rHost: c", "A: b\0", ": b"),
        *("Content-Length: 1\r\nContent-Length: 2", "Content-Length: 1, 1", "Content-Length: -1"),
        *("Content-Length:", "Transfer-Encoding: chunked", "Content-Length: 1\r\nTransfer-Encoding: x"),
    ],
)
def test_headers_that_servers_read_differently_are_malformed(headers: str) -> None:
    with pytest.raises(ValueError, match=r"^(is not|has)"):
        parse_request(f"POST http://a/ HTTP/1.1\r\n{headers}".encode("latin-1"))


def test_the_servers_request_has_the_urls_host_and_no_hop_by_hop_header() -> None:
    request = parse_request(
        b"POST HTTP://Example.org:8080?q=1 HTTP/1.0\r\nHost: evil.test\r\nHOST: x\r\nX-Kept: \xe9 \r\n"
        b"Connection: X-Secret, content-length\r\nX-Secret: 1\r\nProxy-Authorization: x\r\nUpgrade: y\r\n"
        b"Content-Length: 3"
    )
    assert (request.host, request.port, request.body_bytes) == ("Example.org", 8080, 3)
    assert request.head == (
        b"POST /?q=1 HTTP/1.0\r\nHost: Example.org:8080\r\nX-Kept: \xe9\r\nContent-Length: 3\r\n"
        b"Connection: close\r\n\r\n"
    )


async def loopback(*_: object) -> list[str]:
    return ["127.0.0.1"]


class Rig:
    """A proxy on loopback, and a server behind it that is known as site.test."""

    def __init__(self, proxy: EgressProxy, listener: socket.socket, site: str = "") -> None:
        self.proxy, self.site = proxy, site
        self.at: tuple[str, int] = listener.getsockname()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.at)

    async def ask(self, request: bytes) -> bytes:
        """All that comes back for `request`; b"" is also a reset."""
        reader, writer = await self.open()
        writer.write(request)
        answer = b""
        async with asyncio.timeout(20):
            with suppress(ConnectionError):
                while data := await reader.read(1 << 16):
                    answer += data
        writer.close()
        return answer

    async def tunnel(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.open()
        writer.write(f"CONNECT {self.site} HTTP/1.1\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        return reader, writer


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def rig(
    handler: Handler, limits: ProxyLimits = ProxyLimits(), resolve: Resolve = loopback
) -> AsyncIterator[Rig]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    policy = EgressPolicy((f"site.test:{port}", f"inner.test:{port}"), allow_private=("site.test",))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = EgressProxy(listener, policy, limits=limits, resolve=resolve)
        async with asyncio.timeout(30), server, proxy:
            yield Rig(proxy, listener, f"site.test:{port}")


async def echo_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that answers with the request it got, as JSON."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"Content-Length: (\d+)", head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    text = json.dumps({"head": head, "body": body.decode()}).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(text) + text)
    await writer.drain()


async def echo_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write(b"bye")
    await writer.drain()


async def in_network_namespace(script: str, *arguments: str | socket.socket) -> str:
    """What `script` prints in a network namespace of its own, where 93.184.216.34 and 10.0.0.1 are local."""
    unshare = ("unshare", "--user", "--map-root-user", "--net")
    probe = await asyncio.create_subprocess_exec(*unshare, "true", stderr=subprocess.DEVNULL)
    if await probe.wait():
        pytest.skip("this machine makes no network namespace")
    words = [str(a.fileno()) if isinstance(a, socket.socket) else a for a in arguments]
    process = await asyncio.create_subprocess_exec(
        *(*unshare, sys.executable, "-c", NAMESPACE_SCRIPT + script, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[argument.fileno() for argument in arguments if isinstance(argument, socket.socket)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


NAMESPACE_SCRIPT = """
import asyncio, json, socket, struct, sys, urllib.request
from fcntl import ioctl
from sandbox.addresses import EgressPolicy
from sandbox.egress import EgressProxy
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    for name, address in ((b"lo:1", "93.184.216.34"), (b"lo:2", "10.0.0.1")):
        ioctl(s, SIOCSIFADDR, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address)))
"""


async def test_a_usual_client_gets_a_page_and_posts_through_the_proxy() -> None:
    async with rig(echo_request) as r:

        def fetch() -> dict[str, str]:
            address = f"http://{r.at[0]}:{r.at[1]}"
            proxied = urllib.request.build_opener(urllib.request.ProxyHandler({"http": address}))
            with proxied.open(f"http://{r.site}/form?x=1", data=b"a=1", timeout=20) as answer:
                return dict(json.load(answer))

        seen = await asyncio.to_thread(fetch)
    assert seen["head"].startswith(f"POST /form?x=1 HTTP/1.1\r\nHost: {r.site}\r\n")
    assert seen["body"] == "a=1"
    assert r.proxy.blocked == []


async def test_a_client_may_end_its_side_and_still_get_the_answer() -> None:
    async with rig(echo_request) as r:
        reader, writer = await r.open()
        writer.write(f"GET http://{r.site}/ HTTP/1.1\r\n\r\n".encode())
        writer.write_eof()
        assert b"200 OK" in await reader.read()
        writer.close()


async def test_a_tunnel_carries_bytes_untouched_and_each_side_ends_by_itself() -> None:
    async with rig(echo_bytes) as r:
        reader, writer = await r.open()
        sent = bytes(range(256)) * 4096
        writer.write(
            f"CONNECT {r.site} HTTP/1.1\r\nHost: other.test\r\n\r\n".encode() + sent
        )  # without waiting
        assert (await reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert await reader.readexactly(len(sent)) == sent
        writer.write_eof()
        assert await reader.read() == b"bye"
        writer.close()


async def test_a_server_that_ends_its_side_of_a_tunnel_first_still_gets_the_rest() -> None:
    received = asyncio.get_running_loop().create_future()

    async def end_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.write_eof()
        received.set_result(await reader.read())

    async with rig(end_first) as r:
        reader, writer = await r.tunnel()
        assert await reader.read() == b"hello"
        writer.write(b"the rest")
        writer.write_eof()
        assert await received == b"the rest"
        writer.close()


async def test_an_answer_is_not_lost_to_what_the_client_sends_after_the_server_is_gone() -> None:
    async def answer_and_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"answer")
        await writer.drain()

    async with rig(answer_and_go) as r:
        reader, writer = await r.tunnel()
        for _ in range(5):
            writer.write(b"x")
            await r.ask(b"CONNECT no.test:80 HTTP/1.1\r\n\r\n")  # by now the proxy passed it on
        assert await reader.read() == b"answer"
        writer.close()


async def test_a_body_that_the_client_breaks_off_ends_the_exchange() -> None:
    async with rig(echo_request) as r:
        reader, writer = await r.open()
        writer.write(f"POST http://{r.site}/ HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf".encode())
        writer.write_eof()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_a_client_that_stays_after_its_page_makes_room_for_the_next() -> None:
    async with rig(echo_request, ProxyLimits(connections=1, linger_seconds=0.1)) as r:
        request = f"GET http://{r.site}/ HTTP/1.1\r\n\r\n".encode()
        reader, writer = await r.open()
        writer.write(request)
        assert b"200 OK" in await reader.read()
        assert b"200 OK" in await r.ask(request)
        writer.close()


async def test_a_client_that_sends_on_reads_its_refusal_all_the_same() -> None:
    def post(at: tuple[str, int]) -> bytes:
        with socket.create_connection(at, timeout=20) as client:
            client.sendall(b"POST http://no.test/ HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n")
            client.sendall(bytes(9_999_999))
            return client.recv(1 << 16)

    async with rig(echo_request) as r:
        assert (await asyncio.to_thread(post, r.at)).startswith(b"HTTP/1.1 403 ")


async def test_a_host_that_is_not_granted_is_refused_unasked_with_the_way_to_grant_it() -> None:
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with rig(echo_request, resolve=resolve) as r:
        plain = await r.ask(b"GET http://example.com/ HTTP/1.1\r\nHost: site.test\r\n\r\n")
        tunnel = await r.ask(b"CONNECT Example.com.:443 HTTP/1.1\r\n\r\n")
        odd = await r.ask(b"GET http://0x7f.1/ HTTP/1.1\r\n\r\n")
        private = await r.ask(f"GET http://{r.site.replace('site', 'inner')}/ HTTP/1.1\r\n\r\n".encode())
    assert plain.startswith(b"HTTP/1.1 403 Forbidden: example.com:80 not granted\r\n")
    assert b"can grant one as example.org" in plain
    assert tunnel.startswith(b"HTTP/1.1 403 Forbidden: example.com:443 not granted\r\n")
    assert odd.startswith(b"HTTP/1.1 403 ")
    assert private.startswith(b"HTTP/1.1 403 ")
    assert r.proxy.blocked == [
        "example.com:80 not granted",
        "example.com:443 not granted",
        "0x7f.1:80 is an address that is not in its canonical form",
        f"{r.site.replace('site', 'inner')} resolves to 127.0.0.1, a loopback address",
    ]
    assert asked == ["inner.test"]


async def test_what_a_client_sends_beyond_its_one_request_does_not_reach_the_server() -> None:
    second = b"GET / HTTP/1.1\r\nHost: other-site-of-this-server.test\r\n\r\n"
    reached = b""

    async def read_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        while data := await reader.read(1 << 16):
            reached += data

    async with rig(read_all) as r:
        await r.ask(f"GET http://{r.site}/ HTTP/1.1\r\n\r\n".encode() + second)
        await r.ask(f"POST http://{r.site}/ HTTP/1.1\r\nContent-Length: 2\r\n\r\nab".encode() + second)
        reader, writer = await r.open()
        writer.write(f"GET http://{r.site}/later HTTP/1.1\r\n\r\n".encode())
        async with asyncio.timeout(20):
            while b"later" not in reached:  # noqa: ASYNC110 - bytes send no event here
                await asyncio.sleep(0.01)
            writer.write(second)
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
    assert b"other-site" not in reached


@pytest.mark.parametrize("request_head", ["GET / HTTP/1.1", "CONNECT site.test HTTP/1.1", "\x16\x03\x01 TLS"])
async def test_a_malformed_request_is_answered_and_listed(request_head: str) -> None:
    async with rig(echo_request) as r:
        answer = await r.ask(f"{request_head}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 Bad Request: malformed request: ")
    assert r.proxy.blocked[0].startswith("malformed request: ")


async def test_a_head_too_long_or_too_slow_is_answered_and_an_empty_one_is_not_listed() -> None:
    limits = ProxyLimits(header_bytes=1000, header_seconds=0.2)
    async with rig(echo_request, limits) as r:
        assert (await r.ask(b"GET http://site.test/ HTTP/1.1\r\nA: " + b"x" * 5000)).startswith(
            b"HTTP/1.1 400 "
        )
        assert (await r.ask(b"GET http://site.test/" + b"x" * 1000 + b" HTTP/1.1\r\n\r\n")).startswith(
            b"HTTP/1.1 400 "
        )
        assert (await r.ask(b"GET http://site")).startswith(b"HTTP/1.1 400 ")
        assert await r.ask(b"") == b""
        assert len(r.proxy.blocked) == 3


async def test_a_server_that_cannot_be_found_or_reached_is_no_refusal() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if port == 1:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        await asyncio.Event().wait()
        return []

    policy = EgressPolicy(("site.test:1", "site.test:2", "127.0.0.1:9"), allow_private=("127.0.0.1",))
    limits = ProxyLimits(connect_seconds=0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with EgressProxy(listener, policy, limits=limits, resolve=resolve) as proxy:
            r = Rig(proxy, listener)
            assert b" 502 " in await r.ask(b"CONNECT site.test:1 HTTP/1.1\r\n\r\n")
            assert b" 504 " in await r.ask(b"CONNECT site.test:2 HTTP/1.1\r\n\r\n")
            assert b" 502 " in await r.ask(b"CONNECT 127.0.0.1:9 HTTP/1.1\r\n\r\n")
            assert proxy.blocked == []


async def test_the_next_address_is_tried_where_the_first_takes_no_connection() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.99", "127.0.0.1"]

    async with rig(echo_request, resolve=resolve) as r:
        assert b"200 OK" in await r.ask(f"GET http://{r.site}/ HTTP/1.1\r\n\r\n".encode())


async def test_a_client_that_does_not_read_holds_the_server_back_and_is_cut_off_when_idle() -> None:
    sent, size = 0, 256 << 20
    broken = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        try:
            while sent < size:
                writer.write(bytes(1 << 16))
                await writer.drain()
                sent += 1 << 16
        finally:
            broken.set()

    async with rig(flood, ProxyLimits(idle_seconds=0.3)) as r:
        client = socket.create_connection(r.at)
        client.sendall(f"CONNECT {r.site} HTTP/1.1\r\n\r\n".encode())
        async with asyncio.timeout(20):
            await broken.wait()
        client.close()
    assert 0 < sent < size


async def test_a_connection_in_use_outlives_the_idle_time() -> None:
    loop = asyncio.get_running_loop()
    async with rig(echo_bytes, ProxyLimits(idle_seconds=1)) as r:
        reader, writer = await r.tunnel()
        end = loop.time() + 1.5
        while loop.time() < end:
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            await asyncio.sleep(0.05)
        writer.close()


async def test_a_client_that_floods_after_its_refusal_keeps_nobody_waiting_and_is_cut_off() -> None:
    flood = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as client:
    client.sendall(b"CONNECT no.test:80 HTTP/1.1\\r\\n\\r\\n")
    print("begun", flush=True)
    try:
        for _ in range(20_000):
            client.sendall(bytes(1 << 20))
    except OSError:
        print("cut off")
"""
    async with rig(echo_request, ProxyLimits(linger_seconds=0.5)) as r:
        command = (sys.executable, "-c", flood, str(r.at[1]))
        flooding = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert flooding.stdout
        assert await flooding.stdout.readline() == b"begun\n"
        assert b"200 OK" in await r.ask(f"GET http://{r.site}/ HTTP/1.1\r\n\r\n".encode())
        assert (await flooding.communicate())[0] == b"cut off\n"


async def test_the_event_loop_turns_between_two_reads_however_much_there_is_to_read() -> None:
    request = b"CONNECT no.test:80 HTTP/1.1\r\n\r\n"
    async with rig(echo_request, ProxyLimits(connections=1)) as r:
        with socket.create_connection(r.at) as client:
            client.sendall(request)
            client.setblocking(False)
            sent = 0
            with suppress(BlockingIOError):
                while True:
                    sent += client.send(bytes(1 << 16))
            client.shutdown(socket.SHUT_WR)
            next_one = asyncio.create_task(r.ask(request))  # whose turn comes when all that is read
            turns = 0
            while not next_one.done():
                await asyncio.sleep(0)
                turns += 1
    assert turns > sent >> 16 > 10


async def test_bytes_in_all_are_limited() -> None:
    async with rig(echo_bytes, ProxyLimits(total_bytes=150_000)) as r:
        for _ in range(2):
            reader, writer = await r.tunnel()
            writer.write(bytes(100_000))
            with suppress(ConnectionError):
                assert len(await reader.read()) < 100_000
            writer.close()
    assert r.proxy.blocked[0] == f"{r.site} cut off, 150000 bytes are the limit"


async def test_a_body_that_the_server_cuts_short_does_not_pass_for_a_whole_one() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of")
        await writer.drain()
        await reader.read()  # until the client has seen it
        reset = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)

    async with rig(half) as r:
        reader, writer = await r.tunnel()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"half of")
        writer.write_eof()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_connections_over_the_limit_wait_for_room() -> None:
    async with rig(echo_bytes, ProxyLimits(connections=1)) as r:
        first_reader, first = await r.tunnel()
        second = asyncio.create_task(r.ask(b"GET http://no.test/ HTTP/1.1\r\n\r\n"))
        first.write(b"x")
        assert await first_reader.readexactly(1) == b"x"
        assert not second.done()
        assert r.proxy.blocked == []
        first.close()
        assert b" 403 " in await second


async def test_the_list_of_refusals_is_bounded_and_says_so() -> None:
    async with rig(echo_bytes, ProxyLimits(listed=3)) as r:
        for name in "abcde":
            assert b" 403 " in await r.ask(f"CONNECT {name}.test:80 HTTP/1.1\r\n\r\n".encode())
    assert r.proxy.blocked == [
        "a.test:80 not granted",
        "b.test:80 not granted",
        "further refusals are not listed",
    ]


async def test_closing_ends_connections_in_every_state_and_leaves_no_task_and_no_descriptor() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if host == "inner.test":
            await asyncio.Event().wait()
        return ["127.0.0.1"]

    descriptors, tasks = len(os.listdir("/proc/self/fd")), asyncio.all_tasks()
    server_saw_the_end = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            server_saw_the_end.set()

    async with rig(wait, resolve=resolve) as r, asyncio.timeout(20):
        tunnel = await r.tunnel()
        resolving, idle = await r.open(), await r.open()
        resolving[1].write(f"CONNECT {r.site.replace('site', 'inner')} HTTP/1.1\r\n\r\n".encode())
        await r.ask(b"GET http://no.test/ HTTP/1.1\r\n\r\n")  # by now the others are accepted
        await r.proxy.close()
        await r.proxy.close()
        for reader, writer in (tunnel, resolving, idle):
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await server_saw_the_end.wait()
    assert asyncio.all_tasks() == tasks
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_a_listener_serves_one_proxy_after_another_and_no_connection_of_the_time_between() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        early = socket.create_connection(listener.getsockname())
        early.sendall(b"CONNECT left.test:80 HTTP/1.1\r\n\r\n")
        for _ in range(2):
            async with EgressProxy(listener, EgressPolicy()) as proxy:
                r = Rig(proxy, listener)
                assert b" 403 " in await r.ask(b"CONNECT a.test:80 HTTP/1.1\r\n\r\n")
                assert proxy.blocked == ["a.test:80 not granted"]
        with early, pytest.raises(ConnectionResetError):
            early.recv(1)


async def test_one_look_up_decides_and_a_name_that_changes_its_address_gains_nothing() -> None:
    """In a namespace where public addresses are local, so that nothing has to be allowed as private."""
    script = """
async def main():
    def site(name):
        async def serve(reader, writer):
            await reader.readuntil(b"\\r\\n\\r\\n")
            writer.write(b"HTTP/1.1 200 OK\\r\\n\\r\\n" + name)
            writer.close()
        return serve
    answers = [["93.184.216.34"], ["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["93.184.216.34"]]
    asked = []
    async def resolve(host, port):
        asked.append(host)
        return answers[len(asked) - 1]
    servers = [await asyncio.start_server(site(name), address, 80)
        for name, address in ((b"public", "93.184.216.34"), (b"private", "10.0.0.1"))]
    listener = socket.create_server(("127.0.0.1", 3128))
    said = []
    async with EgressProxy(listener, EgressPolicy(("rebind.test",)), resolve=resolve) as proxy:
        for _ in answers:
            reader, writer = await asyncio.open_connection("127.0.0.1", 3128)
            writer.write(b"GET http://rebind.test/ HTTP/1.1\\r\\n\\r\\n")
            said.append((await reader.read()).decode())
            writer.close()
    print(json.dumps({"said": said, "asked": asked, "blocked": proxy.blocked}))
asyncio.run(main())
"""
    out = json.loads(await in_network_namespace(script))
    assert [text.split("\r\n\r\n")[1].split("\n")[0] for text in out["said"]] == [
        "public",
        "rebind.test:80 resolves to 10.0.0.1, a private address",
        "rebind.test:80 resolves to 10.0.0.1, a private address",
        "public",
    ]
    assert out["asked"] == ["rebind.test"] * 4
    assert len(out["blocked"]) == 2


async def test_a_listener_from_another_network_namespace_leads_out_of_it() -> None:
    script = """
listener = socket.create_server(("127.0.0.1", 0))
channel = socket.socket(fileno=int(sys.argv[2]))
socket.send_fds(channel, [b"x"], [listener.fileno()])
channel.recv(1)
proxied = urllib.request.build_opener(
    urllib.request.ProxyHandler({"http": "http://127.0.0.1:%d" % listener.getsockname()[1]}))
listener.close()
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1].split(":")[1])))
    print("the server is reached without the proxy")
except OSError:
    print(json.load(proxied.open(f"http://{sys.argv[1]}/inside", timeout=20))["head"])
"""
    async with rig(echo_request) as r:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            running = asyncio.create_task(in_network_namespace(script, r.site, theirs))
            try:
                _, (descriptor,), _, _ = await asyncio.to_thread(socket.recv_fds, ours, 1, 1)
            except ValueError:
                await running
                raise
            with socket.socket(fileno=descriptor) as listener:
                policy = EgressPolicy((r.site,), allow_private=("site.test",))
                async with EgressProxy(listener, policy, resolve=loopback):
                    ours.send(b"x")
                    assert (await running).startswith(f"GET /inside HTTP/1.1\r\nHost: {r.site}\r\n")
