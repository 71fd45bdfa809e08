"""What the model is asked for in mutation, and in which shape: the idea of a task, its draft, a solution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from runtimes.contracts import MAX_STEPS, MAX_TIMEOUT, Essence, TaskSpec, Verifier

if TYPE_CHECKING:
    from adp_assets.mutation.candidate import Proposal

PROMPT_VERSION = "2"
MOST_AVOIDED = 12
"""Descriptions to be avoided that a prompt lists."""

IDEA = (
    "You invent new tasks for AI agents from the essence of a solved one. Write the new task's description "
    "in the language asked for, complete in itself, with every value it needs, unlike those to avoid. One "
    "right answer must follow from it. `change` says in a few words what differs from the parent, `domain` "
    "names the subject where it is another."
)
DRAFT = (
    "You complete the description of a task for AI agents: which of the available tools it needs, its "
    "constraints, fair limits, a verifier and the solution that the verifier is built from. The solution is "
    "run and the expected values are taken from what it gives, so leave them out, or be sure of them: a "
    "claim that the run contradicts refuses the task. Verifier kinds and their solutions: python_tests "
    "{cases: [{call}]}, the whole Python module; numeric {tolerance}, exact {} and json {tolerance}, a "
    "Python program that prints the answer and nothing else; page_state {url, script, compare or expected}, "
    "whose script itself reads the answer or the state off the page, an empty solution; all_of {parts: "
    "[{kind, spec}]}, a list of solutions, one a part."
)
SOLVE = (
    "You are given a programming task that was solved before. Write the whole Python module that solves it, "
    "as `solution`; it is held against the task's tests."
)


class MutatedIdea(Struct, frozen=True):
    """A new task in words; `domain` is empty where it stays the parent's."""

    description: Annotated[str, Meta(min_length=1)]
    change: str = ""
    domain: str = ""


class TaskDraft(Struct, frozen=True, kw_only=True):
    """What turns a description into a task; `solution` is what the verifier's values come from."""

    expected_tools: list[str]
    verifier: Verifier
    solution: str | list[str] = ""
    constraints: dict[str, Any] = {}
    max_steps: Annotated[int, Meta(ge=1, le=MAX_STEPS)] = 10
    timeout: Annotated[int, Meta(ge=1, le=MAX_TIMEOUT)] = 300


class CodeSolution(Struct, frozen=True):
    """The module that solves a programming task."""

    solution: Annotated[str, Meta(min_length=1)]


def idea_facts(proposal: Proposal, avoid: list[str]) -> dict[str, Any]:
    """What the model is told when it is to invent a task."""
    partner = proposal.partner
    return {
        "operator": proposal.operator.name,
        "instruction": proposal.operator.instruction,
        "essence": _taught(proposal.essence),
        "parent": in_words(proposal.parent),
        **({"partner": in_words(partner)} if partner else {}),
        "language": proposal.language,
        "avoid": [task.description for task in (proposal.parent, partner) if task] + avoid[-MOST_AVOIDED:],
        "variant": proposal.variant,
    }


def draft_facts(proposal: Proposal, idea: MutatedIdea, tools: list[str]) -> dict[str, Any]:
    """What the model is told when it is to complete a task."""
    return {
        "task_type": proposal.parent.task_type,
        "description": idea.description,
        "available_tools": tools,
        "parent": completed(proposal.parent),
        **({"partner": completed(proposal.partner)} if proposal.partner else {}),
    }


def _taught(essence: Essence) -> dict[str, Any]:
    """An essence without what its episode took, which no two runs have alike: the same is asked again."""
    facts: dict[str, Any] = msgspec.to_builtins(essence)
    return {name: value for name, value in facts.items() if name not in ("steps", "seconds")}


def in_words(task: TaskSpec) -> dict[str, Any]:
    return {"task_type": task.task_type, "description": task.description, "constraints": task.constraints}


def completed(task: TaskSpec) -> dict[str, Any]:
    """A whole task, as an example of how one is completed."""
    return in_words(task) | {
        "expected_tools": task.expected_tools,
        "verifier": msgspec.to_builtins(task.verifier),
        "max_steps": task.max_steps,
        "timeout": task.timeout,
    }
