"""What a run gives back: output, exit codes and a status that says what happened."""

from __future__ import annotations

import asyncio

import pytest

from sandbox import SandboxPool, Session


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
    assert by_code.peak_memory_mb > 1
    assert "seccomp" in by_code.protections


@pytest.mark.parametrize("arguments", [{}, {"code": "1", "shell": "ls"}, {"argv": []}])
async def test_exactly_one_kind_of_program_is_asked_for(
    pool: SandboxPool, arguments: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        await pool.run(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("", "ok", 0),
        ("raise SystemExit", "ok", 0),
        ("exit(0)", "ok", 0),
        ("import sys; sys.exit(7)", "runtime_error", 7),
        ("import sys; sys.exit('why')", "runtime_error", 1),
        ("1 / 0", "runtime_error", 1),
        ("def f(:", "compile_error", 1),
        ("print('a\0b')", "compile_error", 1),
        ("x = '\ud800'", "compile_error", 1),
        ("import no_such_module", "missing_dependency", 1),
        ("open('/usr/x', 'w')", "policy_denied", 1),
        ("import os; os.abort()", "crashed", None),
        ("import os; os.kill(os.getpid(), 9)", "crashed", None),
    ],
)
async def test_status_of_code(session: Session, code: str, status: str, exit_code: int | None) -> None:
    result = await session.run(code=code)
    assert (result.status, result.exit_code) == (status, exit_code), result


@pytest.mark.parametrize(
    ("script", "status", "exit_code"),
    [
        ("true", "ok", 0),
        ("exit 3", "runtime_error", 3),
        ("no_such_command", "missing_dependency", 127),
        ("kill -SEGV $$", "crashed", None),
        ("yes | head -1", "ok", 0),
        ("x" * 200_000, "runtime_error", 126),
    ],
)
async def test_status_of_a_shell_script(
    session: Session, script: str, status: str, exit_code: int | None
) -> None:
    result = await session.run(shell=script)
    assert (result.status, result.exit_code) == (status, exit_code), result


async def test_a_traceback_shows_the_line_and_nothing_of_the_sandbox(session: Session) -> None:
    result = await session.run(code="def f():\n    return 1 / 0  # here\n\nf()\n")
    assert "return 1 / 0  # here" in result.stderr
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")
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


async def test_stdin_is_empty(session: Session) -> None:
    assert "EOFError" in (await session.run(code="input()")).stderr


async def test_any_bytes_may_be_printed(session: Session) -> None:
    result = await session.run(code=r"import os; os.write(1, b'\0\xff\xfe ok'); os.write(2, b'\0')")
    assert result.stdout == "\0\ufffd\ufffd ok"
    assert result.stderr == "\0"


async def test_five_megabytes_of_code_run(pool: SandboxPool) -> None:
    result = await pool.run(code=f"x = '{'a' * 5_000_000}'\nprint(len(x))")
    assert result.stdout == "5000000\n"


async def test_modules_of_the_workspace_can_be_imported(session: Session) -> None:
    await session.write("solution.py", b"def double(x): return 2 * x")
    result = await session.run(code="from solution import double; print(double(4))")
    assert result.stdout == "8\n"


async def test_output_before_a_timeout_is_kept(pool: SandboxPool) -> None:
    from sandbox import Limits

    result = await pool.run(
        code="print('so far')\nimport time; time.sleep(60)", limits=Limits(wall_seconds=0.5)
    )
    assert (result.status, result.stdout) == ("timeout", "so far\n")


async def test_idle_sessions_hold_no_slot() -> None:
    async with SandboxPool(slots=1) as pool, pool.session() as one, pool.session() as two:
        results = await asyncio.gather(*(s.run(code="print(1)") for s in (one, two, one, two)))
    assert [result.stdout for result in results] == ["1\n"] * 4
