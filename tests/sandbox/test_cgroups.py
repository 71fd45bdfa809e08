"""Control groups of this host, driven for real. What a host cannot have is skipped, with the reason."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import cgroups
from sandbox.cgroups import Group, Parent, find_parent
from sandbox.errors import SandboxError, SandboxUnavailable

SYSTEM_PYTHON = "/usr/bin/python3"
NOBODY = 65534
EVERY_PROTECTION = ("memory_cgroup", "process_cgroup", "cpu_quota")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="untested here: takes root")


@pytest.fixture
def parent() -> Parent:
    """Where this host makes groups, of the version that has the controllers here."""
    parent = find_parent()
    if parent.protections() != EVERY_PROTECTION:
        pytest.skip(f"untested here: {' '.join(parent.missing.values())}")
    return parent


@pytest.mark.parametrize("version", [1, 2])
def test_the_tests_of_limits_below_are_driven_by_control_groups_of_version(
    parent: Parent, version: int
) -> None:
    if parent.version != version:
        pytest.skip(
            f"untested here: control groups v{version} have no memory controller on this host, so their"
            " limits were not tried (v2: of the kernel itself only joining, killing, removing and passing on)"
        )


@pytest.fixture
async def group(parent: Parent) -> AsyncIterator[Group]:
    group = Group.create(parent, "slot")
    yield group
    assert await group.end()
    assert not any(folder.exists() for folder in folders_of(parent))


def folders_of(parent: Parent, name: str = "slot") -> set[Path]:
    return {folder / f"{parent.prefix}{name}" for folder in parent.folders.values()}


@contextmanager
def started(program: str, *groups: Group) -> Iterator[subprocess.Popen[str]]:
    """A python that begins `program` when it is a member of the groups."""
    wait = "import os, sys; sys.stdin.readline(); exec(sys.argv[1])"
    with subprocess.Popen(
        [SYSTEM_PYTHON, "-I", "-S", "-c", wait, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for group in groups:
                group.add(process.pid)
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            yield process
        finally:
            process.kill()


def run(program: str, *groups: Group) -> tuple[int, str]:
    """The return code of the program, negative for a signal, and what it printed."""
    with started(program, *groups) as process:
        out, _ = process.communicate(timeout=60)
    return process.returncode, out.strip()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


ALLOCATE = "held = bytearray(80 << 20); print(len(held) >> 20)"


def test_more_memory_than_the_limit_ends_the_process_and_is_counted(group: Group) -> None:
    assert run(ALLOCATE, group) == (0, "80")
    assert group.oom_kills() == 0
    group.set_memory(64)
    assert run(ALLOCATE, group) == (-signal.SIGKILL, "")
    assert group.oom_kills() == 1


def test_the_memory_of_all_processes_is_counted_together(group: Group) -> None:
    program = """
held = bytearray(40 << 20)
if not (child := os.fork()):
    for at in range(0, len(held), 4096):
        held[at] = 1  # copies the page
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert run(program, group) == (0, "0")
    group.set_memory(64)
    run(program, group)
    assert group.oom_kills() == 1


def test_the_memory_limit_of_a_group_can_be_raised_and_lowered(group: Group) -> None:
    for limit, code in ((64, -signal.SIGKILL), (160, 0), (48, -signal.SIGKILL), (4096, 0)):
        group.set_memory(limit)
        assert run(ALLOCATE, group)[0] == code


def test_memory_does_not_flow_over_into_swap(group: Group, parent: Parent) -> None:
    group.set_memory(64)
    (folder,) = {
        folder / f"{parent.prefix}slot" for name, folder in parent.folders.items() if name == "memory"
    }
    swap = folder / ("memory.memsw.limit_in_bytes" if parent.version == 1 else "memory.swap.max")
    if not swap.exists():
        pytest.skip("untested here: the kernel does not account for swap")
    assert int(swap.read_text()) == (64 << 20 if parent.version == 1 else 0)


