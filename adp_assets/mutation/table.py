"""The table of candidates: each one that was judged, what every gate said of it, and reading that again."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Judgement, Verdict
from adp_resources.database import Database, upsert
from adp_resources.tables import candidates, pool_tasks, rounds
from runtimes.contracts import TaskSpec

AVOIDED = 5
"""Rejected descriptions that are told to whoever proposes, a root seed."""


class JudgedCandidate(msgspec.Struct, frozen=True):
    """One row of the table. `spec` is the task, None where there was none."""

    round: str
    task_id: str
    parents: list[str]
    operator: str
    accepted: bool
    gate: str
    reason: str
    verdicts: list[Verdict]
    reference: str
    spec: dict[str, Any] | None
    created_at: float

    @property
    def description(self) -> str:
        return str(self.spec["description"]) if self.spec else ""


class CandidateTable:
    """Candidates by the round they were proposed in; `status` is what accepted ones get in the pool."""

    def __init__(self, database: Database, status: str = "pending") -> None:
        self.database = database
        self.status = status

    def keep(self, round: str, judged: Sequence[Judgement]) -> None:
        """Write final verdicts, and put what was accepted into the pool, in one transaction."""
        with self.database.begin() as connection:
            upsert(connection, candidates, [_record(round, judgement) for judgement in judged])
            for judgement in judged:
                task = judgement.candidate.task
                if judgement.accepted and task is not None:
                    known = {task.task_id: judgement.known}
                    TaskPool(self.database).add(connection, [task], status=self.status, known=known)

    def judged(self, round: str, proposed: Sequence[Candidate]) -> dict[str, Judgement]:
        """What an earlier materialization of the round said of these, by the task's id.

        Each comes with the task that was judged then: a model may since have given another.
        """
        table = candidates.c
        query = sa.select(
            *(table.task_id, table.accepted, table.gate, table.verdicts, table.spec, table.reference)
        )
        with self.database.read() as connection:
            rows = {row.task_id: row for row in connection.execute(query.where(table.round == round))}
        found = {}
        for candidate in proposed:
            if row := rows.get(candidate.task_id):
                task = msgspec.convert(row.spec, TaskSpec | None)
                judged = replace(candidate, task=task, reference=row.reference)
                verdicts = msgspec.convert(row.verdicts, list[Verdict])
                found[candidate.task_id] = Judgement(judged, verdicts, row.gate, row.accepted)
        return found

    def find(
        self, round: str | None = None, *, gate: str | None = None, accepted: bool | None = None
    ) -> list[JudgedCandidate]:
        """The candidates of a round or of all, the newest first; those that a gate decided, or so decided."""
        query = sa.select(candidates)
        for column, wanted in (
            (candidates.c.round, round),
            (candidates.c.gate, gate),
            (candidates.c.accepted, accepted),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        query = query.order_by(candidates.c.created_at.desc(), candidates.c.task_id)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [msgspec.convert(row, JudgedCandidate, from_attributes=True) for row in rows]

    def rejected_before(
        self, round: str, gates: Collection[str] = ("novelty", "sanity")
    ) -> dict[str, list[str]]:
        """Descriptions that these gates rejected in rounds planned before, by root seed, newest first.

        At most `AVOIDED` a root. Later rounds change nothing: asked again, a round asks the same.
        """
        planned = sa.select(rounds.c.planned_at).where(rounds.c.round == round).scalar_subquery()
        turn = sa.func.row_number().over(
            partition_by=pool_tasks.c.root_id, order_by=(candidates.c.created_at.desc(), candidates.c.task_id)
        )
        found = (
            sa.select(pool_tasks.c.root_id, candidates.c.spec["description"].as_string(), turn.label("turn"))
            .join(pool_tasks, pool_tasks.c.task_id == candidates.c.parent_id)
            .join(rounds, rounds.c.round == candidates.c.round)
            .where(
                rounds.c.planned_at < planned, sa.not_(candidates.c.accepted), candidates.c.gate.in_(gates)
            )
            .subquery()
        )
        query = sa.select(found).where(found.c.turn <= AVOIDED).order_by(found.c.root_id, found.c.turn)
        rejected: defaultdict[str, list[str]] = defaultdict(list)
        with self.database.read() as connection:
            for root, description, _ in connection.execute(query):
                rejected[root].append(description)
        return dict(rejected)


def _record(round: str, judgement: Judgement) -> dict[str, Any]:
    candidate = judgement.candidate
    proposal = candidate.proposal
    return {
        "round": round,
        "task_id": candidate.task_id,
        "parent_id": proposal.parent.task_id,
        "parents": list(proposal.parents),
        "essence_id": proposal.essence.essence_id,
        "operator": proposal.operator.name,
        "accepted": judgement.accepted,
        "gate": judgement.gate,
        "reason": judgement.reason,
        "verdicts": msgspec.to_builtins(judgement.verdicts),
        "reference": candidate.reference,
        "spec": msgspec.to_builtins(candidate.task),
        "created_at": time.time(),
    }
