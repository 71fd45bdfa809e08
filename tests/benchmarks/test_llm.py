"""`make bench-llm` in its quick mode: every part runs, and what cannot be measured is null with a reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.llm_server.process import ROOT


@pytest.fixture(scope="module")
def quick() -> subprocess.CompletedProcess[str]:
    """A run that can install nothing, so that inspect_ai is measured only where it is installed already."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.llm", "--quick"],
        cwd=ROOT,
        env={**os.environ, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=True,
    )


def figures(quick: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (line,) = quick.stdout.splitlines()
    told: dict[str, Any] = json.loads(line)
    return told


def test_one_line_names_every_figure_and_the_machine(quick: subprocess.CompletedProcess[str]) -> None:
    assert list(figures(quick)) == [
        "throughput_ratio",
        "cpu_ms_per_step",
        "calls_lost",
        "share_429",
        "goodput_ratio",
        "peak_memory_mb",
        "inspect_ai_ratio",
        "machine",
    ]


def test_the_client_loses_no_call_although_the_server_refuses_some(
    quick: subprocess.CompletedProcess[str],
) -> None:
    assert figures(quick)["calls_lost"] == 0
    assert figures(quick)["share_429"] > 0


def test_what_cannot_be_measured_is_null_and_stderr_says_why(quick: subprocess.CompletedProcess[str]) -> None:
    reason = "inspect_ai is not measured" in quick.stderr
    assert (figures(quick)["inspect_ai_ratio"] is None) == reason
