"""Hostile trees, made by code in a real jail and fetched by a host that is root, or nobody.

Every trick is first played on a reader who asks isfile and opens: one that fails there proves nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

import sandbox
from sandbox.contracts import File
from sandbox.workspace import Workspace

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"
SECRET = b"of the host"
MANY: dict[str, Any] = {
    "outputs": ("*",),
    "figures_folder": ".figures",
    "max_files": 1000,
    "max_bytes": 1 << 24,
}

HOST = r"""
import ctypes, os, resource, signal, socket, stat, sys
from multiprocessing.connection import Connection
from sandbox.workspace import Workspace

JAIL_UID, RANGE, ROOT = 1000, 200000, os.geteuid() == 0
libc = ctypes.CDLL(None, use_errno=True)
libc.renameat2  # so that code in the jail finds it
calls, own = socket.socketpair()

def jail():
    "Another user and mount namespace with a tmpfs; its descriptor goes out, code comes in."
    calls.close()
    os.close(int(sys.argv[1]))
    assert libc.unshare(0x10000000 | 0x20000) == 0
    own.send(b"map me")
    own.recv(1)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    user = JAIL_UID if ROOT else 0
    options = f"size=16m,nr_inodes=20000,mode=700,uid={user},gid={user}".encode()
    assert libc.mount(b"tmpfs", b"mnt", b"tmpfs", 2 | 4, options) == 0, os.strerror(ctypes.get_errno())
    socket.send_fds(own, [b"fd"], [os.open("mnt", os.O_PATH | os.O_DIRECTORY)])
    channel, running = Connection(own.detach()), []
    while True:
        what, code = channel.recv()
        if what == "stop":
            for pid in running:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            running.clear()
            channel.send(None)
            continue
        pid = os.fork()
        if pid == 0:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            libc.prctl(1, signal.SIGKILL)  # end with the jail
            os.chdir("mnt")
            names = {"os": os, "libc": libc, "ready": lambda: channel.send(None)}
            try:
                exec(code, names)
                value = names.get("result")
            except BaseException as error:
                value = error
            channel.send(value)
            os._exit(0)
        if what == "start":
            running.append(pid)
        else:
            os.waitpid(pid, 0)

pid = os.fork()
if pid == 0:
    jail()
calls.recv(10)
for file, ours in (("uid_map", os.getuid()), ("gid_map", os.getgid())):
    if file == "gid_map" and not ROOT:
        open(f"/proc/{pid}/setgroups", "w").write("deny")
    open(f"/proc/{pid}/{file}", "w").write(f"0 {RANGE} 65536" if ROOT else f"0 {ours} 1")
calls.send(b"x")
_, (directory,), _, _ = socket.recv_fds(calls, 10, 1)
inner = Connection(calls.detach())
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
top = f"/proc/self/fd/{directory}"
workspace = Workspace(directory, (RANGE + JAIL_UID,) * 2 if ROOT else None)

def inside(what, code):
    inner.send((what, code))
    value = inner.recv()
    if isinstance(value, BaseException):
        raise value
    return value

def naive_read(path, largest=1 << 62):
    path = f"{top}/{path}"
    if os.path.isfile(path) and os.path.getsize(path) <= largest:
        return open(path, "rb").read()

def naive_size(path, largest):
    data = naive_read(path, largest)
    return data and len(data)

def careful_read(path):
    if not os.path.islink(f"{top}/{path}"):
        return naive_read(path)

def naive_walk(folder=""):
    found = {}
    for name in os.listdir(f"{top}/{folder}"):
        path = f"{folder}/{name}".lstrip("/")
        if os.path.isdir(f"{top}/{path}"):
            found |= naive_walk(path)
        else:
            found[path] = naive_read(path)
    return found

def naive_open(path):
    return open(f"{top}/{path}", "rb").read()

