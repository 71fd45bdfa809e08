"""What `benchmarks.sandbox` measures, in the process that holds the pool; standard library only.

So any user's python can run it beside a copy of the sandbox. `python -m benchmarks.sandbox_pool measure N`
prints the figures of N rounds as a line of JSON; `stand-by N` holds N idle slots until its stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median

from benchmarks.bare import PYTHON, Bubblewrap, run, run_async, spawn
from sandbox import Limits, Result, SandboxPool, Snapshot
from sandbox.backends.choice import choose
from sandbox.backends.protections import MINIMUM
from sandbox.profiles import installed_profiles

CODE, PRINTED = "print(1+1)", "2\n"
BARE = (PYTHON, "-c", CODE)
PANDAS = "import pandas\nprint(pandas.DataFrame({'a': [1, 3], 'b': list('xx')}).groupby('b').a.sum()['x'])"
PANDAS_PRINTED = "4\n"
ENDLESS = ("while True: pass", "import time\ntime.sleep(60)")
WALL_SECONDS = 0.5
# The median of 200 times in seconds: what a python that has the modules of a slot has to pay for a child.
FLOOR = """
import os, time
seconds = []
for _ in range(200):
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    seconds.append(time.perf_counter() - started)
print(sorted(seconds)[100])
"""
CORES = len(os.sched_getaffinity(0))
SETTLE_SECONDS = 0.004
"""Until a slot stands by again: what a run left to do is not on the account of what comes next."""


@dataclass(frozen=True)
class Measure:
    """Something to take `times` samples of, in every round whose number `every` divides.

    Where it `settles`, there is a pause before each sample, else only before the first.
    """

    sample: Callable[[], Awaitable[float]]
    times: int = 1
    every: int = 1
    settles: bool = False


async def measure(rounds: int) -> dict[str, float | str | None]:
    """The figures of this user and `backend`; None for what cannot be had here, with the reason on stderr."""
    backend = await choose("auto", MINIMUM)
    with ThreadPoolExecutor(CORES) as threads:
        async with SandboxPool(slots=CORES, backend=backend) as pool, pool.session() as session:
            await session.step(CODE)
            snapshot = await session.snapshot()
            one_shot = printing(PRINTED, partial(pool.run, code=CODE))
            bare = partial(spawn, BARE, PRINTED)
            measures = {
                "bare by posix_spawn": Measure(blocking(bare), times=5),
                "bare by subprocess": Measure(blocking(partial(run, BARE, PRINTED)), times=5),
                "one-shot": Measure(one_shot, times=5, settles=True),
                "step": Measure(printing(PRINTED, partial(session.step, CODE)), times=5),
                "branch and step": Measure(printing(PRINTED, partial(branch_and_step, snapshot)), times=5),
                "fresh": Measure(
                    printing(PRINTED, partial(pool.run, code=CODE, fresh=True)), times=5, settles=True
                ),
                "floor": Measure(partial(floor, pool), every=2),
                "overrun": Measure(partial(overrun, pool), every=4),
                "bare a second, threads": Measure(by_threads(threads, 10, bare)),
                "bare a second, asyncio": Measure(by_tasks(10, partial(run_async, BARE, PRINTED))),
                "one-shots a second": Measure(by_tasks(50, one_shot)),
                **bubblewrap(threads),
                **pandas(pool),
            }
            return {"backend": backend.name, **figures(await in_turns(measures, rounds))}


def bubblewrap(threads: ThreadPoolExecutor) -> dict[str, Measure]:
    if problem := Bubblewrap.problem():
        say(f"not measured against bubblewrap: {problem}")
        return {}
    return {"bubblewrap a second": Measure(by_threads(threads, 8, Bubblewrap(BARE, PRINTED).run))}


def pandas(pool: SandboxPool) -> dict[str, Measure]:
    layers = {layer for profile in installed_profiles() for layer in profile.layers}
    if not layers:
        say("no pandas: build its layer with `python -m sandbox.layers build science`")
        return {}
    path = {"PYTHONPATH": ":".join(str(layer.packages) for layer in layers)}
    bare = partial(spawn, (PYTHON, "-c", PANDAS), PANDAS_PRINTED, path)
    return {
        "bare pandas": Measure(blocking(bare), every=2),
        "pandas": Measure(printing(PANDAS_PRINTED, partial(pool.run, code=PANDAS)), 3, settles=True),
    }


def blocking(action: Callable[[], None]) -> Callable[[], Awaitable[float]]:
    """Samples the seconds of a call in which the loop stands still: for a single one, nothing is faster."""

    async def sample() -> float:
        started = time.perf_counter()
        action()
        return time.perf_counter() - started

    return sample


def printing(printed: str, action: Callable[[], Awaitable[Result]]) -> Callable[[], Awaitable[float]]:
    """Samples the seconds of a run. Raises RuntimeError if it is not ok or prints anything but `printed`."""

    async def sample() -> float:
        started = time.perf_counter()
        result = await action()
        seconds = time.perf_counter() - started
        if result.status != "ok" or result.stdout != printed:
            raise RuntimeError(f"A run gave {result}.")
        return seconds

    return sample


def by_threads(
    threads: ThreadPoolExecutor, count: int, action: Callable[[], None]
) -> Callable[[], Awaitable[float]]:
    """Samples executions a second, with one thread a core and `count` executions in each."""

    async def sample() -> float:
        started = time.perf_counter()
        for future in [threads.submit(action) for _ in range(CORES * count)]:
            future.result()
        return CORES * count / (time.perf_counter() - started)

    return sample


def by_tasks(count: int, action: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[float]]:
    """Samples executions a second, with one task a core and `count` executions in each."""

    async def task() -> None:
        for _ in range(count):
            await action()

    async def sample() -> float:
        started = time.perf_counter()
        await asyncio.gather(*(task() for _ in range(CORES)))
        return CORES * count / (time.perf_counter() - started)

    return sample


async def branch_and_step(snapshot: Snapshot) -> Result:
    branch = await snapshot.branch()
    try:
        return await branch.step(CODE)
    finally:
        branch.close()


async def floor(pool: SandboxPool) -> float:
    return float((await pool.run(code=FLOOR)).stdout)


async def overrun(pool: SandboxPool) -> float:
    """The worse of two endless programs, in seconds."""
    worst = 0.0
    for code in ENDLESS:
        started = time.perf_counter()
        result = await pool.run(code=code, limits=Limits(wall_seconds=WALL_SECONDS))
        worst = max(worst, time.perf_counter() - started - WALL_SECONDS)
        if result.status != "timeout":
            raise RuntimeError(f"An endless run gave {result}.")
    return worst


async def in_turns(measures: dict[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Samples of all measures, a few of each in turns, so that what else the machine does meets all alike."""
    samples: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for name, measure in measures.items():
            for nth in range(measure.times if number % measure.every == 0 else 0):
                if measure.settles or nth == 0:
                    await asyncio.sleep(SETTLE_SECONDS)
                samples[name].append(await measure.sample())
    return samples


