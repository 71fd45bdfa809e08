"""A tool, and the workbench of one episode that tools act on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from runtimes.clock import Clock
from runtimes.contracts import ActionType, Message, TaskSpec
from runtimes.errors import InfrastructureError, ToolError
from runtimes.llm.base import Sampling
from runtimes.tools.allowance import Allowance
from runtimes.tools.permissions import Permission
from runtimes.tools.workspace import Workspace
from runtimes.web.page.recovery import Checkpoint, resumes, take_checkpoint

if TYPE_CHECKING:
    from runtimes.llm.base import ChatModel, Reply
    from runtimes.services import Services
    from runtimes.web.page.page import WebPage


class Closable(Protocol):
    """What can be kept for an episode and closed with it."""

    async def aclose(self) -> None: ...


Kept = TypeVar("Kept", bound=Closable)

MAX_DEATHS = 3
"""Browsers an episode may lose before it ends: a page that kills each would go on for ever."""


class Workbench:
    """What one episode works with: its model, and a sandbox session and a browser page, opened when needed.

    `model` is the episode's view of the model, that of `services` where none is given. `unavailable` are the
    tools that failed it by no doing of the agent's, `failed_circuits` whose they are. `clock` is the task's
    time limit. Use it as an async context manager; leaving it closes what was opened, also after a
    cancellation.
    """

    def __init__(self, task: TaskSpec, services: Services, *, model: ChatModel | None = None) -> None:
        self.task = task
        self.services = services
        self.model = model or services.model
        self.unavailable: set[str] = set()
        self.failed_circuits: set[str] = set()
        self.clock = Clock()
        self._session_stack = AsyncExitStack()
        self._page_stack = AsyncExitStack()
        self._kept_stack = AsyncExitStack()
        self._kept: dict[str, Any] = {}
        self._opening: asyncio.Task[Workspace] | None = None
        self._page: WebPage | None = None
        self._checkpoint: Checkpoint | None = None
        self._deaths = 0

    async def __aenter__(self) -> Workbench:
        return self

    async def __aexit__(self, *exc: object) -> None:
        async with self._page_stack, self._kept_stack:
            await self.close_session()

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
    ) -> Reply:
        """The model's reply. Of what it takes, the task's time has only what the model itself took.

        Till it is there nobody knows whether the model is slow or its provider is waited for: so the clock
        stands, and what counts is counted afterwards. Raises what the model raises.
        """
        began = time.monotonic()
        with self.clock.stopped():
            reply = await self.model.complete(messages, tools=tools, sampling=sampling)
        self.clock.spend(time.monotonic() - began - reply.waited)
        return reply

    def kept(self, key: str, make: Callable[[], Kept]) -> Kept:
        """What a tool keeps from call to call: made when first asked for, closed with the episode."""
        if key not in self._kept:
            self._kept[key] = made = make()
            self._kept_stack.push_async_callback(made.aclose)
        found: Kept = self._kept[key]
        return found

    async def close_session(self) -> None:
        """Give the sandbox back, before the page; safe to call twice."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        await self._session_stack.aclose()

    def prepare_session(self) -> None:
        """Begin to make the sandbox, which takes as long as a few runs in it, while the model thinks."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open_session())

    async def session(self) -> Workspace:
        """The episode's sandbox: files and variables last from step to step and are gone with the episode.

        Raises ToolError for constraints of the task that cannot be read.
        """
        self.prepare_session()
        assert self._opening is not None
        with self.clock.stopped():
            return await self._opening

    async def _open_session(self) -> Workspace:
        allowance = Allowance.of_task(self.task, self.services.limits)
        opening = self.services.sandboxes.session(limits=allowance.limits, hosts=allowance.hosts)
        try:
            return Workspace(await self._session_stack.enter_async_context(opening))
        except ValueError as error:
            # Tried again, it would ask for as much of this machine.
            raise ToolError("system_error", f"The task's constraints.limits: {error}") from error

    async def page(self) -> WebPage:
        """The episode's page in a browser context of its own, at the task's start address.

        Raises ToolError for constraints of the task that cannot be read.
        """
        if self._page is None:
            resumes(self.task)
            with self.clock.stopped():
                opening = self.services.browsers.page(self.task)
                self._page = await self._page_stack.enter_async_context(opening)
        return self._page

    async def on_page(self, action: Callable[[WebPage], Awaitable[str]]) -> str:
        """Do `action` on the episode's page; every page tool goes through here.

        Where the browser dies and the task's `constraints.recovery` is "resume", a new one takes up the
        cookies, storage and address there were after the last action, and ToolError says so: what became of
        this action nobody knows, so it is not repeated. Else it raises InfrastructureError.
        """
        page = await self.page()
        if not resumes(self.task):
            return await action(page)
        try:
            return await self._do_and_save(page, action)
        except InfrastructureError as error:
            if error.error_type != "browser_error" or self._deaths == MAX_DEATHS:
                raise
            page = await self._resume()
            raise ToolError(
                "browser_error",
                f"The browser died and was started again, at {page.url}.",
                "Whether the action was done is not known: look at the page first.",
                error_class="crashed",
            ) from error

    async def _do_and_save(self, page: WebPage, action: Callable[[WebPage], Awaitable[str]]) -> str:
        try:
            observation = await action(page)
        except ToolError:
            await self._save(page)
            raise
        await self._save(page)
        return observation

    async def _save(self, page: WebPage) -> None:
        with suppress(ToolError):  # a page that hangs; what was saved before still holds
            self._checkpoint = await take_checkpoint(page)

    async def _resume(self) -> WebPage:
        """A page in another browser, with what was saved last."""
        self._deaths += 1
        await self._page_stack.aclose()  # first, or it would wait for its own place
        with self.clock.stopped():
            opening = self.services.browsers.page(self.task, self._checkpoint)
            self._page = await self._page_stack.enter_async_context(opening)
        return self._page

    @property
    def open_page(self) -> WebPage | None:
        """The page if the episode ever opened one."""
        return self._page


COMPLETE_TASK = "complete_task"
"""The tool by which an agent ends its episode; every toolset has it."""

ToolFunction = Callable[..., Awaitable[str]]


@dataclass(frozen=True)
class Tool:
    """One thing an agent can call.

    `function` gets the workbench and the call's arguments by name, and returns the observation. It raises
    ToolError for what the agent did wrong, ToolUnavailable where the tool itself failed, InfrastructureError
    for what spoils the episode. `parameters` is the JSON schema of the arguments, an object schema.
    `permission` is what a task needs to be given it, `timeout` how many seconds a call may take (0: as long
    as the episode), not counting what it waits for where it `keeps_time` itself. Tools of one `circuit`, else
    each by itself, are cut off together when most calls fail.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    action_type: ActionType
    function: ToolFunction
    permission: Permission = "user"
    timeout: float = 0.0
    keeps_time: bool = False
    circuit: str = ""

    @property
    def circuit_name(self) -> str:
        """By which its breaker is found."""
        return self.circuit or self.name

    def schema(self) -> dict[str, Any]:
        """The tool as chat completions list it."""
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters},
        }

    def action_params(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The call as a step records it; page actions name themselves in `action`."""
        if self.action_type == "browser_action":
            return {"action": self.name, **arguments}
        return dict(arguments)


def parameters(required: list[str] | None = None, /, **properties: dict[str, Any]) -> dict[str, Any]:
    """An object schema; every property is required unless `required` says which are."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }
