"""Reads skills from folders with a SKILL.md and code.

The format is that of https://agentskills.io, of whose fields `name` and `description` are read, with fields
of our own: `entry_point`, `parameters` (a JSON schema) or `arguments` (names and descriptions), `hosts`,
`timeout` (seconds) and `permission`. A skill without an entry point gives its instructions to the agent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from runtimes.errors import ConfigurationError
from runtimes.tools.arguments import mistake_in
from runtimes.tools.base import parameters
from runtimes.tools.permissions import Permission
from runtimes.tools.skills import INTERPRETERS, Skill
from sandbox.addresses import EgressPolicy

FILE = "SKILL.md"
MAX_BYTES = 8_000_000
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FRONT_MATTER = re.compile(r"---\r?\n(.*?)\r?\n---\r?\n?(.*)", re.DOTALL)


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
    if mistake := mistake_in(schema):
        raise ValueError(f"its parameters are no valid JSON schema: {mistake}.")
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
    if entry_point and PurePosixPath(entry_point).suffix not in INTERPRETERS:
        raise ValueError(f"its entry_point {entry_point!r} must end with {' or '.join(INTERPRETERS)}.")
    return found
