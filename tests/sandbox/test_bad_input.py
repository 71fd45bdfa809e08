"""Bad programs, files and hosts: each gets a status or an error that says so, and nobody hangs."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

import sandbox
from sandbox import Limits, SandboxPool
from sandbox.backends.protections import MINIMUM
from tests.sandbox.conftest import ON_ONE_LOOP, launchers
from tests.sandbox.hosts import NOBODY, SYSTEM_PYTHON

pytestmark = ON_ONE_LOOP

CODE: list[tuple[str, str | bytes, str, str]] = [
    ("not UTF-8", b"x = '\xff\xfe'\nprint(1)", "compile_error", ""),
    ("in Latin-1 and says so", b"# coding: latin-1\nprint('\xe9')", "ok", "é\n"),
    ("in a coding that is none", b"# coding: no-such\nprint(1)", "compile_error", ""),
    ("with a byte-order mark", b"\xef\xbb\xbfprint(1)", "ok", "1\n"),
    ("with a NUL", b"print(1)\0", "compile_error", ""),
    ("nothing but NULs", b"\0" * 1000, "compile_error", ""),
    ("with a lone surrogate", "print('\ud800')", "compile_error", ""),
    ("with Windows' line ends", b"if 1:\r\n    print(1)\r\n", "ok", "1\n"),
    ("without a last line end", b"if 1:\n    print(1)", "ok", "1\n"),
    ("empty", b"", "ok", ""),
    ("blank", b" \n\t\n", "ok", ""),
    ("5 MB long", b"x = '" + b"a" * 5_000_000 + b"'\nprint(len(x))", "ok", "5000000\n"),
    ("5 MB of lines", b"x = 1\n" * 800_000, "memory_limit", ""),
    ("nested without end", b"(" * 5000, "compile_error", ""),
]


@pytest.mark.parametrize(("name", "code", "status", "stdout"), CODE, ids=[row[0] for row in CODE])
async def test_bad_code(pool: SandboxPool, name: str, code: str | bytes, status: str, stdout: str) -> None:
    results = [await pool.run(code=code), await pool.run(code=code, fresh=True)]
    async with pool.session() as session:
        results.append(await session.step(code))
        results.append(await session.run(code=code))
    for result in results:
        assert (result.status, result.stdout) == (status, stdout), (name, result)


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ({"shell": ""}, "ok"),
        ({"shell": "echo '\0'"}, "runtime_error"),
        ({"shell": "echo \ud800"}, "ok"),
        ({"shell": "x" * 5_000_000}, "runtime_error"),
        ({"argv": [""]}, "runtime_error"),
        ({"argv": ["echo", "x" * 5_000_000]}, "runtime_error"),
        ({"argv": ["echo", *["x"] * 100_000]}, "ok"),
        ({"argv": ["\ud800"]}, "missing_dependency"),
    ],
)
async def test_bad_programs(pool: SandboxPool, program: dict[str, Any], status: str) -> None:
    result = await pool.run(**program)
    assert result.status == status, result


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"code": "1", "shell": "ls"},
        {"argv": []},
        {"shell": "ls", "fresh": True},
        {"code": "1", "profile": "no such profile"},
        {"code": "1", "hosts": ["not a host!"]},
        {"code": "1", "hosts": [""]},
    ],
)
async def test_bad_arguments_cost_no_slot(pool: SandboxPool, arguments: dict[str, Any]) -> None:
    assert (await pool.run(code="")).ok
    before = len(launchers())
    for _ in range(3):
        with pytest.raises(ValueError, match=r"\."):
            await pool.run(**arguments)
    assert len(launchers()) <= before + 1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"slots": 0}, ValueError, "slots is 0. Give .* at least 1"),
        ({"slots": 10**9}, ValueError, "slots is 1000000000. Give .* at most 10000"),
        ({"slots": "4"}, ValueError, "slots is '4'. Give a whole number"),
        ({"slots": True}, ValueError, "slots is True"),
        ({"backend": "docker"}, ValueError, "no sandbox backend 'docker'"),
        ({"backend": None}, ValueError, "no sandbox backend None"),
        ({"minimum": "seccomp"}, TypeError, "minimum is 'seccomp'. Give a list"),
        ({"minimum": {"secomp"}}, ValueError, "no protection secomp. They are: .*seccomp"),
        ({"allow_private": "shop.test"}, TypeError, "allow_private is 'shop.test'. Give a list"),
        ({"allow_private": ["*"]}, ValueError, "every private network. Name hosts"),
        ({"allow_private": ["10.0.0.0/8"]}, ValueError, "'10.0.0.0/8' is not a host name"),
    ],
)
async def test_bad_pools(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        SandboxPool(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"code": 5}, "code is 5. Give the text"),
        ({"shell": ["ls", "-l"]}, r"shell is \['ls', '-l'\]. Give the text"),
        ({"argv": "ls -l"}, "argv is 'ls -l'. Give a list"),
        ({"argv": ["head", 5]}, "argv holds 5. Give words"),
        ({"code": "", "outputs": "*.csv"}, r"outputs is '\*.csv'. Give a list, such as outputs="),
        ({"code": "", "hosts": "example.org"}, "hosts is 'example.org'. Give a list"),
        ({"code": "", "hosts": [5]}, "hosts holds 5"),
        ({"code": "", "files": {"a": "text"}}, r"The file 'a' is given as str. Give bytes, text.encode\(\)"),
        ({"code": "", "files": {"a": 5}}, "The file 'a' is given as int. Give bytes"),
        ({"code": "", "files": {5: b""}}, "path of a file is 5"),
        ({"code": "", "files": ["a"]}, r"files is \['a'\]. Give paths and their bytes"),
        ({"code": "", "limits": {"memory_mb": 64}}, r"limits is \{'memory_mb': 64\}. Give sandbox.Limits"),
    ],
)
async def test_arguments_of_a_wrong_type(pool: SandboxPool, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        await pool.run(**arguments)
    opening = {name: arguments[name] for name in arguments.keys() & {"files", "limits", "hosts"}}
    if opening:
        with pytest.raises(TypeError, match=words):
            await pool.session(**opening).__aenter__()


async def test_an_unknown_profile_names_those_there_are(pool: SandboxPool) -> None:
    with pytest.raises(ValueError, match=r"no profile 'numpy'. Use one of plain.*, or give sandbox.prof"):
        await pool.run(code="", profile="numpy")


async def test_steps_and_files_of_a_wrong_type(pool: SandboxPool) -> None:
    async with pool.session() as session:
        for code in (5, None):
            with pytest.raises(TypeError, match="Give the text"):
                await session.step(code)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="The file 'a' is given as str"):
            await session.write("a", "text")  # type: ignore[arg-type]
        assert (await session.step("1")).ok


# Files.

BAD_FILES: list[tuple[Mapping[str, bytes], type[Exception], str]] = [
    ({"/etc/passwd": b""}, ValueError, "workspace"),
    ({"../x": b""}, ValueError, "workspace"),
    ({"a/../../x": b""}, ValueError, "workspace"),
    ({"..": b""}, ValueError, "workspace"),
    ({"": b""}, ValueError, "workspace"),
    ({"a\0b": b""}, ValueError, "workspace"),
    ({"x" * 300: b""}, ValueError, "too long"),
    ({".": b""}, IsADirectoryError, "itself"),
    ({"a": b"", "a/b": b""}, NotADirectoryError, "a/b"),
    ({"large": b"x" * (2 << 20)}, OSError, "larger than 1048576"),
    ({f"{n}": b"x" * (1 << 20) for n in range(9)}, OSError, "No space left"),
    ({f"{n}": b"" for n in range(10_000)}, OSError, "No space left"),
    ({"text": "not bytes"}, TypeError, "bytes"),  # type: ignore[dict-item]
]
SMALL = Limits(file_mb=1, tmp_mb=4, inodes=100)


@pytest.mark.parametrize(("files", "error", "words"), BAD_FILES)
async def test_bad_files_are_refused_and_none_of_them_stays(
    pool: SandboxPool, files: Mapping[str, bytes], error: type[Exception], words: str
) -> None:
    await pool.run(code="", limits=SMALL)
    before = len(launchers())
    for _ in range(3):
        with pytest.raises(error, match=words):
            await pool.run(code="", files={"good": b"", **files}, limits=SMALL)
        with pytest.raises(error, match=words):
            async with pool.session(files={"good": b"", **files}, limits=SMALL):
                pass
    after = await pool.run(code="import os; print([n for n in os.listdir() if n[0] != '.'])", limits=SMALL)
    assert after.stdout == "[]\n", after
    # One may be started ahead of the next run.
    assert len(launchers()) <= before + 1
    assert pool.lost_slots == 0


async def test_ten_thousand_files_go_in_and_out(pool: SandboxPool) -> None:
    files = {f"{n % 100}/{n}": b"%d" % n for n in range(10_000)}
    result = await pool.run(
        code="import glob; print(len(glob.glob('*/*')))",
        files=files,
        limits=Limits(inodes=20_000),
        outputs=("7/7",),
    )
    assert result.stdout == "10000\n"
    assert len(result.files) == 1001
    assert "files beyond 1000: 9000" in result.files[-1].note
    assert next(file for file in result.files if file.path == "7/7").data == b"7"


async def test_more_names_than_are_listed_are_no_error(pool: SandboxPool) -> None:
    code = "for n in range(50_100): open(str(n), 'w').close()\nprint('done')"
    limits = Limits(inodes=100_000, open_files=64)
    result = await pool.run(code=code, limits=limits)
    assert (result.status, result.stdout) == ("ok", "done\n")
    assert "names" in result.files[-1].note
    async with pool.session(limits=limits) as session:
        assert (await session.run(code=code)).stdout == "done\n"
        assert (await session.step("1")).stdout == "1\n"


async def test_what_is_no_file_holds_nobody_up(pool: SandboxPool) -> None:
    code = """
