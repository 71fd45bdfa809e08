"""inspect_ai on the same tasks and server, in a virtual environment of its own, made when first needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.llm import episodes
from benchmarks.llm.calls import DELAY_MS
from benchmarks.llm.tasks import ANSWER, code_tasks
from benchmarks.rivals import Unavailable, install
from tests.llm_server.process import RunningServer, llm_server

REQUIREMENTS = ("inspect-ai==0.3.285", "openai==3.52.0")
INSIDE = Path(__file__).with_name("rival_inside.py")
TASKS, QUICK_TASKS = 200, 8
ROUNDS, QUICK_ROUNDS = 3, 1
AT_ONCE = 64
"""Episodes in flight, on either side; the code they run takes turns on the machine's cores."""


def measure(*, quick: bool) -> dict[str, float | None]:
    """Code tasks a second as a ratio of medians of rounds in turns; null without inspect_ai."""
    tasks, rounds = (QUICK_TASKS, QUICK_ROUNDS) if quick else (TASKS, ROUNDS)
    ours: list[float] = []
    theirs: list[float] = []
    try:
        python = install("inspect_ai", "inspect_ai", REQUIREMENTS)
        with llm_server("steps", turns=episodes.TOOL_CALLS, delay_ms=DELAY_MS) as server:
            for _ in range(rounds):
                theirs.append(inspect_ai(python, server, tasks))
                ours.append(episodes.run(server, "code", tasks=tasks, at_once=AT_ONCE).seconds)
    except Unavailable as reason:
        print(f"inspect_ai is not measured: {reason}", file=sys.stderr)
        return {"inspect_ai_ratio": None}
    return {"inspect_ai_ratio": round(median(theirs) / median(ours), 3)}


def inspect_ai(python: Path, server: RunningServer, tasks: int) -> float:
    """Seconds of one evaluation, imports and start aside. Raises Unavailable."""
    asked = [{"id": t.task_id, "input": t.description, "target": ANSWER} for t in code_tasks(tasks)]
    with TemporaryDirectory(prefix="adp-bench-") as folder:
        running = subprocess.run(
            [str(python), str(INSIDE), server.url, str(AT_ONCE)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder},
        )
    if running.returncode:
        raise Unavailable(f"it ended with {running.returncode}: {running.stderr.strip()[-300:]}")
    told = json.loads(running.stdout.splitlines()[-1])
    if told["solved"] != tasks:
        raise Unavailable(f"it solved {told['solved']} of {tasks} tasks")
    return float(told["seconds"])
