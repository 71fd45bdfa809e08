"""The whole loop's speed: `make bench-loop`. The bars are 120 tasks a minute, 2,000 MB, 1.3 and 15 s.

`tasks_per_minute`, `peak_memory_mb` and `dagster_seconds` are of 200 tasks of the built-in teacher (100
code, 50 web, 50 reasoning) run by `adp run`. `llm_ideal_ratio` is of 640 code tasks, 64 at a time, against
a server that answers after 500 ms, three replies and two executions a task; 1.0 is waiting for replies only.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec

from adp_resources.database import Database
from adp_resources.journal import Interval, Journal
from benchmarks.measure import adp, project, union
from runtimes.contracts import TaskSpec, Verifier
from runtimes.llm.teacher.families import sample_tasks
from tests.llm_server.process import llm_server

ROUND = "round-0001"
TEACHER_TASKS = {"code": 100, "web": 50, "reasoning": 50}
LLM_TASKS, LLM_EPISODES, LLM_REPLIES, LLM_SECONDS = 640, 64, 3, 0.5


def main() -> None:
    figures = {**teacher_round(), "llm_ideal_ratio": llm_round()}
    print(json.dumps(figures))


def teacher_round() -> dict[str, float]:
    """200 tasks of the built-in teacher, from task file to dataset."""
    count = sum(TEACHER_TASKS.values())
    with project() as folder:
        write_tasks(folder / "tasks.jsonl", sample_tasks(count, 11, TEACHER_TASKS))
        command = adp(folder, ["run", "tasks.jsonl", "--model", "builtin"], environment())
        intervals = read_intervals(folder)
    if len(intervals) != count:
        sys.exit(f"{len(intervals)} of {count} tasks have a result")
    span = max(i.ended_at for i in intervals) - min(i.started_at for i in intervals)
    executing = union((i.started_at, i.ended_at) for i in intervals)
    return {
        "tasks_per_minute": round(60 * count / span, 1),
        "peak_memory_mb": round(command.peak_memory_mb),
        "dagster_seconds": round(command.seconds - executing, 2),
    }


def llm_round() -> float:
    """Time of 640 tasks that mostly wait for a model, as a ratio to the waiting alone."""
    ideal = LLM_TASKS * LLM_REPLIES * LLM_SECONDS / LLM_EPISODES
    tasks = [
        TaskSpec(
            task_id=f"wait-{number:04d}",
            task_type="code",
            description=f"Print the number {number} twice.",
            expected_tools=["python_executor"],
            verifier=Verifier("exact", {"expected": str(LLM_REPLIES - 1)}),
        )
        for number in range(LLM_TASKS)
    ]
    options = {"turns": LLM_REPLIES - 1, "delay_ms": int(LLM_SECONDS * 1000)}
    with project() as folder, llm_server("steps", **options) as server:
        write_tasks(folder / "tasks.jsonl", tasks)
        variables = {**environment(), "VLLM_URL": server.url, "MUTATIONS_PER_ESSENCE": "0"}
        adp(folder, ["run", "tasks.jsonl", "--episodes", str(LLM_EPISODES)], variables)
        intervals = read_intervals(folder)
    if len(intervals) != LLM_TASKS:
        sys.exit(f"{len(intervals)} of {LLM_TASKS} tasks have a result")
    span = max(i.ended_at for i in intervals) - min(i.started_at for i in intervals)
    return round(span / ideal, 3)


def write_tasks(path: Path, tasks: list[TaskSpec]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(task) + b"\n" for task in tasks))


def read_intervals(folder: Path) -> list[Interval]:
    output = folder / "output"
    database = Database(f"sqlite:///{output / 'adp.sqlite'}")
    try:
        return Journal(database, output / "trajectories").intervals(ROUND)
    finally:
        database.close()


def environment() -> dict[str, str]:
    """The environment without anything that would choose another model or another folder."""
    taken = ("_API_KEY", "VLLM_URL", "DAGSTER_HOME", "OUTPUT_DIR", "DATABASE_PATH")
    return {name: value for name, value in os.environ.items() if not name.endswith(taken)}


if __name__ == "__main__":
    main()
