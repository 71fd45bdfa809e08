"""From an essence and an operator to a complete candidate task: the idea first, then its orchestration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from adp_assets.llm import ask_all
from adp_assets.mutation.candidate import Candidate, Proposal
from adp_assets.mutation.operators import Operator
from runtimes.contracts import Essence, Lineage, TaskSpec, Verifier
from runtimes.llm.base import ChatModel
from runtimes.llm.structured import NotAnswered, ask
from runtimes.services import Services

PROMPT_VERSION = "1"
MOST_OF_PARENT = 3
"""A new task may have this many times its parent's steps and time."""

IDEA = (
    "You invent new tasks for AI agents from the essence of a solved one. Write the new task's description "
    "in the parent's language, complete in itself, with every value it needs, unlike those to avoid."
)
DRAFT = (
    "You complete the description of a task for AI agents: which of the available tools it needs, its "
    "constraints, fair limits, and a verifier that decides from results or from the state of the world. "
    "Verifier kinds: python_tests {cases: [{call, expected}]}, numeric {expected, tolerance}, exact "
    "{expected}, page_state {url, script, expected or compare}."
)


class MutatedIdea(Struct, frozen=True):
    """A new task in words."""

    description: Annotated[str, Meta(min_length=1)]
    change: str = ""


class TaskDraft(Struct, frozen=True, kw_only=True):
    """What turns a description into a task."""

    expected_tools: list[str]
    verifier: Verifier
    constraints: dict[str, Any] = {}
    max_steps: Annotated[int, Meta(ge=1, le=1000)] = 10
    timeout: Annotated[int, Meta(ge=1, le=86_400)] = 300


def proposals(
    essences: list[Essence], tasks: dict[str, TaskSpec], operators: list[Operator], an_essence: int
) -> list[Proposal]:
    """`an_essence` proposals for each, the fitting operators in turn from where the essence's id says."""
    asked = []
    for essence in essences:
        fitting = [operator for operator in operators if essence.complexity_level not in operator.not_for]
        start = int(hashlib.sha256(essence.essence_id.encode()).hexdigest()[:8], 16)
        for variant in range(an_essence if fitting else 0):
            operator = fitting[(start + variant) % len(fitting)]
            asked.append(Proposal(essence, tasks[essence.task_id], operator, variant))
    return asked


async def propose(
    asked: list[Proposal],
    model: ChatModel,
    services: Services,
    available_tools: dict[str, list[str]],
    *,
    at_once: int,
    avoid: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[Candidate]:
    """One candidate a proposal, in their order. `available_tools` are by task type.

    `avoid` are, by root id, descriptions that were proposed before and rejected.
    """

    async def one(proposal: Proposal) -> Candidate:
        rejected = avoid.get(proposal.parent.lineage.root_id, ())
        idea = await ask(model, MutatedIdea, IDEA, _idea_facts(proposal, rejected))
        tools = available_tools[proposal.parent.task_type]
        draft = await ask(model, TaskDraft, DRAFT, _draft_facts(proposal, idea, tools))
        task = orchestrate(proposal, idea, draft)
        return Candidate(proposal, task)

    answers = await ask_all(asked, one, at_once=at_once)
    return [
        Candidate(proposal, None, reason=str(answer)) if isinstance(answer, NotAnswered) else answer
        for proposal, answer in zip(asked, answers, strict=True)
    ]


def orchestrate(proposal: Proposal, idea: MutatedIdea, draft: TaskDraft) -> TaskSpec:
    """The complete task, with its lineage.

    What a task may reach, and how long it may take, is measured by its parent, never by the model's word:
    that may come from a page that some agent read.
    """
    parent = proposal.parent
    return TaskSpec(
        task_id=proposal.candidate_id,
        task_type=parent.task_type,
        description=idea.description,
        expected_tools=draft.expected_tools,
        constraints=_within_reach(draft.constraints, parent.constraints),
        max_steps=min(draft.max_steps, MOST_OF_PARENT * parent.max_steps),
        timeout=min(draft.timeout, MOST_OF_PARENT * parent.timeout),
        priority=parent.priority,
        verifier=draft.verifier,
        lineage=Lineage(
            root_id=parent.lineage.root_id,
            parents=proposal.parents,
            operator=proposal.operator.name,
            generation=parent.lineage.generation + 1,
            source=parent.lineage.source,
        ),
        metadata={
            "essence_id": proposal.essence.essence_id,
            "operator_version": proposal.operator.version,
            "change": idea.change,
        },
    )


def _within_reach(drafted: dict[str, Any], parents: dict[str, Any]) -> dict[str, Any]:
    """The drafted constraints, but with the parent's hosts and limits."""
    granted = ("allowed_domains", "limits")
    kept = {name: value for name, value in drafted.items() if name not in ("start_url", *granted)}
    kept |= {name: parents[name] for name in granted if name in parents}
    if "start_url" in parents:
        url = drafted.get("start_url")
        same_host = isinstance(url, str) and urlsplit(url).netloc == urlsplit(parents["start_url"]).netloc
        kept["start_url"] = url if same_host else parents["start_url"]
    return kept


def _idea_facts(proposal: Proposal, rejected: Sequence[str]) -> dict[str, Any]:
    return {
        "operator": proposal.operator.name,
        "instruction": proposal.operator.instruction,
        "essence": msgspec.to_builtins(proposal.essence),
        "parent": _in_words(proposal.parent),
        "avoid": [proposal.parent.description, *rejected],
        "variant": proposal.variant,
    }


def _draft_facts(proposal: Proposal, idea: MutatedIdea, tools: list[str]) -> dict[str, Any]:
    parent = proposal.parent
    return {
        "task_type": parent.task_type,
        "description": idea.description,
        "available_tools": tools,
        "parent": _in_words(parent)
        | {
            "expected_tools": parent.expected_tools,
            "verifier": msgspec.to_builtins(parent.verifier),
            "max_steps": parent.max_steps,
            "timeout": parent.timeout,
        },
    }


def _in_words(task: TaskSpec) -> dict[str, Any]:
    return {"task_type": task.task_type, "description": task.description, "constraints": task.constraints}
