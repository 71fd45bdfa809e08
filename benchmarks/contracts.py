"""Why the contracts are msgspec structs: one trajectory read and written, against the same model in pydantic.

`make bench-contracts`; times are microseconds a trajectory of ten steps, the best of five rounds.
"""

from __future__ import annotations

import json
import timeit
from typing import Any

import msgspec
from pydantic import TypeAdapter, create_model

from runtimes.contracts import ExecutionStep, Trajectory, trajectory_from_json, trajectory_to_json

STEPS = 10
REPEATS = 2_000


def main() -> None:
    trajectory = Trajectory(
        task_id="bench", runtime_id="sandbox-runtime", steps=[_step(n) for n in range(STEPS)]
    )
    document = trajectory_to_json(trajectory)
    model = _same_in_pydantic()
    parsed = model.validate_json(document)
    read = _micros(lambda: trajectory_from_json(document))
    read_pydantic = _micros(lambda: model.validate_json(document))
    write = _micros(lambda: trajectory_to_json(trajectory))
    write_pydantic = _micros(lambda: model.dump_json(parsed))
    figures = {
        "bytes": len(document),
        "read_us": read,
        "read_pydantic_us": read_pydantic,
        "read_ratio": round(read / read_pydantic, 2),
        "write_us": write,
        "write_pydantic_us": write_pydantic,
        "write_ratio": round(write / write_pydantic, 2),
    }
    print(json.dumps(figures))


def _step(number: int) -> ExecutionStep:
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "python_executor", "arguments": "{}"},
    }
    return ExecutionStep(
        step_id=number,
        action_type="code_execution",
        action_params={"code": "print(sum(range(100)))\n" * 5},
        observation="status: ok\nstdout:\n" + "4950\n" * 40,
        success=True,
        message={"role": "assistant", "content": "I add them up.", "tool_calls": [call]},
    )


def _same_in_pydantic() -> TypeAdapter[Any]:
    step = create_model("Step", **_fields(ExecutionStep, {}))
    return TypeAdapter(create_model("Trajectory", **_fields(Trajectory, {"steps": list[step]})))  # type: ignore[valid-type]


def _fields(struct: type[msgspec.Struct], replaced: dict[str, Any]) -> Any:
    """The struct's fields as pydantic's `create_model` takes them."""
    return {
        field.name: (replaced.get(field.name, field.type), ... if field.required else None)
        for field in msgspec.structs.fields(struct)
    }


def _micros(work: Any) -> float:
    return round(min(timeit.repeat(work, number=REPEATS, repeat=5)) / REPEATS * 1e6, 1)


if __name__ == "__main__":
    main()
