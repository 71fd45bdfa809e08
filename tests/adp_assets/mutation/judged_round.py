"""A round's candidates judged for real: code tasks of the teacher's, with its own solutions as references.

As a program, `python -m tests.adp_assets.mutation.judged_round DATABASE HELD` judges them with a model that
never replies to the tasks whose ids begin with HELD, so that a test can kill it in the middle.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Judgement
from adp_assets.mutation.gates.form import SchemaGate, ToolsGate
from adp_assets.mutation.gates.novel import NoveltyGate
from adp_assets.mutation.gates.policy import PolicyGate
from adp_assets.mutation.gates.sanity import SanityGate
from adp_assets.mutation.gates.trial import TrialGate
from adp_assets.mutation.gates.tries import Outages
from adp_assets.mutation.judging import Judging
from adp_assets.mutation.novelty.known import index_of_pool
from adp_assets.mutation.table import CandidateTable
from adp_resources.database import Database
from adp_resources.trials import Trials
from runtimes.contracts import Message
from runtimes.llm.base import Reply
from runtimes.llm.teacher.families import recognise, sample_tasks
from runtimes.llm.teacher.teacher import Teacher
from runtimes.secrets import Redactor
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.adp_assets.mutation.candidates import candidate
from tests.adp_assets.tasks import task
from tests.adp_resources.scenes import QUICK

ROUND = "round-0001"
SECRET = "correct-horse-battery-7"


class Watched:
    """The built-in teacher, without errors; `act` is told each episode's task and may wait or raise."""

    provider, model = Teacher.provider, Teacher.model

    def __init__(self, act: Callable[[str], Any] = lambda description: None) -> None:
        self.teacher = Teacher(error_rate=0.0)
        self.act = act
        self.begun: Counter[str] = Counter()

    async def complete(self, messages: list[Message], **options: Any) -> Reply:
        said = str(messages[1]["content"]).split("\n\n")[0]
        if len(messages) == 2:
            self.begun[said] += 1
        done = self.act(said)
        if done is not None:
            await done
        return await self.teacher.complete(messages, **options)

    async def aclose(self) -> None:
        """Nothing is open."""


def sound(count: int) -> list[Candidate]:
    """Candidates that pass every gate."""
    found = []
    for number, made in enumerate(sample_tasks(count, seed=5, types={"code": count})):
        known = recognise(made.description)
        assert known is not None
        reference = known.family.program(known.params, 0)  # type: ignore[attr-defined]
        named = msgspec.structs.replace(made, task_id=f"sound-{number}")
        parent = task("seed", description=made.description)
        found.append(candidate(named, reference, parent=parent, essence_id=str(number)))
    return found


async def judge(
    database: Database,
    proposed: list[Candidate],
    model: Watched,
    *,
    samples: int = 2,
    status: str = "pending",
) -> list[Judgement]:
    async with AsyncExitStack() as stack:
        services = Services(model, SandboxPool(slots=2), BrowserPool())
        await stack.enter_async_context(services)
        outages = Outages(QUICK)
        trial = TrialGate(
            services, Trials(database), round=ROUND, samples=samples, at_once=4, outages=outages
        )
        redactor = Redactor([("MY_KEY", SECRET)])
        judging = Judging(
            CandidateTable(database, status),
            ROUND,
            cheap=[
                SchemaGate(),
                ToolsGate({"code": services.toolbox.names()}),
                PolicyGate(["evil.test"], redactor),
            ],
            novelty=NoveltyGate(index_of_pool(database)),
            costly=[
                SanityGate(services, round=ROUND, at_once=4, outages=outages),
                await stack.enter_async_context(trial),
            ],
            redactor=redactor,
        )
        kept = judging.table.kept(ROUND, [candidate.proposal for candidate in proposed])
        judgements = [kept.get(candidate.task_id) or Judgement(candidate) for candidate in proposed]
        await judging.judge(judgements)
        return judgements


def held(candidates: list[Candidate], prefix: str) -> Callable[[str], Any]:
    """What keeps the model from ever replying to some tasks."""
    descriptions = {c.task.description for c in candidates if c.task and c.task.task_id.startswith(prefix)}
    return lambda description: asyncio.Event().wait() if description in descriptions else None


def main() -> None:
    database = Database(sys.argv[1])
    database.upgrade()
    proposed = sound(3)
    asyncio.run(judge(database, proposed, Watched(held(proposed, sys.argv[2]))))


if __name__ == "__main__":
    main()