def settings():
    signal = ctypes.c_int()
    libc.prctl(2, ctypes.byref(signal))
    return libc.prctl(3), signal.value, libc.setfsuid(-1), libc.setfsgid(-1)

def attempts(count, until, name, *arguments):
    "What `count` calls gave, or fewer if one gives what is looked for: bytes of files, or names of errors."
    seen = set()
    while count and until not in seen:
        count -= 1
        try:
            value = CALLS[name](*arguments)
            seen |= {file.data for file in value[0]} if name == "collect" else {value}
        except OSError as error:
            seen.add(type(error).__name__)
    return seen

CALLS = {
    "write": workspace.write, "read": workspace.read, "listdir": workspace.listdir,
    "collect": workspace.collect, "inside": inside, "naive_read": naive_read, "naive_open": naive_open,
    "naive_size": naive_size, "careful_read": careful_read, "naive_walk": naive_walk, "settings": settings,
    "attempts": attempts, "descriptors": lambda: len(os.listdir("/proc/self/fd")),
    "death_signal": lambda number: libc.prctl(1, number),
}
test = Connection(int(sys.argv[1]))
try:
    while True:
        name, arguments = test.recv()
        try:
            test.send(CALLS[name](*arguments))
        except Exception as error:
            test.send(error)
except EOFError:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


class Host:
    """A process that holds a workspace in a jail of its own: each method is that of `HOST` by that name."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Connection) -> None:
        self.process = process
        self.channel = channel

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.channel.send((name, arguments))
            value = self.channel.recv()
            if isinstance(value, BaseException):
                raise value
            return value

        return call

    def run(self, code: str) -> Any:
        """Run python code in the jail, in its workspace; gives its variable `result`."""
        return self.inside("run", code)

    def start(self, code: str) -> None:
        """Run code that calls `ready()` once, and then goes on until `stop`."""
        self.inside("start", code)

    def stop(self) -> None:
        self.inside("stop", "")

    def files(self, **options: Any) -> dict[str, File]:
        files, _ = self.collect(*(MANY | options).values())
        return {file.path: file for file in files}


@pytest.fixture
def secret() -> Iterator[str]:
    """A file of the host that every host user may read, and only the host."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(SECRET)
        file.flush()
        os.fchmod(file.fileno(), 0o666)
        yield file.name


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """A copy of the package that every user can read, and a place to mount at."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        Path(folder, "mnt").mkdir()
        shutil.copytree(Path(sandbox.__file__).parent, Path(folder, "sandbox"))
        yield Path(folder)


@pytest.fixture(params=["root", "nobody"])
def host(request: pytest.FixtureRequest, package: Path) -> Iterator[Host]:
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    user: dict[str, Any] = drop if request.param == "nobody" and os.geteuid() == 0 else {}
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [SYSTEM_PYTHON, "-B", "-c", HOST, str(theirs.fileno())],
        cwd=package,
        pass_fds=[theirs.fileno()],
        **user,
    )
    theirs.close()
    host = Host(process, Connection(ours.detach()))
    try:
        before = host.descriptors()
        yield host
        assert host.descriptors() == before
    finally:
        host.channel.close()
        process.wait(20)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Workspace, Path]]:
    """A workspace that is a plain folder of the host, as where no namespace can be had."""
    top = tmp_path / "workspace"
    top.mkdir()
    workspace = Workspace(os.open(top, os.O_RDONLY | os.O_DIRECTORY), None)
    yield workspace, top
    workspace.close()
    workspace.close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_files_go_in_and_come_out(host: Host) -> None:
    host.write("data/deep/in.txt", b"\0\xff text")
    host.run("open('data/deep/out.txt', 'wb').write(open('data/deep/in.txt', 'rb').read()[::-1])")
    assert host.read("./data//deep/out.txt", 100) == b"txet \xff\0"
    assert host.listdir("data/deep") == ["in.txt", "out.txt"]
    assert host.listdir() == ["data"]
    host.write("data/deep/in.txt", b"new")
    assert host.read("data/deep/in.txt", 3) == b"new"


def test_what_is_written_belongs_to_the_code_inside(host: Host) -> None:
    host.write("folder/file", b"x")
    host.run("open('folder/file', 'a').write('y'); os.rename('folder/file', 'folder/moved')")
    owners = "result = {(s.st_uid - os.getuid(), s.st_gid - os.getgid()) for s in map(os.stat, %s)}"
    assert host.run(owners % ["folder", "folder/moved"]) == {(0, 0)}
    assert host.read("folder/moved", 10) == b"xy"


def test_writing_leaves_the_process_as_it_was(host: Host) -> None:
    host.death_signal(15)
    before = host.settings()
    assert before[:2] == (1, 15)
    host.write("folder/file", b"x")
    assert host.settings() == before


def test_a_write_that_fails_leaves_the_file_that_was_there(host: Host) -> None:
    host.write("file", b"before")
    with pytest.raises(OSError, match="No space left"):
        host.write("file", bytes(17 << 20))
    with pytest.raises(OSError, match="larger than 5 bytes"):
        host.write("file", b"123456", 5)
    host.run("os.mkdir('folder')")
    with pytest.raises(IsADirectoryError):
        host.write("folder", b"x")
    with pytest.raises(IsADirectoryError):
        host.write(".", b"x")
    assert host.listdir() == ["file", "folder"]
    assert host.read("file", 6) == b"before"
    with pytest.raises(OSError, match="larger than 5 bytes"):
        host.read("file", 5)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "..", "../x", "a/../../x", "", "a\0b", "x" * 256, "x/" * 2100, "\ud800"]
)
def test_a_path_out_of_the_workspace_is_refused(folder: tuple[Workspace, Path], path: str) -> None:
    workspace, _ = folder
    calls = (
        lambda: workspace.write(path, b""),
        lambda: workspace.read(path, 9),
        lambda: workspace.listdir(path),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"workspace|surrogates"):
            call()


def test_links_are_followed_at_no_level(host: Host, secret: str) -> None:
    place, name = os.path.split(secret)
    host.run(f"""
