"""The sandbox's speed beside a bare `python3 -c`: `make bench-sandbox`; `--quick` only shows that it works.

A figure is a ratio of medians of samples taken in turns, so that it holds on a busy machine; the two that
are none end in their unit. A run finds a slot that stands by, as between an agent's calls: what it costs to
make it ready again shows in the throughput. `BARS` has the bars; those of `unprivileged`, the same measured
by a user without rights, hold within 20 %. null is what cannot be measured here; stderr says why.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.bare import PYTHON
from benchmarks.measure import ROOT, describe_machine

BARS = {
    "one_shot_ratio": "a run of print(1+1) / bare: <= 0.25",
    "throughput_ratio": "runs a second, one a core at once / bare: >= 2.5",
    "bubblewrap_throughput_ratio": "the same / bubblewrap with the same limits: >= 4",
    "session_step_ratio": "a step of print(1+1) / bare: <= 0.06",
    "branch_ratio": "a branch from a snapshot and a step in it / bare: <= 0.35",
    "pandas_ratio": "a run with a small data frame / bare: <= 0.08",
    "fresh_exec_ratio": "a run in a new python / bare: <= 1.3",
    "timeout_overrun_ms": "the most beyond its time until a run has ended: <= 150",
    "slot_memory_mb": "PSS of all processes of idle plain slots, for each: <= 25",
    "floor_ratio": "fork, exit and wait of a python like the slot's / a run: >= 0.17",
}
ROUNDS, QUICK_ROUNDS = 40, 1
IDLE_SLOTS = 8
NOBODY = 65534

Figures = dict[str, float | str | None]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the sandbox.")
    parser.add_argument("--quick", action="store_true", help="one round: the figures mean nothing")
    rounds = QUICK_ROUNDS if parser.parse_args().quick else ROUNDS
    machine = describe_machine()
    with package() as folder:
        own = measure(folder, rounds, [sys.executable], user=None)
        # One who is not root is measured already.
        unprivileged = measure(folder, rounds, [PYTHON], user=NOBODY) if os.geteuid() == 0 else own
    print(json.dumps({**own, "unprivileged": unprivileged, "machine": machine}))


@contextmanager
def package() -> Iterator[Path]:
    """A folder with what measures and what is measured: the checkout may lie where others cannot read."""
    with tempfile.TemporaryDirectory(prefix="adp-bench-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "sandbox", folder / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "benchmarks").mkdir()
        for module in ("__init__", "bare", "sandbox_pool"):
            shutil.copy(ROOT / "benchmarks" / f"{module}.py", folder / "benchmarks")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def measure(folder: Path, rounds: int, python: list[str], user: int | None) -> Figures:
    """The figures, in the order of the bars, of a pool in a process of this or another user."""
    say(f"as {'this user' if user is None else f'user {user}'}:")
    with start(folder, python, user, "measure", rounds) as measuring:
        figures = json.loads(measuring.communicate()[0])
    if measuring.returncode:
        raise SystemExit(f"the measuring process ended with {measuring.returncode}")
    figures["slot_memory_mb"] = slot_memory_mb(folder, python, user)
    rounded = {name: figures[name] and round(figures[name], 3) for name in BARS}
    return {**rounded, "backend": figures["backend"]}


def slot_memory_mb(folder: Path, python: list[str], user: int | None) -> float | None:
    """Memory that is shared counts in parts, among all processes of the machine that share it."""
    with start(folder, python, user, "stand-by", IDLE_SLOTS) as holding:
        assert holding.stdout
        holding.stdout.readline()
        launchers = psutil.Process(holding.pid).children()
        if len(launchers) != IDLE_SLOTS:
            raise SystemExit(f"{len(launchers)} slots stand by instead of {IDLE_SLOTS}")
        processes = [
            process for launcher in launchers for process in (launcher, *launcher.children(recursive=True))
        ]
        try:
            return sum(process.memory_full_info().pss for process in processes) / 1e6 / IDLE_SLOTS
        except psutil.AccessDenied:
            say("slot memory is not measured: init can be looked into only by root")
            return None


def start(folder: Path, python: list[str], user: int | None, task: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*python, "-B", "-m", "benchmarks.sandbox_pool", task, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder)},
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
