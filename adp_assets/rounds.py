"""The partition: what a round is, how one is named, planned and followed by the next."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from adp_assets.intake.pool import TaskPool, nothing_waits
from adp_assets.selection.aim import Mix
from adp_assets.selection.choose import choose
from adp_assets.selection.cut import Allowed
from adp_assets.selection.drying import Proposals
from adp_resources.acceptance import Acceptance
from adp_resources.database import Database, upsert
from adp_resources.tables import journal, pool_tasks, round_tasks, rounds
from runtimes.contracts import TaskSpec, check_task_id
from runtimes.errors import ConfigurationError, InvalidTask

ROUNDS = dg.DynamicPartitionsDefinition(name="rounds")

IMPORT = "import"
"""The driver of rounds whose episodes were run elsewhere."""

COLUMNS = [column for column in rounds.c if column is not rounds.c.selection]
"""Of a `Round`, in its fields' order."""


@dataclass(frozen=True)
class Plan:
    """What a round is to take from the pool.

    `samples` episodes a task; at most `size` tasks; only of `types` and from the task files `sources` where
    these are given; `again` takes the tasks that somebody wrote, run before or not, and none made from them.
    `max_rounds` bounds the chain of rounds that grows out of this one; `follows` names the round before in
    that chain, `accept` is how many solved trajectories the chain is to have, then nothing more is run; both
    are the first round's to say. `driver` says who plans the next: the command that made this one
    (`command`), else the sensor. `mix` bounds what is taken of the tasks that were made from others.
    """

    samples: int = 1
    size: int = 1000
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    again: bool = False
    follows: str | None = None
    max_rounds: int = 3
    driver: str = "person"
    accept: int | None = None
    mix: Mix = field(default_factory=Mix)


@dataclass(frozen=True)
class Round:
    """A planned round. `number` is its place in its chain, from 1; `chain` names the first of these."""

    name: str
    follows: str | None
    number: int
    samples: int
    max_rounds: int
    driver: str
    planned_at: float
    accept: int | None = None
    chain: str = ""


class NothingPending(ConfigurationError):
    """The pool has no task that the plan allows."""


