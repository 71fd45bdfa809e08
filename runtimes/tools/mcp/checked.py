"""HTTP to the hosts of a policy only, at addresses that are looked up and checked for each request."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from runtimes.tools.mcp.servers import MAX_MESSAGE_BYTES
from sandbox.addresses import EgressPolicy
from sandbox.lookups import SystemLookups


class CheckedTransport(httpx2.AsyncBaseTransport):
    """Connects to the checked address itself, so that a name cannot come to mean another in between."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._lookups = SystemLookups()
        self._transport = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        host = f"[{url.host}]" if ":" in url.host else url.host
        fault = self._policy.check_name(host, port)
        addresses: list[str] = []
        if fault is None:
            try:
                addresses = list(await self._lookups(url.host, port))
            except OSError as error:
                raise httpx2.ConnectError(f"{host} has no address: {error.strerror}") from error
            fault = self._policy.check(host, port, addresses)
        if fault is not None:
            raise httpx2.ConnectError(f"{fault} (MCP_ALLOWED_HOSTS)")
        # The header Host is there already; the certificate is to be the name's.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        response = await self._connect(request, addresses)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            # Of a stream of events whoever reads it bounds each.
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(response.stream)
        return response

    async def _connect(self, request: httpx2.Request, addresses: list[str]) -> httpx2.Response:
        """Try one address after the other, as a connection by name would."""
        name = request.url
        for address in addresses[:-1]:
            try:
                request.url = name.copy_with(host=address)
                return await self._transport.handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        request.url = name.copy_with(host=addresses[-1])
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        self._lookups.close()
        await self._transport.aclose()


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error when it is too long, as it is held in memory as a whole."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in self._body:
            length += len(chunk)
            if length > MAX_MESSAGE_BYTES:
                raise httpx2.ReadError(f"an answer of more than {MAX_MESSAGE_BYTES >> 20} MB")
            yield chunk

    async def aclose(self) -> None:
        await self._body.aclose()
