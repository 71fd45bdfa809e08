"""Tasks and trajectories as the tests of the stages want them."""

from __future__ import annotations

from typing import Any

from adp_assets.intake.pool import TaskPool
from runtimes.contracts import ExecutionStep, Lineage, Message, TaskSpec, Trajectory, Verifier


def task(task_id: str = "t", **fields: Any) -> TaskSpec:
    base: dict[str, Any] = {
        "task_type": "code",
        "description": f"Write the function of {task_id}.",
        "verifier": Verifier("numeric", {"expected": 42}),
        "lineage": Lineage(root_id=task_id, source="/tasks.jsonl"),
    }
    return TaskSpec(task_id=task_id, **{**base, **fields})


def add(pool: TaskPool, *tasks: TaskSpec) -> set[str]:
    with pool.database.begin() as connection:
        return pool.add(connection, tasks)


def solved(task_id: str = "t", answer: str = "42", **fields: Any) -> Trajectory:
    """A verified success in two replies: one call, then the answer."""
    base: dict[str, Any] = {
        "runtime_id": "sandbox-runtime",
        "task_type": "code",
        "round": "round-0001",
        "outcome": "solved",
        "success": True,
        "verified": True,
        "verifier": "numeric",
        "reward": 1.0,
        "teacher": "gemini",
        "model": "gemini-1",
        "prompt": [{"role": "system", "content": "Solve."}, {"role": "user", "content": f"Do {task_id}."}],
        "tools": [{"type": "function", "function": {"name": "python_executor", "parameters": {}}}],
        "steps": [
            step(1, "python_executor", '{"code": "print(42)"}', "status: ok\n42"),
            step(2, "complete_task", f'{{"answer": "{answer}"}}', None),
        ],
        "final_result": answer,
        "created_at": 100.0,
    }
    return Trajectory(task_id=task_id, **{**base, **fields})


def step(number: int, name: str, arguments: str, observation: str | None, **message: Any) -> ExecutionStep:
    """A step of a reply of its own with one call."""
    call = {
        "id": f"c{number}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        "index": 0,
    }
    said: Message = {"role": "assistant", "content": None, "tool_calls": [call], **message}
    return ExecutionStep(
        step_id=number,
        action_type="tool_call",
        success=True,
        observation=observation,
        turn=number - 1,
        tool_name=name,
        tool_call_id=f"c{number}",
        message=said,
    )
