"""What the summary of a run says of episodes that were not solved: how many, and why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adp_service.cli.summary import print_summary
from adp_service.platform import Platform
from runtimes.builtin import ReasoningRuntime
from runtimes.contracts import Message, TaskSpec, Trajectory, Verifier
from runtimes.errors import ModelUnavailable
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.adp_service.command import project
from tests.runtimes.scripted import ScriptedModel, Turn, call, finishes, says

ANSWER = Verifier("numeric", {"expected": 42})


async def ended(name: str, turn: Turn, verifier: Verifier | None = ANSWER, timeout: int = 60) -> Trajectory:
    """What becomes of a task whose agent does the same each turn."""
    task = TaskSpec(
        task_id=name,
        task_type="reasoning",
        description=name,
        max_steps=2,
        timeout=timeout,
        verifier=verifier,
    )
    services = Services(ScriptedModel(turn), SandboxPool(slots=1), BrowserPool())
    return await perform(task, ReasoningRuntime(services), services, sample=0, round="r")


async def slowly() -> Message:
    await asyncio.sleep(1.1)
    return finishes("42")


def test_the_summary_tells_why_episodes_failed_and_why_nobody_could_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def play() -> list[Trajectory]:
        return [
            await ended("right", finishes("42")),
            await ended("wrong", finishes("41")),
            await ended("wrong-too", finishes("43")),
            await ended("endless", says(None, call("no_such_tool"))),
            await ended("slow", slowly, timeout=1),
            await ended("silent", says("")),
            await ended("cut-off", ModelUnavailable("No server.")),
            await ended("open", finishes("42"), verifier=None),
        ]

    monkeypatch.setenv("DAGSTER_HOME", "")  # opening the instance sets it; this undoes that afterwards
    platform = Platform({"project_root": str(project(tmp_path))})
    for trajectory in asyncio.run(play()):
        platform.journal.write(trajectory)
    broken = Trajectory(task_id="broken", runtime_id="web", round="r", grade_reason="The script failed.")
    platform.journal.write(broken)
    stopped = Trajectory(task_id="stopped", runtime_id="web", round="r", outcome="cancelled")
    platform.journal.write(stopped)

    print_summary(platform, ["r"], ScriptedModel(finishes("")))

    lines = [" ".join(text.split()) for text in capsys.readouterr().out.splitlines()]
    (failed,) = [text for text in lines if text.startswith("failed")]
    assert failed.startswith("failed 5 (verifier said no: 2, ")
    for reason in ("step limit: 1", "time limit: 1", "runtime_error: 1"):
        assert reason in failed
    place = lines.index("infrastructure 1 (network_error: 1)")
    assert lines[place + 1] == "last: No server."
    assert "cancelled 1" in lines
    (unverified,) = [text for text in lines if text.startswith("unverified")]
    assert unverified.startswith("unverified 2 (")
    for reason in ("no verifier: 1", "verifier failed: 1"):
        assert reason in unverified
