"""The checked way out: an HTTP proxy that looks a host up once, checks what came, and connects to just that.

Which hosts and addresses may be reached is `addresses.py`. Knows neither jails nor browsers, which use it.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import struct
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Self

from sandbox.addresses import EgressPolicy, literal_address, normal_host
from sandbox.lookups import Resolve, SystemLookups
from sandbox.proxy_http import FaultKind, ProxyFault, Request, parse_request

_log = logging.getLogger(__name__)

_CHUNK = 1 << 16
_REMEDY = (
    "Only granted hosts can be reached from here. Whoever set this up can grant one as example.org,\n"
    "*.example.org or example.org:8443; a host on a private network must be named in allow_private too.\n"
)


@dataclass(frozen=True)
class ProxyLimits:
    """`idle_seconds` counts from the last byte either way, `total_bytes` both ways over the proxy's life.

    Connections beyond `connections` wait to be accepted; refusals beyond `listed` are answered, not listed.
    A client that goes on sending after its answer is read from, and not heeded, for `linger_seconds`.
    """

    header_bytes: int = 32 << 10
    header_seconds: float = 10
    connect_seconds: float = 15
    idle_seconds: float = 300
    linger_seconds: float = 2
    connections: int = 64
    listed: int = 1000
    total_bytes: int | None = None


class EgressProxy:
    """Serves CONNECT and plain http:// requests, one a connection, on a listening socket of any namespace.

    The socket stays the caller's and goes on listening after `close`; what waited on it before `start` may be
    left of an earlier use and is closed.

    `resolve` gives the addresses of a name; without it the machine's resolver is asked. `local` names sites
    that the policy is not asked of, each with the port of 127.0.0.1 that stands for its port 80; it has no
    other. `refusal` says why the whole address of a plain request is refused, empty where it is not.
    `credentials`, "user:password", are asked of every client.

    `blocked` lists what was refused and why, oldest first. `faults` tells, for "host:port", of what kind
    the last refusal or failure there was, and its reason, unless a connection was made since.
    """

    def __init__(
        self,
        listener: socket.socket,
        policy: EgressPolicy,
        *,
        limits: ProxyLimits = ProxyLimits(),
        resolve: Resolve | None = None,
        local: Mapping[str, int] = MappingProxyType({}),
        refusal: Callable[[str], str] | None = None,
        credentials: str | None = None,
    ) -> None:
        self.blocked: list[str] = []
        self.faults: dict[str, tuple[FaultKind, str]] = {}
        self._listener = listener.dup()
        self._policy = policy
        self._limits = limits
        self._lookups = SystemLookups()
        self._resolve = resolve or self._lookups
        self._local = local
        self._refusal = refusal
        self._authorization = credentials and f"Basic {b64encode(credentials.encode()).decode()}"
        self._carried_bytes = 0
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._listener.setblocking(False)
        with suppress(BlockingIOError):
            for _ in range(socket.SOMAXCONN):
                self._listener.accept()[0].close()
        self._serving = asyncio.create_task(self._serve(), name="egress-proxy")

    async def close(self) -> None:
        """End every connection and task; returns when all are gone. Safe to call twice."""
        try:
            if self._serving:
                self._serving.cancel()
                await asyncio.wait([self._serving])
        finally:
            self._listener.close()
            self._lookups.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        room = asyncio.Semaphore(self._limits.connections)

        def ended(client: socket.socket, _: asyncio.Task[None]) -> None:
            client.close()
            room.release()

        async with asyncio.TaskGroup() as connections:
            while True:
                await room.acquire()
                try:
                    client, _ = await loop.sock_accept(self._listener)
                except OSError:  # the client is gone already, or this process has no descriptor left
                    room.release()
                    await asyncio.sleep(0.1)
                    continue
                connections.create_task(self._connection(client)).add_done_callback(partial(ended, client))

    async def _connection(self, client: socket.socket) -> None:
        try:
            with suppress(OSError):
                await self._exchange(client)
        except ProxyFault as fault:
            # A stranger's noise is not the client's doing.
            if fault.kind == "refused" or (fault.kind == "malformed" and not self._authorization):
                self._list(fault.reason)
            await _answer(client, fault, self._limits.linger_seconds)
        except Exception:  # a fault in one connection must not end the others
            _log.exception("The egress proxy failed on a connection and closed it.")

    async def _exchange(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head, rest = await self._read_head(client)
        try:
            request = parse_request(head)
        except ValueError as error:
            first = head.partition(b"\r\n")[0].decode("latin-1")
            raise ProxyFault("malformed", f"malformed request: {first[:100]!a} {error}") from None
        with await self._connect(request) as upstream:
            if not request.head:
                established = b"HTTP/1.1 200 Connection established\r\n\r\n"
                await asyncio.get_running_loop().sock_sendall(client, established)
            await self._relay(request, rest, client, upstream)

    async def _read_head(self, client: socket.socket) -> tuple[bytes, bytes]:
        """A request's head without its empty line, and what came after it."""
        limits, data = self._limits, b""
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.header_seconds):
                while b"\r\n\r\n" not in data and len(data) <= limits.header_bytes:
                    chunk = await _receive(client)
                    if not chunk:
                        break
                    data += chunk
        if not data:  # nothing was asked: browsers open connections ahead of need
            raise ConnectionAbortedError
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end or len(head) > limits.header_bytes:
            within = f"{limits.header_bytes} bytes and {limits.header_seconds:g} s"
            raise ProxyFault(
                "malformed", f"malformed request: {data[:100]!a} has no whole head within {within}"
            )
        return head, rest

    async def _connect(self, request: Request) -> socket.socket:
        self._authenticate(request)
        place = f"{request.host}:{request.port}".lower()
        try:
            if request.url and self._refusal and (reason := self._refusal(request.url)):
                raise ProxyFault("refused", f"{request.host}:{request.port} refused: {reason}")
            upstream = await self._open(request)
        except ProxyFault as fault:
            self.faults.pop(place, None)
            if len(self.faults) >= self._limits.listed:
                del self.faults[next(iter(self.faults))]
            self.faults[place] = fault.kind, fault.reason
            raise
        self.faults.pop(place, None)
        return upstream

    def _authenticate(self, request: Request) -> None:
        """Raises ProxyFault for a stranger."""
        if self._authorization and not hmac.compare_digest(
            request.authorization.encode("latin-1"), self._authorization.encode()
        ):
            raise ProxyFault("unauthorized", "this proxy serves one client, which knows its password")

    async def _open(self, request: Request) -> socket.socket:
        """A connection to the one place that was checked. Raises ProxyFault where there is none."""
        host, port, seconds = request.host, request.port, self._limits.connect_seconds
        try:
            async with asyncio.timeout(seconds):
                if host.lower().rstrip(".") in self._local:
                    return await self._open_local(host.lower().rstrip("."), port)
                addresses = await self._addresses(host, port)
                return await _open_first(addresses, port, seconds / len(addresses))
        except TimeoutError:
            raise ProxyFault("timeout", f"{host}:{port} did not answer within {seconds:g} s") from None
        except OSError as error:
            reason = f"{host}:{port} cannot be reached: {error.strerror or error}"
            raise ProxyFault("connection_failed", reason) from None

    async def _open_local(self, host: str, port: int) -> socket.socket:
        if port != 80:
            raise ProxyFault(
                "refused", f"{host}:{port} refused: this site is http on port 80 and nothing else"
            )
        return await _open("127.0.0.1", self._local[host])

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses of `host`, looked up once and all checked; at least one."""
        if reason := self._policy.check_name(host, port):
            raise ProxyFault("refused", reason)
        host = normal_host(host)
        literal = literal_address(host)
        try:
            addresses = [literal] if literal else list(await self._resolve(host, port))
        except OSError as error:
            reason = f"{host}:{port} cannot be reached: {error.strerror or error}"
            raise ProxyFault("name_not_resolved", reason) from None
        if reason := self._policy.check(host, port, addresses):
            raise ProxyFault("refused", reason)
        return addresses

    async def _relay(
        self, request: Request, rest: bytes, client: socket.socket, upstream: socket.socket
    ) -> None:
        """Carry bytes both ways until both ends are done, one breaks, or both are idle for too long."""
        loop, limits = asyncio.get_running_loop(), self._limits

        def carried(count: int) -> None:
            if not deadline.expired():
                deadline.reschedule(loop.time() + limits.idle_seconds)
            self._carried_bytes += count
            if limits.total_bytes is not None and self._carried_bytes > limits.total_bytes:
                self._list(f"{request.host}:{request.port} cut off, {limits.total_bytes} bytes are the limit")
                raise ConnectionAbortedError

        try:
            async with asyncio.timeout(limits.idle_seconds) as deadline, asyncio.TaskGroup() as both:
                sending = both.create_task(_upload(request, rest, client, upstream, carried))
                while data := await _receive(upstream):
                    carried(len(data))
                    await loop.sock_sendall(client, data)
                client.shutdown(socket.SHUT_WR)
                if request.head:
                    sending.cancel()
            await _drain(client, limits.linger_seconds)
        except* OSError:
            # Reset, lest a body that was cut short pass for a whole one.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _list(self, reason: str) -> None:
        if len(self.blocked) < self._limits.listed:
            last = len(self.blocked) == self._limits.listed - 1
            self.blocked.append("further refusals are not listed" if last else reason)


async def _upload(
    request: Request,
    rest: bytes,
    client: socket.socket,
    upstream: socket.socket,
    carried: Callable[[int], None],
) -> None:
    """All that a client sends into a tunnel, else one request. OSError if it breaks off or adds another."""
    left = len(request.head) + request.body_bytes if request.head else sys.maxsize
    data = request.head + rest or await _receive(client)
    while data:
        left -= len(data)
        if left < 0:
            raise ConnectionAbortedError("a second request, whose host was not checked")
        carried(len(data))
        try:
            await asyncio.get_running_loop().sock_sendall(upstream, data)
        except OSError:
            return  # it hung up, but what it answered may still be on its way
        data = await _receive(client)
    if not request.head:
        with suppress(OSError):
            upstream.shutdown(socket.SHUT_WR)
    elif left:
        raise ConnectionAbortedError("half a body")


async def _open_first(addresses: Sequence[str], port: int, seconds: float) -> socket.socket:
    """A connection to the first address that takes one, each within `seconds`. OSError where none does."""
    fault = OSError("no address")
    for address in addresses:
        try:
            async with asyncio.timeout(seconds):
                return await _open(address, port)
        except OSError as error:
            fault = error
    raise fault


async def _open(address: str, port: int) -> socket.socket:
    upstream = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        upstream.setblocking(False)
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(upstream, (address, port))
    except BaseException:
        upstream.close()
        raise
    return upstream


async def _answer(client: socket.socket, fault: ProxyFault, linger_seconds: float) -> None:
    answer = fault.answer(_REMEDY if fault.kind == "refused" else "")
    with suppress(OSError):
        async with asyncio.timeout(linger_seconds):
            await asyncio.get_running_loop().sock_sendall(client, answer)
        client.shutdown(socket.SHUT_WR)
        await _drain(client, linger_seconds)


async def _drain(client: socket.socket, seconds: float) -> None:
    """Read on for a moment: to close over unread bytes would reset the connection under the answer."""
    with suppress(OSError):
        async with asyncio.timeout(seconds):
            while await _receive(client):
                pass


async def _receive(connection: socket.socket) -> bytes:
    # sock_recv does not wait while there is something to read: a flood would keep all else from running.
    await asyncio.sleep(0)
    return await asyncio.get_running_loop().sock_recv(connection, _CHUNK)
