"""Every limit, crossed, ends a run or a step with a status of its own; what stays within it is left alone."""

from __future__ import annotations

import math
from typing import Any

import psutil
import pytest

from sandbox import Limits, SandboxPool
from sandbox.contracts import LEAST
from sandbox.slot import STOP_SECONDS
from tests.sandbox.conftest import ON_ONE_LOOP, alive

pytestmark = ON_ONE_LOOP

COMPUTE = "while True: pass"
COMPUTE_IN_FIVE = "import os\nfor _ in range(4): os.fork()\nwhile True: pass"
IGNORE_THE_SIGNAL = f"import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n{COMPUTE}"
COMPUTE_IN_ORPHANS = """
import os, time
while True:
    if os.fork() == 0:
        if os.fork() == 0:
            until = time.process_time() + 0.3
            while time.process_time() < until: pass
        os._exit(0)
    os.wait()
    time.sleep(0.3)
"""
COMPUTE_UNHEARD_OF = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        while time.process_time() < 0.4: pass
        os._exit(0)
    try: os.wait()
    except ChildProcessError: pass
"""
FILL_MEMORY = "kept = []\nwhile True: kept.append('x' * 100_000)"
FILL_SHARED_MEMORY = """
import mmap
shared = mmap.mmap(-1, 900 << 20)
while True:
    for page in range(0, 900 << 20, 4096): shared[page] = 1
"""
FILL_MEMORY_OF_MANY = """
import os, time
for _ in range(4): os.fork()
mine = b"x" * (60 << 20)
time.sleep(60)
"""
FILL_A_FILE_IN_MEMORY = """
import mmap
file = open("a", "w+b")
file.truncate(150 << 20)
shared = mmap.mmap(file.fileno(), 0)
while True:
    for page in range(0, 150 << 20, 4096): shared[page] = 1
"""
FORK_AND_WAIT = "import os, time\nwhile os.fork(): pass\ntime.sleep(60)"
THREADS = """
import threading
for _ in range(60): threading.Thread(target=threading.Event().wait, args=(60,), daemon=True).start()
"""
FILL_WORKSPACE = "for n in range(100): open(str(n), 'wb').write(b'x' * (1 << 20))"
FILL_DEV_SHM = "for n in range(100): open(f'/dev/shm/{n}', 'wb').write(b'x' * (1 << 20))"
MAKE_FILES = "for n in range(300): open(str(n), 'w')"
MAKE_FOLDERS = "import os\nfor n in range(300): os.mkdir(str(n))"
OPEN_FILES = "kept = [open('/dev/null') for _ in range(50)]"
FLOOD = "while True: print('x' * 1000)"
FLOOD_STDERR = "import sys\nwhile True: sys.stderr.write('x' * 1000)"
FLOOD_AT_ONCE = "import os; os.write(1, b'x' * 60_000)"
SMALL = Limits(tmp_mb=8, inodes=100)

CROSSINGS = [
    ("timeout", "import time; time.sleep(60)", Limits(wall_seconds=0.3)),
    ("timeout", COMPUTE, Limits(wall_seconds=0.3)),
    ("cpu_limit", COMPUTE, Limits(cpu_seconds=1)),
    ("cpu_limit", IGNORE_THE_SIGNAL, Limits(cpu_seconds=1)),
    ("cpu_limit", COMPUTE_IN_FIVE, Limits(cpu_seconds=1, processes=20)),
    ("cpu_limit", COMPUTE_IN_ORPHANS, Limits(cpu_seconds=1, wall_seconds=15)),
    ("cpu_limit", COMPUTE_UNHEARD_OF, Limits(cpu_seconds=1, wall_seconds=15)),
    ("memory_limit", FILL_MEMORY, Limits(memory_mb=64)),
    ("memory_limit", "b'x' * (1 << 30)", Limits()),
    ("memory_limit", FILL_SHARED_MEMORY, Limits()),
    ("memory_limit", FILL_MEMORY_OF_MANY, Limits(processes=20)),
    ("disk_limit", "open('a', 'wb').write(b'x' * (2 << 20))", Limits(file_mb=1)),
    ("disk_limit", FILL_WORKSPACE, SMALL),
    ("disk_limit", FILL_DEV_SHM, SMALL),
    ("disk_limit", MAKE_FILES, SMALL),
    ("disk_limit", MAKE_FOLDERS, SMALL),
    ("process_limit", FORK_AND_WAIT, Limits()),
    ("process_limit", THREADS, Limits()),
    ("process_limit", OPEN_FILES, Limits(open_files=32)),
    ("output_limit", FLOOD, Limits()),
    ("output_limit", FLOOD_STDERR, Limits(output_bytes=1000)),
    ("output_limit", FLOOD_AT_ONCE, Limits(output_bytes=1000)),
]


@pytest.mark.parametrize(("status", "code", "limits"), CROSSINGS)
async def test_a_run_that_crosses_a_limit(
    pool: SandboxPool, marker: str, status: str, code: str, limits: Limits
) -> None:
    result = await pool.run(argv=["python3", "-c", code, marker], limits=limits)
    assert result.status == status, result
    assert alive(marker) == []
    assert (await pool.run(code="print(1)", limits=limits)).stdout == "1\n"


@pytest.mark.parametrize(("status", "code", "limits"), CROSSINGS)
async def test_a_step_that_crosses_a_limit(pool: SandboxPool, status: str, code: str, limits: Limits) -> None:
    async with pool.session(limits=limits) as session:
        await session.write("kept", b"")
        result = await session.step(code)
        assert result.status == status, result
        if status != "disk_limit":
            assert "kept" in await session.listdir()
        assert (await session.step("print(1)")).stdout.startswith("1\n")


@pytest.mark.parametrize(
    ("status", "script", "limits"),
    [
        ("timeout", "sleep 60 & sleep 60", Limits(wall_seconds=0.3)),
        ("cpu_limit", "while :; do :; done", Limits(cpu_seconds=1)),
        ("process_limit", "for i in $(seq 30); do sleep 60 & done; wait", Limits()),
        ("disk_limit", "head -c 3000000 /dev/zero > a", Limits(file_mb=1)),
        ("output_limit", "yes", Limits()),
        ("output_limit", "yes >&2", Limits()),
    ],
)
async def test_a_script_that_crosses_a_limit(
    pool: SandboxPool, status: str, script: str, limits: Limits
) -> None:
    assert (await pool.run(shell=script, limits=limits)).status == status


async def test_a_mapped_file_counts_once_as_memory_or_as_a_file(pool: SandboxPool) -> None:
    result = await pool.run(code=FILL_A_FILE_IN_MEMORY, limits=Limits(tmp_mb=300, file_mb=200, memory_mb=64))
    assert result.status == "memory_limit", result


async def test_memory_that_another_run_lacked_is_not_the_next_run_s_fault(pool: SandboxPool) -> None:
    hungry_child = """