class Rounds:
    """Planned rounds and the tasks each froze."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def plan(self, name: str, plan: Plan) -> Round:
        """Freeze the round's tasks: people's own by priority and age, then a mix of those made from them.

        The same pool and name give the same tasks, and a round planned before stays as it is. Raises
        NothingPending when no task fits, ConfigurationError when another round follows `plan.follows`; then
        nothing is kept, and the name can be planned later.
        """
        _check_name(name)
        with self.database.begin() as connection:
            if (known := _find(connection, name)) is not None:
                return known
            allowed = Allowed(plan.types, plan.sources)
            selection = choose(
                connection, name, allowed, plan.size, plan.mix, again=plan.again, follows=plan.follows
            )
            if not selection.chosen:
                in_review = TaskPool(self.database).in_review(plan.sources, plan.types)
                raise NothingPending(
                    f"Round {name} has nothing to do: {nothing_waits(in_review)}.",
                    "Add lines to the task file, or name one: adp run FILE. (--again runs known tasks anew.)",
                )
            before = _find(connection, plan.follows) if plan.follows else None
            if plan.follows and (other := _follower(connection, plan.follows)):
                raise ConfigurationError(
                    f"Round {name} cannot follow {plan.follows}: {other} does already.",
                    f"Materialize {other}, or plan {name} without `follows`.",
                )
            row = {
                "round": name,
                "follows": plan.follows,
                "number": before.number + 1 if before else 1,
                "samples": plan.samples,
                "max_rounds": before.max_rounds if before else plan.max_rounds,
                "driver": plan.driver,
                "planned_at": time.time(),
                "accept": before.accept if before else plan.accept,
                "chain": before.chain if before else name,
                "selection": selection.explained,
            }
            upsert(connection, rounds, [row])
            connection.execute(
                sa.insert(round_tasks),
                [
                    {"round": name, "task_id": task.task_id, "position": position, "reason": task.reason}
                    for position, task in enumerate(selection.chosen)
                ],
            )
            _mark_planned(connection, [task.task_id for task in selection.chosen])
            planned = _find(connection, name)
        assert planned is not None
        return planned

    def take_in(self, name: str, tasks: Sequence[TaskSpec], samples: int) -> None:
        """Make a round of tasks whose episodes were run elsewhere; more of the same round are added to it.

        Nothing of it waits to be run. Raises ConfigurationError for a round that was planned to be.
        """
        _check_name(name)
        with self.database.begin() as connection:
            known = _find(connection, name)
            if known is not None and known.driver != IMPORT:
                raise ConfigurationError(f"There is a round {name} that was run here.", "Name another one.")
            pool = TaskPool(self.database)
            pool.add(connection, tasks, status="planned")
            row = {
                "round": name,
                "follows": None,
                "number": 1,
                "samples": max(samples, known.samples if known else 0),
                "max_rounds": 1,
                "driver": IMPORT,
                "planned_at": known.planned_at if known else time.time(),
                "accept": None,
                "chain": name,
                "selection": None,
            }
            upsert(connection, rounds, [row])
            query = sa.select(sa.func.count()).where(round_tasks.c.round == name)
            first = connection.execute(query).scalar_one()
            members = [
                {"round": name, "task_id": task.task_id, "position": first + at, "reason": IMPORT}
                for at, task in enumerate(tasks)
            ]
            upsert(connection, round_tasks, members, replace=False)

    def get(self, name: str) -> Round | None:
        with self.database.read() as connection:
            return _find(connection, name)

    def all(self) -> list[Round]:
        """Every planned round, oldest first."""
        with self.database.read() as connection:
            found = connection.execute(sa.select(*COLUMNS).order_by(rounds.c.planned_at)).all()
        return [Round(*row) for row in found]

    def names_taken(self, partitions: Iterable[str]) -> set[str]:
        """Every name a round has or had: Dagster's `partitions`, and the rounds planned here."""
        return {*partitions, *(planned.name for planned in self.all())}

    def tasks(self, name: str) -> list[TaskSpec]:
        """The round's tasks in their order."""
        query = (
            sa.select(pool_tasks.c.spec)
            .join(round_tasks, round_tasks.c.task_id == pool_tasks.c.task_id)
            .where(round_tasks.c.round == name)
            .order_by(round_tasks.c.position)
        )
        with self.database.read() as connection:
            return [msgspec.convert(spec, TaskSpec) for spec in connection.execute(query).scalars()]

    def reasons(self, name: str) -> dict[str, str]:
        """Why the round has each of its tasks, by task id and in the round's order."""
        query = sa.select(round_tasks.c.task_id, round_tasks.c.reason).where(round_tasks.c.round == name)
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(round_tasks.c.position))
            return {row.task_id: row.reason for row in rows}

    def selection(self, name: str) -> dict[str, Any] | None:
        """How the round's tasks were chosen as a whole; None where that was not kept."""
        with self.database.read() as connection:
            return connection.execute(sa.select(rounds.c.selection).where(rounds.c.round == name)).scalar()

    def task_counts(self, name: str) -> dict[str, int]:
        """How many tasks of each type the round has."""
        query = (
            sa.select(pool_tasks.c.task_type, sa.func.count())
            .join(round_tasks, round_tasks.c.task_id == pool_tasks.c.task_id)
            .where(round_tasks.c.round == name)
            .group_by(pool_tasks.c.task_type)
        )
        with self.database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def chain(self, name: str) -> list[Round]:
        """The round and those before it in its chain, newest first."""
        this = rounds.alias()
        query = sa.select(*COLUMNS).join(this, this.c.chain == rounds.c.chain)
        query = query.where(this.c.round == name, rounds.c.number <= this.c.number)
        with self.database.read() as connection:
            return [Round(*row) for row in connection.execute(query.order_by(rounds.c.number.desc()))]

    def aim(self, name: str, accept: int) -> None:
        """Change how many solved trajectories the round's whole chain is to have."""
        chain = sa.select(rounds.c.chain).where(rounds.c.round == name).scalar_subquery()
        with self.database.begin() as connection:
            connection.execute(sa.update(rounds).where(rounds.c.chain == chain).values(accept=accept))

    def give_back(self, name: str, task_type: str) -> int:
        """Let tasks of the round that nobody ever began wait in the pool again; gives how many."""
        mine = sa.select(round_tasks.c.task_id).where(round_tasks.c.round == name)
        begun = sa.exists().where(journal.c.task_id == pool_tasks.c.task_id)
        query = sa.update(pool_tasks).where(
            pool_tasks.c.task_id.in_(mine), pool_tasks.c.task_type == task_type, sa.not_(begun)
        )
        with self.database.begin() as connection:
            return connection.execute(query.values(status="pending")).rowcount

    def extend(self, name: str, max_rounds: int) -> None:
        """Let the chain that grows out of a round become `max_rounds` long, where its limit was lower."""
        query = sa.update(rounds).where(rounds.c.round == name, rounds.c.max_rounds < max_rounds)
        with self.database.begin() as connection:
            connection.execute(query.values(max_rounds=max_rounds))

    def follower(self, name: str) -> str | None:
        """The round that follows, if it is planned."""
        with self.database.read() as connection:
            return _follower(connection, name)


