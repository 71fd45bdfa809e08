"""The backend without namespaces, as root and as another user: what it runs, and what it denies.

A denied attempt is first made by the host's own user where there is no sandbox, and has to succeed there.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from sandbox import Limits, SandboxPool, SandboxUnavailable
from sandbox.backends.base import SlotKind
from sandbox.backends.choice import examine
from sandbox.backends.landlock import OLDEST_ABI, Landlock
from sandbox.backends.protections import HARDENING, MINIMUM, NAMESPACES
from sandbox.cgroups import Parent
from sandbox.inside import landlock, space
from sandbox.profiles import PLAIN
from sandbox.slot import Slot, Traits
from tests.sandbox.conftest import alive, eventually, lingering, seen
from tests.sandbox.hosts import NOBODY, SYSTEM_PYTHON, pool_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        landlock.abi() < OLDEST_ABI, reason="untested here: this kernel's Landlock is too old"
    ),
]
ACCEPTED = frozenset((*HARDENING, "landlock", "no_network", "no_signals_out", "no_nested_user_namespaces"))
SMALL = Limits(tmp_mb=4, inodes=100, file_mb=32)
NO_GROUPS = Parent(1, {}, {}, "")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["own", "unprivileged"])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    async with pool_of(request.param, "landlock", slots=2, minimum=ACCEPTED) as pool:
        pool.user = request.param
        yield pool


def workspaces() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("sandbox-*"))


async def test_it_names_what_holds_and_no_namespace(host: Any) -> None:
    found = set((await host.run(code="")).protections)
    assert found >= ACCEPTED
    assert found & set(NAMESPACES) == {"no_nested_user_namespaces"}
    assert ("ids_of_its_own" in found) == (host.user == "own" and os.geteuid() == 0)


async def test_it_is_refused_unless_less_is_accepted() -> None:
    async with SandboxPool(backend="landlock", minimum=MINIMUM) as pool:
        with pytest.raises(SandboxUnavailable, match=r"landlock: it is without .*network_namespace"):
            await pool.check()


class Boaster(Landlock):
    """Claims what it has not."""

    def _traits(self, *arguments: Any) -> Traits:
        traits = super()._traits(*arguments)
        return Traits(
            (*traits.protections, "pid_namespace", "network_namespace", "mount_namespace"),
            traits.file_owner,
            traits.own_processes,
            traits.reusable,
        )


async def test_the_canary_sees_through_what_is_only_claimed() -> None:
    assert (await examine(Landlock(NO_GROUPS))).problem == ""
    problem = (await examine(Boaster(NO_GROUPS))).problem
    assert "mount_namespace, pid_namespace, network_namespace" in problem


@pytest.mark.parametrize("abi", [0, OLDEST_ABI - 1])
async def test_an_older_kernel_is_told_what_it_needs(abi: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    with pytest.raises(SandboxUnavailable, match=r"Landlock.*Linux 6\.12"):
        await Landlock(NO_GROUPS).start(SlotKind(PLAIN, 64, 4096, reaches_hosts=False))


async def test_hosts_cannot_be_granted(host: Any) -> None:
    with pytest.raises(SandboxUnavailable, match="can grant no hosts"):
        await host.run(code="", hosts=("example.org",))


@pytest.mark.parametrize(
    "program",
    [
        {"code": "print(open('in/a').read())"},
        {"code": "print(open('in/a').read())", "fresh": True},
        {"shell": "cat in/a"},
        {"argv": ["cat", "in/a"]},
    ],
)
async def test_programs_run_with_their_files(host: Any, program: dict[str, Any]) -> None:
    result = await host.run(**program, files={"in/a": b"given"})
    assert (result.status, result.stdout.strip()) == ("ok", "given"), result


async def test_files_come_out(host: Any) -> None:
    result = await host.run(shell="mkdir b; printf x > b/c.txt; ln -s / link", outputs=("*.txt",))
    assert [(file.path, file.data) for file in result.files] == [("b/c.txt", b"x")]


async def test_home_and_temporary_files_are_in_the_workspace(host: Any) -> None:
    code = """
