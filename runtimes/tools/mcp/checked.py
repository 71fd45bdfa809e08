"""HTTP to the hosts of a policy only, at addresses that were looked up and checked for each request."""

from __future__ import annotations

import httpx2

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
        return await self._connect(request, addresses)

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
