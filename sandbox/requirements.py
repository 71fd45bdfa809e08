"""What a layer is made of: reads and normalises requirements, installs their wheels with the host's pip."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.inside.runner import PYTHON

JAIL_PYTHON = PYTHON
"""The interpreter inside jails: the system's own, which every user can read."""


_LAYOUT = "1"  # changes when a layer of the same requirements is built otherwise

_LARGELY_TESTS = ("matplotlib", "mpl_toolkits", "mpmath", "numpy", "pandas", "sympy")
"""Packages of which much is folders named `tests` that nothing imports; in other packages something may."""


def science_requirements() -> str:
    """The lock of the science profile's packages, with hashes, for any Python from 3.11 on."""
    return Path(__file__).with_name("science.txt").read_text()


def read_requirements(file: Path) -> str:
    """The text of a requirements file. Raises SandboxUnavailable where it cannot be read, ValueError."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SandboxUnavailable(
            f"The requirements file {file} cannot be read: {reason}.",
            "Name a file with lines such as numpy>=2.",
        ) from error
    try:
        if not normalised(text):
            raise ValueError("It names no package. Give at least one, such as numpy>=2.")
    except ValueError as error:
        raise ValueError(f"The requirements file {file}: {error}") from error
    return text


def layer_key(requirements: str, python: str = JAIL_PYTHON) -> str:
    """A name that is the same for the same requirements, Python and platform, however they are written."""
    text = "\n".join((_LAYOUT, python_tag(python), *normalised(requirements)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def python_tag(python: str) -> str:
    """The version and ABI of an interpreter, by which wheels fit it or not: cpython-311-x86_64-linux-gnu."""
    ask = [python, "-I", "-S", "-c", "import importlib.machinery as it; print(it.EXTENSION_SUFFIXES[0])"]
    try:
        suffix = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        message = f"The jails' Python {python} cannot be run: {error}."
        remedy = "Install it, or name another one that every user can run."
        raise SandboxUnavailable(message, remedy) from error
    return suffix.removeprefix(".").removesuffix(".so")


_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?P<extras>\[[\w\s,.-]*\])?"
    r"\s*(?P<versions>[<>=!~][\w\s<>=!~.,*+-]*)?(?P<marker>;[\w\s<>=!~.'\"()+-]*)?",
    re.ASCII,
)
_HASH = re.compile(r"\w+:[0-9a-f]+", re.ASCII)
_LONGEST = 500  # characters of one requirement without its hashes


def normalised(requirements: str) -> tuple[str, ...]:
    """The lines of a requirements text, each in one spelling, sorted.

    Raises ValueError for a line that is not a name with extras, versions, a marker and hashes: a layer comes
    from the package index that this machine is set up with, never from an address, a path or an option.
    """
    lines = set()
    for line in re.sub(r"\\\r?\n", " ", requirements).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if not line:
            continue
        declared, *hashes = re.split(r"\s+--hash=", line)
        match = _REQUIREMENT.fullmatch(declared) if len(declared) <= _LONGEST else None
        if match is None or not all(map(_HASH.fullmatch, hashes)):
            raise ValueError(
                f"The requirement {line[:200]!r} is not a package's name with versions. Write it like "
                "'numpy>=2,<3': addresses, paths and options are not taken."
            )
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        extras = re.sub(r"\s", "", match["extras"] or "").lower()
        versions = ",".join(sorted(re.sub(r"\s", "", match["versions"] or "").split(",")))
        marker = " ".join((match["marker"] or "").replace("'", '"').split())
        words = (name + extras + versions, marker, *(f"--hash={one}" for one in sorted(hashes)))
        lines.add(" ".join(word for word in words if word))
    return tuple(sorted(lines))


def install_wheels(lines: Sequence[str], python: str, target: Path, work: Path) -> None:
    """Put the packages of normalised `lines` into the folder `target`; `work` is for temporary files.

    No code of a package runs: only wheels are taken. Where they come from is pip's configuration on this
    machine. Raises SandboxError, with pip's last words, when a package cannot be had.
    """
    if importlib.util.find_spec("pip") is None:
        message = f"Installing {names_of(lines)} needs pip, which {sys.executable} does not have."
        raise SandboxError(message, f"To install it: {sys.executable} -m ensurepip")
    listing = work / "requirements.txt"
    listing.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--target", str(target)]
    command += ["--only-binary=:all:", "--no-compile", "--no-user", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--requirement", listing.name]
    if any("--hash=" in line for line in lines):
        # A lock names all there is: what it leaves out on purpose has no wheel, or is not needed.
        command += ["--require-hashes", "--no-deps"]
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_PIP}
    environment |= {"TMPDIR": str(work), "PIP_ROOT_USER_ACTION": "ignore"}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(
            f"{names_of(lines)} could not be installed for {python}: {last_words(done.stderr)}",
            "Each package must exist with that version and have a wheel for that Python. Without a network"
            " PIP_FIND_LINKS can name a folder of wheels.",
        )
    _strip(target)
    _compile(python, target)


_NOT_FOR_PIP = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PIP_NO_BINARY",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
)
"""A machine's settings for pip say where packages are; these would move them, or take more than wheels."""


def names_of(lines: Sequence[str]) -> str:
    """The requirements in a few words: `numpy==2.4.6, pandas==3.1.1 and 13 more`."""
    names = [line.split()[0] for line in lines]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def last_words(stderr: str) -> str:
    """What a failed program said at the end, in one line, without pip's warnings."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("WARNING:", "[notice]", "DEPRECATION:"))]
    return " ".join(told[-8:])[-1500:] or "it said nothing."


def _strip(packages: Path) -> None:
    """Remove what no import reads: programs for a shell, manual pages, test suites."""
    needless = [packages / "bin", packages / "share"]
    for name in _LARGELY_TESTS:
        needless += (path for path in (packages / name).rglob("tests") if path.is_dir())
    for path in needless:
        shutil.rmtree(path, ignore_errors=True)


def _compile(python: str, packages: Path) -> None:
    """Write the .pyc files, which a jail cannot write. They hold whatever the times of the sources are."""
    command = [python, "-I", "-m", "compileall", "-q", "-q", "-j", "0"]
    command += ["--invalidation-mode", "unchecked-hash", str(packages)]
    # A file that does not compile is one for another version of Python, which nothing imports.
    subprocess.run(command, check=False, capture_output=True)
