"""From how a run ended to its status. Pure: it judges by what the driver measured and the run wrote last.

Code can forge its own stderr and so its own verdict; that harms nobody but itself.
"""

from __future__ import annotations

import re
from signal import SIGKILL, SIGSYS, SIGXCPU, SIGXFSZ

from sandbox.contracts import Limits, Status

# The order matters: the first pattern found in the last line of stderr decides.
LAST_LINES: tuple[tuple[re.Pattern[str], Status], ...] = (
    (re.compile(r"^(SyntaxError|IndentationError|TabError)\b"), "compile_error"),
    (re.compile(r"^(ModuleNotFoundError|ImportError)\b"), "missing_dependency"),
    (re.compile(r"^([\w.]*MemoryError)\b|Cannot allocate memory"), "memory_limit"),
    (re.compile(r"No space left on device|File too large|Disk quota exceeded"), "disk_limit"),
    (
        re.compile(
            r"can't start new thread|Resource temporarily unavailable|Cannot fork|Too many open files"
        ),
        "process_limit",
    ),
    (
        re.compile(
            r"^PermissionError\b|Operation not permitted|Permission denied|Read-only file system"
            r"|Network is unreachable|Temporary failure in name resolution|Name or service not known"
            r"|Address family not supported|Protocol not supported"
        ),
        "policy_denied",
    ),
)
SIGNALS: dict[int, Status] = {SIGXCPU: "cpu_limit", SIGXFSZ: "disk_limit", SIGSYS: "policy_denied"}
SHELL_NOT_FOUND = 127
SHELL_SIGNAL_BASE = 128


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
    for pattern, status in LAST_LINES:
        if pattern.search(last_line):
            return status
    return "missing_dependency" if exit_code == SHELL_NOT_FOUND and not is_code else "runtime_error"
