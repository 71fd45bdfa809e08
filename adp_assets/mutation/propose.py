"""From essences to candidates: which operator is tried on which essence, and the tasks that come of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from adp_assets.llm import ask_all
from adp_assets.mutation.candidate import Candidate, Proposal
from adp_assets.mutation.drafts import PROMPT_VERSION
from adp_assets.mutation.operators.base import Operator, Workshop
from adp_assets.mutation.orchestrate import orchestrate
from adp_assets.mutation.refused import Refused
from runtimes.contracts import Essence, TaskSpec
from runtimes.llm.base import ChatModel
from runtimes.llm.structured import NotAnswered
from runtimes.services import Services

__all__ = ["PROMPT_VERSION", "proposals", "propose"]


def proposals(
    essences: list[Essence], tasks: dict[str, TaskSpec], operators: list[Operator], an_essence: int
) -> list[Proposal]:
    """`an_essence` proposals for each, the fitting operators in turn from where the essence's id says.

    An operator that takes two tasks is left out where no partner is to be had.
    """
    asked = []
    for essence in essences:
        parent = tasks[essence.task_id]
        start = _number(essence.essence_id)
        fitting = [
            (operator, partner)
            for operator in operators
            if _fits(operator, essence, parent)
            for partner in [_partner(operator, essence, essences, tasks)]
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


def _partner(
    operator: Operator, essence: Essence, essences: list[Essence], tasks: dict[str, TaskSpec]
) -> TaskSpec | None:
    """Another task of the same type that fits too: of another root where there is one."""
    if not operator.takes_partner:
        return None
    others = [
        other
        for other in essences
        if other.task_type == essence.task_type
        and other.task_id != essence.task_id
        and _fits(operator, other, tasks[other.task_id])
    ]
    strangers = [other for other in others if other.root_id != essence.root_id] or others
    # The nearest by a number of the pair: whoever else is there, most pairs stay as they were.
    chosen = min(strangers, key=lambda other: _number(essence.essence_id + other.essence_id), default=None)
    return tasks[chosen.task_id] if chosen else None


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
