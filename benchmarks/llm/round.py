"""One round in a process of its own: `python -m benchmarks.llm.round trivial|code URL TASKS EPISODES`.

It is run as `adp run` runs it, short of Dagster's own part: the fan-out of the platform's resources, with
journal, files and log in a folder that is removed afterwards. What it took goes to stdout as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.llm.tasks import code_tasks
from benchmarks.measure import project
from runtimes import plugins
from runtimes.contracts import TaskSpec
from runtimes.tools.base import Tool, Workbench, parameters
from runtimes.tools.registry import GROUP

WARM_UP = 16


def main(kind: str, url: str, tasks: str, episodes: str) -> None:
    task_type = "code"
    if kind == "trivial":
        # As a user's entry point of that name would; it leaves the round without sandboxes.
        plugins.load(GROUP)["python_executor"] = (TRIVIAL,)
        task_type = "reasoning"
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "DATABASE_PATH", "OUTPUT_DIR", "REDIS_URL")):
            del os.environ[name]
    with project() as folder:
        from adp_resources.resources import resources

        made = resources(project_root=folder, vllm_url=url, max_concurrent_tasks=int(episodes))
        run = _runner(made)
        run("warm-up", code_tasks(WARM_UP, task_type))
        cpu, clock = time.process_time(), time.perf_counter()
        run("measured", code_tasks(int(tasks), task_type))
        told = {"cpu_seconds": time.process_time() - cpu, "seconds": time.perf_counter() - clock}
        found = list(made["database"].journal().read_round("measured"))
    told["steps"] = sum(len(trajectory.steps) for trajectory in found)
    told["solved"] = sum(trajectory.success for trajectory in found)
    print(json.dumps(told))


def _runner(made: dict[str, Any]) -> Callable[[str, list[TaskSpec]], None]:
    engine = made["fanout"].create()

    def run(round: str, tasks: list[TaskSpec]) -> None:
        engine.run(round, tasks[0].task_type, [(task, 0) for task in tasks], lambda: False)

    return run


async def _say_it_is_done(bench: Workbench, code: str) -> str:
    return "status: ok\nstdout:\n0\n"


TRIVIAL = Tool(
    name="python_executor",
    description="Run a Python 3 program.",
    parameters=parameters(code={"type": "string"}),
    action_type="tool_call",
    function=_say_it_is_done,
)

if __name__ == "__main__":
    main(*sys.argv[1:])
