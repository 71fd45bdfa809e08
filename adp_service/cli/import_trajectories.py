"""`adp import trajectories`: episodes that others recorded, as a round that datasets can be made of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from adp_assets.curation.readers import READERS, read_trajectories
from adp_assets.curation.readers.records import Rejected
from adp_assets.curation.render import conversation_hash
from adp_resources.files import replacing
from adp_service.cli.imports import MOST_COMPLAINTS, Licence, Limit, stem
from adp_service.cli.output import complain, console, counted, fields, shown_path
from adp_service.driver import bury_dead_runs, show_imported
from adp_service.platform import Platform
from runtimes.contracts import TaskSpec, Trajectory
from runtimes.errors import ConfigurationError

AT_ONCE = 200
"""Trajectories whose tasks are put into the pool together."""


def import_trajectories(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file, or a folder of files.")],
    format: Annotated[
        str, typer.Option("--format", "-f", help=f"{', '.join(READERS)}. Default: as the file's keys tell.")
    ] = "",
    task_type: Annotated[
        str, typer.Option("--type", "-t", help="The type of tasks that the file says none of.")
    ] = "reasoning",
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Its name. Default: the file's.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--round", "-r", help="The round. Default: import- and the data set's name.")
    ] = None,
    limit: Limit = None,
    licence: Licence = None,
) -> None:
    """Take recorded trajectories in as a round, so that they can be filtered, deduplicated and released.

    Nobody verified them here: a release takes them with `--set unverified=true`, or after `adp regrade` by
    verifiers that a task file gives their tasks. A conversation that the round has of a task is known: it is
    left as it is, with its verdict, so that taking the same file in again changes nothing.

    Example: `adp import trajectories harbor_runs/ --format atif --type code --licence MIT`
    """
    dataset = dataset or stem(path)
    round = name or _round_of(dataset)
    platform = Platform({})
    bury_dead_runs(platform)
    rejects = platform.settings.output / "rejected" / f"{round}.jsonl"
    stored = _Stored(platform, round)
    rejected = _take_in(stored, rejects, path, format, task_type, dataset, licence, limit)
    kept = f" Rejected records are kept in {shown_path(rejects)}." if rejected else ""
    if not stored.new + stored.known:
        raise ConfigurationError(f"No record of {path} became a trajectory.", f"Mend what is named.{kept}")
    ran = show_imported(platform, round)
    if not ran.ok:
        raise ConfigurationError(f"The round {round} could not be shown: {ran.failure}", "Import it again.")
    known = f", {stored.known:,} {'was' if stored.known == 1 else 'were'} known" if stored.known else ""
    console.print(f"{counted(stored.new, 'episode')} taken in{known}.{kept}")
    fields({"round": round, "release them": f"adp export --round {round} --set unverified=true"})


def _round_of(dataset: str) -> str:
    return f"import-{re.sub(r'[^a-zA-Z0-9_.-]+', '-', dataset).strip('-.') or 'trajectories'}"


class _Stored:
    """The episodes of a round, to which others are added; `new` and `known` count what came."""

    def __init__(self, platform: Platform, round: str) -> None:
        self._platform = platform
        self._round = round
        self._samples: dict[str, dict[str, int]] = {}
        self.new = self.known = 0

    def add(self, part: list[tuple[TaskSpec, Trajectory]]) -> None:
        """Keep those whose conversation the round has not of their task, each as that task's next sample."""
        if not part:
            return
        added = [placed for _, each in part if (placed := self._placed(each))]
        self.new += len(added)
        self.known += len(part) - len(added)
        tasks = {task.task_id: task for task, _ in part}
        samples = 1 + max((each.sample for each in added), default=-1)
        self._platform.rounds.take_in(self._round, list(tasks.values()), samples)
        for trajectory in added:
            self._platform.journal.take_in(trajectory)

    def _placed(self, trajectory: Trajectory) -> Trajectory | None:
        """The trajectory as its task's next sample in the round; None where its conversation is known."""
        task_id = trajectory.task_id
        if task_id not in self._samples:
            stored = self._platform.journal.samples(self._round, task_id)
            self._samples[task_id] = {conversation_hash(each): each.sample for each in stored}
        samples, conversation = self._samples[task_id], conversation_hash(trajectory)
        if conversation in samples:
            return None
        samples[conversation] = 1 + max(samples.values(), default=-1)
        return msgspec.structs.replace(trajectory, round=self._round, sample=samples[conversation])


def _take_in(
    stored: _Stored,
    rejects: Path,
    path: Path,
    format: str,
    task_type: str,
    dataset: str,
    licence: str | None,
    limit: int | None,
) -> int:
    """Add a file's trajectories to what is stored; gives how many records became none."""
    read = rejected = 0
    part: list[tuple[TaskSpec, Trajectory]] = []
    with replacing(rejects) as temporary, temporary.open("wb") as file:
        found = read_trajectories(path, format, task_type=task_type, dataset=dataset, licence=licence)
        for each in found:
            if isinstance(each, Rejected):
                rejected += 1
                if rejected <= MOST_COMPLAINTS:
                    complain(f"{each.file}:{each.row}: {each.reason}")
                row = {"file": str(each.file), "row": each.row, "reason": each.reason}
                file.write(msgspec.json.encode({**row, "content": each.content}) + b"\n")
                continue
            part.append(each)
            read += 1
            if len(part) >= AT_ONCE:
                stored.add(part)
                part = []
            if limit is not None and read >= limit:
                break
        stored.add(part)
    if not rejected:
        rejects.unlink()
    return rejected
