"""A model whose every reply a test decides, and the fan-out engine around it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from adp_resources.fanout import LocalFanOut, Work
from adp_resources.journal import Journal
from runtimes.contracts import Message, TaskSpec, Verifier
from runtimes.llm.base import Reply
from runtimes.llm.retry import RetryPolicy
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.runtimes.scripted import finishes

QUICK = RetryPolicy(tries=3, initial_seconds=0.001)


class Scene:
    """What a model does with each task, and what it saw: tries by task, and episodes in flight."""

    provider = "scripted"
    model = "script-1"

    def __init__(self, act: Callable[[str, int], Any] = lambda task, attempt: None) -> None:
        self.act = act
        self.tries: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = False

    async def complete(self, messages: list[Message], **options: Any) -> Reply:
        task = str(messages[1]["content"])
        self.tries[task] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            done = self.act(task, self.tries[task])
            if done is not None:
                await done
            return Reply(message=finishes("42"))
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        self.closed = True

    def engine(self, journal: Journal, episodes: int = 4) -> LocalFanOut:
        def services() -> Services:
            return Services(self, SandboxPool(slots=2), BrowserPool())

        return LocalFanOut(services, journal, episodes, QUICK)


def work(*names: str, samples: int = 1, expected: int = 42) -> list[Work]:
    """Tasks by name; the model answers 42, whatever the verifier expects."""
    tasks = [
        TaskSpec(
            task_id=name,
            task_type="reasoning",
            description=name,
            verifier=Verifier("numeric", {"expected": expected}),
        )
        for name in names
    ]
    return [(task, sample) for task in tasks for sample in range(samples)]


def many(count: int) -> list[Work]:
    return work(*(f"t-{number:02}" for number in range(count)))


def never() -> bool:
    return False
