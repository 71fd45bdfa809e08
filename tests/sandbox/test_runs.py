"""What a run gives back: output, exit codes, files, pictures, and a status that says what happened."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from sandbox import Limits, SandboxPool, Session
from tests.sandbox.conftest import ON_ONE_LOOP, SCIENCE

pytestmark = ON_ONE_LOOP

PNG = b"\x89PNG\r\n\x1a\n"


async def test_the_sandbox_proves_its_walls(pool: SandboxPool) -> None:
    await pool.check()


async def test_code_shell_and_argv_run(session: Session) -> None:
    await session.write("hello.py", b"import sys; print('hello', *sys.argv[1:])")
    by_code = await session.run(code="print(6 * 7)")
    by_shell = await session.run(shell="echo $((6 * 7)) | cat")
    by_argv = await session.run(argv=["python3", "hello.py", "a b"])
    assert [by_code.stdout, by_shell.stdout, by_argv.stdout] == ["42\n", "42\n", "hello a b\n"]
    assert {by_code.status, by_shell.status, by_argv.status} == {"ok"}
    assert by_code.exit_code == 0
    assert "seccomp" in by_code.protections


async def test_a_result_tells_what_the_run_used(pool: SandboxPool) -> None:
    code = "import time\nx = b'x' * (60 << 20)\nwhile time.process_time() < 0.3: pass"
    result = await pool.run(code=code)
    assert 60 < result.peak_memory_mb < 120
    assert 0.3 <= result.cpu_seconds <= result.wall_seconds + 0.1
    idle = await pool.run(code="import time; time.sleep(0.2)")
    assert idle.cpu_seconds < 0.1 < 0.2 <= idle.wall_seconds


async def test_what_children_use_counts(pool: SandboxPool) -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    code = f"import subprocess\nsubprocess.run(['python3', '-c', {burn!r}])"
    assert (await pool.run(code=code)).cpu_seconds >= 0.2


async def test_a_run_finds_its_files_and_leaves_its_own(pool: SandboxPool) -> None:
    result = await pool.run(
        code="import os; os.mkdir('b'); open('b/out.csv', 'w').write(open('in.csv').read() + '3,4\\n')",
        files={"in.csv": b"1,2\n"},
        outputs=("*.csv",),
    )
    assert [(file.path, file.size, file.data) for file in result.files] == [
        ("b/out.csv", 8, b"1,2\n3,4\n"),
        ("in.csv", 4, b"1,2\n"),
    ]
    assert result.files[0].sha256 == hashlib.sha256(b"1,2\n3,4\n").hexdigest()


async def test_files_of_a_run_that_failed_come_out_too(pool: SandboxPool) -> None:
    code = "open('log', 'w').write('so far'); import time; time.sleep(60)"
    result = await pool.run(code=code, limits=Limits(wall_seconds=0.3), outputs=("log",))
    assert (result.status, result.files[0].data) == ("timeout", b"so far")


async def test_each_run_starts_in_an_empty_workspace(pool: SandboxPool) -> None:
    listing = "import os; print([name for name in os.listdir() if not name.startswith('.')])"
    for _ in range(8):
        result = await pool.run(code=f"{listing}; open('left', 'w')")
        assert result.stdout == "[]\n"


async def test_a_traceback_shows_the_line_and_nothing_of_the_sandbox(session: Session) -> None:
    result = await session.run(code="def f():\n    return 1 / 0  # here\n\nf()\n")
    assert "return 1 / 0  # here" in result.stderr
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "sandbox" not in result.stderr


async def test_memory_errors_are_told_with_a_traceback(pool: SandboxPool) -> None:
    code = "kept = []\nwhile True:\n    kept.append(b'x' * 99_999)  # here"
    for fresh in (False, True):
        result = await pool.run(code=code, fresh=fresh)
        assert result.status == "memory_limit"
        assert "# here" in result.stderr
        assert result.stderr.endswith("MemoryError\n")
        assert "sandbox" not in result.stderr


async def test_a_program_ends_as_under_the_interpreter(session: Session) -> None:
    code = """
import atexit, threading, time
atexit.register(print, "handler")
threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
unclosed = open("a.txt", "w")
unclosed.write("flushed")
class Last:
    def __del__(self):
        print("finalized")
