"""How graders use the sandbox: its failures as the platform's, its limits from the spec, its packages."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtimes.errors import InfrastructureError, InvalidTask
from runtimes.grading.base import SPEC_PLACE
from runtimes.grading.clock import agents_code, uncounted
from runtimes.services import Services
from sandbox import Limits, Profile, SandboxError, profile_of
from sandbox.profiles import installed_profiles

PACKAGES = Path(__file__).with_name("packages.txt")
"""What graders need beyond Python; `python -m sandbox.layers build` makes a layer of it."""

INSIDE = Path(__file__).with_name("inside")


MOST_WALL_SECONDS = 120.0
"""What one submission may be given for one check; the platform's own limit holds as far as this, too."""

MOST_RESULT_BYTES = 1 << 20
"""Of JSON from a sandbox that is read here: read, it takes up to a hundred times as much memory."""


@asynccontextmanager
async def jailed(services: Services) -> AsyncIterator[None]:
    """Around running what an agent wrote, in one turn of the sandboxes however many steps that has.

    The wait for the turn is not counted. A broken sandbox is the platform's failure, not the answer's.
    """
    async with AsyncExitStack() as stack:
        with uncounted():
            await stack.enter_async_context(services.sandboxes.in_one_turn())
        with agents_code(), ours_to_mend():
            yield


@contextmanager
def ours_to_mend() -> Iterator[None]:
    try:
        yield
    except SandboxError as error:
        raise InfrastructureError("system_error", f"The grader's sandbox failed: {error}") from error


def check_limits(limits: dict[str, Any]) -> None:
    """Raise InvalidTask unless a spec's `limits` are those of a sandbox, and within ours."""
    known = [field.name for field in dataclasses.fields(Limits)]
    for name in limits:
        if name not in known:
            allowed = ", ".join(f"`{each}`" for each in known)
            raise InvalidTask(
                f"no limit of a sandbox - at `{SPEC_PLACE}.limits.{name}`; allowed are {allowed}."
            )
    try:
        with_limits(Limits(), limits)
    except ValueError as error:
        raise InvalidTask(f"{error} - at `{SPEC_PLACE}.limits`.") from error
    if limits.get("wall_seconds", 0) > MOST_WALL_SECONDS:
        raise InvalidTask(
            f"a submission may have at most {MOST_WALL_SECONDS:g} s - at `{SPEC_PLACE}.limits.wall_seconds`."
        )


def with_limits(limits: Limits, changes: dict[str, Any]) -> Limits:
    changed = replace(limits, **changes)
    return replace(changed, wall_seconds=min(changed.wall_seconds, MOST_WALL_SECONDS))


def inside(*modules: str) -> dict[str, bytes]:
    """The modules of `inside` as files of a workspace, where they import each other as they do here."""
    names = [f"{name}.py" for name in ("__init__", *modules)]
    return {f"runtimes/grading/inside/{name}": (INSIDE / name).read_bytes() for name in names}


@functools.cache
def packages(name: str, *modules: str) -> Profile:
    """A slot with the graders' packages, `modules` of them imported ahead; the science packages beside.

    Raises InfrastructureError where the layer is not built.
    """
    with ours_to_mend():
        profile = profile_of(PACKAGES)
        science = installed_profiles()[0].layers
    layers = (*profile.layers, *(layer for layer in science if layer not in profile.layers))
    # `serves` keeps the pool from making a second slot as heavy as this one ahead.
    return replace(profile, name=name, preload=(*profile.preload, *modules), layers=layers, serves=modules)
