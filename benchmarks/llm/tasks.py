"""The tasks of both sides: three turns of a model, two of which run code. The server's script says which."""

from __future__ import annotations

from runtimes.contracts import TaskSpec, Verifier

ANSWER = "2"
"""What the script's last reply answers after two tool calls."""


def code_tasks(count: int, task_type: str = "code") -> list[TaskSpec]:
    return [
        TaskSpec(
            task_id=f"{task_type}-{number:04d}",
            task_type=task_type,
            description=f"Print the square of {number} twice.",
            expected_tools=["python_executor"],
            verifier=Verifier("exact", {"expected": ANSWER}),
        ).named()
        for number in range(count)
    ]
