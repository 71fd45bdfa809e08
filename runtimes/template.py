"""A verified solution as something to be done again: the earlier replies as a model, and pages found as then.

The agent loop runs as ever, over a model that repeats the replies word for word as long as all comes out as
then, and pages that look whether a ref is still the element it was, by the recorded locator. When a solution
is kept and used is `template_cache.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runtimes.contracts import ExecutionStep, Message, TaskSpec, Trajectory
from runtimes.errors import ToolError
from runtimes.llm.base import ChatModel, Reply, Sampling
from runtimes.web.observation.targets import StaleRef, Target, find_target
from runtimes.web.replay.recorded import find_recorded

if TYPE_CHECKING:
    from playwright.async_api import Page

    from runtimes.web.browser.pool import BrowserPool
    from runtimes.web.observation.observer import Observer
    from runtimes.web.page.page import WebPage
    from runtimes.web.page.recovery import Checkpoint


class Turn(Struct, frozen=True, kw_only=True):
    """One reply, raw, and what its calls came to.

    `observed` has for each call what was told, None for a page's, which need not read the same; `failed`
    whether it was an error. `locators` are the recorded selectors of the refs that the calls name.
    """

    message: Message
    observed: list[str | None]
    failed: list[bool]
    locators: dict[str, str] = {}


class Template(Struct, frozen=True, kw_only=True):
    """A verified solution as it was found, and whose it was."""

    round: str
    task_id: str
    sample: int
    provider: str
    model: str
    turns: list[Turn]


def template_of(trajectory: Trajectory) -> Template | None:
    """A solved trajectory as a template; None for one that ran into limits of time, which nobody repeats."""
    steps = trajectory.steps
    if not steps or steps[0].message is None or any(step.error_type == "timeout" for step in steps):
        return None
    starts = [at for at, step in enumerate(steps) if step.message is not None]
    turns = [_turn(steps[start:end]) for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return Template(
        round=trajectory.round,
        task_id=trajectory.task_id,
        sample=trajectory.sample,
        provider=trajectory.teacher,
        model=trajectory.model,
        turns=turns,
    )


def _turn(steps: list[ExecutionStep]) -> Turn:
    assert steps[0].message is not None
    return Turn(
        message=steps[0].message,
        observed=[None if step.web is not None else step.observation for step in steps],
        failed=[not step.success for step in steps],
        locators={ref: locator for step in steps for ref, locator in _locators(step)},
    )


def _locators(step: ExecutionStep) -> list[tuple[str, str]]:
    if step.web is None:
        return []
    named = (("ref", step.web.locator), ("to_ref", step.web.to_locator))
    params = step.action_params
    return [(str(params[name]), locator) for name, locator in named if locator and name in params]


@dataclass
class RecordedReplies:
    """A model that gives a template's replies again, as long as all comes out as it did then.

    Questions that tools put to it, which have no tools themselves, go to `behind`, the agent's own model.
    `refs_moved` counts elements that had another ref than then.
    """

    template: Template
    behind: ChatModel
    refs_moved: int = 0
    _given: int = 0
    provider: str = field(init=False)
    model: str = field(init=False)

    def __post_init__(self) -> None:
        self.provider, self.model = self.template.provider, self.template.model

    @property
    def locators(self) -> dict[str, str]:
        """Of the refs in the reply given last."""
        return self.template.turns[self._given - 1].locators if self._given else {}

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        if not tools:
            return await self.behind.complete(messages, sampling=sampling, schema=schema)
        turns = self.template.turns
        if self._given and not _as_then(turns[self._given - 1], messages):
            raise _otherwise("a call came out otherwise than then")
        if self._given == len(turns):
            raise _otherwise("there is no further reply")
        self._given += 1
        return Reply(message=turns[self._given - 1].message, cost_usd=0.0, cached=True)

    async def aclose(self) -> None:
        """Nothing is its own."""


class PagesAsRecorded:
    """The pages of a browser pool, with elements found as the recorded replies mean them."""

    def __init__(self, pool: BrowserPool, model: RecordedReplies) -> None:
        self._pool = pool
        self._model = model

    @asynccontextmanager
    async def page(self, task: TaskSpec, checkpoint: Checkpoint | None = None) -> AsyncIterator[WebPage]:
        async with self._pool.page(task, checkpoint) as page:
            page.find_by(self._find)
            yield page

    async def _find(self, page: Page, observer: Observer, ref: str) -> Target:
        """The element of the ref if it is the recorded one, else the one that the recorded selector finds."""
        recorded = self._model.locators.get(ref)
        try:
            target = await find_target(page, observer, ref)
        except StaleRef:
            if recorded is None:
                raise
        else:
            if recorded is None or target.selector == recorded:
                return target
        self._model.refs_moved += 1
        return await find_recorded(page, observer, recorded)


def _as_then(turn: Turn, messages: list[Message]) -> bool:
    """Whether the messages since the turn's reply tell what was told then; of a page, if it went well."""
    told: list[str] = []
    for message in reversed(messages):
        if message["role"] == "assistant":
            break
        told.insert(0, str(message["content"]))
    if len(told) != len(turn.observed):
        return False
    return all(
        text == then if then is not None else text.startswith("error (") == failed
        for text, then, failed in zip(told, turn.observed, turn.failed, strict=True)
    )


def _otherwise(what: str) -> ToolError:
    return ToolError("runtime_error", f"The earlier solution does not hold: {what}.", error_class="otherwise")
