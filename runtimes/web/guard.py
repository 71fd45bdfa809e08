"""Which addresses a page may open. Pure decisions on URLs; who enforces them is `watch.py`.

A name that resolves to a private address is not seen here: that takes a look at the connection itself.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from runtimes.contracts import TaskSpec
from runtimes.tools.allowance import allowed_domains

SHOP_HOST = "shop.test"
SHOP_URL = f"http://{SHOP_HOST}/"
_WORLD = "/_world"
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
_PAGE_SCHEMES = {"about", "data", "blob", "chrome-error"}


@dataclass(frozen=True)
class Guard:
    """What one context may open: public hosts and the shop, or only `allowed_domains` and the shop.

    An entry of `allowed_domains` is a host, which stands for its subdomains too, or `host:port`. Naming a
    private host or address there is the only way to reach it. `sees_world` opens the shop's graders' pages.
    """

    allowed_domains: tuple[str, ...] | None = None
    sees_world: bool = False

    @classmethod
    def of_task(cls, task: TaskSpec) -> Guard:
        """Raises ToolError where `constraints.allowed_domains` is no list of hosts."""
        if task.constraints.get("allowed_domains") is None:
            return cls()
        return cls(allowed_domains(task))

    def refusal(self, url: str) -> str:
        """Why a request to `url`, as the browser wrote it, is refused; empty when it may go."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").rstrip(".")
            port = parts.port
        except ValueError:
            return "it is not a URL"
        if parts.scheme not in {"http", "https"}:
            return "only http and https addresses may be opened"
        if host == SHOP_HOST:
            return (
                "" if self.sees_world or not _is_world(parts) else "that part of the shop is for graders only"
            )
        if self._names(host, port):
            return ""
        if _is_private(host):
            return "it is on a private or local network"
        if self.allowed_domains is not None:
            return "its host is not among the task's allowed_domains"
        return ""

    def may_show(self, url: str) -> bool:
        """Whether an agent may see a frame at `url`: what may be opened, and what pages make themselves."""
        return urlsplit(url).scheme in _PAGE_SCHEMES or url == "" or not self.refusal(url)

    def _names(self, host: str, port: int | None) -> bool:
        return any(
            host == entry or host.endswith(f".{entry}") or f"{host}:{port}" == entry
            for entry in self.allowed_domains or ()
        )


def _is_world(parts: SplitResult) -> bool:
    return unquote(parts.path).lower().lstrip("/").startswith(_WORLD.lstrip("/"))


def _is_private(host: str) -> bool:
    """Whether `host` names this machine or its network, as a name or as an address literal."""
    if host in {"", "localhost"} or host.endswith(_LOCAL_SUFFIXES):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return not address.is_global or address.is_multicast
