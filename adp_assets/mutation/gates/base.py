"""What a gate is, what it finds, and asking several in their order."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import msgspec

from adp_assets.intake.pool import Known
from adp_assets.mutation.candidate import Candidate
from runtimes.contracts import TaskSpec
from runtimes.secrets import Redactor
from runtimes.text import readable

GATES_VERSION = "2"
"""Of the rules by which candidates are judged. What other rules refused is judged again when its round is
materialized again; what they accepted stays, since it is in the pool."""

UNMEASURED = Known()


@dataclass(frozen=True)
class Finding:
    """What a gate found. `reason` says why not, or what is worth knowing; `measured` is what it came upon."""

    passed: bool = True
    reason: str = ""
    measured: Known = UNMEASURED


def refused(reason: str) -> Finding:
    return Finding(False, reason)


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """One gate's word on a candidate, as the table keeps it, with what it measured.

    `seconds` are those until it was said, a wait for a place or a page included.
    """

    gate: str
    passed: bool
    reason: str = ""
    seconds: float = 0.0
    novelty: float | None = None
    expected_pass: float | None = None


class Gate(ABC):
    """One question to every candidate, told apart in the table of candidates by `name`."""

    name: ClassVar[str]

    @abstractmethod
    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        """Whether `task`, the candidate's, may pass.

        Raises InfrastructureError or BudgetSpent where that cannot be said now: the candidate is then
        undecided and will be judged again. ModelRefused is for the whole step.
        """


@dataclass
class Judgement:
    """What the gates have said of a candidate so far; `undecided` is why nothing final was said.

    `gate` is the one that was asked last, `shingles` is what novelty was measured by. `tries` are the times
    that a gate failed at this very candidate.
    """

    candidate: Candidate
    verdicts: list[Verdict] = field(default_factory=list)
    gate: str = ""
    accepted: bool = False
    undecided: str = ""
    shingles: bytes | None = None
    tries: int = 0

    @property
    def reason(self) -> str:
        return self.undecided or (self.verdicts[-1].reason if self.verdicts else "")

    @property
    def is_refused(self) -> bool:
        return bool(self.verdicts) and not self.verdicts[-1].passed

    @property
    def known(self) -> Known:
        """What the pool is to know of the task."""
        return Known(self._measured("novelty"), self._measured("expected_pass"), self.shingles)

    @property
    def is_decided(self) -> bool:
        return self.accepted or self.is_refused

    def has_passed(self, gate: str) -> bool:
        """Whether this gate was asked and let it pass."""
        return any(verdict.gate == gate and verdict.passed for verdict in self.verdicts)

    async def ask(self, gates: Sequence[Gate]) -> None:
        """Ask these gates in order, until one refuses. Raises what they raise."""
        for gate in gates:
            self.gate = gate.name
            clock = time.perf_counter()
            task = self.candidate.task
            if task is None:
                finding = refused(self.candidate.reason or "the model gave no task")
            else:
                finding = await gate.judge(task, self.candidate)
            self._keep(finding, round(time.perf_counter() - clock, 6))
            if not finding.passed:
                return

    def overrule(self, gate: str, finding: Finding) -> None:
        """Let a gate take back that it let this pass."""
        self.verdicts = [verdict for verdict in self.verdicts if verdict.gate != gate]
        self.gate, self.accepted = gate, False
        self._keep(finding, 0.0)

    def without_secrets(self, redactor: Redactor) -> None:
        """Take out what must never be written down: a model may repeat what it was called with."""
        self.verdicts = redactor.json(self.verdicts)
        self.undecided = redactor.text(self.undecided)
        self.candidate = replace(
            self.candidate,
            task=redactor.json(self.candidate.task),
            reference=redactor.text(self.candidate.reference),
            reason=redactor.text(self.candidate.reason),
        )

    def _keep(self, finding: Finding, seconds: float) -> None:
        measured = finding.measured
        self.shingles = measured.shingles or self.shingles
        self.verdicts.append(
            Verdict(
                self.gate,
                finding.passed,
                readable(finding.reason),
                seconds,
                measured.novelty,
                measured.expected_pass,
            )
        )

    def _measured(self, name: str) -> float | None:
        found = (getattr(verdict, name) for verdict in self.verdicts)
        return next((value for value in found if value is not None), None)
