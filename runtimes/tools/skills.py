"""Skills: folders with a SKILL.md and code, each a tool that runs in a sandbox.

The format is that of https://agentskills.io, of whose fields `name` and `description` are read, with fields
of our own: `entry_point`, `parameters` (a JSON schema) or `arguments` (names and descriptions), `hosts`,
`timeout` (seconds) and `permission`. A skill without an entry point gives its instructions to the agent.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, SchemaError

from runtimes.errors import ConfigurationError, ToolError, ToolUnavailable
from runtimes.text import well_formed_json
from runtimes.tools.allowance import Allowance
from runtimes.tools.base import Tool, Workbench, parameters
from runtimes.tools.permissions import Permission
from runtimes.tools.programs import answer, guarded, session_of
from sandbox import Result
from sandbox.addresses import EgressPolicy

FILE = "SKILL.md"
FOLDER = "skills"
"""Where the files of skills lie in the workspace."""

UNAVAILABLE = (69, 75)
"""Exit codes by which a skill says that what it needs is not to be had: EX_UNAVAILABLE, EX_TEMPFAIL."""

MAX_BYTES = 8_000_000
_TIMED_OUT = 124  # of timeout(1)
_GRACE_SECONDS = 10.0
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FRONT_MATTER = re.compile(r"---\r?\n(.*?)\r?\n---\r?\n?(.*)", re.DOTALL)
_INTERPRETERS = {".py": "python3", ".sh": "sh"}


class _Header(msgspec.Struct):
    """The front matter, as far as it is read."""

    name: str
    description: str
    entry_point: str = ""
    parameters: dict[str, Any] | None = None
    arguments: dict[str, str] | None = None
    hosts: tuple[str, ...] = ()
    timeout: float = 30.0
    permission: Permission = "user"


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
            timeout=self.timeout + _GRACE_SECONDS,
        )

    async def _call(self, bench: Workbench, /, **arguments: Any) -> str:
        if self.entry_point:
            return self._answer(await self._run(bench, arguments))
        await self._place(bench, self._placed())
        return f"Its files are in {FOLDER}/{self.name}.\n\n{self.instructions}"

    async def _run(self, bench: Workbench, arguments: dict[str, Any]) -> Result:
        """In the episode's sandbox; in one of its own where it may reach hosts that agents may not."""
        given = f".{self.name}.json"
        files = {**self._placed(), given: msgspec.json.encode(well_formed_json(arguments))}
        command = self._command(given)
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
        """Each time anew: the agent's code may have changed what lies in the workspace."""
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

    def _placed(self) -> dict[str, bytes]:
        return {f"{FOLDER}/{self.name}/{path}": data for path, data in self.files.items()}

    def _command(self, given: str) -> str:
        place = f"{FOLDER}/{self.name}"
        interpreter = _INTERPRETERS[PurePosixPath(self.entry_point).suffix]
        program = shlex.quote(f"{place}/{self.entry_point}")
        limit = f"timeout -k 1 {self.timeout:g}"
        return (
            f"find {place} -type f -exec chmod a-w {{}} +\n"
            f"{limit} {interpreter} {program} < {given}\ncode=$?\nrm -f {given}\nexit $code\n"
        )

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
        if result.exit_code == _TIMED_OUT or result.status == "timeout":
            # One that reaches nobody waits for nobody: it was given too much to do.
            fault = ToolUnavailable if self.hosts else ToolError
            raise fault("timeout", f"{self.name} took longer than {self.timeout:g} s.")
        try:
            return answer(result) or "(nothing)"
        except ToolError as error:
            if result.exit_code in UNAVAILABLE:
                raise ToolUnavailable("network_error", f"{self.name}: {error.message}") from error
            raise


def read_skill(folder: Path) -> Skill:
    """The skill in a folder. Raises ConfigurationError naming the file and what is wrong with it."""
    file = folder / FILE
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error}.", "A skill is a folder with a SKILL.md."
        ) from error
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise ConfigurationError(
            f"{file} has no front matter.", "Begin it with name and description between two ---."
        )
    try:
        header = msgspec.convert(_yaml(match[1]), _Header)
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"The front matter of {file} cannot be used: {error}.") from error
    try:
        return Skill(
            name=_name(header, folder),
            description=header.description,
            folder=folder,
            instructions=match[2].strip(),
            entry_point=header.entry_point,
            parameters=_parameters(header),
            hosts=_hosts(header),
            timeout=header.timeout,
            permission=header.permission,
            files=_files(folder, header.entry_point),
        )
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"The skill {folder}: {error}") from error


def find_skills(folder: Path, others: Sequence[Path] = ()) -> tuple[list[Skill], list[ConfigurationError]]:
    """The skills in the folders of `folder`, and `others`; and what is wrong with those that are none."""
    inside = sorted(file.parent for file in folder.glob(f"*/{FILE}")) if folder.is_dir() else []
    skills: dict[str, Skill] = {}
    faults = []
    for place in (*inside, *others):
        try:
            skill = read_skill(place)
            if skill.name in skills and skills[skill.name].folder != place:
                first = skills[skill.name].folder
                raise ConfigurationError(
                    f"{place} is called {skill.name}, as {first} is.", "Rename one of them."
                )
            skills[skill.name] = skill
        except ConfigurationError as error:
            faults.append(error)
    return list(skills.values()), faults


def _yaml(text: str) -> Any:
    import yaml  # type: ignore[import-untyped]

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _name(header: _Header, folder: Path) -> str:
    if not _NAME.fullmatch(header.name) or len(header.name) > 64:
        raise ValueError(
            f"its name {header.name!r} is not of at most 64 small letters, digits and single '-'."
        )
    if header.name != folder.name:
        raise ValueError(f"it is called {header.name!r}. The format wants the folder to have the same name.")
    if not 0 < len(header.description) <= 1024:
        raise ValueError("its description must have 1 to 1024 characters.")
    if not 0 < header.timeout <= 3600:
        raise ValueError("its timeout must be more than 0 and at most 3600 seconds.")
    return header.name


def _parameters(header: _Header) -> dict[str, Any]:
    if header.parameters is not None and header.arguments is not None:
        raise ValueError("it has parameters and arguments. Give one of them.")
    if header.arguments is not None:
        return parameters(
            **{name: {"type": "string", "description": text} for name, text in header.arguments.items()}
        )
    schema = header.parameters or parameters()
    if schema.get("type") != "object":
        raise ValueError('its parameters must be a JSON schema with "type": "object".')
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"its parameters are no valid JSON schema: {error.message}.") from error
    return schema


def _hosts(header: _Header) -> tuple[str, ...]:
    EgressPolicy(header.hosts)
    if header.hosts and not header.entry_point:
        raise ValueError("it names hosts but no entry_point: there is no code that could reach them.")
    return header.hosts


def _files(folder: Path, entry_point: str) -> dict[str, bytes]:
    found = {}
    left = MAX_BYTES
    for file in sorted(folder.rglob("*")):
        if file.is_symlink():
            raise ValueError(f"{file.name} is a symbolic link. Put the file itself there.")
        if file.is_file() and "__pycache__" not in file.parts:
            left -= file.stat().st_size
            if left < 0:
                raise ValueError(f"its files are larger than {MAX_BYTES} bytes together.")
            found[file.relative_to(folder).as_posix()] = file.read_bytes()
    if entry_point and entry_point not in found:
        raise ValueError(f"its entry_point {entry_point!r} is none of its files.")
    if entry_point and PurePosixPath(entry_point).suffix not in _INTERPRETERS:
        raise ValueError(f"its entry_point {entry_point!r} must end with {' or '.join(_INTERPRETERS)}.")
    return found
