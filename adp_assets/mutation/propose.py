"""From essences to candidates: which operator is tried on which essence, and the tasks that come of it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from adp_assets.llm import ask_all
from adp_assets.mutation.candidate import Candidate, Proposal
from adp_assets.mutation.operators.base import Operator, Workshop
from adp_assets.mutation.orchestrate import orchestrate
from adp_assets.mutation.refused import Refused
from runtimes.contracts import Essence, TaskSpec
from runtimes.llm.base import ChatModel
from runtimes.llm.structured import NotAnswered
from runtimes.services import Services


def proposals(
    essences: list[Essence], tasks: dict[str, TaskSpec], operators: list[Operator], an_essence: int
) -> list[Proposal]:
    """`an_essence` proposals for each, the fitting operators in turn from where the essence's id says.

    An operator that takes two tasks is left out where no partner is to be had.
    """
    partners = {
        operator.name: _partners(operator, essences, tasks)
        for operator in operators
        if operator.takes_partner
    }
    asked = []
    for essence in essences:
        parent = tasks[essence.task_id]
        start = _number(essence.essence_id)
        fitting = [
            (operator, partner)
            for operator in operators
            if _fits(operator, essence, parent)
            for partner in [partners.get(operator.name, {}).get(essence.essence_id)]
            if partner or not operator.takes_partner
        ]
        for variant in range(an_essence if fitting else 0):
            operator, partner = fitting[(start + variant) % len(fitting)]
            asked.append(Proposal(essence, parent, operator, variant, partner))
    return asked


async def propose(
    asked: list[Proposal],
    model: ChatModel,
    services: Services,
    available_tools: dict[str, list[str]],
    *,
    at_once: int,
    avoid: Mapping[str, Sequence[str]] = {},
) -> list[Candidate]:
    """One candidate a proposal, in their order, with a task or with the reason why there is none.

    `available_tools` are by task type; `avoid` are, by root id, descriptions that were rejected before.
    Solutions run in the sandboxes of `services`.
    """
    workshop = Workshop(model, services, available_tools, avoid)

    async def one(proposal: Proposal) -> Candidate:
        try:
            sketch = await proposal.operator.make(proposal, workshop)
            return await orchestrate(proposal, sketch, services)
        except Refused as refusal:
            return Candidate(proposal, None, reason=str(refusal))

    answers = await ask_all(asked, one, at_once=at_once)
    return [
        Candidate(proposal, None, reason=str(answer)) if isinstance(answer, NotAnswered) else answer
        for proposal, answer in zip(asked, answers, strict=True)
    ]


def _fits(operator: Operator, essence: Essence, parent: TaskSpec) -> bool:
    return (essence.kind == "success" or operator.for_failures) and operator.fits(essence, parent)


def _partners(operator: Operator, essences: list[Essence], tasks: dict[str, TaskSpec]) -> dict[str, TaskSpec]:
    """By essence, another task of its type that the operator fits too: of another root where there is one.

    Those of a type stand on a ring in the order of their ids' hashes, and each gets the next one on it:
    whoever else is there, most pairs stay as they were.
    """
    rings: defaultdict[str, list[Essence]] = defaultdict(list)
    for essence in sorted(essences, key=lambda essence: (_number(essence.essence_id), essence.essence_id)):
        if _fits(operator, essence, tasks[essence.task_id]):
            rings[essence.task_type].append(essence)
    found: dict[str, TaskSpec] = {}
    for ring in rings.values():
        strangers, others = _next_other(ring, "root_id"), _next_other(ring, "task_id")
        for essence, stranger, other in zip(ring, strangers, others, strict=True):
            if chosen := stranger or other:
                found[essence.essence_id] = tasks[chosen.task_id]
    return found


def _next_other(ring: list[Essence], field: str) -> list[Essence | None]:
    """For each on the ring, the next one that differs in this field; None where all are the same."""
    found: list[Essence | None] = [None] * len(ring)
    other: Essence | None = None
    # Twice around: what comes after the last is known once the first was passed.
    for place in reversed([*range(len(ring)), *range(len(ring))]):
        after = ring[(place + 1) % len(ring)]
        if getattr(after, field) != getattr(ring[place], field):
            other = after
        found[place] = other
    return found


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
