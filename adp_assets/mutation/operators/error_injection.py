"""The operator that plants a bug in a verified solution: the new task is to mend the code.

After SWE-smith (arXiv 2504.21798): a bug is kept only where the task's own tests go from pass to fail, which
the real grader decides. The bug is made by this code, so no model has to be believed.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from adp_assets.languages import own_language
from adp_assets.mutation.drafts import SOLVE, CodeSolution, MutatedIdea, TaskDraft, completed
from adp_assets.mutation.operators.base import Operator, Sketch, Workshop
from adp_assets.mutation.operators.bugs import Bug, bugs_in
from adp_assets.mutation.refused import Refused
from runtimes.contracts import Essence, Grade, TaskSpec, Trajectory
from runtimes.grading.base import grade
from runtimes.grading.python_tests import source_of
from runtimes.llm.structured import ask
from runtimes.services import Services
from runtimes.world import World

if TYPE_CHECKING:
    from adp_assets.mutation.candidate import Proposal

MOST_TRIED = 8
"""Bugs that are tried until one is seen by the tests."""

LONGEST = 6_000
"""Characters of a solution: the new task's description holds all of it, and has its own limit."""

SENTENCES = {
    "en": (
        "The code below has a bug. Mend it and submit the whole corrected code. It was written for this "
        "task: {task}\n\n```python\n{code}\n```",
        "A colleague left this program, and its tests fail:\n\n```python\n{code}\n```\n\nFind the "
        "mistake and hand in the repaired program. What it should do: {task}",
    ),
    "zh": (
        "下面的代码有一处错误,请改正并提交完整的代码。它本应完成这个任务:{task}\n\n```python\n{code}\n```",
        "同事留下的程序通不过测试:\n\n```python\n{code}\n```\n\n请找出错误,交出修好的程序。要求如下:{task}",
    ),
}
"""How the task is put; the parent's own description stands in it whole."""


class ErrorInjection(Operator):
    name = "error_injection"
    instruction = SOLVE
    adds_part = True

    def fits(self, essence: Essence, parent: TaskSpec) -> bool:
        verifier = parent.verifier
        tested = verifier is not None and verifier.kind == "python_tests" and "cases" in verifier.spec
        return tested and parent.lineage.operator != self.name

    async def make(self, proposal: Proposal, workshop: Workshop) -> Sketch:
        """A verified solution with a bug that the tests see. Raises Refused where there is none."""
        parent = proposal.parent
        assert parent.verifier is not None
        told = await ask(workshop.model, CodeSolution, SOLVE, {"task": completed(parent)})
        right = source_of(told.solution)
        if len(right) > LONGEST:
            raise Refused(
                f"the solution has {len(right):,} characters, and a task shows at most {LONGEST:,} of code"
            )
        verdict = await _graded(parent, right, workshop.services)
        if not verdict.solved:
            raise Refused(f"the solution does not pass the parent's own tests: {verdict.reason}")
        digest = hashlib.sha256(proposal.candidate_id.encode()).digest()
        rng = random.Random(int.from_bytes(digest))
        bug = await _seen_by_tests(parent, bugs_in(right, rng), workshop.services)
        sentence = rng.choice(SENTENCES[own_language(parent.description)])
        return Sketch(
            MutatedIdea(sentence.format(task=parent.description, code=bug.source), f"a bug: {bug.change}"),
            TaskDraft(
                expected_tools=parent.expected_tools,
                verifier=parent.verifier,
                solution=right,
                constraints=parent.constraints,
                max_steps=parent.max_steps,
                timeout=parent.timeout,
            ),
        )


async def _seen_by_tests(parent: TaskSpec, bugs: Iterator[Bug], services: Services) -> Bug:
    """The first bug that makes the tests fail by a wrong value or an error, not by never ending.

    Raises Refused where none of the first few does.
    """
    tried = 0
    while tried < MOST_TRIED and (bug := await _next(bugs)) is not None:
        tried += 1
        verdict = await _graded(parent, bug.source, services)
        if not verdict.solved and "ended with" not in verdict.reason:
            return bug
    raise Refused(f"the tests see none of {tried} bugs planted in the solution")


async def _next(bugs: Iterator[Bug]) -> Bug | None:
    """The next bug, or None; made in a thread, for other candidates are being made meanwhile."""
    try:
        return await asyncio.to_thread(next, bugs, None)
    except RecursionError as error:
        raise Refused("the solution is nested too deeply for a bug to be planted in it") from error


async def _graded(task: TaskSpec, source: str, services: Services) -> Grade:
    assert task.verifier is not None
    submitted = Trajectory(task_id=task.task_id, runtime_id="", final_result=source)
    return await grade(task.verifier, submitted, services, World())
