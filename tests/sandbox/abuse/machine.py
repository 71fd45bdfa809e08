"""A throw-away machine: what root does to its files, devices, mounts, network and names is gone with it.

The real files lie under an overlay, so nothing can be written to them or removed, whatever a probe mounts and
wherever. What is left of the real machine is the kernel itself, /sys and block devices: probes open these and
write nothing.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import stat
import struct
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.sandbox.abuse.prelude import LIBC, syscall

# Mounts, control groups, names, queues, processes, network: CLONE_NEWNS, CLONE_NEWCGROUP and so on.
NAMESPACES = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000
BIND, RECURSIVE, READ_ONLY, REMOUNT, PRIVATE = 0x1000, 0x4000, 0x1, 0x20, 0x40000
DETACH = 2
DIE_WITH_PARENT = 1
SECONDS = 20
# Places that only a real network leads to: the cloud's metadata, and machines reserved for documentation.
FAR_ADDRESSES = ("169.254.169.254", "192.0.2.53")
FAR_ADDRESS_6 = "2001:db8::53"


def run(action: Callable[[], None], folder: Path, needed: tuple[Path, ...]) -> str:
    """Run `action` as the first process of a new machine; gives what it and its children printed.

    `folder` is an empty one, which stays empty outside. `needed` are paths that have to be there even if they
    lie on a disk of their own. Raises TimeoutError, and OSError where no such machine can be made.
    """
    output, printed = os.pipe()
    launcher = os.fork()
    if launcher == 0:
        _launch(action, folder, needed, printed)
    os.close(printed)
    try:
        text = _read_all(output)
    except BaseException:
        os.kill(launcher, signal.SIGKILL)
        raise
    finally:
        os.close(output)
        status = os.waitstatus_to_exitcode(os.waitpid(launcher, 0)[1])
    if status > 0:
        raise OSError(status, f"no throw-away machine can be made: {os.strerror(status)}")
    return text


def _read_all(output: int) -> str:
    """What is printed until the last process of the machine is gone."""
    deadline = time.monotonic() + SECONDS
    received = b""
    while select.select([output], [], [], max(0, deadline - time.monotonic()))[0]:
        chunk = os.read(output, 1 << 16)
        if not chunk:
            return received.decode(errors="replace")
        received += chunk
    raise TimeoutError(f"the machine ran for {SECONDS} seconds and said {received!r}")


def _launch(action: Callable[[], None], folder: Path, needed: tuple[Path, ...], printed: int) -> None:
    """The life of a forked process, and of the machine's first one, its child. Never returns."""
    try:
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os.close(printed)
        syscall("unshare", NAMESPACES)
        # Before anything else: from here on no mount shows outside.
        _mount(None, Path("/"), flags=RECURSIVE | PRIVATE)
        first = os.fork()
        if first:
            os.close(1)
            os.close(2)
            os._exit(max(0, os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])))
        LIBC.prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        _build_root(folder, needed)
        _build_network()
    except OSError as error:
        os._exit(error.errno or 1)
    try:
        action()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    # Without tidying up: the kernel takes the machine away, and what a probe mounted is not to be touched.
    os._exit(0)


def _build_root(folder: Path, needed: tuple[Path, ...]) -> None:
    """Make an overlay of the root the root."""
    _mount("none", folder, "tmpfs")
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for each in (upper, work, root):
        each.mkdir()
    # The folder of the workspaces lies in it too, or hard links could never be made.
    _mount("none", root, "overlay", data=f"lowerdir=/,upperdir={upper},workdir={work}")
    for place in _mounted_above(needed):
        _mount(str(place), root / place.relative_to("/"), flags=BIND)
        _mount(None, root / place.relative_to("/"), flags=BIND | REMOUNT | READ_ONLY)
    _mount("/sys", root / "sys", flags=BIND | RECURSIVE)
    _build_devices(root / "dev")
    _mount("none", root / "proc", "proc")
    os.chdir(root)
    syscall("pivot_root", b".", b".")
    syscall("umount2", b".", DETACH)
    os.chdir("/")


def _build_network() -> None:
    """A network with a loopback, an interface of the host's, and a way to the far addresses: to itself."""
    up, set_flags, set_address, set_name, tap = 1, 0x8914, 0x8916, 0x400454CA, 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for alias, address in enumerate(FAR_ADDRESSES, 1):
            where = struct.pack("=H2x4s8x", socket.AF_INET, socket.inet_aton(address))
            fcntl.ioctl(control, set_address, struct.pack("16s16s", b"lo:%d" % alias, where))
        fcntl.ioctl(control, set_flags, struct.pack("16sH14x", b"lo", up))
        if os.path.exists("/dev/net/tun"):
            uplink = os.open(
                "/dev/net/tun", os.O_RDWR
            )  # stays open, for as long as the interface has to be there
            fcntl.ioctl(uplink, set_name, struct.pack("16sH14x", b"uplink", tap))
            fcntl.ioctl(control, set_flags, struct.pack("16sH14x", b"uplink", up))
    if os.path.exists("/proc/net/if_inet6"):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
            loopback = socket.if_nametoindex("lo")
            address_6 = socket.inet_pton(socket.AF_INET6, FAR_ADDRESS_6)
            fcntl.ioctl(control, set_address, struct.pack("=16sIi", address_6, 128, loopback))


def _mounted_above(needed: tuple[Path, ...]) -> list[Path]:
    """The mount points, but for the root, that paths lie under; outer ones first."""
    places = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    above = {place for path in needed for place in path.resolve().parents} | set(needed)
    return [place for place in dict.fromkeys(places) if place in above and place != Path("/")]


def _build_devices(target: Path) -> None:
    """Nodes for the devices of the host in a folder of our own: removing one of these removes nothing."""
    _mount("none", target, "tmpfs", data="mode=755")
    for folder, _, names in os.walk("/dev"):
        if folder.startswith(("/dev/shm", "/dev/pts", "/dev/mqueue", "/dev/hugepages")):
            continue
        here = target / Path(folder).relative_to("/dev")
        here.mkdir(exist_ok=True)
        for name in names:
            status = os.lstat(os.path.join(folder, name))
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                os.mknod(here / name, status.st_mode, status.st_rdev)
                os.chmod(here / name, stat.S_IMODE(status.st_mode))
    (target / "shm").mkdir(exist_ok=True)
    (target / "shm").chmod(0o1777)


def _mount(source: str | None, target: Path, kind: str | None = None, flags: int = 0, data: str = "") -> None:
    words = [word.encode() if word else None for word in (source, str(target), kind)]
    syscall("mount", *words, flags, data.encode() or None)
