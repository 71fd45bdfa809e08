"""Which runtime executes which task type. Users add theirs with the entry point group `adp.runtimes`.

An entry point's name is the task type, its value a class or function from `Services` to a Runtime.
"""

from __future__ import annotations

from runtimes import plugins
from runtimes.contracts import Runtime
from runtimes.errors import InvalidTask
from runtimes.services import Services

GROUP = "adp.runtimes"
BUILT_IN = ("code", "web", "reasoning")


def task_types() -> tuple[str, ...]:
    """Every type that can be executed here, the built-in ones first."""
    found = plugins.names(GROUP)
    first = [name for name in BUILT_IN if name in found]
    return (*first, *sorted(set(found) - set(first)))


def check_task_type(task_type: str) -> None:
    """Raise InvalidTask for a type that no installed runtime executes."""
    if task_type not in task_types():
        raise InvalidTask(
            f"task_type {task_type!r} has no runtime.",
            f"Known types: {', '.join(task_types())}. A runtime of your own registers under {GROUP}.",
        )


def create_runtime(task_type: str, services: Services) -> Runtime:
    check_task_type(task_type)
    runtime = plugins.load(GROUP)[task_type](services)
    assert isinstance(runtime, Runtime)
    return runtime
