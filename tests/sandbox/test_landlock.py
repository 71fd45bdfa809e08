"""What Landlock takes from a process, as root and without rights: each denial is first shown to be none."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.inside import landlock

SYSTEM_PYTHON = "/usr/bin/python3"
NOBODY = 65534
KERNEL_ABI = landlock.abi()
ACTIVE_SINCE = {"landlock_files": 1, "landlock_tcp": 4, "landlock_signals": 6, "landlock_abstract_sockets": 6}

pytestmark = pytest.mark.skipif(KERNEL_ABI == 0, reason="untested here: this kernel has no Landlock")

# Runs where there are the folders `read` and `write`, granted so, and `other`, not granted. What a probe
# needs from outside is made before the restriction: the process `outsider`, the sockets `tcp` and `abstract`.
PROGRAM = """
import ctypes, fcntl, os, signal, socket, subprocess, sys
import landlock

libc = ctypes.CDLL(None, use_errno=True)
until_this_ends, held_open = os.pipe()
outsider = os.fork()
if outsider == 0:
    os.close(held_open)
    os.read(until_this_ends, 1)
    os._exit(0)
tcp = socket.create_server(("127.0.0.1", 0))
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("")
abstract.listen()

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

abi, probe = sys.argv[1:]
if abi != "free":
    landlock.abi = lambda: int(abi)
    granted = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/proc", "/no-such-folder", "read"]
    active = landlock.restrict(granted, ["write", "/dev/null", "/dev/ptmx"])
try:
    exec(probe)
    print("allowed")
except OSError as error:
    print("denied:", error)
"""


@pytest.fixture(params=["root", "nobody"])
def user(request: pytest.FixtureRequest) -> str:
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("untested here: takes root")
    return str(request.param)


@pytest.fixture
def folder() -> Iterator[Path]:
    """What `PROGRAM` runs in, and the one module it needs, for every user to use."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o777)
        (root / "modules").mkdir()
        shutil.copy(landlock.__file__, root / "modules")
        yield root


