"""The model calls of all processes in the platform's database: written in batches, summed by owner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from adp_resources.database import Database, upsert
from adp_resources.tables import journal, llm_calls, rounds
from adp_resources.trials import FIRST_SAMPLE
from runtimes.llm.ledger import Call, Spent

NEWEST = 500
"""Episodes or calls that an estimate rests on, at most."""

_TOKENS = ("prompt_tokens", "completion_tokens")
_SUMS = (
    sa.func.coalesce(sa.func.sum(llm_calls.c.prompt_tokens + llm_calls.c.completion_tokens), 0),
    sa.func.coalesce(sa.func.sum(llm_calls.c.cost_usd), 0.0),
    sa.func.count() - sa.func.count(llm_calls.c.cost_usd),
)

_STAGE = sa.case(
    (sa.and_(llm_calls.c.stage == "episode", llm_calls.c.sample >= FIRST_SAMPLE), "trial"),
    else_=llm_calls.c.stage,
).label("stage")


class Taken(NamedTuple):
    """What one stage's calls of one model took."""

    stage: str
    provider: str
    model: str
    calls: int
    spent: Spent


class UsageTable:
    """The ledger's store, and the reports over it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def write(self, calls: Sequence[Call]) -> None:
        """Keep these calls; a call that is there already stays as it is."""
        with self.database.begin() as connection:
            upsert(connection, llm_calls, [_row(call) for call in calls], replace=False)

    def spent(self, *, round: str | None = None, user: str | None = None, since: float = 0.0) -> Spent:
        """What calls took that began at `since`, epoch seconds, or later.

        Those of a user, or of a round and all others in its chain, which have one budget together.
        """
        query = sa.select(*_SUMS).where(llm_calls.c.at >= since)
        if round is not None:
            chain = sa.select(rounds.c.chain).where(rounds.c.round == round).scalar_subquery()
            others = sa.select(rounds.c.round).where(rounds.c.chain == chain)
            query = query.where(sa.or_(llm_calls.c.round == round, llm_calls.c.round.in_(others)))
        if user is not None:
            query = query.where(llm_calls.c.user_id == user)
        with self.database.read() as connection:
            return _spent(*connection.execute(query).one())

    def of_rounds(self, names: Iterable[str]) -> Spent:
        """What the calls of rounds took together."""
        query = sa.select(*_SUMS).where(llm_calls.c.round.in_(list(names)))
        with self.database.read() as connection:
            return _spent(*connection.execute(query).one())

    def by_stage(self, names: Iterable[str]) -> list[Taken]:
        """What the calls of rounds took together, by stage, provider and model.

        `trial` are the episodes of tasks just made, which are neither tasks nor episodes of the rounds.
        """
        who = (_STAGE, llm_calls.c.provider, llm_calls.c.model)
        query = (
            sa.select(*who, sa.func.count(), *_SUMS)
            .where(llm_calls.c.round.in_(list(names)))
            .group_by(*who)
            .order_by(*who)
        )
        with self.database.read() as connection:
            return [
                Taken(stage, provider, model, calls, _spent(*sums))
                for stage, provider, model, calls, *sums in connection.execute(query)
            ]

    def of_episodes(self, task_type: str, model: str) -> list[tuple[int, int]]:
        """Prompt and reply tokens of the newest finished episodes of a type that `model` was paid for.

        What came from the cache counts, too: it is what another task like these will take. So do a judge's
        calls and those that tools made, which the journal does not count.
        """
        of_episode = (
            llm_calls.c.round == journal.c.round,
            llm_calls.c.task_id == journal.c.task_id,
            llm_calls.c.sample == journal.c.sample,
            llm_calls.c.model == model,
        )
        columns = [journal.c[name] for name in ("round", "task_id", "sample", *_TOKENS)]
        newest = (
            sa.select(*columns)
            .where(journal.c.task_type == task_type, journal.c.finished, sa.exists().where(*of_episode))
            .order_by(journal.c.ended_at.desc())
            .limit(NEWEST)
            .subquery()
        )
        query = (
            sa.select(
                newest.c.prompt_tokens,
                newest.c.completion_tokens,
                sa.func.sum(llm_calls.c.prompt_tokens),
                sa.func.sum(llm_calls.c.completion_tokens),
            )
            .join(
                llm_calls,
                sa.and_(
                    llm_calls.c.round == newest.c.round,
                    llm_calls.c.task_id == newest.c.task_id,
                    llm_calls.c.sample == newest.c.sample,
                    llm_calls.c.model == model,
                ),
            )
            .group_by(newest.c.round, newest.c.task_id, newest.c.sample)
            .group_by(newest.c.prompt_tokens, newest.c.completion_tokens)
        )
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [
            (max(prompt, int(paid)), max(replied, int(paid_replies)))
            for prompt, replied, paid, paid_replies in rows
        ]

    def of_calls(self, stage: str, model: str) -> list[tuple[int, int]]:
        """Prompt and reply tokens of the newest calls of a stage that `model` was paid for."""
        query = (
            sa.select(llm_calls.c.prompt_tokens, llm_calls.c.completion_tokens)
            .where(llm_calls.c.model == model, llm_calls.c.stage == stage)
            .order_by(llm_calls.c.at.desc())
            .limit(NEWEST)
        )
        return self._pairs(query)

    def _pairs(self, query: sa.Select[int, int]) -> list[tuple[int, int]]:
        with self.database.read() as connection:
            return [(prompt, completion) for prompt, completion in connection.execute(query)]


def _spent(tokens: int, usd: float, unpriced: int) -> Spent:
    return Spent(int(tokens), float(usd), int(unpriced))


def _row(call: Call) -> dict[str, Any]:
    account = call.account
    return {
        "attempt": call.attempt,
        "number": call.number,
        "round": account.round,
        "task_id": account.task_id,
        "sample": account.sample,
        "stage": account.stage,
        "user_id": account.user,
        "provider": call.provider,
        "model": call.model,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "cost_usd": call.cost_usd,
        "at": call.at,
        "seconds": call.seconds,
    }
