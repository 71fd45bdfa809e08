"""inspect_ai's side, run by a Python of its own. Arguments: `URL AT_ONCE`; the samples come as JSON on stdin.

Its own agent, tool, local sandbox and scorer; their names are those the server's script calls. The last line
says the seconds of the evaluation and how many samples were right. Needs nothing of this checkout.
"""

from __future__ import annotations

import json
import sys
import time

from inspect_ai import Task, eval  # type: ignore[import-not-found]
from inspect_ai.agent import AgentSubmit, react  # type: ignore[import-not-found]
from inspect_ai.dataset import Sample  # type: ignore[import-not-found]
from inspect_ai.model import GenerateConfig, get_model  # type: ignore[import-not-found]
from inspect_ai.scorer import match  # type: ignore[import-not-found]
from inspect_ai.tool import python, tool_with  # type: ignore[import-not-found]


def main(url: str, at_once: str) -> None:
    samples = [Sample(**sample) for sample in json.load(sys.stdin)]
    config = GenerateConfig(max_connections=int(at_once))
    model = get_model("openai-api/bench/test-model", base_url=url, api_key="none", config=config)
    task = Task(
        dataset=samples,
        solver=react(
            tools=[tool_with(python(), name="python_executor")],
            submit=AgentSubmit(name="complete_task", answer_only=True),
        ),
        scorer=match(),
        sandbox="local",
    )
    started = time.perf_counter()
    (log,) = eval(task, model=model, max_samples=int(at_once), display="none", log_level="warning")
    seconds = time.perf_counter() - started
    right = sum(sample.scores["match"].value == "C" for sample in log.samples or ())
    print(json.dumps({"seconds": seconds, "solved": right}))


if __name__ == "__main__":
    main(*sys.argv[1:])
