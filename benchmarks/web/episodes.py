"""What whole episodes show: what can be acted on, tasks solved, replays that hold, addresses kept from.

They are those of the tests, which fail on a single one; here all are counted.
"""

from __future__ import annotations

import asyncio

from benchmarks.web.reachability import reachability
from runtimes.contracts import TaskSpec, Trajectory
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.miniwob import MiniwobSite
from runtimes.web.miniwob.tasks import TASKS, read_tasks
from runtimes.web.replay.recorded import RecordedPages
from runtimes.web.replay.replay import replay_trajectory
from sandbox import SandboxPool
from tests.runtimes.scripted import ScriptedModel, says
from tests.runtimes.web.escapes import UNASKED, WAYS
from tests.runtimes.web.miniwob.test_miniwob_solved import SEEDS, played
from tests.runtimes.web.test_egress_ways import rigged, secret_server


async def measure(*, quick: bool) -> dict[str, float | None]:
    names, seeds = (TASKS[:2], range(1)) if quick else (TASKS, SEEDS)
    async with BrowserPool(max_contexts=4, sites=[MiniwobSite()]) as pool:
        tasks = [task async for task in read_tasks(pool, names, seeds)]
        trajectories = await asyncio.gather(*(played(pool, task) for task in tasks))
    solved = sum(trajectory.outcome == "solved" for trajectory in trajectories)
    return {
        "reachable": round((await reachability()).ratio, 4),
        "tier1_solved": round(solved / len(tasks), 4),
        "replay_held": await replay_held(tasks, trajectories),
        "egress_leaks": await egress_leaks(),
    }


async def replay_held(tasks: list[TaskSpec], trajectories: list[Trajectory]) -> float:
    """The share of all recorded steps that held in another browser."""
    held = steps = 0
    async with RecordedPages(max_contexts=2, sites=[MiniwobSite()]) as pages:
        services = Services(ScriptedModel(says()), SandboxPool(slots=1), pages)
        for task, trajectory in zip(tasks, trajectories, strict=True):
            replay = await replay_trajectory(trajectory, services, task)
            steps += len(replay.repeated)
            held += sum(step.verdict == "same" for step in replay.repeated)
    return round(held / steps, 4)


async def egress_leaks() -> int:
    """How many ways past both walls reached a server that must not be."""
    leaks = 0
    async with rigged() as rig:
        for name in WAYS.keys() - UNASKED:
            async with secret_server() as secret:

                def over(blocked: list[str]) -> bool:
                    return secret.connections > 0 or bool(blocked)

                await rig.walled_way(WAYS[name], over, secret.port)
                leaks += secret.connections > 0
    return leaks
