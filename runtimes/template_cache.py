"""Repeated tasks: the earlier verified solution is done again, for no tokens, and graded again.

Nothing is copied: code runs again, pages are acted on again, and the task's own verifier decides. Where
anything comes out otherwise than then, or the grade is not solved, the agent does the task after all. How a
solution is done again is `template.py`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import msgspec

from runtimes.builtin import AgentRuntime
from runtimes.cache_store import CacheStore
from runtimes.contracts import Runtime, TaskSpec, Trajectory
from runtimes.counters import count_lookup
from runtimes.llm.base import Account, ChatModel
from runtimes.llm.failover import Failover
from runtimes.llm.metered import Metering
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.template import PagesAsRecorded, RecordedReplies, Template, template_of

if TYPE_CHECKING:
    from runtimes.web.browser.pool import BrowserPool

log = logging.getLogger(__name__)

CACHE_TYPE = "template"
PREFIX = "template_cache:"


class TemplateCache:
    """Solutions by what was asked for. Every look into it is counted, hit where a solution held again."""

    def __init__(self, store: CacheStore) -> None:
        self.store = store
        self._first_tries: dict[str, asyncio.Event] = {}

    async def perform(
        self, task: TaskSpec, runtime: AgentRuntime, services: Services, *, sample: int, round: str
    ) -> Trajectory:
        """As `perform.perform`, by the earlier solution where there is one that holds.

        The same task begun twice at once waits for the first one's end.
        """
        key = template_key(task)
        if first := self._first_tries.get(key):
            await first.wait()
            return await self._perform(key, task, runtime, services, sample=sample, round=round)
        ended = self._first_tries[key] = asyncio.Event()
        try:
            return await self._perform(key, task, runtime, services, sample=sample, round=round)
        finally:
            del self._first_tries[key]
            ended.set()

    async def aclose(self) -> None:
        await self.store.aclose()

    async def _perform(
        self, key: str, task: TaskSpec, runtime: AgentRuntime, services: Services, *, sample: int, round: str
    ) -> Trajectory:
        template = _read(await self.store.get(key))
        if template is not None and not _is_of(template, services.model):
            template = None  # its words would pass for those of the model that was asked for
        again = await redo(template, task, runtime, services, sample, round) if template else None
        count_lookup(CACHE_TYPE, again is not None)
        if again is not None:
            return again
        trajectory = await perform(task, runtime, services, sample=sample, round=round)
        if trajectory.outcome == "solved" and not trajectory.judged and (found := template_of(trajectory)):
            # Not msgspec's encoder: a model's text may hold lone surrogates, and must come back as it was.
            await self.store.put(key, json.dumps(msgspec.to_builtins(found)).encode())
        return trajectory


async def perform_or_redo(
    task: TaskSpec, runtime: Runtime, services: Services, *, sample: int, round: str, only_sample: bool
) -> Trajectory:
    """As `perform.perform`, with the template cache where there is one and it may be used.

    It may where the task has one sample in its round: of several each is drawn anew, since a solution that is
    given again would make them alike and their pass rate too good. Plugins' runtimes do as they like.
    """
    templates = services.templates
    if templates is None or not only_sample or not isinstance(runtime, AgentRuntime):
        return await perform(task, runtime, services, sample=sample, round=round)
    return await templates.perform(task, runtime, services, sample=sample, round=round)


def template_key(task: TaskSpec) -> str:
    """What makes two tasks the same here: type, lower-cased trimmed description, and start address."""
    same = "\0".join(
        [task.task_type, task.description.strip().lower(), str(task.constraints.get("start_url", ""))]
    )
    return PREFIX + hashlib.sha256(same.encode("utf-8", "surrogatepass")).hexdigest()


async def redo(
    template: Template, task: TaskSpec, runtime: AgentRuntime, services: Services, sample: int, round: str
) -> Trajectory | None:
    """The template's solution done again for `task`, marked as such; None where it no longer solves it."""
    account = Account(round=round, task_id=task.task_id, sample=sample, user=task.user)
    model = RecordedReplies(template, services.model_for(account))
    own = replace(
        services,
        model=model,
        metering=Metering(),
        browsers=cast("BrowserPool", PagesAsRecorded(services.browsers, model)),
    )
    again = await perform(task, type(runtime)(own), services, sample=sample, round=round)
    if again.outcome != "solved":
        log.info("%s: the solution of %s did not hold again: %s", task.task_id, template.task_id, _why(again))
        return None
    source = f"{template.round}/{template.task_id}/{template.sample}"
    again.metadata |= {"cache_hit": True, "template": source}
    if model.refs_moved:
        again.metadata["refs_moved"] = model.refs_moved
    for step in again.steps:
        step.action_params = {**step.action_params, "cached": True}
    return again


def _is_of(template: Template, model: ChatModel) -> bool:
    """Whether the solution was given by the model that is asked, or by one of several."""
    asked = model.clients if isinstance(model, Failover) else (model,)
    return (template.provider, template.model) in [(each.provider, each.model) for each in asked]


def _why(again: Trajectory) -> str:
    return again.error_message or again.grade_reason or again.outcome


def _read(found: bytes | None) -> Template | None:
    if found is None:
        return None
    try:
        return msgspec.convert(json.loads(found), Template)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        log.warning("an entry of the template cache cannot be read and is not used: %s", error)
        return None
