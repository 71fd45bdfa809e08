"""Candidates as the tests of gates want them: of a real parent, with a reference or without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adp_assets.mutation.candidate import Candidate, Proposal
from adp_assets.mutation.gates.base import Finding, Gate
from adp_assets.mutation.operators import operators
from runtimes.contracts import Essence, SuccessPattern, TaskSpec, Verifier
from tests.adp_assets.tasks import task

ADD = "def add(a, b):\n    return a + b"
SUMS = Verifier(
    "python_tests",
    {"cases": [{"call": "add(2, 3)", "expected": 5}, {"call": "add(-1, 1)", "expected": 0}]},
)


def essence(task_id: str = "seed", essence_id: str = "e") -> Essence:
    return Essence(
        essence_id=essence_id,
        task_id=task_id,
        root_id=task_id,
        round="r1",
        task_type="code",
        domain="d",
        query="q",
        complexity_level="simple",
        success_pattern=SuccessPattern(key_steps=[], execution_pattern="", success_indicators=[]),
    )


@dataclass(frozen=True)
class Named(Proposal):
    """A proposal whose candidate has a name that a test can tell."""

    name: str = ""

    @property
    def candidate_id(self) -> str:
        return self.name or super().candidate_id


def candidate(
    spec: TaskSpec | None,
    reference: str = "",
    *,
    parent: TaskSpec | None = None,
    partner: TaskSpec | None = None,
    reason: str = "",
    essence_id: str = "e",
) -> Candidate:
    own = essence(essence_id=essence_id)
    operator = next(each for each in operators() if each.name == "parameter")
    name = spec.task_id if spec else ""
    proposal = Named(own, parent or task("seed"), operator, 0, partner, name=name)
    return Candidate(proposal, spec, reference, reason)


async def said(gate: Gate, spec: TaskSpec, reference: str = "", **more: Any) -> Finding:
    """What a gate finds of a candidate with this task."""
    return await gate.judge(spec, candidate(spec, reference, **more))
