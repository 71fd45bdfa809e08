"""From how a run ended to its status. Pure: it judges by what the driver measured and the run wrote last.

Code can forge its own stderr and so its own verdict; that harms nobody but itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from signal import SIGKILL, SIGSYS, SIGXCPU, SIGXFSZ

from sandbox.contracts import Limits, Result, Status

# Numbers and words of what the kernel refuses with; those of the C library's name look-ups are negative.
REFUSALS: dict[Status, dict[int, str]] = {
    "memory_limit": {12: "Cannot allocate memory"},
    "disk_limit": {28: "No space left on device", 27: "File too large", 122: "Disk quota exceeded"},
    "process_limit": {11: "Resource temporarily unavailable", 24: "Too many open files"},
    "policy_denied": {
        1: "Operation not permitted",
        13: "Permission denied",
        30: "Read-only file system",
        93: "Protocol not supported",
        97: "Address family not supported by protocol",
        101: "Network is unreachable",
        -2: "Name or service not known",
        -3: "Temporary failure in name resolution",
    },
}
PYTHON_S_OWN: tuple[tuple[re.Pattern[str], Status], ...] = (
    (re.compile(r"^(SyntaxError|IndentationError|TabError)\b"), "compile_error"),
    (re.compile(r"^(ModuleNotFoundError|ImportError)\b"), "missing_dependency"),
    # As the interpreter and numpy say it, not a program that raises one for reasons of its own.
    (re.compile(r"^([\w.]*MemoryError)(: .*([Aa]lloc|[Oo]ut of memory).*)?$"), "memory_limit"),
    (re.compile(r"^RuntimeError: can't start new thread$"), "process_limit"),
)
BY_NUMBER: tuple[tuple[re.Pattern[str], Status], ...] = tuple(
    (re.compile("|".join(rf"\[Errno {number}\] {words}" for number, words in refusals.items())), status)
    for status, refusals in REFUSALS.items()
)
"""As python shows an OSError: its number is what a program that speaks of such things does not write."""
AT_THE_END: tuple[tuple[re.Pattern[str], Status], ...] = (
    *((re.compile(rf": ({'|'.join(refusals.values())})$"), status) for status, refusals in REFUSALS.items()),
    (re.compile(r": Cannot fork$"), "process_limit"),
)
"""As other programs say what the kernel refused."""
LAST_LINES: dict[bool, tuple[tuple[re.Pattern[str], Status], ...]] = {
    True: (*PYTHON_S_OWN, *BY_NUMBER),
    False: (*PYTHON_S_OWN, *BY_NUMBER, *AT_THE_END),
}
"""For python code and for other programs: the first that is found in the last line of stderr decides."""
SIGNALS: dict[int, Status] = {SIGXCPU: "cpu_limit", SIGXFSZ: "disk_limit", SIGSYS: "policy_denied"}
SHELL_NOT_FOUND = 127
SHELL_SIGNAL_BASE = 128


def with_blocked(result: Result, blocked: Sequence[str]) -> Result:
    """The result with the requests that were refused meanwhile: a program that failed did so for them."""
    failed = blocked and result.status == "runtime_error"
    return replace(
        result, status="policy_denied" if failed else result.status, blocked_requests=tuple(blocked)
    )


def judge(
    *,
    stopped: str,
    exit_code: int | None,
    signal: int | None,
    stderr: str,
    cpu_seconds: float,
    limits: Limits,
    is_code: bool = False,
) -> Status:
    """The status of a run. `stopped` is the limit for which the driver ended it, empty if it ended itself.

    `is_code` is for python code, whose exit code no shell has made of a signal.
    """
    match stopped:
        case "timeout" | "cpu_limit" | "output_limit" | "memory_limit" | "disk_limit" | "process_limit":
            return stopped
    if exit_code == 0:
        return "ok"
    if exit_code is not None and exit_code > SHELL_SIGNAL_BASE and not is_code:
        # A shell reports so that its last command died of a signal.
        by_signal = SIGNALS.get(exit_code - SHELL_SIGNAL_BASE)
        if by_signal:
            return by_signal
    if signal is not None:
        if signal == SIGKILL and cpu_seconds >= limits.cpu_seconds:
            return "cpu_limit"
        return SIGNALS.get(signal, "crashed")
    last_line = stderr.rstrip().rpartition("\n")[2]
    for pattern, status in LAST_LINES[is_code]:
        if pattern.search(last_line):
            return status
    return "missing_dependency" if exit_code == SHELL_NOT_FOUND and not is_code else "runtime_error"
