"""How soon a report of 10,000 trajectories shows itself, opened from its folder in the project's Chromium."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import polars as pl

from adp_assets.execution.frames import trajectory_frame
from adp_assets.report.content import Report
from adp_assets.report.write import write_report
from runtimes.contracts import ExecutionStep, Lineage, TaskSpec, Trajectory
from tests.chromium import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TRAJECTORIES, STEPS, SAMPLES = 10_000, 10, 2
A_FRAME = 1_000
VIEWS, OPENINGS = 7, 50
SEED = 7

_PAINTED = """({there, start}) => new Promise((resolve) => {
  const look = () => {
    if (there.every((selector) => document.querySelector(selector)))
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - start)));
    else requestAnimationFrame(look);
  };
  look();
})"""
"""Milliseconds from `start` until the frame after the one in which all of `there` was drawn."""

_OPENED = f"""([hash, painted]) => {{
  const start = performance.now();
  location.hash = hash;
  return ({_PAINTED})({{there: [`[data-id="${{painted}}"][data-ready]`], start}});
}}"""


def measure(*, quick: bool) -> dict[str, float | None]:
    """`first_view_ms`, from the navigation until the summary and the first rows are painted, and
    `trajectory_ms`, from following a link until the steps are, to files not loaded before.

    Both are medians, the first that of the slower one of overview and list.
    """
    count = 200 if quick else TRAJECTORIES
    with tempfile.TemporaryDirectory(prefix="adp-bench-") as name, chromium() as browser:
        folder = Path(name) / "report"
        write_report(folder, report(count))
        address = f"{folder.as_uri()}/index.html"
        views = 2 if quick else VIEWS
        overviews = [_first_view(browser, f"{address}#/", [".hero", ".first .entry"]) for _ in range(views)]
        lists = [
            _first_view(browser, f"{address}#/trajectories", [".facets label", ".rows .entry"])
            for _ in range(views)
        ]
        return {
            "first_view_ms": round(max(median(overviews), median(lists)), 1),
            "trajectory_ms": round(median(_openings(browser, address, count, 5 if quick else OPENINGS)), 1),
        }


def report(count: int) -> Report:
    """Of trajectories of ten steps each, two to a task, every fifth task a seed of four others."""
    tasks = [_task(number) for number in range(count // SAMPLES)]
    return Report(title="benchmark", count=count, trajectories=_frames(tasks), tasks=tasks)


def _frames(tasks: list[TaskSpec]) -> Iterator[pl.DataFrame]:
    """One frame at a time, as from files."""
    by_id = {task.task_id: task for task in tasks}
    for start in range(0, len(tasks), A_FRAME // SAMPLES):
        some = tasks[start : start + A_FRAME // SAMPLES]
        yield trajectory_frame(
            [_trajectory(task, sample) for task in some for sample in range(SAMPLES)], by_id
        )


def _task(number: int) -> TaskSpec:
    root = number - number % 5
    made = Lineage(root_id=_name(root), parents=(_name(root),), operator="constraint", generation=1)
    drawn = random.Random(number)
    return TaskSpec(
        task_type=("code", "web", "reasoning")[number % 3],
        task_id=_name(number),
        description=f"Task {number}: find the {_words(drawn, 30)} and give back how many there are.",
        lineage=made if number != root else Lineage(root_id=_name(number)),
        metadata={"domain": f"domain {number % 12}"},
    )


def _trajectory(task: TaskSpec, sample: int) -> Trajectory:
    drawn = random.Random(f"{task.task_id}/{sample}")
    solved = drawn.random() < 0.7
    return Trajectory(
        task_id=task.task_id,
        runtime_id="benchmark",
        task_type=task.task_type,
        round="round-0001",
        sample=sample,
        outcome="solved" if solved else "unsolved",
        success=solved,
        verified=True,
        verifier="exact",
        reward=float(solved),
        teacher="vllm",
        model="benchmark",
        prompt=[{"role": "system", "content": _words(random.Random(0), 80)}],
        steps=[_step(drawn, number + 1) for number in range(STEPS)],
        final_result=_words(drawn, 20),
        prompt_tokens=9_000,
        completion_tokens=900,
        created_at=1_800_000_000.0,
    )


def _step(drawn: random.Random, number: int) -> ExecutionStep:
    return ExecutionStep(
        step_id=number,
        action_type="code_execution",
        tool_name="python_executor",
        action_params={"code": "\n".join(f"print({_words(drawn, 4)!r})" for _ in range(6))},
        observation="\n".join(_words(drawn, 10) for _ in range(drawn.randrange(2, 60))),
        success=drawn.random() < 0.9,
        thought=_words(drawn, 30),
        turn=number - 1,
        duration=0.2,
    )


def _name(number: int) -> str:
    return f"task-{number:05}"


def _words(drawn: random.Random, count: int) -> str:
    return " ".join(drawn.choices(_WORDS, k=count))


_WORDS = [
    f"{first}{last}" for first in ("or", "ta", "mi", "lu", "ne", "sko") for last in ("der", "ba", "rin", "l")
]


def _first_view(browser: Browser, address: str, there: list[str]) -> float:
    page = browser.new_page()
    try:
        page.goto(address, wait_until="commit")
        return float(page.evaluate(_PAINTED, {"there": there, "start": 0}))
    finally:
        page.close()


def _openings(browser: Browser, address: str, count: int, openings: int) -> list[float]:
    page = browser.new_page()
    try:
        page.goto(f"{address}#/trajectories")
        numbers = range(0, count, max(count // openings, 1))
        drawn = random.Random(SEED)
        times = []
        for start in drawn.sample(numbers, openings):
            row = min(start + drawn.randrange(numbers.step), count - 1)
            trajectory_id = f"round-0001/{_name(row // SAMPLES)}/{row % SAMPLES}"
            times.append(float(page.evaluate(_OPENED, [f"#/trajectory/{trajectory_id}", trajectory_id])))
        return times
    finally:
        page.close()