import os, socket
os.mkfifo("pipe"); socket.socket(socket.AF_UNIX).bind("socket"); os.symlink("/dev/zero", "zero")
os.symlink(".", "loop"); os.mkdir("dark"); open("dark/x", "w").write("seen"); os.chmod("dark", 0)
open("secret", "w").write("seen"); os.chmod("secret", 0); os.chmod(".", 0)
try: os.mknod("device", 0o20666, os.makedev(1, 3))
except OSError: print("no device")
"""
    result = await pool.run(code=code, outputs=("*",))
    assert result.stdout == "no device\n"
    assert {file.path: file.data for file in result.files} == {"dark/x": b"seen", "secret": b"seen"}


async def test_strange_patterns_match_nothing_or_what_they_say(pool: SandboxPool) -> None:
    for pattern, found in (("[", ["["]), ("", []), ("**/*", []), ("*" * 50, ["[", "a"]), ("[!", [])):
        result = await pool.run(code="open('[', 'w'); open('a', 'w')", outputs=(pattern,))
        assert [file.path for file in result.files if file.data is not None] == found, pattern


# Hosts. Each is made of this one, in a mount namespace that ends with it.


USE = """
import asyncio, json
from sandbox import Limits, SandboxError, SandboxPool

async def main():
    said = {}
    try:
        async with SandboxPool(slots=1) as pool:
            result = await pool.run(code="open('a', 'w').write('x'); print(6 * 7)")
            said = {"status": result.status, "stdout": result.stdout, "protections": result.protections}
            said["hungry"] = (await pool.run(code=HUNGRY)).status
    except SandboxError as error:
        said["error"] = str(error)
        said["kind"] = type(error).__name__
    print(json.dumps(said))