import os, tempfile
print(os.getcwd() == os.environ["HOME"] == tempfile.gettempdir() == os.path.expanduser("~"))
tempfile.TemporaryFile()
open("/tmp/outside", "w")
"""
    result = await host.run(code=code)
    assert (result.status, result.stdout) == ("policy_denied", "True\n"), result


async def test_a_session_keeps_variables_and_files_and_branches(host: Any) -> None:
    async with host.session(files={"given": b"1"}) as session:
        assert (await session.step("x = 1; x")).stdout == "1\n"
        snapshot = await session.snapshot()
        branch = await snapshot.branch()
        assert (await branch.step("x += 1; x")).stdout == "2\n"
        assert (await session.step("x")).stdout == "1\n"
        await session.write("folder/file", b"data")
        assert await session.listdir() == ["folder", "given"]
        assert (await session.run(shell="cat given folder/file; echo new > new")).stdout == "1data"
        assert await session.read("new") == b"new\n"
        threads = "import threading; e = threading.Event(); threading.Thread(target=e.wait).start()"
        await session.step(threads)
        with pytest.raises(Exception, match="without the threads"):
            await session.snapshot()
        assert (await session.step("e.set(); x")).stdout == "1\n"


async def test_figures_and_the_science_packages_work(host: Any) -> None:
    code = """
import numpy, pandas, sympy
import matplotlib.pyplot as plt
plt.plot([1, 2])
print(pandas.DataFrame({"a": numpy.arange(3)}).a.sum(), sympy.sqrt(4))
"""
    result = await host.run(code=code, limits=Limits(memory_mb=512))
    if result.status == "missing_dependency":
        pytest.skip("untested here: the layer of the science profile is not built")
    assert (result.status, result.stdout) == ("ok", "3 2\n"), result
    assert [figure[:4] for figure in result.figures] == [b"\x89PNG"]


ORDINARY = """
import concurrent.futures, multiprocessing, os, shutil, socket, subprocess, threading
print(subprocess.run("echo a | tr a b; cat <(echo c)", shell=True, executable="/bin/bash",
                     stdout=subprocess.PIPE, text=True).stdout.split())
a, b = socket.socketpair(); a.send(b"pair"); print(b.recv(9))
ours, theirs = multiprocessing.Pipe()
child = multiprocessing.Process(target=theirs.send, args=("piped",))
child.start(); print(ours.recv()); child.join()
with concurrent.futures.ThreadPoolExecutor(3) as threads: print(sum(threads.map(abs, range(-3, 1))))
os.mkdir("x"); open("x/y", "w").write("z"); os.rename("x/y", "y"); shutil.rmtree("x"); print(open("y").read())
os.mkfifo("pipe"); os.link("y", "again"); os.symlink("y", "link"); print(sorted(os.listdir(".")))
open("/dev/null", "w").write("gone"); print(len(os.urandom(3)), len(open("/dev/urandom", "rb").read(2)))
subprocess.Popen(["cat"], stdin=subprocess.PIPE).kill()
"""


async def test_ordinary_work_goes_on(host: Any) -> None:
    result = await host.run(code=ORDINARY)
    said = "['b', 'c']\nb'pair'\npiped\n6\nz\n['.matplotlib', 'again', 'link', 'pipe', 'y']\n3 2\n"
    assert (result.status, result.stdout.replace("'.matplotlib', ", "")) == (
        "ok",
        said.replace("'.matplotlib', ", ""),
    )


@pytest.mark.parametrize(
    ("status", "program", "limits"),
    [
        ("timeout", {"code": "import time; time.sleep(60)"}, Limits(wall_seconds=0.5)),
        ("timeout", {"shell": "setsid sleep 60 & sleep 60"}, Limits(wall_seconds=0.5)),
        ("cpu_limit", {"code": "while True: pass"}, Limits(cpu_seconds=1)),
        ("memory_limit", {"code": "b'x' * (1 << 30)"}, Limits()),
        (
            "memory_limit",
            {
                "code": "import mmap\nm = mmap.mmap(-1, 9 << 26)\n"
                "while True: m[:9 << 22] = m[9 << 22:18 << 22] = b'1' * (9 << 22)"
            },
            Limits(memory_mb=64),
        ),
        ("process_limit", {"code": "import os, time\nwhile os.fork(): pass\ntime.sleep(60)"}, Limits()),
        ("process_limit", {"shell": "while :; do sleep 60 & done"}, Limits()),
        ("disk_limit", {"code": "open('a', 'wb').write(b'x' * (2 << 20))"}, Limits(file_mb=1)),
        ("output_limit", {"shell": "yes"}, Limits(output_bytes=1000)),
        # What is looked at, while the program runs and when it is over.
        ("disk_limit", {"code": "for n in range(8): open(str(n), 'wb').write(b'x' * (1 << 20))"}, SMALL),
        ("disk_limit", {"code": "for n in range(200): open(str(n), 'w')"}, SMALL),
        ("disk_limit", {"code": "n = 0\nwhile True: n += 1; open(str(n), 'w')"}, SMALL),
        ("disk_limit", {"code": "import os\nwhile True: os.mkdir('d'); os.chdir('d')"}, Limits()),
        (
            "disk_limit",
            {"shell": "(umask 777; mkdir d); sleep 60 & mkdir -p e; head -c 9M /dev/zero > e/f; wait"},
            SMALL,
        ),
        (
            "disk_limit",
            {
                "code": "import os, time\nf = open('a', 'wb'); os.unlink('a')\n"
                "f.write(b'x' * (9 << 20)); time.sleep(60)"
            },
            SMALL,
        ),
        (
            "disk_limit",
            {
                "code": "import mmap, os, time\nf = open('a', 'w+b'); f.write(b'x' * (9 << 20)); f.flush()\n"
                "m = mmap.mmap(f.fileno(), 0); f.close(); os.unlink('a'); time.sleep(60)"
            },
            SMALL,
        ),
    ],
)
async def test_crossing_a_limit_has_its_own_status(
    host: Any, status: str, program: dict[str, str], limits: Limits
) -> None:
    result = await host.run(**program, limits=limits)
    assert result.status == status, result


async def test_what_fits_is_not_held_against_a_program(host: Any) -> None:
    code = """
