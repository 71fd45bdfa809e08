"""What leaves a browser besides requests, seen in a network namespace of its own by `test_egress_leaks.py`.

Run as a program there: public.test is at a public address, 93.184.216.34, a metadata service at its own, and
every name is asked of a resolver that counts. Prints what came in, without walls and with the proxy, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, cast

from playwright.async_api import Browser, Error, async_playwright

from runtimes.web.browser.chromium import EXECUTABLES
from runtimes.web.egress.guard import Guard
from runtimes.web.egress.proxy import BROWSER_FLAGS, ContextProxy

PUBLIC, METADATA, LOOPBACK = "93.184.216.34", "169.254.169.254", "127.0.0.1"
OWN = "93.184.216.1"  # of the interface; all others of its network are reached here too, as on loopback
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1

PAGE = """<title>public</title>
<link rel=dns-prefetch href=//prefetched.test>
<link rel=preconnect href=http://preconnected.test>
<a href=http://hovered.test>x</a>
<script>
const transport = () => new WebTransport('https://93.184.216.34:4433/').ready.catch(() => 0);
</script>"""


class Names(asyncio.DatagramProtocol):
    """A resolver: rebind.test is public at first and loopback ever after."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.datagrams = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        question, kind = data[12 : at + 5], int.from_bytes(data[at + 1 : at + 3], "big")
        name = ".".join(labels).lower()
        found = {
            "public.test": PUBLIC,
            "metadata.test": METADATA,
            "rebind.test": PUBLIC,
            "secure.localhost": LOOPBACK,
        }.get(name)
        if name == "rebind.test" and self.asked[name]:
            found = LOOPBACK
        self.datagrams += 2
        head = data[:2] + struct.pack(
            "!HHHHH", 0x8180 if found else 0x8183, 1, kind == 1 and bool(found), 0, 0
        )
        answer = b""
        if kind == 1:
            self.asked[name] += 1
            if found:
                answer = struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(found)
        self.transport.sendto(head + question + answer, address)


class Packets(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.count = 0

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.count += 1


class Servers:
    """All that can be reached; `requests` has the addresses and paths that were asked for."""

    def __init__(self) -> None:
        self.requests: set[str] = set()
        self.names, self.quic = Names(), Packets()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self.names, (LOOPBACK, 53))
        await loop.create_datagram_endpoint(lambda: self.quic, (PUBLIC, 4433))
        for address in (PUBLIC, OWN, METADATA, LOOPBACK):
            await asyncio.start_server(self.serve, address, 80)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.requests.add(f"{writer.get_extra_info('sockname')[0]}{path}")
            writer.write(
                f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n{PAGE}".encode()
            )
            await writer.drain()
        writer.close()

    def seen(self) -> dict[str, object]:
        return {
            "names": sorted(self.names.asked),
            "requests": sorted(self.requests),
            "quic": self.quic.count,
            "other_datagrams": _datagrams_sent() - self.names.datagrams - self.quic.count,
        }


def _datagrams_sent() -> int:
    """Of this whole namespace, over IPv4 and IPv6."""
    names, counts = re.findall("^Udp: (.*)$", Path("/proc/net/snmp").read_text(), re.MULTILINE)
    v4 = dict(zip(names.split(), counts.split(), strict=True))["OutDatagrams"]
    v6 = re.findall(r"^Udp6OutDatagrams\s+(\d+)$", Path("/proc/net/snmp6").read_text(), re.MULTILINE)
    return int(v4) + sum(map(int, v6))


async def visit(browser: Browser, **options: Any) -> None:
    """Everything that may leak, until each has had its turn."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    await page.goto("http://public.test/")
    await page.hover("a")
    await page.goto("http://secure.localhost/")  # where a page counts as secure without a certificate
    await page.evaluate("transport()")
    for url in ("http://169.254.169.254/latest/meta-data/", "http://metadata.test/", f"http://{OWN}/own"):
        with suppress(Error):
            await page.goto(url)
    await page.goto("http://rebind.test/")
    await context.close()
    # Chromium too keeps the addresses of a name for a while, but a context does not know those of another.
    context = await browser.new_context(**options)
    page = await context.new_page()
    await page.goto("http://rebind.test/again")
    await context.close()


async def main(walls: bool) -> None:
    servers = Servers()
    await servers.start()
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=BROWSER_FLAGS if walls else [], chromium_sandbox=False
        )
        async with ContextProxy(Guard(allow_private=("secure.localhost",)), {}) as proxy:
            await visit(browser, **({"proxy": proxy.settings} if walls else {}))
        await browser.close()
    print(json.dumps({**servers.seen(), "blocked": proxy.blocked}))


def prepare() -> None:
    """Bring the namespace's loopback up with all addresses, and have names asked of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        for name, address in ((b"lo:1", OWN), (b"lo:2", METADATA)):
            packed = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))
            ioctl(control, SIOCSIFADDR, packed)
    with NamedTemporaryFile("w", suffix=".conf") as resolver:
        resolver.write(f"nameserver {LOOPBACK}\n")
        resolver.flush()
        subprocess.run(["mount", "--bind", resolver.name, "/etc/resolv.conf"], check=True)


if __name__ == "__main__":
    prepare()
    asyncio.run(main(walls=sys.argv[1] == "walls"))
