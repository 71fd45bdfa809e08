"""Rounds of `adp run` from the example tasks, and what their records say of the tasks that were made."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import dagster as dg
import polars as pl
import sqlalchemy as sa

from adp_assets.distillation.eligible import eligible
from adp_assets.mutation.novelty.shingles import NEAR_COPY, jaccard, shingles
from adp_resources.tables import candidates, pool_tasks, round_tasks
from adp_service.platform import Platform
from benchmarks.loop import environment
from benchmarks.measure import ROOT, adp, project
from tests.llm_server.process import llm_server

SEEDS = ROOT / "examples" / "tasks.jsonl"
ROUNDS, QUICK_ROUNDS = 5, 2
REPLY_SECONDS = 0.5
IN_FLIGHT = 64
PLACES = 8
"""Sandboxes and browser contexts at once."""
SAMPLES = 2
ROUND_SIZE, QUICK_SIZE = 100, 6
MUTATIONS, QUICK_MUTATIONS = 4, 1
ERROR_RATE = 0.15
ENOUGH = 1_000
SYNTHESIS = ("essences", "mutated_tasks")
DAY = 86_400


@dataclass(frozen=True)
class Made:
    """What the rounds left behind. `seconds` are of whole rounds, `synthesis_seconds` of the steps in it."""

    names: list[str]
    platform: Platform
    seconds: float
    synthesis_seconds: float


def measure(*, quick: bool) -> dict[str, float | None]:
    with run(quick=quick) as made:
        accepted = _accepted(made)
        if accepted < ENOUGH:
            print(f"only {accepted} tasks were accepted, not {ENOUGH:,}", file=sys.stderr)
        rates = [_pass_rate(made, name) for name in made.names]
        return {
            "accepted": accepted,
            "feedback_processed": _feedback_processed(made),
            "seconds_per_task": round(made.synthesis_seconds / accepted, 3) if accepted else None,
            "accepted_success": _accepted_success(made),
            "tasks_per_day": round(DAY * accepted / made.seconds),
            "near_duplicate_rate": _near_duplicate_rate(made),
            "pass_rate_min": min(rates),
            "pass_rate_max": max(rates),
            "entropy_change": _entropy_change(made),
        }


@contextmanager
def run(*, quick: bool) -> Iterator[Made]:
    """The rounds in a project folder of their own, which lasts as long as the context."""
    options = {"delay_ms": int(1000 * REPLY_SECONDS), "error_rate": ERROR_RATE}
    with project() as folder, llm_server("teacher", **options) as server:
        variables = {
            **environment(),
            "VLLM_URL": server.url,
            "MUTATIONS_PER_ESSENCE": str(QUICK_MUTATIONS if quick else MUTATIONS),
            "SYNTHESIS_BATCH_SIZE": str(IN_FLIGHT),
            "MAX_CONCURRENT": str(PLACES),
            "ROUND_SIZE": str(QUICK_SIZE if quick else ROUND_SIZE),
        }
        rounds = QUICK_ROUNDS if quick else ROUNDS
        command = ["run", str(SEEDS), "--rounds", str(rounds), "--samples", str(SAMPLES)]
        ran = adp(folder, [*command, "--episodes", str(IN_FLIGHT)], variables)
        platform = Platform({"project_root": folder, "dagster_home": folder / ".dagster"})
        names = [planned.name for planned in platform.rounds.all()]
        yield Made(names, platform, ran.seconds, _synthesis_seconds(folder))


def _synthesis_seconds(folder: Path) -> float:
    """Wall time of the steps that distil and mutate, of all rounds."""
    with dg.DagsterInstance.from_config(str(folder / ".dagster")) as instance:
        steps = [step for run in instance.get_runs() for step in instance.get_run_step_stats(run.run_id)]
    return sum(
        step.end_time - step.start_time
        for step in steps
        if step.step_key in SYNTHESIS and step.start_time and step.end_time
    )


def _accepted(made: Made) -> int:
    query = sa.select(sa.func.count()).where(candidates.c.accepted)
    with made.platform.database.read() as connection:
        return int(connection.execute(query).scalar_one())


def _feedback_processed(made: Made) -> float | None:
    due = sum(len(eligible(made.platform.journal.read_round(name)).trajectories) for name in made.names)
    return round(sum(_essences(made, name).height for name in made.names) / due, 4) if due else None


def _accepted_success(made: Made) -> float | None:
    """Of the made tasks that a round took, the share with a solved sample there."""
    query = (
        sa.select(round_tasks.c.round, round_tasks.c.task_id)
        .join(pool_tasks, pool_tasks.c.task_id == round_tasks.c.task_id)
        .where(pool_tasks.c.generation > 0)
    )
    with made.platform.database.read() as connection:
        taken = {(row.round, row.task_id) for row in connection.execute(query)}
    solved = {
        (name, trajectory.task_id)
        for name in made.names
        for trajectory in made.platform.journal.read_round(name)
        if trajectory.outcome == "solved"
    }
    return round(len(taken & solved) / len(taken), 3) if taken else None


def _near_duplicate_rate(made: Made) -> float | None:
    """Every two tasks of the pool compared, without the index that the gate uses."""
    query = sa.select(pool_tasks.c.task_id, pool_tasks.c.generation, pool_tasks.c.spec)
    with made.platform.database.read() as connection:
        rows = connection.execute(query.order_by(pool_tasks.c.added_at, pool_tasks.c.task_id)).all()
    known = [(row.task_id, row.generation, shingles(row.spec["description"])) for row in rows]
    near = {
        task_id
        for (_, _, one), (task_id, generation, other) in combinations(known, 2)
        if generation and jaccard(one, other) >= NEAR_COPY
    }
    made_here = sum(1 for _, generation, _ in known if generation)
    return round(len(near) / made_here, 4) if made_here else None


def _pass_rate(made: Made, name: str) -> float:
    outcomes = Counter(trajectory.outcome for trajectory in made.platform.journal.read_round(name))
    return round(outcomes["solved"] / max(1, outcomes["solved"] + outcomes["unsolved"]), 3)


def _entropy_change(made: Made) -> float | None:
    first, last = (_entropy(_essences(made, name)) for name in (made.names[0], made.names[-1]))
    return round(last / first - 1, 3) if first else None


def _entropy(essences: pl.DataFrame) -> float:
    """Of the domains, in bits."""
    counts = Counter(essences["domain"].to_list())
    total = counts.total()
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def _essences(made: Made, name: str) -> pl.DataFrame:
    return pl.read_parquet(made.platform.settings.output / "assets" / "essences" / f"{name}.parquet")
