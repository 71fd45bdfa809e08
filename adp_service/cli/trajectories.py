"""Finding the trajectory that a person named."""

from __future__ import annotations

from pathlib import Path

import msgspec

from adp_service.platform import Platform
from runtimes.contracts import Trajectory, trajectory_from_json
from runtimes.errors import ConfigurationError

NAMES = "A task's id (its newest trajectory), ROUND/TASK/SAMPLE, or a JSON file."
"""What `find_trajectory` takes, as a command's help says it."""

SHOWN = 5
"""The most trajectories that a message names."""


def find_trajectory(platform: Platform, name: str, sample: int | None = None) -> Trajectory:
    """The trajectory of a file, of ROUND/TASK/SAMPLE or of a task's id, `sample` saying which of the task's.

    Raises ConfigurationError saying what is wrong with the name or the file.
    """
    path = Path(name)
    if path.is_file():
        return _read(path)
    if path.suffix == ".json":
        raise ConfigurationError(f"There is no file {path}.", "See output/trajectories, or name a task's id.")
    parts = name.split("/")
    if len(parts) == 3 and parts[2].isdigit():
        found = platform.journal.find(parts[1], parts[0], int(parts[2]))
    else:
        found = platform.journal.find(name, sample=sample)
    if found is None and path.is_dir():
        raise _is_folder(path)
    if found is None:
        near = platform.journal.task_ids_like(name) or platform.journal.task_ids_like("")
        remedy = (
            f"Tasks with trajectories: {', '.join(near)}." if near else "Run some tasks first: adp run FILE."
        )
        which = name if sample is None else f"{name}, sample {sample}"
        raise ConfigurationError(f"There is no trajectory {which!r}.", remedy)
    return found


def _is_folder(path: Path) -> ConfigurationError:
    """The error that names what a person may have meant by a folder."""
    inside = sorted(file for file in path.iterdir() if file.suffix == ".json")
    shown = ", ".join(map(str, inside[:SHOWN]))
    more = f" and {len(inside) - SHOWN} more" if len(inside) > SHOWN else ""
    remedy = (
        f"Name one of those in it: {shown}{more}." if inside else "It holds none; see output/trajectories."
    )
    return ConfigurationError(f"{path} is a folder, not a trajectory.", remedy)


def _read(path: Path) -> Trajectory:
    remedy = "Name a file of output/trajectories, or a task's id."
    try:
        return trajectory_from_json(path.read_bytes())
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path} is no trajectory: {error}.", remedy) from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{path} is no whole JSON file: {error}.", remedy) from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", remedy) from error
