"""What a task's constraints let its code use: limits of its own, and hosts it may reach."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from runtimes.contracts import TaskSpec
from runtimes.errors import ToolError
from sandbox import Limits
from sandbox.addresses import EgressPolicy

LIMITS = {field.name for field in fields(Limits)}


@dataclass(frozen=True)
class Allowance:
    """`hosts` as the sandbox's proxy takes them; without any, code reaches nothing."""

    limits: Limits
    hosts: tuple[str, ...] = ()

    @classmethod
    def of_task(cls, task: TaskSpec, limits: Limits) -> Allowance:
        """What `constraints.limits`, an object of the sandbox's limits, and `.allowed_domains` say.

        `limits` hold where the task says nothing. Raises ToolError for what cannot be read.
        """
        wanted: Any = task.constraints.get("limits")
        if wanted is None:
            wanted = {}
        if not isinstance(wanted, dict) or not wanted.keys() <= LIMITS:
            raise ToolError(
                "system_error",
                f"The task's constraints.limits is {wanted!r}.",
                f"It must be an object whose fields are among {', '.join(sorted(LIMITS))}.",
            )
        try:
            own = replace(limits, **wanted)
        except (TypeError, ValueError) as error:
            raise ToolError("system_error", f"The task's constraints.limits: {error}") from error
        return cls(own, tuple(_patterns(allowed_domains(task))))


def allowed_domains(task: TaskSpec) -> tuple[str, ...]:
    """The hosts of `constraints.allowed_domains`, each of which stands for its subdomains too.

    Raises ToolError where it is no list of hosts.
    """
    allowed: Any = task.constraints.get("allowed_domains")
    if allowed is None:
        return ()
    if not isinstance(allowed, list | tuple) or not all(isinstance(entry, str) for entry in allowed):
        raise ToolError(
            "system_error",
            f"The task's constraints.allowed_domains is {allowed!r}.",
            'It must be a list of host names, such as ["example.com"].',
        )
    hosts = tuple(bracketed(entry.strip().lower().removeprefix("*.")) for entry in allowed)
    try:
        EgressPolicy(hosts)
    except ValueError as error:
        raise ToolError("system_error", f"The task's constraints.allowed_domains: {error}") from error
    return hosts


def bracketed(host: str) -> str:
    """An IPv6 address in brackets, however it came; anything else as it is."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def _patterns(hosts: tuple[str, ...]) -> list[str]:
    """A name also covers all names below it; an address stands for itself."""
    named = [host for host in hosts if any(letter.isalpha() for letter in host.partition(":")[0])]
    return [*hosts, *(f"*.{host}" for host in named)]
