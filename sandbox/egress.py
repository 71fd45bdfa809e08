"""The checked way out: an HTTP proxy that looks a host up once, checks what came, and connects to just that.

Which hosts and addresses may be reached is `addresses.py`. Knows neither jails nor browsers, which use it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Self

from sandbox.addresses import EgressPolicy, literal_address, normal_host, split_authority

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_log = logging.getLogger(__name__)

_CHUNK = 1 << 16
_REMEDY = (
    "Only granted hosts can be reached from here. Whoever set this up can grant one as example.org,\n"
    "*.example.org or example.org:8443; a host on a private network must be named in allow_private too.\n"
)

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) (HTTP/1\.[01])")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_URL = re.compile(r"(?i:http)://([^/?#@\\]+)([/?][^#]*)?")
# Hop by hop, or written anew. Connection may name more, but cannot take Content-Length away.
_NOT_PASSED_ON = {
    *("connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"),
    *("te", "trailer", "upgrade", "host", "content-length"),
}


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


class HttpError(Exception):
    """What the proxy answers itself, and why. `reason` is printable ASCII."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = re.sub(r"[^\x20-\x7e]", "?", reason[:300])


@dataclass(frozen=True)
class Request:
    """What a client asks for. `head` goes to the server, then `body_bytes` bytes; a CONNECT has neither."""

    host: str
    port: int
    head: bytes = b""
    body_bytes: int = 0


def parse_request(head: bytes) -> Request:
    """The request in `head`, which comes without its empty line; its host is not checked. Raises ValueError.

    Host is the URL's, and a body must have a length, so that nothing the client adds can ask a granted
    address for another site that it serves as well.
    """
    line, *rest = head.decode("latin-1").split("\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    fields = [field for field in map(_FIELD.fullmatch, rest) if field]
    if not match or len(fields) < len(rest):
        raise ValueError("is not a request of HTTP/1.1, or a header below is none")
    method, target, version = match.groups()
    if method == "CONNECT":
        host, port = split_authority(target)
        if port is None:
            raise ValueError("has no port")
        return Request(host, port)
    url = _URL.fullmatch(target)
    if not url:
        raise ValueError("does not ask for http://HOST/PATH (https takes CONNECT)")
    host, port = split_authority(url[1])

    headers = [(field[1], field[1].lower(), field[2].rstrip(" \t")) for field in fields]
    lengths = {value for _, name, value in headers if name == "content-length"}
    if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", length) for length in lengths):
        raise ValueError("has a Content-Length that is not one number")
    if any(name == "transfer-encoding" for _, name, _ in headers):
        raise ValueError("has a Transfer-Encoding, where only Content-Length is taken")
    options = ",".join(value for _, name, value in headers if name == "connection").lower().split(",")
    dropped = _NOT_PASSED_ON | {option.strip() for option in options}
    path = url[2] or "/"
    lines = [
        f"{method} {path if path.startswith('/') else '/' + path} {version}",
        f"Host: {url[1]}",
        *(f"{written}: {value}" for written, name, value in headers if name not in dropped),
        *(f"Content-Length: {length}" for length in lengths),
        "Connection: close\r\n\r\n",
    ]
    return Request(host, port or 80, "\r\n".join(lines).encode("latin-1"), int(max(lengths, default="0")))


class EgressProxy:
    """Serves CONNECT and plain http:// requests, one a connection, on a listening socket of any namespace.

    The socket stays the caller's and goes on listening after `close`; what waited on it before `start` may be
    left of an earlier use and is closed. `blocked` lists what was refused and why, oldest first. `resolve`
    gives the addresses of a name; without it the machine's resolver is asked.
    """

    def __init__(
        self,
        listener: socket.socket,
        policy: EgressPolicy,
        *,
        limits: ProxyLimits = ProxyLimits(),
        resolve: Resolve | None = None,
    ) -> None:
        self.blocked: list[str] = []
        self._listener = listener.dup()
        self._policy = policy
        self._limits = limits
        self._resolve = resolve or self._ask_resolver
        # Threads of its own: slow look-ups of a hostile client must not take up the event loop's.
        self._lookups = ThreadPoolExecutor(4, "egress-lookup")
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
            self._lookups.shutdown(wait=False, cancel_futures=True)

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
        except HttpError as error:
            if error.status < 500:
                self._list(error.reason)
            await _answer(client, error, self._limits.linger_seconds)
        except Exception:  # a fault in one connection must not end the others
            _log.exception("The egress proxy failed on a connection and closed it.")

    async def _exchange(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head, rest = await self._read_head(client)
        try:
            request = parse_request(head)
        except ValueError as error:
            first = head.partition(b"\r\n")[0].decode("latin-1")
            raise HttpError(400, f"malformed request: {first[:100]!a} {error}") from None
        with await self._connect(request.host, request.port) as upstream:
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
            raise HttpError(400, f"malformed request: {data[:100]!a} has no whole head within {within}")
        return head, rest

    async def _connect(self, host: str, port: int) -> socket.socket:
        if reason := self._policy.check_name(host, port):
            raise HttpError(403, reason)
        host, seconds = normal_host(host), self._limits.connect_seconds
        literal = literal_address(host)
        try:
            async with asyncio.timeout(seconds):
                addresses = [literal] if literal else list(await self._resolve(host, port))
                if reason := self._policy.check(host, port, addresses):
                    raise HttpError(403, reason)
                return await _open_first(addresses, port, seconds / len(addresses))
        except TimeoutError:
            raise HttpError(504, f"{host}:{port} did not answer within {seconds:g} s") from None
        except OSError as error:
            raise HttpError(502, f"{host}:{port} cannot be reached: {error.strerror or error}") from None

    async def _ask_resolver(self, host: str, port: int) -> list[str]:
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._lookups, ask)
        return [str(address[0]) for *_, address in found]

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


async def _answer(client: socket.socket, error: HttpError, linger_seconds: float) -> None:
    # The reason is in the status line too: most clients show no more of a CONNECT that failed.
    body = f"{error.reason}\n{_REMEDY if error.status == 403 else ''}"
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}: {error.reason}\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with suppress(OSError):
        async with asyncio.timeout(linger_seconds):
            await asyncio.get_running_loop().sock_sendall(client, (head + body).encode("ascii"))
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