HUNGRY = '''
import mmap
shared = mmap.mmap(-1, 900 << 20)
while True:
    for page in range(0, 900 << 20, 4096): shared[page] = 1
'''
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """A copy of the package that every user can read, in a place that no host here hides."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        shutil.copytree(Path(sandbox.__file__).parent, Path(folder, "sandbox"))
        yield Path(folder)


def use(
    package: Path, user: str, spoil: str, *, python: str = SYSTEM_PYTHON, home: str = "/nonexistent"
) -> dict[str, Any]:
    """What comes of using the sandbox on a host that the shell script `spoil` has changed before."""
    if os.geteuid() != 0:
        pytest.skip("untested here: such a host can only be made by root")
    drop = dropping(user) if "set --" not in spoil else ""
    script = f'set -e; mount --make-rprivate /; mount -t tmpfs none /mnt; {spoil}\nexec {drop} "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", python, "-B", "-c", USE]
    environment = {"PATH": os.environ["PATH"], "HOME": home}
    with adopting_orphans() as orphans:
        done = subprocess.run(
            command, cwd=package, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert orphans == []
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@contextmanager
def adopting_orphans() -> Iterator[list[psutil.Process]]:
    """Gives, at the end, what was left alive of the processes that were started meanwhile."""
    prctl, adopt = ctypes.CDLL(None).prctl, 36  # PR_SET_CHILD_SUBREAPER
    before = set(psutil.Process().children())
    left: list[psutil.Process] = []
    prctl(adopt, 1)
    try:
        yield left
    finally:
        prctl(adopt, 0)
    orphans = set(psutil.Process().children()) - before
    left += psutil.wait_procs(orphans, timeout=5)[1]


def dropping(user: str) -> str:
    """The start of a command that the user is to run."""
    return f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups" if user == "unprivileged" else ""


def works(said: dict[str, Any]) -> bool:
    """Whether it ran, with every protection of the minimum and its limits."""
    if said.get("stdout") != "42\n" or said["hungry"] != "memory_limit":
        return False
    return set(said["protections"]) >= MINIMUM


OURS_IS_THE_SYSTEM_S = os.path.realpath(sys.executable) == os.path.realpath(SYSTEM_PYTHON)
USERS = pytest.mark.parametrize("user", ["own", "unprivileged"])


@USERS
async def test_an_ordinary_host(package: Path, user: str) -> None:
    said = use(package, user, "")
    assert works(said), said


@USERS
@pytest.mark.parametrize(
    "spoil",
    [
        "umount -R /sys/fs/cgroup",
        "umount -R /sys",
        "for group in /sys/fs/cgroup/*; do mount -o remount,bind,ro $group; done",
    ],
)
async def test_a_host_without_control_groups(package: Path, user: str, spoil: str) -> None:
    said = use(package, user, spoil)
    assert works(said), said
    assert not {"memory_cgroup", "process_cgroup", "cpu_quota"} & set(said["protections"])


@USERS
@pytest.mark.parametrize(
    "spoil",
    [
        "mount -t tmpfs -o size=4k none /tmp; head -c 4096 /dev/zero > /tmp/full",
        "mount -t tmpfs -o ro none /tmp",
        "mount -t tmpfs -o ro none /dev/shm",
        "mount -t tmpfs -o ro none /mnt",
        "mount -t tmpfs none /run; mount -t tmpfs none /home",
        "mount -o remount,bind,ro /",
    ],
)
async def test_a_host_without_room_for_files(package: Path, user: str, spoil: str) -> None:
    # The sandbox makes no file on the host, so it needs none.
    said = use(package, user, spoil)
    assert works(said), said


@USERS
@pytest.mark.parametrize(
    "spoil",
    [
        "mount -o remount,bind,ro /proc",
        "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys",
        "mount -t tmpfs none /proc/irq",
        "umount -l /proc",
        "mount -t tmpfs none /proc",
    ],
)
async def test_a_host_with_a_maimed_proc_is_walled_or_says_so(package: Path, user: str, spoil: str) -> None:
    said = use(package, user, spoil)
    assert works(said) or said.get("kind") == "SandboxUnavailable", said
    if "error" in said:
        assert "/proc" in said["error"]


WITHOUT_USER_NAMESPACES = """
import ctypes, os, sys
host, (told, tell) = os.getpid(), os.pipe()
writer = os.fork()
if writer == 0:
    os.read(told, 1)
    for ids in ("uid_map", "gid_map"):
        with open(f"/proc/{host}/{ids}", "w") as file: file.write("0 0 2000000")
    os._exit(0)