def test_a_memory_limit_below_what_is_in_use_is_refused(group: Group) -> None:
    program = "held = bytearray(80 << 20); print(1, flush=True); sys.stdin.readline()"
    with started(program, group) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert group.memory_mb() > 80
        with pytest.raises(SandboxError, match=r"limit of 64 MB is less than the 8\d MB"):
            group.set_memory(64)
        assert process.poll() is None
    assert group.protections() == ()


def test_the_peak_of_memory_can_begin_anew_for_each_run(group: Group) -> None:
    if not group.reset_peak():
        pytest.skip("untested here: the kernel cannot reset the peak")
    run(ALLOCATE, group)
    first = group.peak_memory_mb()
    assert group.reset_peak()
    run("held = bytearray(20 << 20)", group)
    second = group.peak_memory_mb()
    assert first is not None
    assert second is not None
    assert 80 < first < 120
    assert 20 < second < 60


FORK = """
import signal
children = []
try:
    while len(children) < 20:
        children.append(os.fork() or signal.pause())
except BlockingIOError:
    pass
print(len(children))
for child in children:
    os.kill(child, signal.SIGKILL)
    os.wait()
"""
THREADS = """
import _thread
threads = 0
try:
    while threads < 20:
        _thread.start_new_thread(sys.stdin.read, ())
        threads += 1
except RuntimeError:
    pass
print(threads, flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("program", [FORK, THREADS], ids=["processes", "threads"])
def test_more_processes_or_threads_than_the_limit_cannot_be_started_and_are_counted(
    group: Group, program: str
) -> None:
    assert run(program, group) == (0, "20")
    assert group.refused_forks() == 0
    group.set_processes(5)
    assert run(program, group) == (0, "4")
    assert group.refused_forks() == 1


BURN = """
import time
while time.process_time() < 0.3:
    pass
"""


def test_who_uses_more_cpu_than_its_share_has_to_wait(group: Group, parent: Parent) -> None:
    def waits() -> int:
        return cgroups._key(parent.folders["cpu"] / f"{parent.prefix}slot" / "cpu.stat", "nr_throttled")

    assert run(BURN, group) == (0, "")
    assert waits() == 0
    group.set_cpus(0.2)
    assert run(BURN, group) == (0, "")
    assert waits() > 0


def test_a_share_of_cpu_beyond_that_of_a_group_above_leaves_the_smaller_one(
    parent: Parent, group: Group
) -> None:
    group.set_cpus(0.5)
    inner = Group.create(find_parent(str(parent.folders["cpu"] / f"{parent.prefix}slot")), "inner")
    inner.set_cpus(1)
    assert inner.protections() == ("cpu_quota",)
    assert inner.remove()


def test_cpu_time_is_that_of_all_that_ever_ran_inside(group: Group) -> None:
    run(BURN, group)
    run(BURN, group)
    seconds = group.cpu_seconds()
    assert seconds is not None
    assert seconds > 0.5


def test_only_limits_that_were_set_count_as_protections(group: Group) -> None:
    assert group.protections() == ()
    group.set_cpus(1)
    assert group.protections() == ("cpu_quota",)
    group.set_processes(10)
    group.set_memory(64)
    assert group.protections() == EVERY_PROTECTION


def test_what_a_member_starts_is_a_member(group: Group) -> None:
    program = "child = os.fork() or sys.stdin.read(); print(child, flush=True); sys.stdin.read()"
    with started(program, group) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert sorted(group.pids()) == sorted([process.pid, child])


async def test_a_group_with_a_process_inside_is_not_removed_until_that_is_killed(parent: Parent) -> None:
    group = Group.create(parent, "slot")
    with started("sys.stdin.readline()", group) as process:
        assert not group.remove()
        assert group.pids() == [process.pid]
        assert await group.end()
        assert process.wait() == -signal.SIGKILL
    assert group.remove()
    assert await group.end()
    assert not any(folder.exists() for folder in folders_of(parent))


async def test_a_fork_bomb_is_killed_whole(parent: Parent) -> None:
    group = Group.create(parent, "slot")
    group.set_processes(40)
    bomb = """