os.mkdir('d')
for link in ('link', 'd/link', '.figures'):
    os.symlink({secret!r}, link)
os.symlink({place!r}, 'folder')
os.symlink('link', 'chain')
os.symlink('/proc/self/root', 'magic')
os.symlink('missing', 'dangling')
""")
    ways = ["link", "d/link", "chain", f"folder/{name}", f"magic{secret}"]
    for way in ways:
        assert host.naive_read(way) == SECRET
        with pytest.raises(OSError, match="symbolic link"):
            host.read(way, 100)
    with pytest.raises(OSError, match="symbolic link"):
        host.listdir("folder")
    with pytest.raises(OSError, match="symbolic link"):
        host.write(f"folder/{name}", b"changed")
    files = host.files()
    assert list(files) == ["."]
    assert "folder of figures (a symbolic link" in files["."].note
    for link in ("link", "d/link", "chain", "dangling"):
        host.write(link, b"a file now")
        assert host.read(link, 100) == b"a file now"
    assert Path(secret).read_bytes() == SECRET


def test_a_pipe_named_as_an_output_is_not_waited_for(host: Host) -> None:
    host.run("os.mkfifo('out.csv'); os.mkdir('d'); os.mkfifo('d/out.csv')")
    host.start("ready()\nwhile True: open('out.csv', 'wb').write(b'forged')")
    assert host.naive_open("out.csv").startswith(b"forged")
    host.stop()
    for path in ("out.csv", "d/out.csv"):
        with pytest.raises(OSError, match="not a regular file"):
            host.read(path, 100)
    assert host.files() == {}
    host.write("out.csv", b"a file now")
    assert host.files()["out.csv"].data == b"a file now"


def test_sockets_are_left_out(host: Host) -> None:
    host.run("import socket; socket.socket(socket.AF_UNIX).bind('socket')")
    with pytest.raises(OSError, match="No such device"):
        host.naive_open("socket")
    assert host.files() == {}
    with pytest.raises(OSError, match="not a regular file"):
        host.read("socket", 100)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_devices_are_left_out(folder: tuple[Workspace, Path]) -> None:
    workspace, top = folder
    os.mknod(top / "out.csv", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    with (top / "out.csv").open("rb") as zeros:
        assert zeros.read(3) == bytes(3)
    assert workspace.collect(**MANY) == ((), ())
    with pytest.raises(OSError, match="not a regular file"):
        workspace.read("out.csv", 100)
    workspace.write("out.csv", b"a file now")
    assert workspace.read("out.csv", 100) == b"a file now"


def test_a_file_with_a_second_name_is_neither_read_nor_written(
    folder: tuple[Workspace, Path], tmp_path: Path
) -> None:
    workspace, top = folder
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    (top / "out.csv").hardlink_to(secret)
    assert (top / "out.csv").is_file()
    assert (top / "out.csv").read_bytes() == SECRET
    with pytest.raises(OSError, match="second name"):
        workspace.read("out.csv", 100)
    ((file,), _) = workspace.collect(**MANY)
    assert (file.path, file.size, file.sha256, file.data) == ("out.csv", len(SECRET), None, None)
    assert "second name" in file.note
    secret.chmod(0)
    workspace.collect(**MANY)
    assert stat.S_IMODE(secret.stat().st_mode) == 0
    secret.chmod(0o600)
    workspace.write("out.csv", b"a file now")
    assert workspace.read("out.csv", 100) == b"a file now"
    assert secret.read_bytes() == SECRET


def test_rights_of_a_replaced_file_are_not_kept(folder: tuple[Workspace, Path]) -> None:
    workspace, top = folder
    top.chmod(0o2777)
    (top / "program").touch()
    (top / "program").chmod(0o6777)
    workspace.write("program", b"x")
    workspace.write("new/program", b"x")
    for path in ("program", "new/program"):
        assert stat.S_IMODE((top / path).stat().st_mode) & 0o7133 == 0


SWAP = """
names = {names}
ready()
while True:
    for one, other in names:
        libc.renameat2(-100, one, -100, other, 2)