last = Last()
print(__name__, end="")
"""
    result = await session.run(code=code)
    assert result.stdout == "__main__thread\nhandler\nfinalized\n"
    assert await session.read("a.txt") == b"flushed"


async def test_modules_of_the_workspace_can_be_imported(session: Session) -> None:
    await session.write("solution.py", b"def double(x): return 2 * x")
    for fresh in (False, True):
        result = await session.run(code="from solution import double; print(double(4))", fresh=fresh)
        assert result.stdout == "8\n"


async def test_output_before_a_timeout_is_kept(pool: SandboxPool) -> None:
    code = "print('so far')\nimport time; time.sleep(60)"
    result = await pool.run(code=code, limits=Limits(wall_seconds=0.5))
    assert (result.status, result.stdout) == ("timeout", "so far\n")


async def test_a_number_that_a_shell_would_give_a_signal_is_just_an_exit_code(pool: SandboxPool) -> None:
    for code in (127, 139, 152, 153, 159):
        result = await pool.run(code=f"import sys; sys.exit({code})")
        assert (result.status, result.exit_code) == ("runtime_error", code)


async def test_idle_sessions_hold_no_turn() -> None:
    async with SandboxPool(slots=1) as pool, pool.session() as one, pool.session() as two:
        results = await asyncio.gather(*(s.run(code="print(1)") for s in (one, two, one, two)))
    assert [result.stdout for result in results] == ["1\n"] * 4


async def test_work_in_one_turn_waits_for_it_once_and_gives_it_back() -> None:
    done: list[str] = []

    async def steps(pool: SandboxPool) -> asyncio.Task[None]:
        async with pool.in_one_turn(), pool.session() as one, pool.session() as two:
            begun_within = asyncio.create_task(run(pool, "begun within"))
            for session in (one, two, one):
                await session.step("1")
                done.append("step")
        return begun_within

    async def run(pool: SandboxPool, name: str) -> None:
        async with pool.in_one_turn():
            await pool.run(code="pass")
            done.append(name)

    async with SandboxPool(slots=1) as pool:
        begun_within, _ = await asyncio.gather(steps(pool), run(pool, "other"))
        await begun_within
    assert done[:3] == ["step"] * 3
    assert sorted(done[3:]) == ["begun within", "other"]


async def test_no_more_runs_go_on_than_there_are_slots() -> None:
    clock = "import time; start = time.monotonic(); time.sleep(0.1); print(start, time.monotonic())"
    async with SandboxPool(slots=2) as pool:
        results = await asyncio.gather(*(pool.run(code=clock) for _ in range(6)))
    spans = [tuple(map(float, result.stdout.split())) for result in results]
    assert max(sum(start <= at < end for start, end in spans) for at, _ in spans) == 2


# Random numbers: runs are forked from one process, and must not draw the same.


@SCIENCE
@pytest.mark.parametrize("fresh", [False, True])
async def test_no_two_runs_draw_the_same_random_numbers(pool: SandboxPool, fresh: bool) -> None:
    code = """
import os, random, secrets, tempfile, uuid
import numpy
print(random.random(), numpy.random.random(), numpy.random.default_rng().random())
print(uuid.uuid4(), secrets.token_hex(), os.path.basename(tempfile.mktemp()))
"""
    results = [await pool.run(code=code, profile="science", fresh=fresh) for _ in range(3)]
    drawn = [word for result in results for word in result.stdout.split()]
    assert len(drawn) == len(set(drawn)) == 18, results


@SCIENCE
async def test_no_two_branches_draw_the_same_random_numbers(pool: SandboxPool) -> None:
    async with pool.session(profile="science") as session:
        await session.step("import random, numpy, uuid")
        snapshot = await session.snapshot()
        branches = [await snapshot.branch() for _ in range(3)]
        draw = "print(random.random(), uuid.uuid4())"
        drawn = [word for branch in branches for word in (await branch.step(draw)).stdout.split()]
    assert len(drawn) == len(set(drawn)) == 6


# Profiles.


@SCIENCE
@pytest.mark.parametrize(
    "program",
    [
        {"code": "import numpy, pandas, sympy; print(int(numpy.arange(4).sum()))"},
        {"code": "import numpy, pandas, sympy; print(int(numpy.arange(4).sum()))", "fresh": True},
        {"code": "import numpy; print(int(numpy.arange(4).sum()))", "profile": "plain"},
        {"shell": "python3 -c 'import numpy; print(int(numpy.arange(4).sum()))'"},
    ],
)
async def test_packages_are_there_in_every_way_to_run(pool: SandboxPool, program: dict[str, str]) -> None:
    result = await pool.run(**program, limits=Limits(memory_mb=256))  # type: ignore[arg-type]
    assert result.stdout == "6\n", result


@SCIENCE
async def test_figures_left_open_come_out_as_pictures(pool: SandboxPool) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.figure(); plt.bar([1], [2])\n1 / 0"
    for fresh in (False, True):
        result = await pool.run(code=code, fresh=fresh, profile="science", limits=Limits(memory_mb=512))
        assert result.status == "runtime_error"
        assert [figure.startswith(PNG) for figure in result.figures] == [True, True]
        assert result.files == ()


@SCIENCE
@pytest.mark.parametrize("way", ["code", "shell"])
async def test_the_layer_comes_after_the_standard_library_and_instead_of_the_host_s_packages(
    pool: SandboxPool, way: str
) -> None:
    code = (
        "import os, sys, six; paths = [p for p in sys.path if os.path.isdir(p)];"
        " print(six.__file__.startswith('/opt/layers/'),"
        " paths.index(os.path.dirname(six.__file__)) > paths.index(os.path.dirname(os.__file__)))"
    )
    result = await pool.run(code=code) if way == "code" else await pool.run(shell=f'python3 -c "{code}"')
    assert result.stdout == "True True\n", result
