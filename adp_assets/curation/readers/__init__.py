"""Trajectories from elsewhere: other people's files become tasks and trajectories that can be curated.

They were verified by nobody here: each is `unverified`, and what its file says of reward or success is kept
in the trajectory's `metadata.imported`. To count as solved it has to be graded again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from adp_assets.curation.readers import atif, openai_jsonl, sharegpt, tau_bench
from adp_assets.curation.readers.conversation import BadRecord, Conversation, recorded
from adp_assets.curation.readers.records import Record, Rejected, read_records
from adp_assets.intake.importers.seeds import Origin
from runtimes.contracts import TaskSpec, Trajectory
from runtimes.errors import ConfigurationError, InvalidTask

READERS: dict[str, Callable[[Record], Conversation]] = {
    "atif": atif.conversation,
    "sharegpt": sharegpt.conversation,
    "openai-jsonl": openai_jsonl.conversation,
    "tau-bench": tau_bench.conversation,
}
_KEYS = {
    "schema_version": "atif",
    "conversations": "sharegpt",
    "messages": "openai-jsonl",
    "messages_display": "tau-bench",
}
"""The key that a record of each format has, and those of no other."""


def read_trajectories(
    path: Path,
    format: str = "",
    *,
    task_type: str = "reasoning",
    dataset: str = "",
    licence: str | None = None,
) -> Iterator[tuple[TaskSpec, Trajectory] | Rejected]:
    """The trajectories of a file, or of a folder's files, streaming; a bad record does not stop the rest.

    Without a format it is found from each file's first record. `task_type` is that of tasks of which the file
    says none, `dataset` the name they are known by (the file's, if empty). Records of the same task are its
    samples. Raises ConfigurationError for what cannot be read, or an unknown format.
    """
    if format and format not in READERS:
        raise ConfigurationError(f"There is no reader {format!r}.", f"Known: {', '.join(READERS)}.")
    origin = Origin.of(dataset or path.stem, path.name, licence)
    found: dict[Path, str] = {}
    samples: Counter[str] = Counter()
    for record in read_records(path):
        if isinstance(record, Rejected):
            yield record
            continue
        if record.file not in found:
            found[record.file] = format or _told_by(record)
        name = found[record.file]
        if not name and path.is_file():
            raise ConfigurationError(
                f"What format {path} is in cannot be told: {_keys_of(record)}.",
                f"Name it: {', '.join(READERS)}.",
            )
        if not name:
            yield record.rejected(f"what format it is in cannot be told: {_keys_of(record)}.")
            continue
        try:
            task, trajectory = recorded(READERS[name](record), record, origin, name, task_type)
        except (BadRecord, InvalidTask, msgspec.MsgspecError) as error:
            yield record.rejected(str(error))
            continue
        trajectory.sample = samples[task.task_id]
        samples[task.task_id] += 1
        yield task, trajectory


def _told_by(record: Record) -> str:
    """The format that a record's keys tell, or nothing."""
    names = {name for key, name in _KEYS.items() if key in record.value}
    return names.pop() if len(names) == 1 else ""


def _keys_of(record: Record) -> str:
    return f"the keys of its first record are {', '.join(list(record.value)[:12]) or 'none'}"