import mmap, os
if os.fork() == 0:
    mmap.mmap(-1, 2 << 30, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
    os._exit(0)
os.wait()
"""
    for _ in range(3):
        assert (await pool.run(code=hungry_child)).status in ("ok", "memory_limit")
        aborted = await pool.run(code="import os, time; time.sleep(0.05); os.abort()")
        assert (aborted.status, aborted.signal) == ("crashed", 6), aborted


async def test_a_slot_short_of_memory_and_cpu_still_obeys(pool: SandboxPool) -> None:
    # Who is out of memory computes a lot to find some, and the slot has one CPU for that and for its init.
    bomb = "import os\nfor _ in range(5): os.fork()\nkept = []\nwhile True: kept.append(b'x' * (20 << 20))"
    for _ in range(3):
        result = await pool.run(code=bomb, limits=Limits(wall_seconds=1, processes=40))
        assert result.status in ("memory_limit", "timeout"), result
        assert result.wall_seconds < 1 + STOP_SECONDS
    assert pool.lost_slots == 0


async def test_each_run_has_its_own_limits(pool: SandboxPool) -> None:
    for _ in range(3):
        small = await pool.run(code="x = bytearray(90 << 20)", limits=Limits(memory_mb=64))
        large = await pool.run(code="x = bytearray(90 << 20)", limits=Limits(memory_mb=200))
        assert (small.status, large.status) == ("memory_limit", "ok")


async def test_cut_output_says_so(pool: SandboxPool) -> None:
    result = await pool.run(shell="yes", limits=Limits(output_bytes=1000))
    assert result.stdout == "y\n" * 500 + "\n[sandbox: cut at 1000 bytes]"
    assert result.stderr == ""


async def test_the_cut_may_fall_into_a_character(pool: SandboxPool) -> None:
    result = await pool.run(code="print('世' * 1000)", limits=Limits(output_bytes=1000))
    assert result.stdout == "世" * 333 + "\ufffd\n[sandbox: cut at 1000 bytes]"


async def test_both_streams_are_cut_apart(pool: SandboxPool) -> None:
    code = "import sys\nprint('short')\nwhile True: sys.stderr.write('x' * 999)"
    result = await pool.run(code=code, limits=Limits(output_bytes=1000))
    assert result.stdout == "short\n"
    assert result.stderr == "x" * 1000 + "\n[sandbox: cut at 1000 bytes]"


async def test_a_flood_is_not_the_next_run_s(pool: SandboxPool) -> None:
    for _ in range(10):
        assert (await pool.run(code=FLOOD, limits=Limits(output_bytes=1000))).status == "output_limit"
        for _ in range(3):
            result = await pool.run(code="print(1)", limits=Limits(output_bytes=1000))
            assert (result.status, result.stdout) == ("ok", "1\n"), result


async def test_a_timeout_that_comes_as_a_run_ends_is_not_the_next_run_s(pool: SandboxPool) -> None:
    statuses = set()
    for number in range(150):
        limits = Limits(wall_seconds=0.001 + number * 2e-5)
        statuses.add((await pool.run(code="", limits=limits)).status)
        result = await pool.run(code="print(1)")
        assert (result.status, result.stdout) == ("ok", "1\n"), result
    assert statuses <= {"ok", "timeout"}
    assert pool.lost_slots == 0


async def test_ordinary_work_fits_the_default_limits(pool: SandboxPool) -> None:
    code = """
import concurrent.futures, decimal, json, multiprocessing, re, subprocess
with multiprocessing.Pool(4) as processes: print(sum(processes.map(abs, range(10))))
with concurrent.futures.ThreadPoolExecutor(4) as threads: print(sum(threads.map(abs, range(10))))
print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout.strip())
"""
    result = await pool.run(code=code)
    assert (result.status, result.stdout) == ("ok", "45\n45\nchild\n"), result


async def test_short_lived_orphans_do_not_use_up_the_process_limit(pool: SandboxPool) -> None:
    code = """
