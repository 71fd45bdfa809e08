"""Grades by the agreement of a task's samples, where nobody knows the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from runtimes.contracts import Trajectory
from runtimes.grading.answers import folded, the_number
from runtimes.grading.base import VotingKind


class AgreementSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """At least `samples` episodes of the task; an answer is right that more than `share` of them gave.

    Answers are the same by their `text`, letter case, width and outer space aside, or by their `number`.
    """

    samples: Annotated[int, Meta(ge=3)]
    share: Annotated[float, Meta(ge=0.5, lt=1)] = 0.5
    by: Literal["text", "number"] = "text"


class Agreement(VotingKind[AgreementSpec]):
    """The answer is the one that most samples of the task gave, each of which has one vote.

    An episode that failed, or gave no answer, votes for nothing and counts among the votes.
    """

    Spec = AgreementSpec

    def tally(self, spec: AgreementSpec, samples: Sequence[Trajectory]) -> list[tuple[float, str]] | str:
        if len(samples) < spec.samples:
            return f"{len(samples)} of {spec.samples} samples are there to vote"
        votes = [_vote(spec, sample) for sample in samples]
        counted = Counter(vote for vote in votes if vote is not None)
        winner, count = counted.most_common(1)[0] if counted else (None, 0)
        if count <= spec.share * len(votes):
            return f"no answer has more than {spec.share:.0%} of {len(votes)} votes; the first has {count}"
        said = f"of {len(votes)} samples, {count} agree"
        return [(1.0 if vote == winner else 0.0, f"{said}, {_place(vote, winner)}") for vote in votes]


def _vote(spec: AgreementSpec, sample: Trajectory) -> Any:
    if sample.error_type is not None or sample.final_result is None:
        return None
    if spec.by == "number":
        return the_number(str(sample.final_result))
    return folded(str(sample.final_result)) or None


def _place(vote: Any, winner: Any) -> str:
    if vote is None:
        return "this one gave no answer"
    return "this one among them" if vote == winner else "this one does not"
