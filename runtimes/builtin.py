"""The three built-in runtimes: one agent loop, each with its own default tools and scarce resource."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from runtimes.agent import Episode
from runtimes.contracts import Health, Runtime, TaskSpec, Trajectory
from runtimes.errors import InfrastructureError, PlatformError, ToolError
from runtimes.llm.base import Account, Sampling
from runtimes.secrets import session_values
from runtimes.services import Services
from runtimes.tools.base import Workbench
from runtimes.web.egress.guard import Guard
from runtimes.web.page.tracing import trace_path
from runtimes.world import World
from sandbox import SandboxError


class AgentRuntime(Runtime):
    """A runtime that is the agent loop over a set of tools."""

    default_tools: tuple[str, ...]
    always_runs_code = False
    uses_sandbox = False
    uses_browser = False

    def __init__(self, services: Services) -> None:
        self.services = services

    @property
    def capabilities(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(self.default_tools)

    async def execute(self, task: TaskSpec, *, sample: int = 0, round: str = "") -> Trajectory:
        async with self.episode(task, sample=sample, round=round) as (trajectory, _):
            return trajectory

    @asynccontextmanager
    async def episode(
        self, task: TaskSpec, *, sample: int = 0, round: str = "", keep_page: bool = False
    ) -> AsyncIterator[tuple[Trajectory, World]]:
        services = self.services
        tools, missing = services.toolbox.toolset(task.expected_tools, self.default_tools)
        async with AsyncExitStack() as stack:
            account = Account(round=round, task_id=task.task_id, sample=sample, user=task.user)
            bench = await stack.enter_async_context(
                Workbench(task, services, model=services.model_for(account))
            )
            if self.always_runs_code:
                bench.prepare_session()
            episode = Episode(
                task,
                tools,
                bench,
                missing_tools=missing,
                sampling=Sampling(seed=sample_seed(services.seed, task.task_id, sample)),
                starts_on_page=self.starts_on_page(task),
            )
            trajectory = await episode.run(self.runtime_id, sample=sample, round=round)
            world = await _world_of(bench, trajectory)
            if services.traces is not None and bench.open_page is not None:
                path = trace_path(services.traces, round, task.task_id, sample)
                world = replace(world, trace=await bench.open_page.tracing.keep(path))
            if keep_page and world.last_page is not None:
                await bench.close_session()  # the verifier may want its place
            else:
                await stack.aclose()
                world = replace(world, last_page=None)
            yield trajectory, world

    def starts_on_page(self, task: TaskSpec) -> bool:
        """Whether the agent sees a page before its first action."""
        return "start_url" in task.constraints

    async def health_check(self) -> Health:
        try:
            if self.uses_sandbox:
                await self.services.sandboxes.check()
            if self.uses_browser:
                await self.services.browsers.check()
        except (PlatformError, SandboxError) as error:
            return Health(False, error.message, error.remedy)
        return Health(True)


class CodeRuntime(AgentRuntime):
    task_type = "code"
    runtime_id = "sandbox-runtime"
    default_tools = ("python_executor", "shell_executor", "file_operations")
    always_runs_code = True
    uses_sandbox = True


class WebRuntime(AgentRuntime):
    task_type = "web"
    runtime_id = "web-runtime"
    default_tools = ("browser",)
    uses_browser = True

    def starts_on_page(self, task: TaskSpec) -> bool:
        return True


class ReasoningRuntime(AgentRuntime):
    task_type = "reasoning"
    runtime_id = "reasoning-runtime"
    default_tools = ("browser", "python_executor", "llm_reasoning")
    uses_sandbox = True
    uses_browser = True


async def _world_of(bench: Workbench, trajectory: Trajectory) -> World:
    """How the episode ended on its page; one that hangs ends it badly, a browser that died spoils it."""
    page = bench.open_page
    if page is None:
        return World()
    if not trajectory.finished:
        return World(session=page.session)
    try:
        state = await page.storage_state()
        return World(
            storage_state=state,
            session=(*page.session, *session_values(state)),
            allowed_domains=Guard.of_task(bench.task).allowed_domains,
            last_url=page.url,
            last_page=page.current,
        )
    except ToolError as error:  # the page hangs; it would answer its verifier no more than us
        trajectory.error_type, trajectory.error_message = error.error_type, str(error)
    except InfrastructureError as error:
        trajectory.outcome = "infrastructure_error"
        trajectory.error_type, trajectory.error_message = error.error_type, str(error)
    return World(session=page.session)


def sample_seed(base: int, task_id: str, sample: int) -> int:
    """A seed that differs by task and sample and is the same in every run."""
    digest = hashlib.sha256(f"{base}/{task_id}/{sample}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1
