"""From a sketch to a complete task: its verifier built from the solution, its reach and limits its parents'.

What a task may reach, and how long it may take, is measured by its parents, never by the model's word: that
may come from a page that some agent read.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from adp_assets.mutation.candidate import Candidate, Proposal
from adp_assets.mutation.drafts import TaskDraft
from adp_assets.mutation.operators.base import Sketch, parts_of
from adp_assets.mutation.reach import are_offline, is_bounded, is_offline, offline_tools
from adp_assets.mutation.refused import Refused
from adp_assets.mutation.solutions import work_out
from runtimes.contracts import MAX_STEPS, MAX_TIMEOUT, Essence, Lineage, TaskSpec, Verifier
from runtimes.services import Services

MOST_OF_PARENT = 3
"""A new task may have this many times the steps and the time of its parents together."""

SLACK = 2
"""A new task gets at least this many times the steps and the seconds that its relative's episode took."""

_GRANTED = ("start_url", "allowed_domains", "limits")


async def orchestrate(proposal: Proposal, sketch: Sketch, services: Services) -> Candidate:
    """The complete task with its reference. Raises Refused with the reason why there is none."""
    draft = sketch.draft
    constraints = _within_reach(draft, proposal.relatives, offline_tools(services.toolbox))
    worked = await work_out(draft.verifier, draft.solution, services, sorted(_hosts(proposal)))
    made = _task(proposal, sketch, constraints, worked.verifier)
    return Candidate(proposal, made, reference=worked.reference)


def _task(proposal: Proposal, sketch: Sketch, constraints: dict[str, Any], verifier: Verifier) -> TaskSpec:
    parent, both = proposal.parent, proposal.relatives
    idea, draft = sketch.idea, sketch.draft
    parts = sum(map(parts_of, both)) + proposal.operator.adds_part
    return TaskSpec(
        task_id=proposal.candidate_id,
        task_type=parent.task_type,
        description=idea.description,
        expected_tools=draft.expected_tools,
        constraints=constraints,
        max_steps=_steps(draft.max_steps, proposal.essence, both),
        timeout=_timeout(draft.timeout, proposal.essence, both),
        priority=parent.priority,
        verifier=verifier,
        lineage=Lineage(
            root_id=parent.lineage.root_id,
            parents=proposal.parents,
            operator=proposal.operator.name,
            generation=1 + max(task.lineage.generation for task in both),
            source=parent.lineage.source,
        ),
        metadata={
            "essence_id": proposal.essence.essence_id,
            "operator_version": proposal.operator.version,
            "prompt_version": proposal.operator.prompt_version,
            "change": idea.change,
            "domain": idea.domain or proposal.essence.domain,
            "language": proposal.language,
            **({"parts": parts} if parts > 1 else {}),
        },
    )


def _steps(drafted: int, essence: Essence, parents: list[TaskSpec]) -> int:
    """As drafted, but no less than what a relative took, with room to err, and no more than the bound."""
    most = min(MAX_STEPS, MOST_OF_PARENT * sum(task.max_steps for task in parents))
    evidence = essence.evidence or essence.success_pattern.key_steps
    return min(max(drafted, SLACK * max(essence.steps, len(evidence))), most)


def _timeout(drafted: int, essence: Essence, parents: list[TaskSpec]) -> int:
    """Seconds, found as the steps are."""
    most = min(MAX_TIMEOUT, MOST_OF_PARENT * sum(task.timeout for task in parents))
    return min(max(drafted, math.ceil(SLACK * essence.seconds)), most)


def _hosts(proposal: Proposal) -> set[str]:
    """The hosts that the parents' agents and verifiers reach."""
    hosts: set[str] = set()
    for task in proposal.relatives:
        hosts |= {host for host in _listed(task.constraints.get("allowed_domains")) if isinstance(host, str)}
        addresses = [
            task.constraints.get("start_url"),
            *_addresses(task.verifier.spec if task.verifier else {}),
        ]
        for url in addresses:
            with suppress(ValueError):  # what is no address leads to no host
                hosts.add(urlsplit(url).hostname or "" if isinstance(url, str) else "")
    return hosts - {""}


def _addresses(spec: dict[str, Any]) -> list[Any]:
    """The addresses that a verifier opens, its parts' included."""
    found = [spec.get("url")]
    for check in _listed(spec.get("checks")):
        found += _addresses(check) if isinstance(check, dict) else []
    for part in _listed(spec.get("parts")):
        own = part.get("spec") if isinstance(part, dict) else None
        found += _addresses(own) if isinstance(own, dict) else []
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _within_reach(draft: TaskDraft, parents: list[TaskSpec], offline: frozenset[str]) -> dict[str, Any]:
    """The drafted constraints, but with the parents' hosts and limits; the first parent's come first.

    Where the parents open no address, pages open the shop and nothing else. Raises Refused for a start
    address that is none.
    """
    drafted = draft.constraints
    kept = {name: value for name, value in drafted.items() if name not in _GRANTED}
    theirs: dict[str, Any] = {}
    for task in reversed(parents):
        theirs |= task.constraints
    if "limits" in theirs:
        kept["limits"] = theirs["limits"]
    named = [task.constraints["allowed_domains"] for task in parents if is_bounded(task)]
    if named:
        kept["allowed_domains"] = list(dict.fromkeys(host for hosts in named for host in hosts))
    elif all(is_offline(task, offline) for task in parents) and not are_offline(
        draft.expected_tools, parents[0].task_type, offline
    ):
        kept["allowed_domains"] = []
    if "start_url" in theirs:
        url = drafted.get("start_url")
        kept["start_url"] = url if _place(url) == _place(theirs["start_url"]) else theirs["start_url"]
    return kept


def _place(url: Any) -> str:
    """Host and port of an address. Raises Refused for what cannot be read as one."""
    try:
        return urlsplit(url).netloc if isinstance(url, str) else ""
    except ValueError as error:
        raise Refused(f"the start_url {url[:100]!r} is no address: {error}") from error