ctypes.CDLL(None).unshare(0x10000000)
os.write(tell, b"x")
assert os.waitpid(writer, 0)[1] == 0
with open("/proc/sys/user/max_user_namespaces", "w") as file: file.write("0")
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Goes on in a user namespace with all users of this host, in which no other can be made."""


@USERS
async def test_a_host_without_user_namespaces_says_what_to_change(package: Path, user: str) -> None:
    wrapper = package / "without_user_namespaces.py"
    wrapper.write_text(WITHOUT_USER_NAMESPACES)
    said = use(package, user, f'set -- {SYSTEM_PYTHON} {wrapper} {dropping(user)} "$@"')
    assert said.get("kind") == "SandboxUnavailable", said
    assert "zygote" in said["error"]
    assert "user.max_user_namespaces" in said["error"]


@USERS
async def test_a_home_that_cannot_be_read_does_no_harm(package: Path, user: str) -> None:
    said = use(package, user, "mkdir -m 700 /mnt/home; chmod 700 /mnt", home="/mnt/home")
    assert works(said), said


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("mount --bind /dev/null $(readlink -f /usr/bin/python3)", "python3, which is not there"),
        ("mount --bind /bin/false $(readlink -f /usr/bin/python3)", "python"),
        ("mount --bind /bin/true $(readlink -f /usr/bin/python3)", "python"),
    ],
)
async def test_a_host_without_a_python_for_jails_says_so(package: Path, spoil: str, words: str) -> None:
    if OURS_IS_THE_SYSTEM_S:
        pytest.skip("untested here: the python of these tests is the one that has to go")
    said = use(package, "own", spoil, python=sys.executable)
    assert said.get("kind") == "SandboxUnavailable", said
    assert words in said["error"]