while True:
    try:
        os.fork() or os._exit(0)
        os.fork()
    except OSError:
        pass
"""
    with started(bomb, group):
        wait_until(lambda: group.refused_forks() > 100)
        assert await group.end()
    assert not any(folder.exists() for folder in folders_of(parent))


def test_a_name_in_use_is_refused_and_leaves_the_group_that_has_it(parent: Parent, group: Group) -> None:
    with pytest.raises(SandboxError, match="cannot be made: File exists"):
        Group.create(parent, "slot")
    assert all(folder.exists() for folder in folders_of(parent))


def test_a_process_that_is_gone_cannot_be_added(group: Group) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
        with pytest.raises(SandboxError, match="No such process"):
            group.add(process.pid)


def test_two_pools_of_one_process_can_use_the_same_names(parent: Parent, group: Group) -> None:
    other = Group.create(find_parent(), "slot")
    assert other.remove()


def test_groups_can_be_made_below_a_folder_that_is_named(parent: Parent, group: Group) -> None:
    for folder in folders_of(parent):
        named = find_parent(str(folder))
        below = Group.create(named, "below")
        assert all(path.parent.name == f"{parent.prefix}slot" for path in folders_of(named, "below"))
        assert below.remove()


def test_a_named_folder_that_is_of_no_use_is_refused_with_the_way_out(parent: Parent) -> None:
    somewhere = next(iter(parent.folders.values()))
    with pytest.raises(SandboxUnavailable, match=r"there is no such group\. Make it"):
        find_parent(str(somewhere / "no-such-group"))
    with pytest.raises(SandboxUnavailable, match=r"The folder /tmp is no control group\. Give one beneath"):
        find_parent("/tmp")


@pytest.fixture
def package() -> Iterator[Path]:
    """A copy of the module that every user can read."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "sandbox")
        copy.mkdir(mode=0o755)
        (copy / "__init__.py").touch()
        for name in ("cgroups.py", "errors.py"):
            shutil.copy(Path(cgroups.__file__).with_name(name), copy)
        Path(folder).chmod(0o755)
        yield Path(folder)


HOST = """
import subprocess, sys
from sandbox.cgroups import *
parent = find_parent()
group = Group.create(parent, "slot")
inside = subprocess.Popen(["sleep", "300"])
group.add(inside.pid)
print(*{str(folder / f"{parent.prefix}slot") for folder in parent.folders.values()}, flush=True)
sys.stdin.read()
inside.kill()
inside.wait()
group.remove()
"""


