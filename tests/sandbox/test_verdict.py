"""What decides the status of a run: what was measured, and of words only those of kernel and interpreter."""

from __future__ import annotations

import pytest

from sandbox import Limits, SandboxPool, Status
from sandbox.verdict import judge
from tests.sandbox.conftest import ON_ONE_LOOP

pytestmark = ON_ONE_LOOP


@pytest.mark.parametrize(
    ("last_line", "status"),
    [
        ("PermissionError: business rule", "runtime_error"),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "policy_denied"),
        ("PermissionError: [Errno 1] Operation not permitted", "policy_denied"),
        ("ValueError: Permission denied", "runtime_error"),
        ("RuntimeError: the customer says: Name or service not known", "runtime_error"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "policy_denied"),
        ("urllib.error.URLError: <urlopen error [Errno -2] Name or service not known>", "policy_denied"),
        ("MemoryError: mine", "runtime_error"),
        ("MemoryError", "memory_limit"),
        ("MemoryError: Unable to allocate output buffer.", "memory_limit"),
        (
            "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB for an array",
            "memory_limit",
        ),
        ("OSError: [Errno 12] Cannot allocate memory", "memory_limit"),
        ("ValueError: No space left on device", "runtime_error"),
        ("OSError: [Errno 28] No space left on device", "disk_limit"),
        ("RuntimeError: can't start new thread", "process_limit"),
        ("ValueError: can't start new thread", "runtime_error"),
        ("OSError: [Errno 24] Too many open files: 'x'", "process_limit"),
        ("urllib.error.HTTPError: HTTP Error 413: File too large", "runtime_error"),
    ],
)
async def test_words_of_python_code_count_only_where_the_kernel_or_the_interpreter_says_them(
    last_line: str, status: Status
) -> None:
    assert judged(f"Traceback:\n{last_line}\n", is_code=True) == status


@pytest.mark.parametrize(
    ("last_line", "status"),
    [
        ("sh: 1: cannot create /usr/x: Read-only file system", "policy_denied"),
        ("cat: x: Permission denied", "policy_denied"),
        ("head: error writing 'standard output': File too large", "disk_limit"),
        ("sh: 1: Cannot fork", "process_limit"),
        ("Permission denied to sell below cost: ask your manager", "runtime_error"),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "policy_denied"),
    ],
)
async def test_other_programs_end_a_line_with_what_the_kernel_refused(last_line: str, status: Status) -> None:
    assert judged(last_line, is_code=False) == status


def judged(stderr: str, *, is_code: bool) -> Status:
    return judge(
        stopped="",
        exit_code=1,
        signal=None,
        stderr=stderr,
        cpu_seconds=0,
        limits=Limits(),
        is_code=is_code,
    )


FETCH = "import urllib.request; urllib.request.urlopen('http://example.com/', timeout=10)"


async def test_a_run_that_failed_and_was_refused_a_host_is_denied_by_policy(pool: SandboxPool) -> None:
    hosts = ["example.org"]
    failed = await pool.run(code=FETCH, hosts=hosts)
    assert (failed.status, failed.blocked_requests) == ("policy_denied", ("example.com:80 not granted",))
    caught = f"import contextlib\nwith contextlib.suppress(OSError): exec({FETCH!r})"
    handled = await pool.run(code=caught, hosts=hosts)
    assert (handled.status, len(handled.blocked_requests)) == ("ok", 1)
    async with pool.session(hosts=hosts) as session:
        assert (await session.step(FETCH)).status == "policy_denied"
        assert (await session.run(code=FETCH)).status == "policy_denied"
        assert (await session.step("1 / 0")).status == "runtime_error"