import os
sparse = open("sparse", "w"); sparse.truncate(30 << 20)
for n in range(90): os.link("sparse", str(n))
os.mkdir("closed", 0); print("fits")
"""
    result = await host.run(code=code, limits=SMALL)
    assert (result.status, result.stdout) == ("ok", "fits\n"), result


def unprotected(user: str, code: str) -> str:
    """What the probe says where no sandbox is in its way, as the user that the host is."""
    other = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    identity: dict[str, Any] = other if user == "unprivileged" and os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        if identity:
            os.chown(folder, NOBODY, NOBODY)
        done = subprocess.run(
            [SYSTEM_PYTHON, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60, **identity
        )
    return str(done.stdout + done.stderr[-300:])


class Victims:
    """Things of the user that the host is, and of the host: what the probes reach for."""

    def __init__(self, user: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="victims-"))
        self.folder.chmod(0o777)
        self.file = self.folder / "file"
        self.file.write_text("of the host")
        identity: dict[str, Any] = {}
        if user == "unprivileged" and os.geteuid() == 0:
            identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.file, NOBODY, NOBODY)
        self.file.chmod(0o666)
        # Open to none but the user, as most files are.
        self.own = self.folder / "own"
        shutil.copy2(self.file, self.own)
        os.chown(self.own, self.file.stat().st_uid, -1)
        self.own.chmod(0o644)
        self.process = subprocess.Popen(["sleep", "300"], **identity)
        self.listeners = []
        for family, kind, address in (
            (socket.AF_UNIX, socket.SOCK_STREAM, str(self.folder / "stream")),
            (socket.AF_UNIX, socket.SOCK_DGRAM, str(self.folder / "packets")),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"\0victims-{os.getpid()}-{user}"),
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        ):
            listener = socket.socket(family, kind)
            listener.bind(address)
            if kind == socket.SOCK_STREAM:
                listener.listen()
            self.listeners.append(listener)
        for name in ("stream", "packets"):
            (self.folder / name).chmod(0o777)
        self.queue = subprocess.run(
            ["ipcmk", "-Q", "-p", "0666"], capture_output=True, text=True
        ).stdout.split()[-1]

    def aim(self) -> str:
        names = [listener.getsockname() for listener in self.listeners]
        return PRELUDE + (
            f"file, own, folder = {str(self.file)!r}, {str(self.own)!r}, {str(self.folder)!r}\n"
            f"victim, queue = {self.process.pid}, {self.queue}\n"
            f"stream, packets, abstract, tcp, udp = {names!r}\n"
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        subprocess.run(["ipcrm", "-q", self.queue], check=True)
        for listener in self.listeners:
            listener.close()
        shutil.rmtree(self.folder)


@pytest.fixture
def victims(host: Any) -> Iterator[Victims]:
    made = Victims(host.user)
    yield made
    made.close()


PRELUDE = """
import ctypes, os, platform, resource, signal, socket, struct, time
libc = ctypes.CDLL(None, use_errno=True)
column = 0 if platform.machine() == "x86_64" else 1
def check(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def call(numbers, *arguments):
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    check(libc.syscall(ctypes.c_long(numbers[column]), *words))
"""
ATTEMPT = """
try:
    exec({code!r})
    print("done")
except OSError as error:
    print("denied", error)
"""
DENIED = {
    "read a file": "open(file).read()",
    "write a file": "open(file, 'a')",
    "truncate a file": "os.truncate(file, 3)",
    "remove a file": "os.rename(file, file + '2'); os.rename(file + '2', file)",
    "make a file": "open(folder + '/new', 'w'); os.unlink(folder + '/new')",
    "change a mode": "os.chmod(own, 0o644)",
    "change a mode by a folder": "os.chmod('own', 0o644, dir_fd=os.open(folder, os.O_PATH))",
    "change a mode without a path": "call((452, 452), os.open(own, os.O_PATH), b'', 0o644, 0x1000)",
    "change an owner": "os.chown(own, -1, os.getgid())",
    "change times": "os.utime(own)",
    "set an attribute": "os.setxattr(own, 'user.a', b'1')",
    "list a folder": "os.listdir('/')",
    "list the processes": "os.listdir('/proc')",
    "read a command line": "open(f'/proc/{victim}/cmdline').read()",
    "read an environment": "open(f'/proc/{victim}/environ').read()",
    "read the host's passwords' owners": "open('/etc/passwd').read()",
    "list the host's connections": "open('/proc/self/net/unix').read()",
    "see who uses files": "check(libc.inotify_add_watch(libc.inotify_init(), folder.encode(), 0xfff))",
    "signal a process": "os.kill(victim, signal.SIGCONT)",
    "signal a process by a descriptor": "signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGCONT)",
    "limit a process": "resource.prlimit(victim, resource.RLIMIT_CPU, (9999, 9999))",
    "slow a process": "os.setpriority(os.PRIO_PROCESS, victim, 10)",
    "slow all of the user": "os.setpriority(os.PRIO_USER, 0, 0)",
    "bind a process to a CPU": "os.sched_setaffinity(victim, os.sched_getaffinity(0))",
    "look into a process": "call((310, 270), victim, None, 0, None, 0, 0)",
    "trace a process": "check(libc.ptrace(0x4206, victim, 0, 0))",
    "make a user namespace": "check(libc.unshare(0x10000000))",
    "connect by TCP": "socket.create_connection(tcp)",
    "connect by multipath TCP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(tcp)",
    "connect with the first bytes": "socket.socket().sendto(b'x', 0x20000000, tcp)",
    "send a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', udp)",
    "listen": "socket.socket().listen()",
    "connect to a socket with a path": "socket.socket(socket.AF_UNIX).connect(stream)",
    "connect to an abstract socket": "socket.socket(socket.AF_UNIX).connect(abstract)",
    "send to a socket with a path": "socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'x', packets)",
    "send to it raw": "socket.socketpair(type=socket.SOCK_RAW)[0].sendto(b'x', packets)",
    "send a descriptor": "pair = socket.socketpair(); socket.send_fds(pair[0], [b'x'], [0])",
    "ask the kernel by netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "send to a queue": "check(libc.msgsnd(queue, struct.pack('l1s', 1, b'x'), 1, 0o4000))",
    "make a queue": "check(libc.msgget(0, 0o600))",
    "use a key": "call((250, 219), 0, -3, 0)",
    "make memory that is counted nowhere": "os.memfd_create('x')",
    "hide from init": "check(libc.prctl(4, 0, 0, 0, 0))",
}


@pytest.mark.parametrize("attempt", DENIED)
async def test_denies_what_the_host_s_user_may(host: Any, victims: Victims, attempt: str) -> None:
    code = victims.aim() + ATTEMPT.format(code=DENIED[attempt])
    free = unprotected(host.user, code)
    if "not supported" in free or "not implemented" in free:
        pytest.skip(f"cannot be shown here: {free}")
    assert free == "done\n"
    result = await host.run(code=code)
    assert result.stdout.startswith("denied"), result


BY_A_PIPE = """
import fcntl, os, signal, time
read, write = os.pipe()
fcntl.fcntl(read, fcntl.F_SETOWN, {victim})
fcntl.fcntl(read, fcntl.F_SETSIG, signal.SIGTERM)
fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC)
os.write(write, b"x")
"""


async def test_no_signal_gets_out_by_way_of_a_pipe(host: Any, victims: Victims) -> None:
    code = BY_A_PIPE.format(victim=victims.process.pid)
    assert (await host.run(code=code)).ok
    assert victims.process.poll() is None
    assert unprotected(host.user, code) == ""
    assert victims.process.wait(10) == -signal.SIGTERM


async def test_files_of_its_own_keep_their_modes_only_where_the_user_is_shared(host: Any) -> None:
    result = await host.run(shell="echo 'echo ran' > a; chmod +x a && ./a")
    if "ids_of_its_own" in result.protections:
        assert (result.status, result.stdout) == ("ok", "ran\n"), result
    else:
        assert "Operation not permitted" in result.stderr, result


async def test_runs_and_the_interpreter_of_a_session_cannot_reach_each_other(host: Any) -> None:
    async with host.session() as session:
        pid = (await session.step("import os; os.getpid()")).stdout.strip()
        for victim in (pid, "os.getppid()"):
            result = await session.run(code=f"import os; os.kill({victim}, 9)")
            assert (result.status, result.exit_code) == ("policy_denied", 1), result
        assert (await session.step("os.getpid()")).stdout.strip() == pid


DAEMONS = """
import ctypes, os, signal, sys, threading, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
ready, done = os.pipe()
def become_daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sh", ["sh", "-c", "echo >&%d; exec 1>&- 2>&-; sleep 300; :" % done, sys.argv[1]])
        os._exit(0)