def test_what_a_dead_host_left_behind_is_swept_away_but_not_what_a_living_one_uses(
    parent: Parent, package: Path
) -> None:
    with subprocess.Popen(
        [SYSTEM_PYTHON, "-B", "-c", HOST],
        cwd=package,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout is not None
        folders = [Path(folder) for folder in host.stdout.readline().split()]
        find_parent()
        assert all(folder.exists() for folder in folders)
        host.kill()
        host.wait()
        assert all((folder / "cgroup.procs").read_text() for folder in folders)
        find_parent()
        assert not any(folder.exists() for folder in folders)
        assert host.stdout.read() == ""  # ends when the last who holds it has: the process inside


TELL = """
import sys
from sandbox.cgroups import *
try:
    parent = find_parent(*sys.argv[1:])
except SandboxError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(parent.protections(), *parent.missing.values(), sep="\\n")
group = Group.create(parent, "slot")
group.set_memory(64)
group.set_processes(9)
with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
    group.add(process.pid)
    print(group.protections(), len(group.pids()))
print(group.oom_kills(), group.peak_memory_mb() is None, group.reset_peak())
group.kill()
print(group.remove())
"""


def tell(package: Path, *prefix: str, folder: str | None = None, user: int | None = None) -> list[str]:
    """What a process finds: its protections, why it misses others, and what a group of it says."""
    identity = {"user": user, "group": user, "extra_groups": []} if user is not None else {}
    done = subprocess.run(  # type: ignore[call-overload]
        [*prefix, SYSTEM_PYTHON, "-B", "-c", TELL, *([folder] if folder else [])],
        cwd=package,
        capture_output=True,
        text=True,
        timeout=60,
        **identity,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout).splitlines()


NOTHING = ["() 0", "0 True False", "True"]
"""What a group tells of which nothing can be had."""


@needs_root
def test_a_user_without_rights_is_told_why_it_has_no_groups_and_can_go_on_without(package: Path) -> None:
    protections, *missing = tell(package, user=NOBODY)
    assert protections == "()"
    assert all("this user may not make groups there. Run as root" in reason for reason in missing[:3])
    assert missing[3:] == NOTHING


@pytest.fixture
def given(parent: Parent) -> Iterator[Path]:
    """A folder that belongs to a user without rights, by the same path in each hierarchy."""
    roots = {next(path for path in folder.parents if path.is_mount()) for folder in folders_of(parent)}
    folders = [root / f"{parent.prefix}given" for root in roots]
    for folder in folders:
        folder.mkdir()
        for path in (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control"):
            if path.exists():
                os.chown(path, NOBODY, NOBODY)
    yield folders[0]
    for folder in folders:
        shutil.rmtree(folder / "main", ignore_errors=True)
        folder.rmdir()


@needs_root
def test_a_user_without_rights_can_use_a_folder_that_was_given_to_it(package: Path, given: Path) -> None:
    # v2 lets it move only what is in the folder already: who gives the folder starts the program in it.
    enter = ["sh", "-ec", 'mkdir "$0/main"; echo $$ > "$0/main/cgroup.procs"; exec "$@"', str(given)]
    prefix = enter if (given / "cgroup.subtree_control").exists() else []
    protections, *group = tell(package, *prefix, folder=str(given), user=NOBODY)
    assert protections == str(EVERY_PROTECTION)
    assert group == ["('memory_cgroup', 'process_cgroup') 1", "0 False True", "True"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("mount -o remount,bind,ro $at", "it is mounted read-only. Mount the control groups read-write."),
        ("umount -l $at", "no hierarchy of control groups with it is mounted. Mount /sys/fs/cgroup"),
    ],
    ids=["read-only", "not mounted"],
)
@needs_root
def test_a_host_without_control_groups_to_write_to_is_told_so(
    package: Path, change: str, reason: str
) -> None:
    script = f'for at in $(findmnt -n -l -o TARGET -t cgroup,cgroup2); do {change}; done; exec "$@"'
    protections, *missing = tell(package, "unshare", "-m", "sh", "-ec", script, "sh")
    assert protections == "()"
    assert all(reason in text for text in missing[:3])
    assert missing[3:] == NOTHING


@needs_root
@pytest.mark.parametrize("namespaces", ["-m", "-mC"])
def test_a_container_that_sees_only_its_own_group_makes_groups_in_that(
    parent: Parent, group: Group, package: Path, namespaces: str
) -> None:
    if parent.version == 2:
        pytest.skip("untested here: of v2 a container needs an entry point that moves its processes")
    owns = folders_of(parent)
    roots = [next(path for path in own.parents if path.is_mount()) for own in owns]
    binds = "; ".join(f"mount --bind {own} {root}" for own, root in zip(owns, roots, strict=True))
    show = "from sandbox.cgroups import *; print(*{*find_parent().folders.values()}, sep='\\n')"
    program = f"""
import subprocess
shell = ["unshare", "{namespaces}", "sh", "-ec", {binds + '; exec "$@"'!r}, "sh"]
subprocess.run([*shell, "{SYSTEM_PYTHON}", "-B", "-c", {show!r}], check=True, cwd={str(package)!r})
"""
    code, shown = run(program, group)
    assert code == 0
    assert sorted(shown.splitlines()) == sorted(map(str, roots))


@pytest.fixture
def unified() -> Iterator[Path]:
    """A group of the host's v2 hierarchy, which is real even where no controller of ours belongs to it."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    roots = [Path(at) for _, at, kind, *_ in mounts if kind == "cgroup2"]
    if not roots or not os.access(roots[0], os.W_OK):
        pytest.skip("untested here: no hierarchy of control groups v2 to write to")
    folder = roots[0] / f"sandbox-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    folder.rmdir()


async def test_a_v2_group_is_joined_counted_killed_and_removed(unified: Path) -> None:
    group = Group.create(Parent(2, {"": unified}, {}, "sandbox-test-"), "slot")
    with started("os.fork()" + BURN + "sys.stdin.readline()", group) as process:
        wait_until(lambda: (group.cpu_seconds() or 0) > 0.1)
        assert process.pid in group.pids()
        assert len(group.pids()) == 2
        assert not group.remove()
        assert await group.end()
        assert process.wait() == -signal.SIGKILL


def test_a_v2_group_with_processes_in_it_passes_no_controller_on(unified: Path) -> None:
    root = unified.parent
    passed_on = (root / "cgroup.subtree_control").read_text().split()
    at_hand = passed_on or (root / "cgroup.controllers").read_text().split()
    if not at_hand:
        pytest.skip("untested here: control groups v2 have no controller at all on this host")
    controller = at_hand[0]
    try:
        assert cgroups._pass_on(root, [controller]) == {}
        with started("sys.stdin.readline()") as process:
            (unified / "cgroup.procs").write_text(str(process.pid))
            refused = cgroups._pass_on(unified, [controller, "no-such-controller"])
            assert "there are processes in it" in refused[controller]
            assert "not in its cgroup.controllers" in refused["no-such-controller"]
        assert cgroups._pass_on(unified, [controller]) == {}
    finally:
        (unified / "cgroup.subtree_control").write_text(f"-{controller}")
        if not passed_on:
            (root / "cgroup.subtree_control").write_text(f"-{controller}")


@pytest.fixture
def plain_files(tmp_path: Path) -> Path:
    """Files that look like those of a v2 group: they limit nothing, they only hold what was written."""
    contents = {
        "cgroup.procs": "",
        "memory.max": "max\n",
        "memory.swap.max": "max\n",
        "memory.current": f"{30 << 20}\n",
        "memory.stat": f"anon 1\nfile 2\ninactive_file {8 << 20}\nactive_file {2 << 20}\n",
        "memory.peak": f"{50 << 20}\n",
        "memory.events": "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n",
        "pids.max": "max\n",
        "pids.events": "max 4\n",
        "cpu.max": "max 100000\n",
        "cpu.stat": "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_formats_of_v2_files_which_says_nothing_about_the_kernel(plain_files: Path) -> None:
    group = Group(2, dict.fromkeys(("memory", "pids", "cpu"), plain_files))
    assert group.memory_mb() == 20
    group.set_memory(64)
    group.set_processes(10)
    group.set_cpus(1)
    names = ("memory.max", "memory.swap.max", "pids.max", "cpu.max")
    assert [(plain_files / name).read_text() for name in names] == [str(64 << 20), "0", "10", "100000 100000"]
    assert group.protections() == EVERY_PROTECTION
    assert group.oom_kills() == 2
    assert group.refused_forks() == 4
    assert group.peak_memory_mb() == 50
    assert group.cpu_seconds() == 1.5
    with pytest.raises(SandboxError, match="less than the 20 MB"):
        group.set_memory(19)
    (plain_files / "memory.events").write_text("low 0\n")
    with pytest.raises(SandboxError, match="no line 'oom_kill'"):
        group.oom_kills()
