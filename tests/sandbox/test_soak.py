"""Ten thousand runs, one in twenty of them hostile: every honest one is right, and nothing is left over."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from dataclasses import dataclass

import psutil

from sandbox import Limits, Result, SandboxPool
from tests.sandbox.conftest import Holdings

RUNS = int(os.environ.get("SANDBOX_SOAK_RUNS", "10000"))
SETTLED = RUNS // 5
"""Until then caches fill and slots of every kind are made; what grows from here on would grow for ever."""
ABUSE_EVERY = 20
AT_ONCE = 4
MOST_GROWTH_MB = 8.0
"""Of this process's resident memory. A list of all results alone would be several times that."""

BOMB = Limits(wall_seconds=0.5, memory_mb=64, output_bytes=1 << 16)
BOMBS = {
    "forks without end": "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    "forks and waits": "import os, time\nwhile os.fork(): pass\ntime.sleep(60)",
    "fills its memory": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "fills shared memory": "import mmap\nx = mmap.mmap(-1, 900 << 20)\n"
    "for n in range(0, 900 << 20, 4096): x[n] = 1",
    "floods its output": "while True: print('x' * 999)",
    "floods and forks": "import os\nos.fork(); os.fork()\nwhile True: os.write(2, b'x' * 4096)",
    "floods the file system": "n = 0\nwhile True: n += 1; open(str(n), 'w')",
    "fills the file system": "open('a', 'wb').truncate(1 << 24); x = b'x' * (1 << 20)\n"
    "for n in range(99): open(f'b{n}', 'wb').write(x)",
    "leaves a daemon": "import os\nif os.fork() == 0:\n  os.setsid()\n"
    "  if os.fork() == 0: os.execvp('sleep', ['sleep', '300'])",
    "leaves a daemon of another kind": "import subprocess\n"
    "subprocess.Popen(['sleep', '300'], start_new_session=True)",
    "kills itself": "import os; os.kill(os.getpid(), 9)",
    "kills all it can": "import os; os.kill(-1, 9)",
    "exits at once": "import os; os._exit(7)",
    "closes all descriptors": "import os; os.closerange(0, 4096)",
    "stops its parent": "import os, signal\nfor pid in (os.getppid(), 1):\n"
    "  try: os.kill(pid, signal.SIGSTOP)\n  except OSError: pass",
    "stops itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "signals the first process": "import os\nfor n in range(1, 65):\n"
    "  try: os.kill(1, n)\n  except OSError: pass",
    "ignores every signal": "import signal, time\nfor n in range(1, 65):\n"
    "  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\ntime.sleep(60)",
    "nests folders": "import os\nwhile True: os.mkdir('d'); os.chdir('d')",
    "plants links": "import os\nfor n in range(300): os.symlink('/etc/shadow', f'l{n}'); os.mkfifo(f'f{n}')",
    "locks its files away": "import os\nos.mkdir('a'); open('a/b', 'w'); os.chmod('a', 0); os.chmod('.', 0)",
}
"""What code may try. How it ends does not matter here."""


@dataclass(frozen=True)
class Sample:
    """What this process holds of the machine's at a moment when nothing runs."""

    holdings: Holdings
    threads: int
    resident_mb: float

    @classmethod
    async def of(cls, pool: SandboxPool) -> Sample:
        # The same number of slots stands by whenever a sample is taken.
        await asyncio.gather(*(pool.run(code="import time; time.sleep(0.1)") for _ in range(AT_ONCE)))
        await asyncio.gather(*(pool.run(code="", limits=BOMB) for _ in range(AT_ONCE)))
        return cls(Holdings.now(), threading.active_count(), psutil.Process().memory_info().rss / 2**20)


async def honest(pool: SandboxPool, number: int) -> None:
    match number % 4:
        case 0:
            result = await pool.run(code=f"print({number} * 2)")
            right = f"{number * 2}\n"
        case 1:
            result = await pool.run(shell=f"echo {number} | tr 0-9 a-j", limits=BOMB)
            right = "".join("abcdefghij"[int(digit)] for digit in str(number)) + "\n"
        case 2:
            result = await pool.run(
                code="open('out', 'w').write(open('in').read()[::-1])",
                files={"in": str(number).encode()},
                outputs=("out",),
            )
            right = ""
            assert {file.path: file.data for file in result.files}["out"] == str(number)[::-1].encode()
        case _:
            result = await pool.run(code=f"import sys; print({number}); sys.exit({number % 100 + 1})")
            right = f"{number}\n"
            assert result.exit_code == number % 100 + 1, result
    assert result.stdout == right, result
    assert result.status == ("runtime_error" if number % 4 == 3 else "ok"), result


async def hostile(pool: SandboxPool, number: int) -> Result:
    code = list(BOMBS.values())[number // ABUSE_EVERY % len(BOMBS)]
    if number % 3 == 0:
        return await pool.run(argv=["python3", "-c", code], limits=BOMB)
    if number % 3 == 1:
        return await pool.run(code=code, limits=BOMB)
    async with pool.session(limits=BOMB) as session:
        return await session.step(code)


async def test_ten_thousand_runs_leave_nothing() -> None:
    before = Holdings.now()
    numbers = list(range(RUNS))
    random.Random(7).shuffle(numbers)
    async with SandboxPool(slots=AT_ONCE) as pool:
        samples = []
        for part in (numbers[:SETTLED], numbers[SETTLED:]):
            rest = iter(part)

            async def work(rest: object = rest) -> None:
                for number in rest:  # type: ignore[attr-defined]
                    await (hostile if number % ABUSE_EVERY == 0 else honest)(pool, number)

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            samples.append(await Sample.of(pool))
        settled, end = samples
        assert pool.lost_slots == 0
    # Asyncio has a few threads of its own, which it starts one by one.
    assert end.threads <= 1 + min(32, (os.cpu_count() or 1) + 4)
    assert end.holdings.mounts == settled.holdings.mounts
    # A slot may be on its way to its next runner, whose process and two descriptors then come later.
    opened = [sum(sample.holdings.descriptors.values()) for sample in samples]
    assert opened[1] <= opened[0] + 2 * AT_ONCE
    assert len(end.holdings.processes) <= len(settled.holdings.processes) + AT_ONCE
    assert len(end.holdings.control_groups) <= len(settled.holdings.control_groups)
    assert end.resident_mb - settled.resident_mb < MOST_GROWTH_MB
    after = Holdings.now()
    assert (after.processes, after.mounts, after.control_groups) == (
        before.processes,
        before.mounts,
        before.control_groups,
    )
