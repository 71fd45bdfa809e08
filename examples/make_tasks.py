"""Print sample tasks, one JSON object a line: `python examples/make_tasks.py > examples/tasks.jsonl`.

`python examples/make_tasks.py --multi-tool --count 12` prints those of `examples/multi_tool_tasks.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import sys

import msgspec

from runtimes.contracts import TaskSpec
from runtimes.llm.teacher.families import MULTI_TOOL, sample_tasks

_SHOWN = (
    "task_id",
    "task_type",
    "description",
    "expected_tools",
    "constraints",
    "max_steps",
    "timeout",
    "priority",
    "verifier",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print sample tasks, one JSON object a line.")
    parser.add_argument("--count", type=int, default=36)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--types", type=_shares, help="such as code=12,web=12,reasoning=12")
    parser.add_argument(
        "--multi-tool", action="store_true", help="reasoning tasks that take three tools or more"
    )
    arguments = parser.parse_args()
    try:
        if arguments.multi_tool:
            tasks = sample_tasks(
                arguments.count, arguments.seed, {"reasoning": arguments.count}, families=MULTI_TOOL
            )
        else:
            tasks = sample_tasks(arguments.count, arguments.seed, arguments.types)
    except ValueError as error:
        parser.error(str(error))
    for task in tasks:
        sys.stdout.write(_line(task) + "\n")


def _line(task: TaskSpec) -> str:
    plain = msgspec.to_builtins(task)
    return json.dumps({field: plain[field] for field in _SHOWN}, ensure_ascii=False)


def _shares(text: str) -> dict[str, int]:
    """Shares as argparse takes them; a ValueError becomes its message."""
    return {name: int(number) for name, _, number in (part.partition("=") for part in text.split(","))}


if __name__ == "__main__":
    main()
