"""What travels through mutation: a proposal, and the candidate task that came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from adp_assets.languages import language_of
from adp_assets.mutation.operators.base import Operator
from runtimes.contracts import Essence, TaskSpec


@dataclass(frozen=True)
class Proposal:
    """One order to an operator: to make something of this essence of that task.

    `variant` tells orders of the same kind apart. `partner` is the other task, where an operator takes two.
    """

    essence: Essence
    parent: TaskSpec
    operator: Operator
    variant: int
    partner: TaskSpec | None = None

    @property
    def candidate_id(self) -> str:
        """An id that says what the task is and where it comes from, and is the same when ordered again."""
        key = f"{self.essence.essence_id}\0{self.operator.name}\0{self.variant}"
        if self.partner is not None:
            key += f"\0{self.partner.task_id}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return f"{self.parent.task_type}-{self.operator.name}-{digest}"

    @property
    def version(self) -> str:
        """Of what drafts it: the operator's and that of the questions it asks."""
        return f"{self.operator.version}/{self.operator.prompt_version}"

    @property
    def language(self) -> str:
        """Of the new description: what the operator makes of its parent's, English where that is unsure."""
        return self.operator.language(language_of(self.parent.description) or "en")

    @property
    def relatives(self) -> list[TaskSpec]:
        """The tasks that the new one is made of, the parent first."""
        return [self.parent, *([self.partner] if self.partner else [])]

    @property
    def parents(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(task.task_id for task in self.relatives)


@dataclass(frozen=True)
class Candidate:
    """What came of a proposal: a task, or the reason there is none.

    `reference` is the answer that a right agent would hand in (submitted code, or the final answer), worked
    out by running the solution, never by a model's word alone; empty where only the world's state decides.
    """

    proposal: Proposal
    task: TaskSpec | None
    reference: str = ""
    reason: str = ""

    @property
    def task_id(self) -> str:
        return self.task.task_id if self.task else self.proposal.candidate_id
