"""A skill as a tool: its code runs in a sandbox. Who reads the folders of skills is `skill_folders`."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from runtimes.errors import ToolError, ToolUnavailable
from runtimes.text import well_formed_json
from runtimes.tools.allowance import Allowance
from runtimes.tools.base import Tool, Workbench
from runtimes.tools.permissions import Permission
from runtimes.tools.programs import answer, guarded, session_of
from sandbox import Result

FOLDER = "skills"
"""Where the files of a skill without an entry point lie in the workspace, for the agent to use."""

UNAVAILABLE = (69, 75)
"""Exit codes by which a skill says that what it needs is not to be had: EX_UNAVAILABLE, EX_TEMPFAIL."""

_TIMED_OUT = (124, 137)  # of timeout(1): ended, or killed as it would not end
INTERPRETERS = {".py": "python3", ".sh": "sh"}
"""What runs an entry point, by how its name ends."""


@dataclass(frozen=True)
class Skill:
    """One skill as it was read. `files` are all of its folder, by their paths in it."""

    name: str
    description: str
    folder: Path
    instructions: str
    entry_point: str
    parameters: dict[str, Any]
    hosts: tuple[str, ...]
    timeout: float
    permission: Permission
    files: dict[str, bytes] = field(repr=False)

    def tool(self) -> Tool:
        return Tool(
            name=self.name,
            description=self.description,
            parameters=self.parameters,
            action_type="code_execution",
            function=self._call,
            permission=self.permission,
            timeout=self.timeout,
            keeps_time=True,
        )

    async def _call(self, bench: Workbench, /, **arguments: Any) -> str:
        if self.entry_point:
            return self._answer(await self._run(bench, arguments))
        await self._place(bench, self._placed(FOLDER))
        return f"Its files are in {FOLDER}/{self.name}.\n\n{self.instructions}"

    async def _run(self, bench: Workbench, arguments: dict[str, Any]) -> Result:
        """In the episode's sandbox; in one of its own where it may reach hosts that agents may not."""
        # A folder of its own each time: beside the code nothing of the agent's, nor of another call's.
        place = f".{self.name}-{secrets.token_hex(8)}"
        given = f"{place}/arguments.json"
        files = {**self._placed(place), given: msgspec.json.encode(well_formed_json(arguments))}
        command = self._command(place, given)
        if self.hosts:
            self._check_hosts(bench)
            limits = Allowance.of_task(bench.task, bench.services.limits).limits
            run = bench.services.sandboxes.run(shell=command, files=files, hosts=self.hosts, limits=limits)
            with self._told():
                return await guarded(run)
        await self._place(bench, files)
        session = await session_of(bench)
        return await guarded(session.run(shell=command))

    async def _place(self, bench: Workbench, files: dict[str, bytes]) -> None:
        session = await session_of(bench)
        with self._told():
            for path, data in files.items():
                await guarded(session.write(path, data))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A workspace that is full, or has something else in the place, is the agent's to mend."""
        try:
            yield
        except OSError as error:
            raise ToolError(
                "runtime_error",
                f"The files of {self.name} cannot be written to {error.filename}: {error.strerror}.",
                "Make room there.",
            ) from error

    def _placed(self, folder: str) -> dict[str, bytes]:
        return {f"{folder}/{self.name}/{path}": data for path, data in self.files.items()}

    def _command(self, place: str, given: str) -> str:
        interpreter = INTERPRETERS[PurePosixPath(self.entry_point).suffix]
        program = shlex.quote(f"{place}/{self.name}/{self.entry_point}")
        limit = f"timeout -k 1 {self.timeout:g}"
        return f"{limit} {interpreter} {program} < {given}\ncode=$?\nrm -rf {place}\nexit $code\n"

    def _check_hosts(self, bench: Workbench) -> None:
        """Raise ToolError where the task names the hosts that may be reached, and not the skill's."""
        granted = Allowance.of_task(bench.task, bench.services.limits).hosts
        outside = [host for host in self.hosts if host not in granted]
        if granted and outside:
            raise ToolError(
                "system_error",
                f"{self.name} reaches {', '.join(outside)}, which the task's allowed_domains do not name.",
                "Go on without it.",
            )

    def _answer(self, result: Result) -> str:
        ended = result.exit_code in _TIMED_OUT and result.wall_seconds >= self.timeout
        if ended or result.status == "timeout":
            # One that reaches nobody waits for nobody: it was given too much to do.
            fault = ToolUnavailable if self.hosts else ToolError
            limit = f"{self.timeout:g} s" if ended else f"the sandbox's {result.wall_seconds:.0f} s"
            raise fault("timeout", f"{self.name} took longer than {limit}.")
        try:
            return answer(result) or "(nothing)"
        except ToolError as error:
            # Where there are no hosts, nothing could be unavailable but by the agent's own files.
            if self.hosts and result.exit_code in UNAVAILABLE:
                raise ToolUnavailable("network_error", f"{self.name}: {error.message}") from error
            raise
