"""Every limit, crossed, ends the run with a status of its own; ordinary work stays within all of them."""

from __future__ import annotations

import pytest

from sandbox import Limits, SandboxPool

FILL_MEMORY = "kept = []\nwhile True: kept.append('x' * 100_000)"
SHARED_MEMORY = """
import mmap
shared = mmap.mmap(-1, 400 << 20)
while True:
    for page in range(0, 400 << 20, 4096): shared[page] = 1
"""
MEMORY_OF_MANY = """
import os, time
for _ in range(5): os.fork()
mine = b"x" * (60 << 20)
time.sleep(60)
"""
FORK_AND_WAIT = "import os, time\nwhile os.fork(): pass\ntime.sleep(60)"
THREADS = """
import threading
wait = threading.Event().wait
for _ in range(20): threading.Thread(target=wait, args=(60,), daemon=True).start()
"""
FILL_WORKSPACE = """
for number in range(100):
    with open(f"{number}", "wb") as file: file.write(b"x" * (1 << 20))
"""


@pytest.mark.parametrize(
    ("status", "program", "limits"),
    [
        ("timeout", {"code": "import time; time.sleep(60)"}, Limits(wall_seconds=0.5)),
        ("timeout", {"shell": "sleep 60 & sleep 60"}, Limits(wall_seconds=0.5)),
        ("cpu_limit", {"code": "while True: pass"}, Limits(cpu_seconds=1)),
        (
            "cpu_limit",
            {"code": "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"},
            Limits(cpu_seconds=1),
        ),
        ("memory_limit", {"code": FILL_MEMORY}, Limits()),
        ("memory_limit", {"code": "b'x' * (1 << 30)"}, Limits()),
        ("memory_limit", {"code": SHARED_MEMORY}, Limits()),
        ("memory_limit", {"code": MEMORY_OF_MANY}, Limits(processes=40)),
        ("process_limit", {"code": FORK_AND_WAIT}, Limits()),
        ("process_limit", {"code": THREADS}, Limits()),
        ("process_limit", {"shell": "for i in $(seq 30); do sleep 60 & done; wait"}, Limits()),
        ("disk_limit", {"code": "open('a', 'wb').write(b'x' * (2 << 20))"}, Limits(file_mb=1)),
        ("disk_limit", {"shell": "head -c 3000000 /dev/zero > a"}, Limits(file_mb=1)),
        ("disk_limit", {"code": FILL_WORKSPACE}, Limits(tmp_mb=8)),
        ("output_limit", {"code": "while True: print('x' * 1000)"}, Limits()),
        ("output_limit", {"shell": "yes >&2"}, Limits(output_bytes=1000)),
    ],
)
async def test_crossing_a_limit_has_its_own_status(
    pool: SandboxPool, status: str, program: dict[str, str], limits: Limits
) -> None:
    result = await pool.run(**program, limits=limits)
    assert result.status == status, result


async def test_cut_output_says_so(pool: SandboxPool) -> None:
    result = await pool.run(shell="yes", limits=Limits(output_bytes=1000))
    assert result.stdout.startswith("y\ny\n")
    assert result.stdout.endswith("\n[sandbox: cut at 1000 bytes]")
    assert result.stderr == ""


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
