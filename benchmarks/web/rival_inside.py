"""BrowserGym on the same pages: run by a Python of its own, which has it; told what to do line by line.

`BROWSER URL [delays]` are its arguments: without `delays` every wait that can be switched off is. A line on
stdin, `step N` or `observe N`, asks for as many; the answer is the seconds of each, as JSON. A step clicks
the page's button. Needs nothing of this checkout.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Any

from browsergym.core.env import BrowserEnv  # type: ignore[import-not-found]
from browsergym.core.task import OpenEndedTask  # type: ignore[import-not-found]
from playwright.sync_api import BrowserType

NO_DELAYS = {"slow_mo": 0, "pre_observation_delay": 0.0}


def main(browser: str, url: str, *delays: str) -> None:
    launch_from(browser)
    env = BrowserEnv(
        OpenEndedTask, task_kwargs={"start_url": url, "goal": "click"}, **({} if delays else NO_DELAYS)
    )
    observation, _ = env.reset(seed=0)
    action = f"click('{button_in(observation)}')"
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        what, count = line.split()
        act = observe if what == "observe" else partial(step, action=action)
        print(json.dumps([act(env) for _ in range(int(count))]), flush=True)
    env.close()


def launch_from(browser: str) -> None:
    """Its Playwright is older than the browser here, and its chat window takes no path of one."""
    launch = BrowserType.launch

    def launch_it(self: BrowserType, **options: Any) -> Any:
        return launch(self, **{**options, "executable_path": browser})

    BrowserType.launch = launch_it  # type: ignore[method-assign]


def button_in(observation: dict[str, Any]) -> str:
    nodes = observation["axtree_object"]["nodes"]
    return str(next(node["browsergym_id"] for node in nodes if node["role"]["value"] == "button"))


def step(env: Any, action: str) -> float:
    started = time.perf_counter()
    observation, *_ = env.step(action)
    seconds = time.perf_counter() - started
    if observation["last_action_error"]:
        raise RuntimeError(observation["last_action_error"])
    return seconds


def observe(env: Any) -> float:
    started = time.perf_counter()
    env._get_obs()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
