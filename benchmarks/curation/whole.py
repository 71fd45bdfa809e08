"""The whole way from trajectories to Parquet: rows, filters, duplicates, contamination, splits, files.

As a program, with a folder of made-up rounds: curates them as `training_rows` and `dataset_release` do, and
says what that took. Making the rounds up is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from adp_assets.curation.curate import curate
from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.recipe import recipe_of
from adp_assets.curation.release.publish import Dataset, publish
from adp_assets.curation.release.recordings import Recordings
from adp_assets.curation.rows import rows_of
from adp_assets.curation.store import RowStore
from adp_assets.execution.frames import trajectories_of, trajectory_frame
from adp_assets.intake.frames import task_frame, tasks_of
from adp_assets.report.content import Report
from adp_resources.parquet import write_frame
from benchmarks.curation.alone import alone, peak_mb
from runtimes.contracts import ExecutionStep, Lineage, TaskSpec, Trajectory, Verifier

TRAJECTORIES, QUICK = 100_000, 1_000
MORE = 4
"""So many times as many show whether the time grows with their number."""
A_ROUND, QUICK_ROUND = 10_000, 500
ITEMS, QUICK_ITEMS = 1_000, 50
WORDS = 30_000
COPIES = 0.2
"""The share of trajectories that say nearly what another said."""
NEVER = 1.0


def measure(*, quick: bool) -> dict[str, dict[str, float]]:
    """`curation` of 7 messages each; `linearity` is CPU a row of four times as many / of these."""
    count = QUICK if quick else TRAJECTORIES
    few, many = (_alone(count * times, quick) for times in (1, MORE))
    each = [told["cpu_seconds"] / told["rows"] for told in (few, many)]
    return {
        "curation": {
            "cpu_seconds": few["cpu_seconds"],
            "peak_mb": few["peak_mb"],
            "linearity": round(each[1] / each[0], 3),
            "peak_mb_of_400000": many["peak_mb"],
            "kept": few["kept"],
        }
    }


def _alone(count: int, quick: bool) -> dict[str, Any]:
    with TemporaryDirectory(prefix="adp-bench-") as name:
        folder = Path(name)
        _make_up(folder, count, QUICK_ROUND if quick else A_ROUND, QUICK_ITEMS if quick else ITEMS)
        found: dict[str, Any] = alone(__name__, folder)
        return found


def _make_up(folder: Path, count: int, a_round: int, items: int) -> None:
    """Rounds of trajectories of seven messages, a fifth of them near copies, and an evaluation set."""
    random = np.random.default_rng(7)
    vocabulary = np.array(["".join(random.choice(list("abcdefghij"), 6)) for _ in range(WORDS)])

    def text(words: int) -> str:
        return " ".join(vocabulary[random.integers(0, WORDS, words)])

    (folder / "eval").mkdir()
    lines = [json.dumps({"question": text(40)}) for _ in range(items)]
    (folder / "eval" / "items.jsonl").write_text("\n".join(lines))
    before = text(100)
    for number in range(count // a_round):
        trajectories, tasks = [], {}
        for at in range(number * a_round, (number + 1) * a_round):
            said = before if random.random() < COPIES else text(100)
            before = said
            task = TaskSpec(
                task_id=f"t{at}",
                task_type=("code", "web", "reasoning")[at % 3],
                description=f"{said[:60]} {at}",
                verifier=Verifier("numeric", {"expected": at}),
                lineage=Lineage(root_id=f"s{at // 5}", source="tasks.jsonl"),
            )
            tasks[task.task_id] = task
            trajectories.append(_trajectory(task, f"round-{number:04}", said, text(60)))
        name = f"round-{number:04}.parquet"
        frame = trajectory_frame(trajectories, tasks)
        write_frame(frame, folder / "output" / "assets" / "code_trajectories" / name, {})
        write_frame(
            task_frame(list(tasks.values()), 1), folder / "output" / "assets" / "seed_tasks" / name, {}
        )


def _trajectory(task: TaskSpec, round: str, said: str, seen: str) -> Trajectory:
    """Two calls and an answer: system, user, call, result, call, result, answer."""
    half = len(said) // 2
    steps = [
        _step(1, {"code": said[:half]}, seen[:200]),
        _step(2, {"code": said[half:]}, seen[200:]),
        ExecutionStep(
            step_id=3,
            action_type="tool_call",
            success=True,
            observation=None,
            message={"role": "assistant", "content": f"It is {task.task_id}."},
            turn=2,
        ),
    ]
    return Trajectory(
        task_id=task.task_id,
        runtime_id="sandbox-runtime",
        task_type=task.task_type,
        round=round,
        outcome="solved",
        success=True,
        verified=True,
        verifier="numeric",
        reward=1.0,
        teacher="gemini",
        model="gemini-1",
        prompt=[
            {"role": "system", "content": "Solve the task by calling tools."},
            {"role": "user", "content": task.description},
        ],
        tools=[{"type": "function", "function": {"name": "python_executor", "parameters": {}}}],
        steps=steps,
        created_at=1.0,
    )


def _step(number: int, arguments: dict[str, str], observation: str) -> ExecutionStep:
    function = {"name": "python_executor", "arguments": json.dumps(arguments)}
    call = {"id": f"c{number}", "type": "function", "function": function}
    return ExecutionStep(
        step_id=number,
        action_type="code_execution",
        action_params=dict(arguments),
        success=True,
        observation=observation,
        turn=number - 1,
        tool_name="python_executor",
        tool_call_id=f"c{number}",
        message={"role": "assistant", "content": "I run it.", "tool_calls": [call]},
    )


def main(place: str) -> None:
    folder = Path(place)
    output = folder / "output"
    started = time.process_time()
    rounds = sorted(path.stem for path in (output / "assets" / "seed_tasks").glob("*.parquet"))
    for name in rounds:
        tasks = tasks_of(pl.read_parquet(output / "assets" / "seed_tasks" / f"{name}.parquet"))
        frame = pl.read_parquet(output / "assets" / "code_trajectories" / f"{name}.parquet")
        rows = rows_of(trajectories_of(frame), tasks)
        write_frame(rows, output / "assets" / "training_rows" / f"{name}.parquet", {})
        del tasks, frame, rows
    made = time.process_time() - started
    recipe = recipe_of({}, "the benchmark")
    store = RowStore.of_rounds(output, rounds)
    items = EvaluationSet.read(folder / "eval")
    curation = curate(store, recipe, difficulty={}, evaluation=items)
    chosen = time.process_time() - started - made
    recordings = Recordings(output)
    dataset = Dataset(
        name="release",
        recipe=recipe,
        store=store,
        curation=curation,
        evaluation=("eval", items),
        diversity={},
        recorded=recordings.of,
        report=Report(title="release", count=curation.rows.height, trajectories=recordings.frames(rounds)),
        made_by="benchmark",
        made_at=1.0,
    )
    found = publish(output / "releases" / "release", dataset, NEVER, blocking=True)
    if not all(finding.passed or not finding.stops for finding in found.values()):
        raise RuntimeError(f"a check did not pass: {found}")
    seconds = time.process_time() - started
    told = {
        "cpu_seconds": round(seconds, 1),
        "rows": curation.rows.height,
        "kept": curation.kept.height,
        "peak_mb": peak_mb(),
        "parts": [round(part, 1) for part in (made, chosen, seconds - made - chosen)],
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