def run(folder: Path, user: str, probe: str, abi: int | None = KERNEL_ABI) -> str:
    """What the probe says, in fresh folders, restricted as a kernel of this ABI can, or not at all."""
    for name in ("read", "write", "other"):
        shutil.rmtree(folder / name, ignore_errors=True)
        for made in (folder / name, folder / name / "empty"):
            made.mkdir()
            made.chmod(0o777)
        (folder / name / "file").write_text("text")
        (folder / name / "file").chmod(0o666)
        shutil.copy("/bin/true", folder / name / "program")
        if os.geteuid() == 0 and user == "nobody":
            os.chown(folder / name / "file", NOBODY, NOBODY)
            os.chown(folder / name / "empty", NOBODY, NOBODY)
    identity = (
        {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        if os.geteuid() == 0 and user == "nobody"
        else {}
    )
    done = subprocess.run(  # type: ignore[call-overload]
        [SYSTEM_PYTHON, "-B", "-c", PROGRAM, "free" if abi is None else str(abi), probe],
        cwd=folder,
        env={"PYTHONPATH": "modules"},
        capture_output=True,
        text=True,
        timeout=60,
        **identity,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


DENIED = {
    "landlock_files": {
        "read a file": "open('other/file')",
        "read a file by a way round": "open('write/../other/file')",
        "read a file by a link": "os.symlink('../other/file', 'write/link'); open('write/link')",
        "read a file in a child": "check(-subprocess.run(['grep', '-q', 'text', 'other/file']).returncode)",
        "list a folder": "os.listdir('other')",
        "write a file": "open('other/file', 'a')",
        "truncate a file": "os.truncate('other/file', 0)",
        "run a program": "subprocess.run(['other/program'])",
        "make a file": "open('other/new', 'x')",
        "make a folder": "os.mkdir('other/new')",
        "make a FIFO": "os.mkfifo('other/new')",
        "make a socket": "socket.socket(socket.AF_UNIX).bind('other/new')",
        "make a symbolic link": "os.symlink('file', 'other/new')",
        "make a hard link": "os.link('other/file', 'other/new')",
        "remove a file": "os.unlink('other/file')",
        "remove a folder": "os.rmdir('other/empty')",
        "rename a file": "os.rename('other/file', 'other/new')",
        "move a file out": "os.rename('write/file', 'other/new')",
        "move a file in": "os.rename('other/file', 'write/new')",
        "read the memory of a process outside": "open(f'/proc/{outsider}/mem', 'rb')",
        "trace a process outside": "check(libc.ptrace(0x4206, outsider, 0, 0))  # PTRACE_SEIZE",
        "write a file that can be read": "open('read/file', 'a')",
        "truncate a file that can be read": "os.truncate('read/file', 0)",
        "make a file among those that can be read": "open('read/new', 'x')",
        "remove a file that can be read": "os.unlink('read/file')",
        "make a file that can be read writable by a link": "os.link('read/file', 'write/new')",
        "make a file that can be read writable by moving it": "os.rename('read/file', 'write/new')",
        "make a written file appear among those that can be read": "os.rename('write/file', 'read/new')",
        "make a character device": "os.mknod('write/device', 0o20600, os.makedev(1, 3))",
        "make a block device": "os.mknod('write/device', 0o60600, os.makedev(7, 0))",
        "use a device by ioctl": "fcntl.ioctl(open('/dev/ptmx', 'rb'), 0x80045430, b'4444')  # TIOCGPTN",
        "mount": "check(libc.unshare(0x20000)); check(libc.mount(b'none', b'/', None, 0x44000, None))",
    },
    "landlock_tcp": {
        "bind a TCP port": "socket.socket().bind(('127.0.0.1', 0))",
        "connect by TCP": "socket.create_connection(tcp.getsockname())",
    },
    "landlock_signals": {
        "end a process outside": "os.kill(outsider, signal.SIGTERM)",
        "end a process outside by a descriptor": (
            "signal.pidfd_send_signal(os.pidfd_open(outsider), signal.SIGTERM)"
        ),
        "ask whether a process outside lives": "os.kill(outsider, 0)",
    },
    "landlock_abstract_sockets": {
        "connect to an abstract socket": "socket.socket(socket.AF_UNIX).connect(abstract.getsockname())",
    },
}
TAKES_ROOT = {"make a character device", "make a block device", "mount"}

ALLOWED = {
    "read": "open('read/file').read(); os.listdir('read'); open('/usr/bin/env', 'rb').read()",
    "run a program that can be read": "subprocess.run(['read/program'], check=True)",
    "run a program of the system": "subprocess.run(['ls', '/usr'], check=True, stdout=subprocess.DEVNULL)",
    "run a written program": "subprocess.run(['write/program'], check=True)",
    "write, truncate and read": (
        "open('write/new', 'w').write('a'); os.truncate('write/file', 1); open('write/new').read()"
    ),
    "make and remove": (
        "os.mkdir('write/a'); os.mkfifo('write/b'); os.symlink('b', 'write/c');"
        "os.rmdir('write/a'); os.unlink('write/b'); os.unlink('write/c')"
    ),
    "link and move between folders": (
        "os.link('write/file', 'write/empty/a'); os.rename('write/file', 'write/empty/b')"
    ),
    "use a device otherwise": "open('/dev/null', 'w').write('gone')",
    "signal a child": "subprocess.Popen(['cat'], stdin=subprocess.PIPE).kill()",
    "signal itself": "os.kill(os.getpid(), 0)",
    "use a unix socket of its own": (
        "inside = socket.socket(socket.AF_UNIX); inside.bind(''); inside.listen();"
        "socket.socket(socket.AF_UNIX).connect(inside.getsockname());"
        "socket.socket(socket.AF_UNIX).bind('write/socket')"
    ),
    "use what was open before": "assert tcp.getsockname() and abstract.getsockname()",
}


@pytest.mark.parametrize(
    ("protection", "attempt"), [(name, attempt) for name, probes in DENIED.items() for attempt in probes]
)
def test_denies_outside_of_what_was_granted_to(
    protection: str, attempt: str, user: str, folder: Path
) -> None:
    if attempt in TAKES_ROOT and user != "root":
        pytest.skip("without root the kernel denies it in any case")
    if ACTIVE_SINCE[protection] > KERNEL_ABI:
        pytest.skip(f"untested here: this kernel's Landlock has ABI {KERNEL_ABI}")
    probe = DENIED[protection][attempt]
    assert run(folder, user, probe, abi=None) == "allowed"
    assert run(folder, user, probe).startswith("denied")


@pytest.mark.parametrize("attempt", ALLOWED)
def test_lets_a_program_still(attempt: str, user: str, folder: Path) -> None:
    assert run(folder, user, ALLOWED[attempt]) == "allowed"


@pytest.mark.parametrize("abi", range(1, 8))
def test_an_older_kernel_gives_what_it_can_and_says_what(abi: int, user: str, folder: Path) -> None:
    if abi > KERNEL_ABI:
        pytest.skip(f"untested here: this kernel's Landlock has ABI {KERNEL_ABI}")
    active = [name for name, since in ACTIVE_SINCE.items() if since <= abi]
    assert run(folder, user, "print(*active)", abi).split() == [*active, "allowed"]
    assert run(folder, user, DENIED["landlock_files"]["read a file"], abi).startswith("denied")
    assert run(folder, user, ALLOWED["make and remove"], abi) == "allowed"


def test_without_landlock_nothing_is_said_to_hold(user: str, folder: Path) -> None:
    assert run(folder, user, "print(active); open('other/file')", abi=0).split() == ["()", "allowed"]


@pytest.mark.parametrize("abi", [0, KERNEL_ABI])
def test_no_program_gives_privileges_back(abi: int, user: str, folder: Path) -> None:
    told = "print([line for line in open('/proc/self/status') if line.startswith('NoNewPrivs')])"
    assert "0" in run(folder, user, told, abi=None)
    assert "1" in run(folder, user, told, abi)


def test_a_folder_to_write_in_must_be_there(folder: Path) -> None:
    probe = "landlock.restrict([], ['no-such-folder'])"
    assert "No such file or directory: 'no-such-folder'" in run(folder, "nobody", probe, abi=None)
