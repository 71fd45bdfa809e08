"""The ways to make a slot, each by itself: it proves its walls, leaves nothing, or says what is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import sandbox
from sandbox import SandboxPool, SandboxUnavailable
from sandbox.backends.base import SlotKind
from sandbox.backends.bubblewrap import Bubblewrap
from sandbox.backends.choice import BACKENDS, examine_all
from sandbox.backends.nsjail import Nsjail
from sandbox.backends.protections import HARDENING, MEANING, NAMESPACES
from sandbox.cgroups import Parent
from sandbox.profiles import Layer, Profile
from tests.sandbox.conftest import alive, eventually, lingering, seen
from tests.sandbox.hosts import NOBODY, SYSTEM_PYTHON, pool_of
from tests.sandbox.traces import control_groups

PROGRAMS = {"nsjail": "nsjail", "bubblewrap": "bwrap"}
"""The backends that let a program of the host build the jail, and the program."""
WALLED = ("zygote", *PROGRAMS)
"""The backends that have every namespace."""
NO_GROUPS = Parent(1, {}, {}, "")
ROOT = os.geteuid() == 0
UNSHARE_USER = ("unshare", "--user", "--map-user=1000", "--keep-caps")
SWITCH_OFF = (
    'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --ambient-caps=-all "$@"'
)


def skip_without(backend: str) -> None:
    program = PROGRAMS.get(backend)
    if program and not shutil.which(program):
        pytest.skip(f"{program} is not on PATH: untested here")
    if subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces: untested here")


@pytest.fixture(params=WALLED)
def backend(request: pytest.FixtureRequest) -> str:
    skip_without(request.param)
    return str(request.param)


async def test_each_backend_has_protections_that_can_be_explained_or_says_what_is_missing() -> None:
    examined, _ = await examine_all()
    assert [found.name for found in examined] == list(BACKENDS)
    for found in examined:
        assert bool(found.protections) == (found.backend is not None) == (not found.problem)
        assert set(found.protections) <= MEANING.keys()


@pytest.mark.parametrize("user", ["own", "unprivileged"])
async def test_code_inside_finds_every_wall_standing(user: str, backend: str) -> None:
    async with pool_of(user, backend, slots=1, minimum=frozenset((*NAMESPACES, *HARDENING))) as pool:
        await pool.check()
        found = (await pool.run(code="")).protections
    assert ("ids_of_its_own" in found) == (user == "own" and ROOT)
    assert ("bounded_inodes" in found) == (backend != "bubblewrap")


async def test_a_slot_is_born_in_its_control_group(backend: str, marker: str) -> None:
    async with SandboxPool(slots=1, backend=backend) as pool:
        if "process_cgroup" not in (await pool.run(code="")).protections:
            pytest.skip("no control groups can be made: untested here")
        run = asyncio.create_task(pool.run(argv=lingering(marker)))
        await seen(marker)
        for pid in (alive(marker)[0], init_of(marker)):
            assert "/sandbox-" in groups_of(pid)
        run.cancel()


async def test_a_run_is_as_nice_as_the_host(backend: str) -> None:
    async with SandboxPool(slots=1, backend=backend) as pool:
        assert (await pool.run(code="import os; print(os.nice(0))")).stdout == f"{os.nice(0)}\n"


@pytest.mark.parametrize("user", ["own", "unprivileged"])
async def test_a_session_keeps_files_and_variables_and_the_next_one_finds_none(
    user: str, backend: str
) -> None:
    async with pool_of(user, backend, slots=1) as pool:
        async with pool.session(files={"a/b": b"given"}) as session:
            await session.step("kept = open('a/b').read()")
            snapshot = await session.snapshot()
            branch = await snapshot.branch()
            assert (await branch.step("kept + ' to a branch'")).stdout == "'given to a branch'\n"
            assert (await session.run(shell="cat a/b; echo new > c")).stdout == "given"
            assert (await session.step("kept, open('c').read()")).stdout == "('given', 'new\\n')\n"
        async with pool.session() as session:
            assert await session.listdir() == []
            assert (await session.step("kept")).status == "runtime_error"


@pytest.mark.parametrize("user", ["own", "unprivileged"])
async def test_a_slot_reaches_no_host_but_by_its_proxy(user: str, backend: str) -> None:
    code = "import urllib.request as r\ntry: r.urlopen('http://other.invalid')\nexcept OSError as e: print(e)"
    async with pool_of(user, backend, slots=1) as pool:
        result = await pool.run(code=code, hosts=("granted.invalid",))
        assert "403" in result.stdout, result
        assert result.blocked_requests == ("other.invalid:80 not granted",)
        assert "urlopen error" in (await pool.run(code=code)).stdout


async def test_nothing_of_any_slot_is_left(backend: str, marker: str) -> None:
    before = traces()
    async with SandboxPool(slots=3, backend=backend) as pool:
        await asyncio.gather(*(pool.run(shell="sleep 60 & touch /dev/shm/x") for _ in range(6)))
        async with pool.session() as session:
            await session.step("import os; os.fork()")
        run = asyncio.create_task(pool.run(argv=lingering(marker)))
        await seen(marker)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled()
        assert alive(marker) == []
    assert traces() == before


async def test_a_killed_host_leaves_no_process(backend: str, marker: str) -> None:
    host = f"""
