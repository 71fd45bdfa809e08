"""Operators that need no model: a seed makes the task, and a program its answer."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from adp_assets.languages import own_language
from adp_assets.mutation.drafts import MutatedIdea, TaskDraft
from adp_assets.mutation.operators.base import Operator, Sketch, Workshop
from runtimes.contracts import Essence, TaskSpec

if TYPE_CHECKING:
    from adp_assets.mutation.candidate import Proposal


class Puzzle(Operator):
    """Steps upon a list of numbers or a text, as hard as the essence.

    The sentences and the programs are the built-in teacher's, which is a library of seeded tasks as well.
    """

    name = "puzzle"
    prompt_version = ""

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        return parent.task_type == "reasoning"

    async def make(self, proposal: Proposal, workshop: Workshop) -> Sketch:
        from runtimes.llm.teacher.families.puzzles import PUZZLES

        rng = random.Random(proposal.candidate_id)
        family = rng.choice(PUZZLES)
        level = 1 + ("simple", "medium", "complex").index(proposal.essence.complexity_level)
        params = family.at_level(family.sample(rng), level, rng)
        language = own_language(proposal.parent.description)
        task = family.task(params, family.render(params, language, rng.randrange(family.variety)))
        assert task.verifier is not None
        return Sketch(
            MutatedIdea(task.description, f"a puzzle of {level} step(s)", family.domain),
            TaskDraft(
                expected_tools=task.expected_tools,
                verifier=task.verifier,
                solution=family.solution(params),
                max_steps=task.max_steps,
                timeout=task.timeout,
            ),
        )
