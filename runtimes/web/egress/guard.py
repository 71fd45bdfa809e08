"""Which addresses a page may open. Pure decisions on URLs and names; `proxy.py` and `watch.py` enforce them.

A name that resolves to a private address is not seen here: the proxy looks at that, by `Guard.policy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, partial
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from runtimes.contracts import TaskSpec
from runtimes.errors import ConfigurationError, ToolError
from runtimes.tools.allowance import allowed_domains, bracketed
from runtimes.web.egress.forbidden import forbidden_domain, hosts_under
from sandbox.addresses import EgressPolicy, literal_address, normal_host, not_public, split_authority

SHOP_HOST = "shop.test"
_WORLD = "/_world"
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
_PAGE_SCHEMES = {"about", "data", "blob", "chrome-error"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
# The Fetch standard's "bad ports", where a request could be taken for another protocol's words.
_BAD_PORTS = (
    "1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 "
    "117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 "
    "563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 "
    "6667 6668 6669 6679 6697 10080"
)


@cache
def browser_ports() -> frozenset[int]:
    """The ports a page may use of any host: all but the Fetch standard's bad ones, as browsers have it."""
    return frozenset(range(1, 1 << 16)).difference(map(int, _BAD_PORTS.split()))


_REMEMBERED, _LONGEST_REMEMBERED = 1_000, 2_000
"""Addresses that a guard keeps, and their characters."""


@dataclass(frozen=True)
class Guard:
    """What one context may open: public hosts and the shop, or only `allowed_domains` and the shop.

    An entry of `allowed_domains` is a host, which stands for its subdomains too, or `host:port`. A private
    host or address is reached only where it is named itself, there or in `allow_private`, which is the
    deployment's and grants nothing else. Whoever names a host trusts its DNS: its name may lead to any
    private address, though never to a metadata service. `sees_world` opens the shop's graders' pages. The
    domains of `forbidden`, which is the deployment's too, are closed whoever names them, with all below them;
    the shop is none of the world's sites. Raises ValueError for an entry that cannot be read.
    """

    allowed_domains: tuple[str, ...] | None = None
    sees_world: bool = False
    allow_private: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.policy  # noqa: B018 - reads the entries

    @classmethod
    def of_task(
        cls, task: TaskSpec, allow_private: tuple[str, ...] = (), forbidden: tuple[str, ...] = ()
    ) -> Guard:
        """Raises ToolError where `constraints.allowed_domains` is no list of hosts that can be read.

        Raises ConfigurationError for an entry of `allow_private` or `forbidden` that cannot.
        """
        for what, alone in (
            ("private hosts", partial(cls, allow_private=allow_private)),
            ("forbidden domains", partial(cls, forbidden=forbidden)),
        ):
            try:
                alone()
            except ValueError as error:
                raise ConfigurationError(f"The {what} of the settings: {error}") from error
        named = task.constraints.get("allowed_domains") is not None
        try:
            allowed = allowed_domains(task) if named else ("*",)
            hosts = None if "*" in allowed else allowed
            return cls(hosts, allow_private=allow_private, forbidden=forbidden)
        except ValueError as error:
            raise ToolError("system_error", f"The task's constraints.allowed_domains: {error}") from error

    @cached_property
    def policy(self) -> EgressPolicy:
        """The same for names and the addresses they lead to; local sites are not in it."""
        named = tuple(map(bracketed, self.allowed_domains or ()))
        hosts = [entry for entry in named if split_authority(entry)[1] is None]
        below = tuple(f"*.{host}" for host in hosts if literal_address(normal_host(host)) is None)
        return EgressPolicy(
            ("*",) if self.allowed_domains is None else named + below,
            hosts_under(map(forbidden_domain, self.forbidden)),
            allow_private=named + self.allow_private,
            ports=browser_ports(),
        )

    @cached_property
    def _closed(self) -> EgressPolicy:
        """Denies what is forbidden and nothing else."""
        return EgressPolicy(("*",), self.policy.denied, ports=range(1 << 16))

    @cached_property
    def _private(self) -> EgressPolicy:
        return EgressPolicy(self.policy.allow_private, ports=browser_ports())

    def refusal(self, url: str) -> str:
        """Why a request to `url`, as the browser wrote it, is refused; empty when it may go."""
        try:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError:
            return "it is not a URL"
        if parts.scheme not in _DEFAULT_PORTS:
            return "only http and https addresses may be opened"
        try:
            host = normal_host(bracketed(parts.hostname or ""))
        except ValueError as error:
            return f"its host {error}"
        if host == SHOP_HOST:
            if (parts.scheme, port) != ("http", 80):
                return "the shop is http on port 80 and nothing else"
            return (
                "" if self.sees_world or not _is_world(parts) else "that part of the shop is for graders only"
            )
        return self._host_refusal(host, port)

    def may_show(self, url: str) -> bool:
        """Whether an agent may see a frame at `url`: what may be opened, and what pages make themselves."""
        if url in self._fit:
            return True
        fit = url.partition(":")[0] in _PAGE_SCHEMES or url == "" or not self.refusal(url)
        if fit and len(self._fit) < _REMEMBERED and len(url) < _LONGEST_REMEMBERED:
            self._fit.add(url)
        return fit

    @cached_property
    def _fit(self) -> set[str]:
        """Addresses that may be shown: every step asks twice for each frame."""
        return set()

    def _host_refusal(self, host: str, port: int) -> str:
        if self._closed.check_name(host, port):
            return "its host is forbidden here"
        if _is_private(host) and self._private.check_name(host, port):
            return "it is on a private or local network"
        if not self.policy.check_name(host, port):
            return ""
        if port not in browser_ports():
            return f"port {port} is not one that pages use"
        return "its host is not among the task's allowed_domains"


def _is_world(parts: SplitResult) -> bool:
    return unquote(parts.path).lower().lstrip("/").startswith(_WORLD.lstrip("/"))


def _is_private(host: str) -> bool:
    """Whether `host` names this machine or its network, as a name or as an address literal."""
    literal = literal_address(host)
    if literal is not None:
        return bool(not_public(ip_address(literal)))
    return host == "localhost" or host.endswith(_LOCAL_SUFFIXES)
