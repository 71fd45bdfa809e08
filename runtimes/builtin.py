"""The three built-in runtimes: one agent loop, each with its own default tools and scarce resource."""

from __future__ import annotations

import hashlib
from typing import Any

from runtimes.agent import Episode
from runtimes.contracts import Health, Runtime, TaskSpec, Trajectory
from runtimes.errors import InfrastructureError, PlatformError
from runtimes.llm.base import Sampling
from runtimes.services import Services
from runtimes.tools.base import Workbench
from runtimes.tools.registry import toolset
from runtimes.web.guard import Guard
from runtimes.web.page import WebPage
from sandbox import SandboxError


class AgentRuntime(Runtime):
    """A runtime that is the agent loop over a set of tools."""

    default_tools: tuple[str, ...]
    always_runs_code = False
    uses_sandbox = False
    uses_browser = False

    def __init__(self, services: Services) -> None:
        self.services = services
        self._worlds: dict[tuple[str, str, int], dict[str, Any]] = {}

    @property
    def capabilities(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(self.default_tools)

    async def execute(self, task: TaskSpec, *, sample: int = 0, round: str = "") -> Trajectory:
        tools, missing = toolset(task.expected_tools, self.default_tools)
        services = self.services
        async with Workbench(task, services) as bench:
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
            if bench.open_page is not None and trajectory.finished:
                await self._keep_world(task, trajectory, bench.open_page)
        return trajectory

    async def _keep_world(self, task: TaskSpec, trajectory: Trajectory, page: WebPage) -> None:
        """Keep for the grader what the page had; a browser that died by now spoils the episode."""
        try:
            world = {
                "storage_state": await page.storage_state(),
                "allowed_domains": Guard.of_task(task).allowed_domains,
            }
        except InfrastructureError as error:
            trajectory.outcome = "infrastructure_error"
            trajectory.error_type, trajectory.error_message = error.error_type, str(error)
            return
        self._worlds[(trajectory.round, trajectory.task_id, trajectory.sample)] = world

    def starts_on_page(self, task: TaskSpec) -> bool:
        """Whether the agent sees a page before its first action."""
        return "start_url" in task.constraints

    def take_world(self, trajectory: Trajectory) -> dict[str, Any]:
        return self._worlds.pop((trajectory.round, trajectory.task_id, trajectory.sample), {})

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


def sample_seed(base: int, task_id: str, sample: int) -> int:
    """A seed that differs by task and sample and is the same in every run."""
    digest = hashlib.sha256(f"{base}/{task_id}/{sample}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1
