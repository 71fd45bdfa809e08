"""The table `diversity`: the measures of every round, taken once when its tasks were frozen."""

from __future__ import annotations

import time

import msgspec
import sqlalchemy as sa

from adp_assets.diversity.measure import Measures, measure
from adp_resources.database import Database, upsert
from adp_resources.tables import diversity, pool_tasks, rounds
from runtimes.contracts import TaskSpec

A_QUERY = 500


class Diversity:
    """How varied rounds are, by their names."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def take(self, round: str, tasks: list[TaskSpec]) -> Measures:
        """Measure a round of these tasks and keep it; measures taken before stay as they are."""
        if known := self.get(round):
            return known
        measures = measure(tasks, self._seeds(sorted({task.lineage.root_id for task in tasks})))
        row = {"round": round, "measures": msgspec.to_builtins(measures), "measured_at": time.time()}
        with self.database.begin() as connection:
            upsert(connection, diversity, [row], replace=False)
        return self.get(round) or measures

    def get(self, round: str) -> Measures | None:
        """A round's measures; None where none were taken."""
        query = sa.select(diversity.c.measures).where(diversity.c.round == round)
        with self.database.read() as connection:
            found = connection.execute(query).scalar()
        return msgspec.convert(found, Measures) if found is not None else None

    def all(self) -> dict[str, Measures]:
        """Every measured round, by the order they were planned in."""
        query = sa.select(rounds.c.round, diversity.c.measures).join(
            diversity, diversity.c.round == rounds.c.round
        )
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(rounds.c.planned_at)).all()
        return {row.round: msgspec.convert(row.measures, Measures) for row in rows}

    def chain(self, round: str) -> dict[str, Measures]:
        """The measured rounds of a round's chain, up to itself and the first one first."""
        this = rounds.alias()
        query = sa.select(rounds.c.round, diversity.c.measures)
        query = query.join(diversity, diversity.c.round == rounds.c.round)
        query = query.join(this, this.c.chain == rounds.c.chain)
        query = query.where(this.c.round == round, rounds.c.number <= this.c.number)
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(rounds.c.number)).all()
        return {row.round: msgspec.convert(row.measures, Measures) for row in rows}

    def _seeds(self, root_ids: list[str]) -> list[str]:
        """The descriptions of the root seeds that the pool has."""
        found: list[str] = []
        with self.database.read() as connection:
            for start in range(0, len(root_ids), A_QUERY):
                query = sa.select(pool_tasks.c.spec).where(
                    pool_tasks.c.task_id.in_(root_ids[start : start + A_QUERY])
                )
                found += [spec["description"] for spec in connection.execute(query).scalars()]
        return found
