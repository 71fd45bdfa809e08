"""Which hosts and addresses may be reached: pure decisions; who looks up and connects is `egress.py`."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

# The IANA special-purpose registries; the first match holds. Written out, because `is_private` and its like
# answer differently from one Python version to the next.
_METADATA = "169.254.169.254 168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 fd20:ce::254"
_KINDS = tuple(
    (ip_network(network), kind)
    for kind, networks in (
        ("a cloud metadata address", _METADATA),
        ("an unspecified address", "0.0.0.0/8 ::"),
        ("a loopback address", "127.0.0.0/8 ::1"),
        ("a private address", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"),
        ("a shared (CGNAT) address", "100.64.0.0/10"),
        ("a link-local address", "169.254.0.0/16 fe80::/10"),
        ("a multicast address", "224.0.0.0/4 ff00::/8"),
        ("an IPv4-mapped address", "::ffff:0:0/96"),
        ("", "64:ff9b::/96 2001::/32 2002::/16"),  # NAT64, Teredo, 6to4: as public as the IPv4 they embed
        ("a documentation address", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
        ("a reserved address", "192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 240.0.0.0/4 2001::/23"),
        ("a reserved address", "::/3 4000::/2 8000::/1"),  # all that is not in 2000::/3
    )
    for network in networks.split()
)
_METADATA_ADDRESSES = frozenset(map(ip_address, _METADATA.split()))
_NAT64 = ip_network("64:ff9b::/96")

_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# IDNA 2003, which Python has, turns these into other letters and IDNA 2008 does not: two different hosts.
_AMBIGUOUS = frozenset("ßς\u200c\u200d")


def not_public(address: Address) -> str:
    """What keeps `address` off the public internet, such as "a private address"; empty if it is public."""
    for embedded in _embedded(address):
        if kind := not_public(embedded):
            return f"an address that stands for {embedded}, {kind}"
    return next((kind for network, kind in _KINDS if address in network), "")


def normal_host(text: str) -> str:
    """A host as it is compared: a lower-case ASCII name, no dot at its end, or an address (IPv6 in brackets).

    Raises ValueError, whose text goes on after the host, for what is neither, and for an address in any
    spelling but the canonical: 127.1, 0x7f000001 or 017700000001 mean one thing here and another elsewhere.
    """
    if text.startswith("[") and text.endswith("]"):
        return f"[{_canonical(IPv6Address, text[1:-1].lower())}]"
    if len(text) > 254 or _AMBIGUOUS & set(text):
        raise ValueError("is not a host name (write it in ASCII, as xn--...)")
    try:
        text = text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("is not a host name") from None
    name = text.removesuffix(".")
    if literal_address(name):
        return _canonical(IPv4Address, text)
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("is not a host name")
    return name


def literal_address(host: str) -> str | None:
    """The address that a host from `normal_host` is, without brackets; None for a name."""
    if host.startswith("["):
        return host[1:-1]
    return host if _NUMBER.fullmatch(host.rpartition(".")[2]) else None


def split_authority(text: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[v6]` or `[v6]:port` as its parts. Raises ValueError as `normal_host` does."""
    match = _AUTHORITY.fullmatch(text)
    if not match:
        raise ValueError("is not HOST or HOST:PORT")
    port = int(match[2]) if match[2] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("has a port that is not within 1 to 65535")
    return match[1], port


@dataclass(frozen=True)
class EgressPolicy:
    """Which hosts may be reached, and at which addresses.

    An entry is `example.org`, `*.example.org` (all names below it, not itself) or `*` (any host), each with
    an optional `:port`. Without one, `granted` means `ports`, `denied` and `allow_private` all ports.
    `denied` wins, and holds for the addresses of names too. Hosts in `allow_private` (they must be granted
    as well) may lie at addresses that are not public, but a name never leads to a metadata service.
    `own` are addresses that are this machine's: no more public than loopback, whatever network they are of.
    Raises ValueError for an entry that cannot be read.
    """

    granted: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    allow_private: tuple[str, ...] = ()
    ports: Container[int] = (80, 443)
    own: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for entries in (self.granted, self.denied, self.allow_private):
            if isinstance(entries, str):
                raise ValueError(f"{entries!r} is one string. Give a tuple of hosts.")
            for entry in entries:
                if _pattern(entry)[0] == "*" and entries is self.allow_private:
                    raise ValueError(
                        f"{entry!r} in allow_private would open every private network. Name hosts."
                    )

    def check_name(self, host: str, port: int) -> str | None:
        """Why `host` may not even be looked up, which would tell others its name; None when it may."""
        try:
            host = normal_host(host)
        except ValueError as error:
            return f"{host[:100]}:{port} {error}"
        if _covered(self.denied, host, port):
            return f"{host}:{port} is denied"
        if not _covered(self.granted, host, port, any_port=port in self.ports):
            return f"{host}:{port} not granted"
        return None

    def check(self, host: str, port: int, addresses: Iterable[str]) -> str | None:
        """Why `host`, found at `addresses`, may not be reached; None when it may, at each one of them."""
        if reason := self.check_name(host, port):
            return reason
        host, addresses = normal_host(host), tuple(addresses)
        for text in addresses:
            if fault := self._address_fault(host, port, text):
                verb = "is" if text == literal_address(host) else f"resolves to {text},"
                return f"{host}:{port} {verb} {fault}"
        return None if addresses else f"{host}:{port} has no address"

    def _address_fault(self, host: str, port: int, text: str) -> str:
        try:
            address = ip_address(text)
        except ValueError:
            return "not an address"
        if _covered(self.denied, f"[{address}]" if address.version == 6 else str(address), port):
            return "a denied address"
        metadata = not _METADATA_ADDRESSES.isdisjoint((address, *_embedded(address)))
        if _covered(self.allow_private, host, port) and (not metadata or literal_address(host)):
            return ""
        return not_public(address) or ("an address of this machine" if str(address) in self.own else "")


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    if isinstance(address, IPv4Address):
        return ()
    nat64 = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    found = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()), nat64)
    return tuple(embedded for embedded in found if embedded is not None)


def _canonical(kind: type[Address], text: str) -> str:
    try:
        if "%" not in text and str(kind(text)) == text:
            return text
    except ValueError:
        pass
    raise ValueError("is an address that is not in its canonical form")


@lru_cache(maxsize=1024)
def _pattern(entry: str) -> tuple[str, int | None]:
    try:
        host, port = split_authority(entry)
        if host == "*":
            return host, port
        name = normal_host(host.removeprefix("*."))
        if host.startswith("*.") and literal_address(name):
            raise ValueError("has a star before an address")
    except ValueError as error:
        forms = "example.org, *.example.org, example.org:8443 or [2606:4700::1111]:443"
        raise ValueError(f"The host {entry!r} {error}. Write it as {forms}.") from None
    return (f"*.{name}" if host.startswith("*.") else name), port


def _covered(entries: tuple[str, ...], host: str, port: int, any_port: bool = True) -> bool:
    """Whether an entry names `host` with `port` or, where `any_port`, without one."""
    return any(
        (pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:])))
        and (named_port == port or (named_port is None and any_port))
        for pattern, named_port in map(_pattern, entries)
    )