"""


def test_what_is_swapped_while_we_look_leads_nowhere(host: Host, secret: str) -> None:
    place, name = os.path.split(secret)
    host.run(f"""
open('out', 'w').write('inside')
os.symlink({secret!r}, 'link')
os.mkdir('d')
open('d/{name}', 'w').write('inside')
os.symlink({place!r}, 'folder')
""")
    host.start(SWAP.format(names=[(b"out", b"link"), (b"d", b"folder")]))
    for path in ("out", f"d/{name}"):
        assert SECRET in host.attempts(100_000, SECRET, "careful_read", path)
        assert host.attempts(5000, SECRET, "read", path, 100) <= {b"inside", "OSError"}
        assert "OSError" in host.attempts(100_000, "OSError", "read", path, 100)
    assert host.attempts(1000, SECRET, "collect", *MANY.values()) <= {b"inside", None}
    assert "OSError" in host.attempts(100_000, "OSError", "write", f"d/{name}", b"inside")
    assert host.attempts(1000, "OSError", "write", "out", b"inside") == {None}
    host.stop()
    assert Path(secret).read_bytes() == SECRET
    assert not list(Path(place).glob(".write-*"))


def test_a_chain_of_folders_ends_where_we_stop(host: Host) -> None:
    host.run("""
for depth in range(10_000):
    os.mkdir('d')
    os.chdir('d')
    if depth in (9, 9_999):
        open('file', 'w').close()
""")
    with pytest.raises(RecursionError):
        host.naive_walk()
    files = host.files()
    assert list(files) == [10 * "d/" + "file", "."]
    assert "folders deeper than 64: 1" in files["."].note


def test_ten_thousand_files_are_cut_and_told(host: Host) -> None:
    host.run("""
