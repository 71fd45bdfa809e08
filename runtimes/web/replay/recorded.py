"""A recorded episode as an agent: a model that repeats its calls, and pages that find by locator.

The agent loop, the tools and the pages are those of every episode; what came of it is `replay.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from runtimes.contracts import ExecutionStep, Message, TaskSpec, Trajectory
from runtimes.errors import ToolError
from runtimes.llm.base import Reply, Sampling
from runtimes.tools.base import COMPLETE_TASK
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.observation.targets import Target

if TYPE_CHECKING:
    from playwright.async_api import Page

    from runtimes.web.observation.observer import Observer
    from runtimes.web.page.page import WebPage
    from runtimes.web.page.recovery import Checkpoint

FIND_SECONDS = 2.0
"""The longest an element may come after its page has settled; an agent thought for longer than that."""

NOT_FOUND, AMBIGUOUS = "not_found", "ambiguous"


class RecordedModel:
    """Repeats the calls of `steps` with locators in the place of refs, one a reply, then gives the answer.

    `replies` counts them.
    """

    provider = "recorded"

    def __init__(self, trajectory: Trajectory, steps: Iterable[ExecutionStep]) -> None:
        self.model = trajectory.model
        self._calls = [(step.tool_name, _arguments(step)) for step in steps]
        if isinstance(trajectory.final_result, str):
            self._calls.append((COMPLETE_TASK, {"answer": trajectory.final_result}))
        self.replies = len(self._calls)

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        if not self._calls:  # the recorded episode had no answer
            return Reply(message={"role": "assistant", "content": ""})
        name, arguments = self._calls.pop(0)
        call = {"name": name, "arguments": msgspec.json.encode(arguments).decode()}
        calls = [{"id": "recorded", "type": "function", "function": call}]
        return Reply(message={"role": "assistant", "content": None, "tool_calls": calls})

    async def aclose(self) -> None:
        """Nothing is open."""


class RecordedPages(BrowserPool):
    """Pages whose actions take recorded selectors where those of other pools take refs."""

    @asynccontextmanager
    async def page(self, task: TaskSpec, checkpoint: Checkpoint | None = None) -> AsyncIterator[WebPage]:
        async with super().page(task, checkpoint) as page:
            page.find_by(find_recorded)
            yield page


async def find_recorded(page: Page, observer: Observer, selector: str) -> Target:
    """The one element that a recorded selector finds; what `find_target` is for refs."""
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    locator = page.locator(selector)
    try:
        await locator.first.wait_for(state="attached", timeout=FIND_SECONDS * 1000)
    except PlaywrightTimeout:
        raise ToolError("browser_error", "No element is that any more.", error_class=NOT_FOUND) from None
    if (found := await locator.count()) > 1:
        raise ToolError("browser_error", f"{found} elements are that now.", error_class=AMBIGUOUS)
    return Target(ref=selector, locator=locator, selector=selector, box=None)


def _arguments(step: ExecutionStep) -> dict[str, Any]:
    """A call's arguments with the recorded locators in the place of refs."""
    assert step.web is not None
    locators = {"ref": step.web.locator, "to_ref": step.web.to_locator}
    told = {"action", "cached"}  # by the step, of no concern to the tool
    arguments = {name: value for name, value in step.action_params.items() if name not in told}
    return {name: locators.get(name) or value for name, value in arguments.items()}
