"""Which tasks `adp forget` erases, by id, source or user, and in which order all that they left goes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import msgspec
import sqlalchemy as sa

from adp_assets.curation.release.releases import Held, holders
from adp_resources.erasure import Erasure
from adp_resources.tables import candidates, pool_tasks
from adp_service.driver import being_run, bury_dead_runs, refuse_if_run, with_dataset
from adp_service.platform import Platform
from adp_service.regrading import renew
from runtimes.contracts import Lineage
from runtimes.errors import ConfigurationError

NAMED = 5
"""Names in a message that helps."""


class _About(msgspec.Struct):
    """What a task's specification says of where it is from."""

    lineage: Lineage = Lineage()
    metadata: dict[str, object] = {}

    @property
    def sources(self) -> set[str]:
        source = self.lineage.source
        named = {source, PurePath(source).name, str(self.metadata.get("dataset") or "")}
        return named - {""}

    @property
    def user(self) -> str:
        return str(self.metadata.get("user_id") or "")


@dataclass(frozen=True)
class Forgetting:
    """What is to go, as it stands now.

    `tasks` are those asked for, `descendants` those made from them, which go as well where `whole`; `rounds`
    are those that have, tried or made one of what goes, and `releases` what holds rows of it.
    """

    tasks: list[str]
    descendants: list[str]
    whole: bool
    counts: dict[str, int]
    rounds: list[str]
    releases: dict[str, Held]

    @property
    def goes(self) -> list[str]:
        return [*self.tasks, *(self.descendants if self.whole else [])]


class KnownTasks:
    """All tasks that the pool or the table of candidates has, and where each is from."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known = dict(_known(platform))

    def of_ids(self, ids: Iterable[str]) -> list[str]:
        """These. Raises ConfigurationError for one that nobody knows."""
        chosen = list(dict.fromkeys(ids))
        for task_id in chosen:
            if task_id not in self._known:
                like = [name for name in self._known if task_id in name][:NAMED]
                raise ConfigurationError(
                    f"There is no task {task_id}.", f"Tasks like it: {', '.join(like) or 'none'}."
                )
        return chosen

    def of_source(self, source: str) -> list[str]:
        """The tasks of a task file or a data set. Raises ConfigurationError for none."""
        names = {source, str(self._platform.settings.path(source))}
        chosen = [task_id for task_id, about in self._known.items() if about.sources & names]
        sources = sorted({name for about in self._known.values() for name in about.sources})
        return _some(chosen, f"No task is of the source {source}.", f"Sources: {_first(sources)}.")

    def of_user(self, user: str) -> list[str]:
        """A user's tasks. Raises ConfigurationError for none."""
        chosen = [task_id for task_id, about in self._known.items() if about.user == user]
        users = sorted({about.user for about in self._known.values()} - {""})
        return _some(chosen, f"No task is the user {user}'s.", f"Users with tasks: {_first(users)}.")

    def descendants(self, chosen: Iterable[str]) -> list[str]:
        """What was made from these, from what was made from them, and so on; without these."""
        roots = set(chosen)
        children: dict[str, set[str]] = {}
        for task_id, about in self._known.items():
            for parent in {*about.lineage.parents, about.lineage.root_id}:
                children.setdefault(parent, set()).add(task_id)
        found, left = set(roots), list(roots)
        while left:
            new = children.get(left.pop(), set()) - found
            found |= new
            left += new
        return sorted(found - roots)


def planned(platform: Platform, tasks: list[str], known: KnownTasks, *, whole: bool) -> Forgetting:
    """What forgetting these tasks takes; with `whole` all that was made from them goes, too.

    Raises ConfigurationError where a round or release that holds them is being made.
    """
    descendants = known.descendants(tasks)
    goes = [*tasks, *(descendants if whole else [])]
    erasure = Erasure(platform.database, platform.settings.output, goes)
    rounds = erasure.rounds()
    bury_dead_runs(platform)
    busy = being_run(platform)
    for name in rounds:
        refuse_if_run(name, busy)
    if making := sorted(busy & set(platform.instance.get_dynamic_partitions("releases"))):
        raise ConfigurationError(f"Release {making[0]} is being made, and may take them.", "Wait for it.")
    held = holders(platform.settings.output, goes)
    return Forgetting(tasks, descendants, whole, erasure.counts(), rounds, held)


def forget(platform: Platform, what: Forgetting) -> dict[str, str]:
    """Erase it; why datasets could not be made anew, by round. Those are removed all the same.

    Killed at any moment, it is planned and done again: the tasks themselves go last, and with them what
    leads to the rest.
    """
    erasure = Erasure(platform.database, platform.settings.output, what.goes)
    erasure.hide()
    erasure.erase_files()
    erasure.erase_rows_of_assets()
    erasure.erase_episodes()
    failures = renew(platform, what.rounds)
    made = with_dataset(platform)
    for name in what.rounds:
        if name in failures or name not in made:  # a folder of which Dagster knows nothing
            shutil.rmtree(platform.settings.output / "datasets" / name, ignore_errors=True)
    erasure.erase_tasks()
    return failures


def _known(platform: Platform) -> Iterator[tuple[str, _About]]:
    """A candidate that was accepted is the pool's task of its id."""
    decoder = msgspec.json.Decoder(_About)
    with platform.database.read() as connection:
        for table in (candidates, pool_tasks):
            columns = [table.c.task_id, sa.cast(table.c.spec, sa.Text).label("spec")]
            if table is candidates:
                columns += [sa.cast(table.c.parents, sa.Text).label("parents"), table.c.parent_id]
            for row in connection.execute(sa.select(*columns).execution_options(yield_per=10_000)):
                about = decoder.decode(row.spec) if row.spec not in (None, "null") else _About()
                if table is candidates:
                    about = _with_parents(about, row)
                yield row.task_id, about


def _with_parents(about: _About, row: sa.Row[tuple[str, ...]]) -> _About:
    """A candidate may have been refused before it was a whole task; its parents are known by its row."""
    parents = {*about.lineage.parents, *msgspec.json.decode(row.parents or "[]"), row.parent_id}
    lineage = msgspec.structs.replace(about.lineage, parents=tuple(sorted(parents - {""})))
    return msgspec.structs.replace(about, lineage=lineage)


def _some(chosen: list[str], message: str, remedy: str) -> list[str]:
    if not chosen:
        raise ConfigurationError(message, remedy)
    return sorted(chosen)


def _first(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "none") + more


def as_plain(what: Forgetting) -> Mapping[str, object]:
    """For programs."""
    return {
        "tasks": what.tasks,
        "descendants": what.descendants,
        "descendants_go": what.whole,
        "counts": what.counts,
        "rounds": what.rounds,
        "releases": {
            name: {"folder": str(held.folder), "rows": held.rows, "left_out": held.left_out}
            for name, held in what.releases.items()
        },
    }