os.mkdir('a')
for number in range(10_000):
    open(f'a/{number:05}', 'w').close()
open('z.csv', 'w').close()
""")
    assert len(host.naive_walk()) == 10_001
    files = host.files(outputs=("*.csv", "*/09999"), max_files=4)
    assert list(files) == ["a/00000", "a/00001", "a/09999", "z.csv", "."]
    assert files["."].note == "left out: files beyond 4: 9997"


def test_what_is_asked_for_is_read_first_and_what_does_not_fit_is_told(host: Host) -> None:
    for path in ("a.log", "b.log", "d/wanted.csv"):
        host.write(path, bytes(600))
    files = host.files(outputs=("*.csv", "*.txt"), max_bytes=1200)
    assert {path: (file.size, file.sha256, file.data) for path, file in files.items()} == {
        "a.log": (600, sha256(bytes(600)), None),
        "b.log": (600, None, None),
        "d/wanted.csv": (600, sha256(bytes(600)), bytes(600)),
    }
    assert files["b.log"].note == "not read: larger than 0 bytes"


def test_files_of_mode_000_are_read(host: Host) -> None:
    host.run("""
os.makedirs('d/d')
open('d/d/file', 'w').write('x')
open('file', 'w').write('x')
for path in ('d/d/file', 'file', 'd/d', 'd'):
    os.chmod(path, 0)
""")
    if host.settings()[2]:
        with pytest.raises(PermissionError):
            host.naive_read("file")
    assert {path: file.data for path, file in host.files().items()} == {"d/d/file": b"x", "file": b"x"}
    assert host.read("file", 1) == b"x"
    host.run("os.chmod('d', 0)")
    assert host.listdir("d") == ["d"]


def test_names_that_are_no_text_are_shown_and_can_be_read(host: Host) -> None:
    host.run("""
for name in (b'new\\nline', b'\\xff\\xfe.csv', b'\\xff/'):
    os.mkdir(name) if name.endswith(b'/') else open(name, 'w').close()
open(b'\\xff/x', 'w').close()
""")
    with pytest.raises(UnicodeEncodeError):
        "".join(host.naive_walk()).encode()
    files = host.files(outputs=("*.csv",))
    assert list(files) == ["new\nline", "\ufffd/x", "\ufffd\ufffd.csv"]
    assert files["\ufffd\ufffd.csv"].data == b""
    assert files["\ufffd\ufffd.csv"].note == "its name is not UTF-8"
    for name in host.listdir():
        assert name == "\udcff" or host.read(name, 0) == b""


def test_a_file_that_grows_is_read_no_further_than_its_limit(host: Host) -> None:
    limit = 1 << 20
    host.start("""
ready()
while True:
    with open('log', 'wb', 0) as log:
        for _ in range(100):
            log.write(bytes(1 << 16))
""")
    grown: set[object] = set()
    while not any(isinstance(size, int) and size > limit for size in grown):
        grown |= set(host.attempts(1000, "", "naive_size", "log", limit))
    read = host.attempts(1000, "", "read", "log", limit)
    assert max(len(data) for data in read if isinstance(data, bytes)) <= limit
    notes = set()
    for most in (limit, 1 << 24) * 1000:
        files = host.files(max_bytes=most)
        notes |= {file.note.partition(":")[0] for file in files.values()}
        assert all(file.data is None or sha256(file.data) == file.sha256 for file in files.values())
        if notes >= {"changed while it was read", "not read"}:
            break
    host.stop()
    assert notes >= {"changed while it was read", "not read"}


def test_a_huge_sparse_file_is_told_not_read(host: Host) -> None:
    host.run("open('out.csv', 'wb').truncate(1 << 40)")
    with pytest.raises(MemoryError):
        host.naive_read("out.csv")
    file = host.files()["out.csv"]
    assert (file.size, file.sha256, file.data) == (1 << 40, None, None)
    assert "larger than" in file.note
    with pytest.raises(OSError, match="larger than 100 bytes"):
        host.read("out.csv", 100)


def test_a_lease_does_not_stop_the_host(host: Host) -> None:
    host.start("""
