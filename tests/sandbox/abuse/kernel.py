"""Administering the machine: modules, clock, swap, names, logs. Each is cut off before it does anything."""

from __future__ import annotations

from tests.sandbox.abuse.probe import Probe

# The kernel asks for rights first and complains about the rest afterwards: the rest is always wrong here, so
# that nothing happens. The errors named are those complaints, and coming to them is the breach.
CALLS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    # name, call, arguments, errors that come after the wall
    ("loading another kernel", "kexec_load", "0, 0, None, 0xFFFF", ("EINVAL",)),
    ("loading another kernel from a file", "kexec_file_load", "-1, -1, 0, None, 0xFFFF", ("EINVAL",)),
    ("loading a module", "init_module", 'None, 0, b""', ("ENOEXEC", "EFAULT")),
    ("loading a module from a file", "finit_module", '-1, b"", 0', ("EBADF",)),
    ("removing a module", "delete_module", 'b"abuse_there_is_none", 0x800', ("ENOENT",)),
    ("restarting the machine", "reboot", "0, 0, 0, None", ("EINVAL",)),
    ("adding swap", "swapon", 'b"/nowhere", 0', ("ENOENT",)),
    ("removing swap", "swapoff", 'b"/nowhere"', ("ENOENT",)),
    ("keeping accounts of processes", "acct", 'b"/nowhere/at/all"', ("ENOENT",)),
    ("setting the time of day", "settimeofday", "None, None", ()),
    ("setting the clock", "clock_settime", '0, struct.pack("ll", 0, 2_000_000_000)', ("EINVAL",)),
    # A tick of 0 is out of range.
    ("setting the clock's speed", "adjtimex", 'struct.pack("I", 0x4000) + bytes(252)', ("EINVAL",)),
    ("setting any clock's speed", "clock_adjtime", '0, struct.pack("I", 0x4000) + bytes(252)', ("EINVAL",)),
    ("naming the machine", "sethostname", 'b"abuse", 5', ()),
    ("naming the domain", "setdomainname", 'b"abuse", 5', ()),
    ("asking the size of the kernel's log", "syslog", "10, None, 0", ()),
    ("reading the kernel's log", "syslog", "3, buffer(512), 512", ()),
    ("hanging up terminals", "vhangup", "", ()),
)
LOG_WRITTEN = """
with attempt(): os.open("/dev/kmsg", os.O_WRONLY)
"""


def _call(call: str, arguments: str, reached: tuple[str, ...]) -> str:
    return f"with attempt({', '.join(map(repr, reached))}): syscall({call!r}, {arguments})"


PROBES = (
    *(Probe(name, "seccomp", _call(call, words, reached)) for name, call, words, reached in CALLS),
    Probe("writing the kernel's log", "file system", LOG_WRITTEN),
)
