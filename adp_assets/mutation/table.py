"""The table of candidates: each one that was drafted, what every gate said of it, and reading that again."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.candidate import Candidate, Proposal
from adp_assets.mutation.gates.base import GATES_VERSION, Judgement, Verdict
from adp_resources.database import Database, upsert
from adp_resources.tables import candidates, pool_tasks, rounds
from runtimes.contracts import TaskSpec

if TYPE_CHECKING:
    from adp_assets.mutation.gates.novel import NoveltyGate

_ACCEPTING = 7_240_115
"""The lock in PostgreSQL that whoever puts accepted tasks into the pool takes."""

AVOIDED = 5
"""Rejected descriptions that are told to whoever proposes, a root seed."""


class JudgedCandidate(msgspec.Struct, frozen=True):
    """One row of the table. `spec` is the task, None where there was none.

    `accepted` is None as long as it is undecided, and `reason` then says why. `prompt_version` is of what
    drafted it, `gates_version` of what judged it.
    """

    round: str
    task_id: str
    parents: list[str]
    operator: str
    accepted: bool | None
    gate: str
    reason: str
    verdicts: list[Verdict]
    reference: str
    spec: dict[str, Any] | None
    prompt_version: str
    gates_version: str
    created_at: float

    @property
    def description(self) -> str:
        return str(self.spec["description"]) if self.spec else ""


class CandidateTable:
    """Candidates by the round they were proposed in; `status` is what accepted ones get in the pool."""

    def __init__(self, database: Database, status: str = "pending") -> None:
        self.database = database
        self.status = status

    def keep(self, round: str, judged: Sequence[Judgement], novelty: NoveltyGate | None = None) -> None:
        """Write what was said so far, and put what was accepted into the pool, in one transaction.

        `novelty` is asked again within it, so that of two rounds that made the same task at once the pool
        gets one.
        """
        accepted = [judgement for judgement in judged if judgement.accepted]
        with self.database.begin() as connection:
            if novelty is not None and accepted:
                _one_at_a_time(connection)
                for judgement in accepted:
                    _look_again(connection, judgement, novelty)
            rows = [_record(round, judgement) for judgement in judged]
            upsert(connection, candidates, rows, replace_if=_is_not_in_pool)
            for judgement in judged:
                task = judgement.candidate.task
                if judgement.accepted and task is not None:
                    known = {task.task_id: judgement.known}
                    TaskPool(self.database).add(connection, [task], status=self.status, known=known)

    def kept(self, round: str, asked: Sequence[Proposal]) -> dict[str, Judgement]:
        """What there is already of a round's proposals, by the candidate's id: nobody need draft these again.

        Each comes with the task that was drafted for it. What is accepted stands, and what was refused as
        long as the gates are the same; the rest is to be judged. Drafts of another prompt or operator are
        left out, unless they are accepted.
        """
        table = candidates.c
        query = sa.select(
            *(table.task_id, table.accepted, table.gate, table.reason, table.verdicts, table.spec),
            *(table.reference, table.prompt_version, table.gates_version, table.tries),
        )
        with self.database.read() as connection:
            rows = {row.task_id: row for row in connection.execute(query.where(table.round == round))}
        found = {}
        for proposal in asked:
            row = rows.get(proposal.candidate_id)
            if row is None or (not row.accepted and row.prompt_version != proposal.version):
                continue
            task = msgspec.convert(row.spec, TaskSpec | None)
            judgement = Judgement(Candidate(proposal, task, row.reference, "" if task else row.reason))
            if row.accepted or (row.accepted is False and row.gates_version == GATES_VERSION):
                judgement.verdicts = msgspec.convert(row.verdicts, list[Verdict])
                judgement.gate, judgement.accepted = row.gate, row.accepted
            elif row.accepted is None:
                judgement.tries = row.tries
            found[proposal.candidate_id] = judgement
        return found

    def forget_undecided(self, round: str, asked: Sequence[Proposal]) -> None:
        """Remove a round's undecided candidates that are none of these: no one will judge them any more."""
        table, still = candidates.c, {proposal.candidate_id for proposal in asked}
        undecided = sa.and_(table.round == round, table.accepted.is_(None))
        with self.database.begin() as connection:
            for task_id in connection.execute(sa.select(table.task_id).where(undecided)).scalars().all():
                if task_id not in still:
                    connection.execute(sa.delete(candidates).where(undecided, table.task_id == task_id))

    def undecided(self, round: str | None = None) -> dict[str, str]:
        """The rounds with candidates still to be judged, or this one: how many each has and why, in words."""
        table = candidates.c
        count = sa.func.count().label("candidates")
        query = sa.select(table.round, table.reason, count).where(table.accepted.is_(None))
        if round is not None:
            query = query.where(table.round == round)
        query = query.group_by(table.round, table.reason).order_by(count.desc(), table.reason)
        counts: Counter[str] = Counter()
        reasons: dict[str, str] = {}
        with self.database.read() as connection:
            for name, reason, number in connection.execute(query):
                counts[name] += number
                reasons.setdefault(name, reason)
        return {
            name: f"{number} of its candidates for new tasks are undecided: {reasons[name].rstrip('.')}."
            for name, number in counts.items()
        }

    def find(
        self,
        round: str | None = None,
        *,
        gate: str | None = None,
        accepted: bool | None = None,
        undecided: bool = False,
    ) -> list[JudgedCandidate]:
        """The candidates of a round or of all, the newest first: of one gate, so decided, or undecided."""
        query = sa.select(candidates)
        if undecided:
            query = query.where(candidates.c.accepted.is_(None))
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


def _one_at_a_time(connection: Connection) -> None:
    """Let in new tasks in one transaction after the other; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ACCEPTING)))


def _look_again(connection: Connection, judgement: Judgement, novelty: NoveltyGate) -> None:
    assert judgement.candidate.task is not None
    finding = novelty.look_again(connection, judgement.candidate.task)
    if not finding.passed:
        judgement.overrule(novelty.name, finding)


def _is_not_in_pool(new: object) -> sa.ColumnElement[bool]:
    """What is accepted is so for good, whoever else judges the same round at the same time."""
    return candidates.c.accepted.is_not(sa.true())


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
        "accepted": None if judgement.undecided else judgement.accepted,
        "gate": judgement.gate,
        "reason": judgement.reason,
        "verdicts": msgspec.to_builtins(judgement.verdicts),
        "reference": candidate.reference,
        "spec": msgspec.to_builtins(candidate.task),
        "prompt_version": proposal.version,
        "gates_version": GATES_VERSION,
        "tries": judgement.tries,
        "created_at": time.time(),
    }