os.set_inheritable(done, True)
become_daemon()
# A process whose first thread is dead, which so looks dead itself.
if os.fork() == 0:
    threading.Thread(target=lambda: (os.write(done, b"x"), time.sleep(300))).start()
    ctypes.CDLL(None).pthread_exit(None)
if os.fork() == 0:
    # Adopts its orphans, as init does.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    become_daemon()
    os.kill(os.getpid(), signal.SIGSTOP)
for _ in range(3): os.read(ready, 1)
print(os.getpid(), flush=True)
"""


async def test_processes_do_not_outlive_their_run(host: Any, marker: str) -> None:
    async with host.session() as session:
        result = await session.run(argv=["python3", "-c", DAEMONS, marker])
        assert (result.status, result.stderr) == ("ok", "")
        assert alive(marker) == []
        assert (await session.run(code="print('next')")).stdout == "next\n"


async def test_what_a_step_left_in_the_background_lives_until_the_session_ends(
    host: Any, marker: str
) -> None:
    before = workspaces()
    async with host.session() as session:
        await session.step(f"import subprocess; p = subprocess.Popen({lingering(marker)!r})")
        await seen(marker)
        assert (await session.run(code="print(1)")).ok
        assert (await session.step("p.poll()")).stdout == ""
        assert len(alive(marker)) >= 1
    await eventually(lambda: not alive(marker))
    await eventually(lambda: workspaces() <= before)


async def test_a_fork_bomb_is_dead_afterwards(host: Any, marker: str) -> None:
    bomb = "import os, time\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(0.01)"
    result = await host.run(argv=["python3", "-c", bomb, marker], limits=Limits(wall_seconds=2))
    assert result.status in ("timeout", "process_limit"), result
    assert alive(marker) == []


async def test_cancelling_a_run_kills_it(host: Any, marker: str) -> None:
    if host.user != "own":
        pytest.skip("the pool of the other process cannot be cancelled from here")
    before = workspaces()
    run = asyncio.create_task(host.run(argv=["sh", "-c", "setsid sleep 300 & wait", marker]))
    await seen(marker)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert alive(marker) == []
    assert workspaces() == before


HOSTILE_TREE = """
import os
for n in range(1000): open(str(n), "w")
os.symlink({folder!r}, "link"); os.symlink({file!r}, "file"); os.symlink("loop", "loop"); os.mkfifo("pipe")
os.makedirs("a/b/c"); open("a/b/c/d", "w")
for path in ("a/b/c/d", "a/b/c", "a/b", "a"):
    try: os.chmod(path, 0)
    except PermissionError: pass
