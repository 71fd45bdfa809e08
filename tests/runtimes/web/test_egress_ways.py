"""Every way to a forbidden address that we know, with nothing in between and with proxy and route guard.

Without the first half a test could pass because the way leads nowhere.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Error, Route, async_playwright

from runtimes.web.browser.chromium import EXECUTABLES
from runtimes.web.egress.guard import Guard
from runtimes.web.egress.proxy import BROWSER_FLAGS, ContextProxy

from .escapes import INERT, UNASKED, WAYS, Act, Escape, site

pytestmark = pytest.mark.asyncio(loop_scope="module")

SITE = "public.localhost"  # below localhost a page counts as secure without a certificate
PATIENCE = 20.0
LOOPBACK = ("127.0.0.1", "127.8.9.10", "::1")


async def resolve(host: str, port: int) -> Sequence[str]:
    if host.endswith(("localhost", ".test")):
        return ["127.0.0.1"]
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@dataclass
class Rig:
    """A browser that is open to everything, one with both walls, and a site that both can open."""

    naked: Browser
    armed: Browser
    site_port: int

    async def open_way(self, act: Act, until: Callable[[], bool], port: str) -> None:
        """Go the way to `port` without walls, until it is reached."""
        await self._attempt(await self.naked.new_context(), act, until, port)

    async def walled_way(self, act: Act, until: Callable[[list[str]], bool], port: str) -> list[str]:
        """Go the way to `port` with both walls, until what they blocked is enough; gives that."""
        guard = Guard(allow_private=(f"{SITE}:{self.site_port}", f"127.0.0.1:{self.site_port}"))
        async with ContextProxy(guard, {}, resolve=resolve) as proxy:
            context, routed = await self.armed.new_context(proxy=proxy.settings), list[str]()
            await guarded(context, guard, routed)
            await self._attempt(context, act, lambda: until(routed + proxy.blocked), port)
            return routed + proxy.blocked

    async def _attempt(self, context: BrowserContext, act: Act, until: Callable[[], bool], port: str) -> None:
        site, numbered = (f"http://{host}:{self.site_port}/" for host in (SITE, "127.0.0.1"))
        escape = Escape(await context.new_page(), site, numbered, f"127.0.0.1:{port}")
        acting = asyncio.create_task(act(escape))
        async with asyncio.timeout(PATIENCE):
            while not until():  # noqa: ASYNC110 - of three kinds, and none sends an event
                await asyncio.sleep(0.01)
        acting.cancel()  # a navigation may wait for ever for an answer that never comes
        await asyncio.gather(acting, return_exceptions=True)
        await context.close()


async def guarded(context: BrowserContext, guard: Guard, routed: list[str]) -> None:
    """The second wall; `routed` lists what it refused."""

    async def on_route(route: Route) -> None:
        with suppress(Error):  # the page may be gone by now
            if guard.refusal(route.request.url):
                routed.append(route.request.url)
                await route.abort("aborted")
            else:
                await route.continue_()

    await context.route("**/*", on_route)


@dataclass
class Secret:
    """A server that must not be reached: a connection is enough."""

    port: str
    connections: int = 0


@asynccontextmanager
async def secret_server() -> AsyncIterator[Secret]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secret.connections += 1
        with suppress(ConnectionError):
            await reader.read(1 << 16)
            writer.write(b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n")
            writer.write(b"Connection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    async with AsyncExitStack() as servers:
        first, *others = LOOPBACK
        server = await servers.enter_async_context(await asyncio.start_server(serve, first, 0))
        port = server.sockets[0].getsockname()[1]
        secret = Secret(str(port))
        for address in others:
            await servers.enter_async_context(await asyncio.start_server(serve, address, port))
        yield secret


@asynccontextmanager
async def launched(*flags: str) -> AsyncIterator[Browser]:
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=executable, args=flags, chromium_sandbox=False)


@asynccontextmanager
async def rigged() -> AsyncIterator[Rig]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    names = "--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.test. 127.0.0.1"
    async with launched(names) as naked, launched(*BROWSER_FLAGS) as armed:
        yield Rig(naked, armed, runner.addresses[0][1])
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[Rig]:
    async with rigged() as rig:
        yield rig


@pytest.mark.parametrize("way", WAYS)
async def test_a_way_to_a_forbidden_address_leads_there_only_without_walls(rig: Rig, way: str) -> None:
    async with secret_server() as open_one, secret_server() as secret:

        def stopped(blocked: list[str]) -> bool:
            unasked = way in UNASKED and open_one.connections > 0
            return unasked or secret.connections > 0 or bool(blocked)

        async with asyncio.TaskGroup() as both:
            both.create_task(rig.open_way(WAYS[way], lambda: open_one.connections > 0, open_one.port))
            walled = both.create_task(rig.walled_way(WAYS[way], stopped, secret.port))
        assert secret.connections == 0
        assert way in UNASKED or f":{secret.port}" in walled.result()[0]


@pytest.mark.parametrize("way", INERT)
async def test_what_this_browser_does_not_do_leads_nowhere_either(rig: Rig, way: str) -> None:
    async with secret_server() as secret:
        await rig.walled_way(INERT[way], lambda blocked: True, secret.port)
        assert secret.connections == 0


async def test_a_file_is_shown_only_without_walls(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    guard = Guard()
    async with ContextProxy(guard, {}, resolve=resolve) as proxy:
        for walls in (False, True):
            context, routed = await rig.armed.new_context(proxy=proxy.settings), list[str]()
            if walls:
                await guarded(context, guard, routed)
            page = await context.new_page()
            for scheme in ("file://", "view-source:file://"):
                with suppress(Error):
                    await page.goto(f"{scheme}{tmp_path}/secret.txt")
                assert ("the secret" in await page.content()) is not walls
            assert bool(routed) is walls
            await context.close()


GATHER = """port => new Promise(done => {
  const p = new RTCPeerConnection({iceServers: [
    {urls: 'stun:127.0.0.1:' + port}, {urls: 'turn:127.0.0.1:' + port, username: 'u', credential: 'c'}]});
  p.onicegatheringstatechange = () => p.iceGatheringState == 'complete' && done();
  p.createDataChannel('d');
  p.createOffer().then(offer => p.setLocalDescription(offer));
})"""


class Packets(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.came = asyncio.Event()

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.came.set()


async def test_webrtc_sends_packets_only_without_walls(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    transport, packets = await loop.create_datagram_endpoint(Packets, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    async with ContextProxy(Guard(), {}) as proxy, asyncio.timeout(PATIENCE):
        walled = await rig.armed.new_context(proxy=proxy.settings)
        await (await walled.new_page()).evaluate(GATHER, port)  # until it has tried all
        assert not packets.came.is_set()
        naked = await rig.naked.new_context()
        gathering = asyncio.create_task((await naked.new_page()).evaluate(GATHER, port))
        await packets.came.wait()
        gathering.cancel()
        await asyncio.gather(gathering, return_exceptions=True)
        await asyncio.gather(walled.close(), naked.close())
    transport.close()


async def test_a_context_without_a_proxy_of_its_own_reaches_nothing(rig: Rig) -> None:
    async with secret_server() as secret:
        context = await rig.armed.new_context()
        page = await context.new_page()
        for host in (*LOOPBACK[:2], f"[{LOOPBACK[2]}]", "localhost"):
            with pytest.raises(Error, match="ERR_PROXY_CONNECTION_FAILED"):
                await page.goto(f"http://{host}:{secret.port}/")
        assert secret.connections == 0
        await context.close()
