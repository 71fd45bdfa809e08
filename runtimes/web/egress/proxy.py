"""The one way out of a browser context: a proxy of its own, which decides over every connection.

Every request that Chromium makes for the context comes here, also those that routes do not see: redirects,
first requests of popups, WebSockets, prerendering, service workers, downloads, `context.request`. For plain
http the proxy reads the whole address. Of https (and of WebSockets) it sees host and port of a CONNECT and
carries what follows unread, so it cannot tell one path of a host from another, nor, behind one address, the
site that the browser names inside the tunnel; that the answer comes from the host that was named is proved
by its certificate, which the browser goes on checking. What makes no request, such as `file://`, never comes
here: that is the route guard's.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

import psutil

from runtimes.web.browser.sites import LocalSites
from runtimes.web.egress.guard import Guard
from sandbox.egress import EgressProxy, ProxyLimits
from sandbox.lookups import PinnedLookups, Resolve, SystemLookups

if TYPE_CHECKING:
    from playwright.async_api import ProxySettings

BROWSER_FLAGS = (
    # A context without a proxy of its own reaches nothing (only root can listen on port 9), and nothing but
    # proxies looks up names.
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
"""What Chromium is started with, lest something of it pass by the proxies."""

FaultClass = Literal["refused_address", "name_not_resolved", "connection_failed"]

# Chromium keeps up to 32 connections to a proxy, and as many WebSockets; its addresses may be long.
_LIMITS = ProxyLimits(header_bytes=256 << 10, connections=128)
_USER = "context"


def is_of_proxy(headers: Mapping[str, str]) -> bool:
    """Whether a response of these headers, their names in lower case, is the proxy's own, not the site's."""
    return headers.get("proxy-status", "").startswith("egress;")


class ContextProxy:
    """An async context manager; `address` and `settings` hold from its beginning, `blocked` also after it.

    `blocked` lists what was refused as "host:port reason", oldest first. `resolve` gives the addresses of a
    name instead of the machine's resolver. A name keeps the addresses it had first, as long as the proxy is.

    The proxy listens on 127.0.0.1 and asks for a password that only this object and the browser know: other
    processes of this machine can connect, and thereby take up its room, but get nothing through it.
    """

    def __init__(self, guard: Guard, sites: LocalSites, *, resolve: Resolve | None = None) -> None:
        self.blocked: list[str] = []
        self._guard = guard
        self._sites = {name: port for name, port in sites.items() if not guard.refusal(f"http://{name}/")}
        self._resolve = resolve
        self._password = secrets.token_urlsafe(24)
        self._open = AsyncExitStack()
        self._proxy: EgressProxy
        self._port = 0

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            self._port = listener.getsockname()[1]
            lookups = SystemLookups()
            stack.callback(lookups.close)
            self._proxy = EgressProxy(
                listener,
                replace(self._guard.policy, own=_own_addresses()),
                limits=_LIMITS,
                resolve=PinnedLookups(self._resolve or lookups),
                local=self._sites,
                refusal=self._guard.refusal,
                credentials=f"{_USER}:{self._password}",
            )
            self.blocked = self._proxy.blocked
            await stack.enter_async_context(self._proxy)
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._open.aclose()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def settings(self) -> ProxySettings:
        """What `browser.new_context(proxy=...)` takes; also loopback addresses go to the proxy."""
        return {
            "server": self.address,
            "bypass": "<-loopback>",
            "username": _USER,
            "password": self._password,
        }

    def fault(self, url: str) -> tuple[FaultClass, str] | None:
        """What kept the last connection to the host of `url` from being made, and why; None if it was made.

        A page sees no more of it than "tunnel failed" for https and the proxy's own answer for http, whose
        header Proxy-Status says that it is not the site's.
        """
        parts = urlsplit(url)
        host, port = parts.netloc.rpartition("@")[2], parts.port
        place = host.lower() if port else f"{host.lower()}:{443 if parts.scheme == 'https' else 80}"
        found = self._proxy.faults.get(place)
        if found is None:
            return None
        kind, reason = found
        if kind in ("refused", "malformed"):
            return "refused_address", reason
        return "name_not_resolved" if kind == "name_not_resolved" else "connection_failed", reason


def _own_addresses() -> tuple[str, ...]:
    """Of all interfaces: by a public one too a page would reach what the platform serves on this machine."""
    families = (socket.AF_INET, socket.AF_INET6)
    found = [entry for interface in psutil.net_if_addrs().values() for entry in interface]
    return tuple(entry.address.partition("%")[0] for entry in found if entry.family in families)