def next_name(known: Iterable[str], prefix: str = "round") -> str:
    """The first unused name of the form `round-0001`."""
    numbered = re.compile(rf"{re.escape(prefix)}-(\d+)")
    numbers = [int(match[1]) for name in known if (match := numbered.fullmatch(name))]
    return f"{prefix}-{max(numbers, default=0) + 1:04d}"


def may_follow(
    before: Round,
    *,
    pending: int,
    in_review: int = 0,
    spent_usd: float | None,
    max_spend_usd: float | None,
    tokens: int = 0,
    max_tokens: int | None = None,
    acceptance: Acceptance | None = None,
    proposals: Proposals | None = None,
    min_novelty: float = 0.0,
) -> str | None:
    """Whether a round may follow `before`: None when it may, else why not.

    What was spent, in US dollars and tokens, is that of the whole chain; None is unknown. `proposals` are
    those of `before`, of which at least the share `min_novelty` is to be new.
    """
    if acceptance is not None and not acceptance.missing:
        return f"the {acceptance.target} solved trajectories asked for are there"
    if before.number >= before.max_rounds:
        return f"the limit of {before.max_rounds} rounds in this chain is reached (MAX_ROUNDS)"
    if max_spend_usd is not None and spent_usd is None:
        return "what was spent is unknown, as the model has no known price, and MAX_ROUND_COST_USD is set"
    if max_spend_usd is not None and spent_usd is not None and spent_usd >= max_spend_usd:
        return f"{spent_usd:.2f} USD of {max_spend_usd:.2f} are spent (MAX_ROUND_COST_USD or --max-cost)"
    if max_tokens is not None and tokens >= max_tokens:
        return f"{tokens:,} of {max_tokens:,} tokens are spent (ROUND_TOKEN_LIMIT or --max-tokens)"
    if proposals is not None and (dried_up := proposals.why_dried_up(min_novelty)):
        return dried_up
    if not pending:
        return nothing_waits(in_review)
    return None


def _check_name(name: str) -> None:
    try:
        check_task_id(name)
    except InvalidTask as error:
        raise ConfigurationError(f"The round's name {name!r} cannot name a file.", error.remedy) from error


def _find(connection: Connection, name: str) -> Round | None:
    row = connection.execute(sa.select(*COLUMNS).where(rounds.c.round == name)).first()
    return Round(*row) if row else None


def _follower(connection: Connection, name: str) -> str | None:
    return connection.execute(sa.select(rounds.c.round).where(rounds.c.follows == name)).scalar()


def _mark_planned(connection: Connection, task_ids: Sequence[str]) -> None:
    for start in range(0, len(task_ids), 500):
        part = task_ids[start : start + 500]
        connection.execute(
            sa.update(pool_tasks).where(pool_tasks.c.task_id.in_(part)).values(status="planned")
        )
