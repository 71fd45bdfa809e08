"""What an operator is: one way to turn an essence into a new task. Add one by the group `adp.operators`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from adp_assets.mutation.drafts import (
    DRAFT,
    IDEA,
    PROMPT_VERSION,
    MutatedIdea,
    TaskDraft,
    draft_facts,
    idea_facts,
)
from runtimes.contracts import Essence, TaskSpec
from runtimes.llm.base import ChatModel
from runtimes.llm.structured import ask
from runtimes.services import Services

if TYPE_CHECKING:
    from adp_assets.mutation.candidate import Proposal


MOST_PARTS = 2
"""Parts that a task may be built of: with more, descriptions grow and nobody gets all of it right."""


def parts_of(task: TaskSpec) -> int:
    """Of how many parts a task was built: its own, those of a partner, and what operators put on top."""
    parts = task.metadata.get("parts", 1)
    return parts if isinstance(parts, int) else 1


@dataclass(frozen=True)
class Workshop:
    """What operators work with: the model, what code runs in, and what is known.

    `tools` are the names that tasks of a type may be given; `avoid` are, by root, descriptions that were
    proposed before and rejected.
    """

    model: ChatModel
    services: Services
    tools: Mapping[str, Sequence[str]]
    avoid: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sketch:
    """A task as an operator leaves it to orchestration."""

    idea: MutatedIdea
    draft: TaskDraft


class Operator:
    """One way to make a new task. A subclass needs a name, a version and what the model is to change.

    `version` tells a reworded instruction from the one before, `prompt_version` is that of the questions it
    stands in; empty for an operator that asks no model. `takes_partner` says that the new task is made
    of two, `for_failures` that an essence of a failure is of use, `adds_part` that the task gets a part more.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    prompt_version: ClassVar[str] = PROMPT_VERSION
    instruction: ClassVar[str] = ""
    takes_partner: ClassVar[bool] = False
    for_failures: ClassVar[bool] = False
    adds_part: ClassVar[bool] = False

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        """Whether the operator has anything to offer to this essence of that task."""
        return True

    def language(self, parents: str) -> str:
        """The language of the new description, of that of its parent; both by ISO 639-1."""
        return parents

    async def make(self, proposal: Proposal, workshop: Workshop) -> Sketch:
        """The idea and its draft, here asked of the model one after the other.

        Raises Refused where no task comes of it, NotAnswered where the model does not answer as asked.
        """
        parent = proposal.parent
        avoid = [*workshop.avoid.get(parent.lineage.root_id, ())]
        idea = await ask(workshop.model, MutatedIdea, IDEA, idea_facts(proposal, avoid))
        tools = [*workshop.tools.get(parent.task_type, ())]
        draft = await ask(workshop.model, TaskDraft, DRAFT, draft_facts(proposal, idea, tools))
        return Sketch(idea, draft)


class BuildingOperator(Operator):
    """One that puts something on top of a task, and leaves alone what was built up already."""

    adds_part: ClassVar[bool] = True

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        return parts_of(parent) < MOST_PARTS