os.makedirs("\\udcff/\\n"); os.umask(0o777); os.mkdir("closed")
os.umask(0)
for n in range(100): os.mkdir("d"); os.chdir("d")
try: os.chmod(os.environ["HOME"], 0)
except PermissionError: pass
"""


async def test_any_tree_is_removed_and_nothing_that_it_points_to(host: Any, victims: Victims) -> None:
    before = workspaces()
    code = HOSTILE_TREE.format(folder=str(victims.folder), file=str(victims.file))
    result = await host.run(code=code)
    assert result.ok, result
    assert workspaces() == before
    assert victims.file.read_text() == "of the host"


async def test_a_tree_deeper_than_any_path_is_removed() -> None:
    folder = tempfile.mkdtemp()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("deep", dir_fd=at)
        inner = os.open("deep", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    with pytest.raises(space.TooMuch):
        space.Space(1 << 40, 1 << 20).add_tree(folder)
    space.remove(folder)
    assert os.path.basename(folder) not in os.listdir(tempfile.gettempdir())


async def test_a_workspace_its_owner_may_not_enter_serves_the_next_run(host: Any) -> None:
    async with host.session() as session:
        await session.run(code="import os; open('kept', 'w').write('x'); os.chmod('.', 0)")
        assert (await session.run(code="print(open('kept').read())")).stdout == "x\n"


NO_NAMESPACES = (
    *("unshare", "--user", "--map-user=1000", "--keep-caps", "sh", "-c"),
    'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --ambient-caps=-all "$@"',
    *("sh", sys.executable, "-c"),
)
ON_SUCH_A_HOST = """
import asyncio
from sandbox import SandboxPool, SandboxUnavailable
async def main():
    async with SandboxPool() as pool:
        try: await pool.check()
        except SandboxUnavailable as error: print("landlock: it is without" in str(error))
    async with SandboxPool(minimum=frozenset(["landlock"])) as pool:
        result = await pool.run(code="print(6 * 7)")
        print(result.stdout.strip(), "no_network" in result.protections)