def figures(samples: dict[str, list[float]]) -> dict[str, float | None]:
    """Ratios of medians, to the fastest of the ways to start a bare python."""
    middle = {name: median(values) for name, values in samples.items()}
    for name, value in middle.items():
        say(f"  {name}: {value:.0f}" if "a second" in name else f"  {name}: {value * 1000:.3f} ms")
    one_shot, a_second = middle["one-shot"], middle["one-shots a second"]
    bare = min(middle["bare by posix_spawn"], middle["bare by subprocess"])
    bare_a_second = max(middle["bare a second, threads"], middle["bare a second, asyncio"])
    return {
        "one_shot_ratio": one_shot / bare,
        "throughput_ratio": a_second / bare_a_second,
        "bubblewrap_throughput_ratio": ratio(a_second, middle.get("bubblewrap a second")),
        "session_step_ratio": middle["step"] / bare,
        "branch_ratio": middle["branch and step"] / bare,
        "pandas_ratio": ratio(middle.get("pandas"), middle.get("bare pandas")),
        "fresh_exec_ratio": middle["fresh"] / bare,
        "timeout_overrun_ms": max(samples["overrun"]) * 1000,
        "floor_ratio": middle["floor"] / one_shot,
    }


def ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value / base


async def stand_by(slots: int) -> None:
    """Hold `slots` idle slots, which are there when a line was printed, until stdin ends."""
    async with SandboxPool(slots=slots) as pool:
        # As all run at once, none can have the slot of another.
        await asyncio.gather(*(pool.run(code="import time\ntime.sleep(3)") for _ in range(slots)))
        print("standing by", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(task: str, count: str) -> None:
    if task == "stand-by":
        asyncio.run(stand_by(int(count)))
    else:
        print(json.dumps(asyncio.run(measure(int(count)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
