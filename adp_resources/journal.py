"""The journal: every trajectory at once, keyed by round, task and sample, and its mirror in files."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from adp_resources.acceptance import Acceptance, acceptance, has_place, promotable
from adp_resources.database import Database, upsert
from adp_resources.dead_letters import Try, bury, clear
from adp_resources.files import write_atomically
from adp_resources.tables import dead_letters, journal
from runtimes.contracts import Outcome, Trajectory, trajectory_from_json, trajectory_to_json
from runtimes.errors import ErrorType

Key = tuple[str, int]
"""A task's id and a sample's number: what is unique within a round."""


@dataclass(frozen=True)
class Interval:
    """When one episode ran, grading included; epoch seconds."""

    task_type: str
    started_at: float
    ended_at: float


class End(msgspec.Struct, frozen=True):
    """The fields of a trajectory that say why it ended as it did, and nothing of its steps."""

    outcome: Outcome
    error_type: ErrorType | None = None
    error_message: str | None = None
    grade_reason: str = ""


def _no_loss(new: Any) -> sa.ColumnElement[bool]:
    """A finished row is replaced by another finished one only, never by a failure of ours."""
    return sa.or_(new.finished, sa.not_(journal.c.finished))


class Journal:
    """The record of what was executed. A row is written once its episode is over and never lost after.

    `judged` says whether what rests on a judge's word alone counts towards a target of solved trajectories.
    """

    def __init__(self, database: Database, trajectories: Path, *, judged: bool = False) -> None:
        self.database = database
        self.trajectories = trajectories
        self.judged = judged

    def take_in(self, trajectory: Trajectory) -> None:
        """Keep one that was recorded elsewhere; the file of another round's result of its task stays."""
        document = trajectory_to_json(trajectory)
        if not self._path(trajectory).exists() or self._mirrors(trajectory):
            self._mirror(trajectory, document)
        with self.database.begin() as connection:
            self._record(connection, trajectory, document, ())

    def write(self, trajectory: Trajectory, *, failed: Sequence[Try] = ()) -> None:
        """Keep one trajectory; a repeated write of the same key replaces it.

        What was solved beyond the target of its chain of rounds, or does not count, is marked surplus. A
        failure of ours becomes
        a dead letter with the tries that `failed`, a result clears it.
        """
        if trajectory.outcome != "solved" or self.acceptance(trajectory.round) is None:
            unbounded = msgspec.structs.replace(trajectory, surplus=False)
            document = trajectory_to_json(unbounded)
            self._mirror(unbounded, document)
            with self.database.begin() as connection:
                self._record(connection, unbounded, document, failed)
            return
        with self.database.begin() as connection:
            surplus = not has_place(connection, trajectory, judged=self.judged)
            placed = msgspec.structs.replace(trajectory, surplus=surplus)
            document = trajectory_to_json(placed)
            self._mirror(placed, document)
            self._record(connection, placed, document, failed)

    def acceptance(self, round: str) -> Acceptance | None:
        """How far the round's chain is from its target; None where it has none."""
        with self.database.read() as connection:
            return acceptance(connection, round, judged=self.judged)

    def settle(self, round: str) -> list[str]:
        """Accept what is surplus though a place is free, oldest first; gives the round of each.

        It may be another one of the chain. Places come free when a verdict is taken back or the target is
        raised.
        """
        with self.database.begin() as connection:
            found = promotable(connection, round, judged=self.judged)
            for name, task_id, sample, packed in found:
                accepted = trajectory_from_json(zlib.decompress(packed))
                accepted.surplus = False
                document = trajectory_to_json(accepted)
                if self._mirrors(accepted):
                    self._mirror(accepted, document)
                query = sa.update(journal).where(
                    journal.c.round == name, journal.c.task_id == task_id, journal.c.sample == sample
                )
                connection.execute(query.values(surplus=False, document=zlib.compress(document, 1)))
        return [name for name, *_ in found]

    def replace_verdict(self, old: Trajectory, new: Trajectory) -> bool:
        """Put `new`, the same episode with another verdict, in the place of `old`.

        Row and file change together; when the episode ended stays as it was. False, and nothing is changed,
        where the row is no longer `old`.
        """
        where = sa.and_(
            journal.c.round == old.round, journal.c.task_id == old.task_id, journal.c.sample == old.sample
        )
        with self.database.begin() as connection:
            found = connection.execute(sa.select(journal.c.document).where(where)).scalar()
            if found is None or trajectory_from_json(zlib.decompress(found)) != old:
                return False
            has_its_place = old.success or has_place(connection, new, judged=self.judged)
            surplus = new.success and (old.surplus or not has_its_place)
            placed = msgspec.structs.replace(new, surplus=surplus)
            document = trajectory_to_json(placed)
            if self._mirrors(placed):
                self._mirror(placed, document)
            values = {
                "outcome": placed.outcome,
                "reward": placed.reward,
                "surplus": surplus,
                "withheld": placed.withheld,
            }
            packed = zlib.compress(document, 1)
            connection.execute(sa.update(journal).where(where).values(**values, document=packed))
        return True

    def tasks(self, round: str | None = None, task_id: str | None = None) -> list[tuple[str, str]]:
        """The rounds and tasks that have trajectories, of this round or task or of all."""
        query = sa.select(journal.c.round, journal.c.task_id).distinct()
        if round is not None:
            query = query.where(journal.c.round == round)
        if task_id is not None:
            query = query.where(journal.c.task_id == task_id)
        with self.database.read() as connection:
            found = connection.execute(query.order_by(journal.c.round, journal.c.task_id))
            return [(row.round, row.task_id) for row in found]

    def samples(self, round: str, task_id: str) -> list[Trajectory]:
        """A task's trajectories in a round, by their sample."""
        query = sa.select(journal.c.document).where(journal.c.round == round, journal.c.task_id == task_id)
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(journal.c.sample)).all()
        return [trajectory_from_json(zlib.decompress(row.document)) for row in rows]

    def finished(self, round: str, task_type: str) -> set[Key]:
        """What needs no further run in this round."""
        query = sa.select(journal.c.task_id, journal.c.sample).where(
            journal.c.round == round, journal.c.task_type == task_type, journal.c.finished
        )
        with self.database.read() as connection:
            return {(row.task_id, row.sample) for row in connection.execute(query)}

    def read_round(self, round: str, task_type: str | None = None) -> Iterator[Trajectory]:
        """A round's trajectories in the order of task and sample, whatever became of them."""
        query = sa.select(journal.c.document).where(journal.c.round == round)
        if task_type is not None:
            query = query.where(journal.c.task_type == task_type)
        with self.database.read() as connection:
            for row in connection.execute(query.order_by(journal.c.task_id, journal.c.sample)):
                yield trajectory_from_json(zlib.decompress(row.document))

    def find(self, task_id: str, round: str | None = None, sample: int | None = None) -> Trajectory | None:
        """The newest trajectory of a task, or the one named."""
        query = sa.select(journal.c.document).where(journal.c.task_id == task_id)
        if round is not None:
            query = query.where(journal.c.round == round)
        if sample is not None:
            query = query.where(journal.c.sample == sample)
        query = query.order_by(journal.c.ended_at.desc(), journal.c.sample).limit(1)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return trajectory_from_json(zlib.decompress(row.document)) if row else None

    def task_ids_like(self, part: str, limit: int = 5) -> list[str]:
        """Ids that hold `part`, for a message that helps."""
        query = (
            sa.select(journal.c.task_id).distinct().where(journal.c.task_id.contains(part, autoescape=True))
        )
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(journal.c.task_id).limit(limit)).scalars())

    def outcomes(self, round: str) -> Counter[tuple[str, str]]:
        """How many rows each (task type, outcome) of a round has."""
        query = (
            sa.select(journal.c.task_type, journal.c.outcome, sa.func.count())
            .where(journal.c.round == round)
            .group_by(journal.c.task_type, journal.c.outcome)
        )
        with self.database.read() as connection:
            return Counter({(kind, outcome): count for kind, outcome, count in connection.execute(query)})

    def ends(self, round: str, *outcomes: Outcome) -> Iterator[End]:
        """How the episodes of a round with one of these outcomes ended, the first to end first."""
        query = sa.select(journal.c.document).where(
            journal.c.round == round, journal.c.outcome.in_(list(outcomes))
        )
        decoder = msgspec.json.Decoder(End)
        with self.database.read() as connection:
            for row in connection.execute(query.order_by(journal.c.ended_at)):
                yield decoder.decode(zlib.decompress(row.document))

    def ended(self, round: str) -> dict[str, Counter[str]]:
        """How often each task's episodes ended how in a round: by outcome, and by error where one is."""
        columns = (journal.c.task_id, journal.c.outcome, journal.c.error_type)
        query = sa.select(*columns, sa.func.count()).group_by(*columns)
        query = query.where(journal.c.round == round).order_by(journal.c.task_id)
        found: dict[str, Counter[str]] = {}
        with self.database.read() as connection:
            for task_id, outcome, error_type, count in connection.execute(query):
                how = f"{outcome} ({error_type})" if error_type else outcome
                found.setdefault(task_id, Counter())[how] += count
        return found

    def why_stopped(self, round: str) -> str:
        """Which spent budget kept a round from being run to its end; empty where none did.

        Such a round has episodes that were given up, is short of its target where it has one, and can be gone
        on with when there is more to spend. An episode that a dead letter holds back is none of these.
        """
        held = sa.exists().where(
            dead_letters.c.round == journal.c.round,
            dead_letters.c.task_id == journal.c.task_id,
            dead_letters.c.sample == journal.c.sample,
            dead_letters.c.state != "retry",
        )
        query = sa.select(journal.c.error_message).where(
            journal.c.round == round, journal.c.outcome == "cancelled", sa.not_(held)
        )
        with self.database.read() as connection:
            state = acceptance(connection, round, judged=self.judged)
            if state and not state.missing:
                return ""
            return connection.execute(query.order_by(journal.c.ended_at.desc()).limit(1)).scalar() or ""

    def given_up(self) -> set[str]:
        """The rounds that have episodes that were given up; which of them stopped, `why_stopped` says."""
        query = sa.select(journal.c.round).distinct().where(journal.c.outcome == "cancelled")
        with self.database.read() as connection:
            return set(connection.execute(query).scalars())

    def tried(self, rounds: Collection[str]) -> tuple[int, int]:
        """How many episodes rounds have, and of how many tasks these are."""
        query = sa.select(journal.c.task_id, sa.func.count()).where(journal.c.round.in_(rounds))
        with self.database.read() as connection:
            counts = [row[1] for row in connection.execute(query.group_by(journal.c.task_id))]
        return sum(counts), len(counts)

    def intervals(self, round: str) -> list[Interval]:
        """When each episode of a round ran."""
        query = sa.select(journal.c.task_type, journal.c.started_at, journal.c.ended_at)
        with self.database.read() as connection:
            return [Interval(*row) for row in connection.execute(query.where(journal.c.round == round))]

    def _record(
        self, connection: Connection, trajectory: Trajectory, document: bytes, failed: Sequence[Try]
    ) -> None:
        """The row. Its JSON file came first: with the row alone a rerun would leave the file out."""
        spoiled = trajectory.outcome == "infrastructure_error"
        row = {
            "round": trajectory.round,
            "task_id": trajectory.task_id,
            "sample": trajectory.sample,
            "task_type": trajectory.task_type,
            "runtime_id": trajectory.runtime_id,
            "outcome": trajectory.outcome,
            "finished": trajectory.finished,
            "error_type": trajectory.error_type,
            "error_message": trajectory.error_message,
            "reward": trajectory.reward,
            "steps": len(trajectory.steps),
            "prompt_tokens": trajectory.prompt_tokens,
            "completion_tokens": trajectory.completion_tokens,
            "cost_usd": trajectory.cost_usd,
            "started_at": trajectory.created_at,
            "ended_at": time.time(),
            "attempts": len(failed) if spoiled and failed else len(failed) + 1,
            "document": zlib.compress(document, 1),
            "surplus": trajectory.surplus,
            "withheld": trajectory.withheld,
        }
        written = upsert(connection, journal, [row], replace_if=_no_loss)
        if trajectory.finished:
            clear(connection, trajectory)
        elif spoiled and written:
            bury(connection, trajectory, failed)

    def _mirror(self, trajectory: Trajectory, document: bytes) -> None:
        """Our own failure hides no result."""
        path = self._path(trajectory)
        if trajectory.finished or not path.exists():
            write_atomically(path, document)

    def _mirrors(self, trajectory: Trajectory) -> bool:
        """Whether the file of its task and sample is of this trajectory, and not of a newer round."""
        try:
            return trajectory_from_json(self._path(trajectory).read_bytes()).round == trajectory.round
        except (OSError, msgspec.MsgspecError):
            return False

    def _path(self, trajectory: Trajectory) -> Path:
        """The first sample under the task's id, further ones in a folder beside."""
        if trajectory.sample == 0:
            return self.trajectories / f"{trajectory.task_id}.json"
        return self.trajectories / f"{trajectory.task_id}.samples" / f"{trajectory.sample}.json"