import fcntl, signal, threading
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
fd = os.open('file', os.O_RDWR | os.O_CREAT)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
ready()
signal.sigwait([signal.SIGIO])
signal.pause()
""")
    with pytest.raises(BlockingIOError):
        host.read("file", 100)
    assert "not read: Resource temporarily" in host.files()["file"].note


def test_figures_come_in_the_order_of_their_numbers(host: Host) -> None:
    png = b"\x89PNG\r\n\x1a\n"
    for name in ("10.png", "9.png", "0100.png", "x.png", "7.png.txt"):
        host.write(f".figures/{name}", png + name.encode())
    host.write(".figures/1.png", b"\x89JPG")
    host.run("os.symlink('9.png', '.figures/2.png'); os.mkfifo('.figures/3.png'); os.mkdir('.shm')")
    host.write(".shm/semaphore", b"x")
    host.write("d/.figures/4.png", png)
    files, figures = host.collect(*MANY.values())
    assert figures == (png + b"9.png", png + b"10.png", png + b"0100.png")
    assert [file.path for file in files] == ["d/.figures/4.png", "."]
    assert "figures (not PNG): 1" in files[-1].note
    _, figures = host.collect(*(MANY | {"max_bytes": 20}).values())
    assert figures == (png + b"9.png",)


def test_no_more_than_twenty_figures_are_taken(host: Host) -> None:
    for number in range(25):
        host.write(f".figures/{number}.png", b"\x89PNG\r\n\x1a\n%d" % number)
    files, figures = host.collect(*MANY.values())
    assert len(figures) == 20
    assert [file.note for file in files] == ["left out: figures beyond 20: 5"]


@pytest.fixture
def last_descriptor() -> Iterator[Callable[[], None]]:
    """Leaves this process, when called, room for a single descriptor: to look at a file, not to open it."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def tighten() -> None:
        lowest = os.open("/", os.O_PATH)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, limits[1]))

    yield tighten
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_fault_of_the_host_is_raised_not_noted(
    folder: tuple[Workspace, Path], last_descriptor: Callable[[], None]
) -> None:
    workspace, top = folder
    (top / "file").touch()

    class Globs(tuple[str, ...]):
        """Asked for when the folders have been walked, and before a file is read."""

        def __iter__(self) -> Iterator[str]:
            last_descriptor()
            return super().__iter__()

    with pytest.raises(OSError, match="Too many open files"):
        workspace.collect(Globs(["*"]), ".figures", 9, 9)
    workspace.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        workspace.listdir()


WITHOUT_OPENAT2 = """
import ctypes, os, struct
from sandbox.errors import SandboxUnavailable
from sandbox.workspace import Workspace
libc = ctypes.CDLL(None)
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 437), (0x06, 0, 0, 0x00050000 | {error}), (0x06, 0, 0, 0x7FFF0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, struct.pack("HxxxxxxQ", len(code), ctypes.addressof(program))) == 0
workspace = Workspace(os.open(".", os.O_PATH), None)
for call in (workspace.listdir, lambda: workspace.read("x", 1), lambda: workspace.write("x", b"")):
    try:
        call()
    except SandboxUnavailable as error:
        print(error)
"""


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
def test_a_machine_without_openat2_is_told_what_to_change(package: Path, error: int) -> None:
    code = WITHOUT_OPENAT2.replace("{error}", str(error))
    out = subprocess.run(
        [SYSTEM_PYTHON, "-B", "-c", code], cwd=package, capture_output=True, check=True
    ).stdout
    assert out.count(b"no openat2") == out.count(b"Linux 5.6") == 3
