"""Ways out over a network: the host's listeners, other machines, socket families no namespace confines."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Control, Probe

NO_FAMILY = ("EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "ENODEV")

# The arguments of a socket are words of 32 bits to the kernel and of 64 to a filter: hence the high bits.
FAMILIES: tuple[tuple[str, int, int, int, Control], ...] = (
    # name, family, type, protocol, control
    ("netlink route", 16, 3, 0, "unprivileged"),
    ("netlink diagnostics", 16, 3, 4, "unprivileged"),
    ("netlink IPsec", 16, 3, 6, "unprivileged"),
    ("netlink netfilter", 16, 3, 12, "unprivileged"),
    ("netlink device events", 16, 3, 15, "unprivileged"),
    ("netlink generic", 16, 3, 16, "unprivileged"),
    ("packet", 17, 3, 0, "bare"),
    ("IPsec keys", 15, 3, 2, "bare"),
    ("CAN", 29, 3, 1, "unprivileged"),
    ("TIPC", 30, 1, 0, "unprivileged"),
    ("Bluetooth", 31, 3, 1, "unprivileged"),
    ("kernel crypto", 38, 5, 0, "unprivileged"),
    ("vsock stream", 40, 1, 0, "unprivileged"),
    ("vsock datagram", 40, 2, 0, "unprivileged"),
    ("SMC", 43, 1, 0, "unprivileged"),
    ("XDP", 44, 3, 0, "bare"),
    ("vsock, with high bits", 40 | 1 << 32, 1, 0, "unprivileged"),
    ("netlink, with high bits", 16 | 1 << 32, 3, 0, "unprivileged"),
)
# Families that a jail may have, with types and protocols that it need not.
PROTOCOLS: tuple[tuple[str, int, int, int, Control], ...] = (
    ("raw IPv4", 2, 3, 1, "bare"),
    ("raw IPv6", 10, 3, 58, "bare"),
    ("SCTP", 2, 1, 132, "unprivileged"),
    ("multipath TCP", 2, 1, 262, "unprivileged"),
)

UDP = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
with attempt():
    s.connect(("127.0.0.1", HOST.udp_port))
    s.send(b"leak")
    time.sleep(0.05)  # where nobody listens, the next one is told so
    s.send(b"leak")
"""
# Without waiting for an answer: a packet on its way is out.
FAR = """
import socket
s = socket.socket(socket.{family}, socket.{kind} | socket.SOCK_NONBLOCK)
with attempt("EINPROGRESS", "EHOSTUNREACH", "ECONNREFUSED"):
    s.connect(({address!r}, {port}))
    s.send(b"leak")
"""
INTERFACES = """
import fcntl, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for line in open("/proc/net/dev").readlines()[2:]:
    name = line.split(":")[0].strip()
    flags = struct.unpack("16xH14x", fcntl.ioctl(s, 0x8913, struct.pack("16s16x", name.encode())))[0]
    if flags & 1 and not flags & 8:  # up, and not a loopback
        breach(name)
blocked("nothing but the loopback")
"""
OWN_ADDRESS = """
import fcntl, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
address = struct.pack("=H2x4s8x", socket.AF_INET, socket.inet_aton("198.51.100.1"))
with attempt(): fcntl.ioctl(s, 0x8916, struct.pack("16s16s", b"lo:9", address))
"""
TUNNEL = """
import fcntl
with attempt(): fcntl.ioctl(os.open("/dev/net/tun", os.O_RDWR), 0x400454CA, struct.pack("16sH14x", b"", 1))
"""
FORGED_CREDENTIALS = """
import socket
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
who = struct.pack("3i", 1, 0, 0)
with attempt(): a.sendmsg([b"I am init"], [(socket.SOL_SOCKET, 2, who)])
"""


def _connect(family: str, address: str) -> str:
    return f"import socket\nwith attempt(): socket.socket(socket.{family}).connect({address})"


def _socket(family: int, kind: int, protocol: int) -> str:
    return f'with attempt(): syscall("socket", {family}, {kind}, {protocol})'


PROBES = (
    Probe(
        "TCP to the host's loopback",
        "network namespace",
        _connect("AF_INET", '("127.0.0.1", HOST.tcp_port)'),
        control="unprivileged",
    ),
    Probe(
        "TCP to every address of the host",
        "network namespace",
        _connect("AF_INET", '("0.0.0.0", HOST.tcp_port)'),
        control="unprivileged",
    ),
    Probe(
        "TCP to the host's IPv6 loopback",
        "network namespace",
        _connect("AF_INET6", '("::1", HOST.tcp6_port)'),
        control="unprivileged",
        unsupported=("EAFNOSUPPORT", "EADDRNOTAVAIL"),
    ),
    Probe("UDP to the host's loopback", "network namespace", UDP, control="unprivileged"),
    Probe(
        "an abstract Unix socket of the host",
        "network namespace",
        _connect("AF_UNIX", '"\\0" + HOST.abstract_name'),
        control="unprivileged",
    ),
    Probe(
        "a Unix socket file of the host",
        "file system",
        _connect("AF_UNIX", "HOST.unix_path"),
        control="unprivileged",
    ),
    *(
        Probe(name, "network namespace", FAR.format(family=f, kind=k, address=a, port=p), "unprivileged")
        for name, f, k, a, p in (
            ("TCP to the cloud's metadata", "AF_INET", "SOCK_STREAM", "169.254.169.254", 80),
            ("TCP to another machine", "AF_INET", "SOCK_STREAM", "192.0.2.53", 443),
            ("UDP to another machine", "AF_INET", "SOCK_DGRAM", "192.0.2.53", 123),
            ("a question to a name server", "AF_INET", "SOCK_DGRAM", "192.0.2.53", 53),
        )
    ),
    Probe(
        "TCP to another machine by IPv6",
        "network namespace",
        FAR.format(family="AF_INET6", kind="SOCK_STREAM", address="2001:db8::53", port=443),
        control="unprivileged",
        unsupported=("EAFNOSUPPORT", "EADDRNOTAVAIL", "ENETUNREACH"),
    ),
    *(
        Probe(f"a socket: {name}", "seccomp", _socket(family, kind, protocol), control, unsupported=NO_FAMILY)
        for name, family, kind, protocol, control in (*FAMILIES, *PROTOCOLS)
    ),
    Probe(
        "the host's network interfaces",
        "network namespace",
        INTERFACES,
        control="unprivileged",
        unsupported=("nothing but the loopback",),
    ),
    Probe("an address added to the own network", "capabilities", OWN_ADDRESS),
    Probe("a tunnel device", "capabilities", TUNNEL, unsupported=("ENOENT",)),
    Probe("credentials of init in a message", "capabilities", FORGED_CREDENTIALS),
)