import asyncio
from sandbox import SandboxPool
async def main():
    async with SandboxPool(backend={backend!r}) as pool:
        word = {marker[:10]!r} + {marker[10:]!r}
        await pool.run(argv=["sh", "-c", "setsid sleep 300 & sleep 300; :", word])
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", host)
    try:
        await seen(marker)
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) >= 3
    finally:
        process.kill()
        await process.wait()
    await eventually(lambda: not any(child.is_running() for child in below))


@pytest.mark.skipif(not ROOT, reason="only root can mount something for a slot to find")
def test_what_is_mounted_below_a_folder_of_the_system_is_read_only_too(backend: str) -> None:
    host = f"""
import asyncio
from sandbox import SandboxPool
async def main():
    async with SandboxPool(backend={backend!r}) as pool:
        print((await pool.run(shell="grep -c ' /usr/local ' /proc/mounts; echo x > /usr/local/x")).stderr)
asyncio.run(main())
"""
    mount = 'mount -t tmpfs -o mode=1777 none /usr/local && touch /usr/local/y && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", host]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Read-only file system" in done.stdout, done.stderr


def test_what_the_host_ignores_is_not_ignored_inside(backend: str) -> None:
    host = f"""
import asyncio
from sandbox import SandboxPool
async def main():
    async with SandboxPool(backend={backend!r}, minimum=()) as pool:
        print((await pool.run(code="import signal; print(signal.getsignal(signal.SIGHUP).name)")).stdout)
        print((await pool.run(shell="trap; kill -HUP $$; echo still here")).signal)
asyncio.run(main())
"""
    command = ["nohup", sys.executable, "-c", host]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["SIG_DFL", "1"], done.stderr


@pytest.mark.parametrize("program", ["nsjail", "bwrap", "setpriv"])
async def test_a_program_that_is_missing_is_named(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in {"nsjail", "bwrap", "setpriv"} - {program}:
        (tmp_path / other).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    maker = Bubblewrap if program == "bwrap" else Nsjail
    with pytest.raises(SandboxUnavailable, match=rf"^{program} is not on PATH\. Install it"):
        await maker(NO_GROUPS).start(kind_of())


@pytest.mark.skipif(not ROOT, reason="only root's slots run as another user")
@pytest.mark.parametrize("backend", PROGRAMS)
async def test_a_layer_that_strangers_cannot_read_is_named(backend: str, tmp_path: Path) -> None:
    skip_without(backend)
    hidden = tmp_path / "hidden"
    (hidden / "layer").mkdir(parents=True)
    hidden.chmod(0o700)
    with pytest.raises(SandboxUnavailable, match=r"hidden/layer.*Keep layers where every user may read them"):
        await BACKENDS[backend](NO_GROUPS).start(kind_of(Layer("key", hidden / "layer")))


async def test_a_layer_whose_path_nsjail_cannot_take_is_named(tmp_path: Path) -> None:
    skip_without("nsjail")
    with pytest.raises(SandboxUnavailable, match="a:b: a colon ends a path there"):
        await Nsjail(NO_GROUPS).start(kind_of(Layer("key", tmp_path / "a:b")))


@pytest.fixture
def package() -> Iterator[Path]:
    """A copy of the package that every user can read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shutil.copytree(Path(sandbox.__file__).parent, Path(folder, "sandbox"))
        yield Path(folder)


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("zygote", "unshare"),
        ("nsjail", "clone(flags="),
        ("bubblewrap", "bwrap: "),
    ],
)
def test_a_host_without_user_namespaces_is_told_so(package: Path, backend: str, words: str) -> None:
    skip_without(backend)
    check = f"""
import asyncio
from sandbox import SandboxPool, SandboxUnavailable
try:
    asyncio.run(SandboxPool(backend={backend!r}).check())
except SandboxUnavailable as error:
    print(error)
"""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if ROOT else {}
    done = subprocess.run(  # type: ignore[call-overload]
        [*UNSHARE_USER, "sh", "-c", SWITCH_OFF, "sh", SYSTEM_PYTHON, "-B", "-c", check],
        cwd=package,
        capture_output=True,
        text=True,
        timeout=60,
        **user,
    )
    assert words in done.stdout, done.stderr
    assert "Allow unprivileged user namespaces" in done.stdout


def groups_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


def kind_of(*layers: Layer) -> SlotKind:
    return SlotKind(Profile("empty", preload=(), layers=layers), tmp_mb=8, inodes=100, reaches_hosts=False)


def init_of(marker: str) -> int:
    """The first process of the slot in which `marker` runs."""
    namespace = os.readlink(f"/proc/{alive(marker)[0]}/ns/pid")
    process = psutil.Process(alive(marker)[0])
    while os.readlink(f"/proc/{process.ppid()}/ns/pid") == namespace:
        process = psutil.Process(process.ppid())
    return int(process.pid)


def traces() -> dict[str, object]:
    """Whatever slots of this process could leave on this host."""
    own = psutil.Process()
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "processes": own.children(recursive=True),
        "descriptors": own.num_fds(),
        "mounts": mounts,
        "folders": sorted(Path("/tmp").glob("nsjail.*")),
        "control groups": control_groups(),
    }