asyncio.run(main())
"""


async def test_a_host_without_user_namespaces_gets_it_when_it_accepts_less() -> None:
    command = [*NO_NAMESPACES, ON_SUCH_A_HOST]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["True", "42", "True"], done.stderr


KILLED_HOST = """
import asyncio, sys
from sandbox import SandboxPool
async def main():
    async with SandboxPool(backend="landlock", minimum=frozenset(["landlock"])) as pool:
        await pool.run(argv=["sh", "-c", "touch here; setsid sleep 300 & sleep 300; :", sys.argv[1]])
asyncio.run(main())
"""


async def test_a_killed_host_leaves_nothing(marker: str) -> None:
    before = workspaces()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED_HOST, marker[::-1])
    await seen(marker[::-1])
    process.kill()
    await process.wait()
    await eventually(lambda: not alive(marker[::-1]))
    await eventually(lambda: workspaces() <= before)


@pytest.mark.parametrize("victim", ["launcher", "init"])
async def test_a_slot_that_loses_a_process_of_its_own_leaves_nothing(victim: str, marker: str) -> None:
    before = workspaces()
    slot: Slot = await Landlock(NO_GROUPS).start(SlotKind(PLAIN, 64, 4096, reaches_hosts=False))
    (launcher,) = (child for child in psutil.Process().children() if child.pid == slot._process.pid)
    (init,) = launcher.children()
    below = init.children(recursive=True)
    assert len(workspaces() - before) == len(below) == 1
    (launcher if victim == "launcher" else init).kill()
    await eventually(lambda: slot.broken)
    await slot.kill()
    await eventually(lambda: not any(process.is_running() for process in (init, *below)))
    await eventually(lambda: workspaces() <= before)
