"""Whatever happens to the process that has a browser, nothing of the browser is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from runtimes.web.browser import keeper

ROOT = Path(__file__).parents[3]


@contextmanager
def host(temporary: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A process that has a page open, and what it says of its browser."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.host", *options],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def assert_nothing_is_left(pids: list[int], temporary: Path) -> None:
    """Within the seconds that the keeper takes at the most; zombies are init's."""

    def left() -> list[object]:
        return [*filter(runs, pids), *temporary.iterdir()]

    deadline = time.monotonic() + keeper.END_SECONDS
    while left() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left() == []


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_host_leaves_no_process_and_no_file(tmp_path: Path, number: signal.Signals) -> None:
    with host(tmp_path) as (process, told):
        assert os.listdir(tmp_path)
        process.send_signal(number)
        process.wait()
        assert_nothing_is_left(told["pids"], tmp_path)


def test_a_killed_host_leaves_no_browser_that_hangs(tmp_path: Path) -> None:
    with host(tmp_path) as (process, told):
        for pid in told["pids"]:
            os.kill(pid, signal.SIGSTOP)
        process.kill()
        process.wait()
        assert_nothing_is_left(told["pids"], tmp_path)


def test_a_browser_that_hangs_ends_with_its_driver(tmp_path: Path) -> None:
    with host(tmp_path) as (_, told):
        os.kill(told["browser"], signal.SIGSTOP)
        browser = psutil.Process(told["browser"])
        host_process = psutil.Process().children()
        driver = next(p for p in browser.parents() if p.parent() in host_process)
        driver.kill()
        assert_nothing_is_left(told["pids"], tmp_path)


def test_a_first_process_of_a_container_keeps_no_zombies(tmp_path: Path) -> None:
    with host(tmp_path, "reaps") as (process, _):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        assert json.loads(process.stdout.readline()) == {"left": []}
        assert process.wait() == 0


def test_the_next_host_removes_what_a_dead_one_left_with_its_keeper(tmp_path: Path) -> None:
    stale, young, foreign = (tmp_path / name for name in (f"{keeper.PREFIX}1", f"{keeper.PREFIX}2", "other"))
    for folder in (stale, young, foreign):
        folder.mkdir()
    (stale / "profile").touch()
    for folder in (stale, foreign):
        os.utime(folder, (0, 0))
    sleeper = subprocess.Popen(
        ["sleep", "60"], env={**os.environ, "TMPDIR": str(stale)}, start_new_session=True
    )
    with host(tmp_path) as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0
    assert sleeper.wait() == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {young.name, foreign.name}


def test_a_folder_in_use_is_not_stale_however_old(tmp_path: Path) -> None:
    with host(tmp_path) as (_, told):
        (used,) = tmp_path.iterdir()
        os.utime(used, (0, 0))
        with host(tmp_path) as (process, _):
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait() == 0
        assert used.is_dir()
        assert psutil.pid_exists(told["browser"])
