"""What was paid, summed by whoever it was paid for."""

from __future__ import annotations

import pytest

from adp_resources.journal import Journal
from adp_resources.usage import UsageTable
from runtimes.contracts import Trajectory
from runtimes.llm.base import Account
from runtimes.llm.ledger import Call


def call(number: int, stage: str, prompt: int, task_id: str = "t") -> Call:
    account = Account(round="r", task_id=task_id, stage=stage)
    return Call(
        attempt=f"{task_id} {stage}",
        number=number,
        account=account,
        provider="local",
        model="m",
        prompt_tokens=prompt,
        completion_tokens=prompt // 10,
        cost_usd=None,
        at=1.0,
        seconds=1.0,
    )


@pytest.mark.parametrize(
    ("paid", "taken"),
    [
        pytest.param([("episode", 100)], (300, 30), id="two of three replies were cached"),
        pytest.param([("episode", 300), ("grading", 50)], (350, 35), id="a judge was asked"),
        pytest.param([("episode", 300), ("episode", 200)], (500, 50), id="a tool asked the model"),
        pytest.param([], None, id="nothing was paid"),
    ],
)
def test_what_an_episode_took_is_what_another_like_it_will_take(
    journal: Journal, paid: list[tuple[str, int]], taken: tuple[int, int] | None
) -> None:
    usage = UsageTable(journal.database)
    for task_id in ("t", "other"):
        journal.write(
            Trajectory(
                task_id=task_id,
                runtime_id="x",
                round="r",
                task_type="code",
                outcome="unsolved",
                prompt_tokens=300,
                completion_tokens=30,
            )
        )
    usage.write([call(number, stage, prompt) for number, (stage, prompt) in enumerate(paid)])
    assert usage.of_episodes("code", "m") == ([taken] if taken else [])
    assert usage.of_episodes("web", "m") == usage.of_episodes("code", "another") == []