import os, time
def fork():
    while True:
        try: return os.fork()
        except BlockingIOError: time.sleep(0.01)
for number in range(50):
    if fork() == 0:
        fork()
        os._exit(0)
    os.wait()
print("done")
"""
    result = await pool.run(code=code)
    assert result.stdout == "done\n", result


async def test_a_background_process_of_a_session_is_held_to_the_memory_limit_too(pool: SandboxPool) -> None:
    # It begins to take memory when its step is long over, so nobody watches but the kernel.
    code = f"""
import subprocess
child = subprocess.Popen(["python3", "-c", '''import time; time.sleep(0.3)
{FILL_SHARED_MEMORY}'''])
"""
    async with pool.session() as session:
        result = await session.step(code)
        if "memory_cgroup" not in result.protections:
            pytest.skip("untested here: this needs a control group for memory")
        most = 0.0
        for _ in range(100):
            await session.step("import time; time.sleep(0.001)")
            most = max(most, shared_memory_of_children())
        assert most < 2 * (Limits().memory_mb + Limits().tmp_mb)


def shared_memory_of_children() -> float:
    """In MB, of the largest process below this one."""
    sizes = [0]
    for child in psutil.Process().children(recursive=True):
        try:
            sizes.append(child.memory_info().shared)
        except psutil.NoSuchProcess:
            continue
    return max(sizes) / 2**20


@pytest.mark.parametrize("name", Limits.__dataclass_fields__)
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
async def test_a_limit_that_is_none_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"The limit {name} is .*Give a (whole )?number"):
        Limits(**{name: value})


@pytest.mark.parametrize("name", Limits.__dataclass_fields__)
@pytest.mark.parametrize("value", ["64", True, None, {}, 1j])
async def test_a_limit_that_is_no_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"The limit {name} is .*Give a (whole )?number"):
        Limits(**{name: value})


@pytest.mark.parametrize(
    ("name", "least"), [*LEAST.items(), ("memory_mb", 1), ("processes", 1), ("tmp_mb", 1)]
)
async def test_with_the_least_limits_something_runs(pool: SandboxPool, name: str, least: int) -> None:
    limits = Limits(**{name: least})
    for way in ({"code": "print(1)"}, {"code": "print(1)", "fresh": True}, {"shell": "echo 1"}):
        assert (await pool.run(**way, limits=limits)).stdout == "1\n"
    with pytest.raises(ValueError, match=f"The limit {name} is {least - 1}. Give a whole number"):
        Limits(**{name: least - 1})


@pytest.mark.parametrize("name", sorted(Limits.__dataclass_fields__.keys() - {"wall_seconds"}))
async def test_a_limit_that_is_no_whole_number_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"The limit {name} is 2.5.*whole"):
        Limits(**{name: 2.5})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["memory_mb", "tmp_mb", "file_mb", "inodes", "processes", "open_files", "cpu_seconds"]
)
async def test_a_limit_beyond_the_host_is_refused(pool: SandboxPool, name: str) -> None:
    with pytest.raises(ValueError, match=f"The limit {name} is .*machine"):
        await pool.run(code="", limits=Limits(**{name: 10**20}))
    with pytest.raises(ValueError, match=f"The limit {name} is .*machine"):
        async with pool.session(limits=Limits(**{name: 10**20})):
            pass
    assert (await pool.run(code="print(1)")).stdout == "1\n"


async def test_generous_limits_are_fine(pool: SandboxPool) -> None:
    limits = Limits(wall_seconds=1e9, cpu_seconds=10**6, output_bytes=10**9, inodes=10**5, file_mb=1000)
    assert (await pool.run(code="print(1)", limits=limits)).stdout == "1\n"
