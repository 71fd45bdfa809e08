"""A progress bar for a round, read from the journal while the round runs, and why it may stand still."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adp_service.cli.output import console, errors, note
from adp_service.platform import Platform
from runtimes.errors import PlatformError
from runtimes.llm import outage

POLL_SECONDS = 0.5


@contextmanager
def round_progress(platform: Platform, name: str) -> Iterator[None]:
    """Show how many of the round's episodes are done for as long as the block runs."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}"),
        refresh_per_second=4,
        console=console,
    )
    shown = bar.add_task(name, total=None, said="planning")
    over = threading.Event()

    def follow() -> None:
        last = False
        while not last:
            last = over.wait(POLL_SECONDS)
            try:
                total, done, said = _state(platform, name)
            except PlatformError:
                continue
            bar.update(shown, total=total, completed=done, said="done" if last else said)

    thread = threading.Thread(target=follow, name="round-progress", daemon=True)
    with bar, _outages_told():
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class _Notes(logging.Handler):
    """Shows each record as a note: above the bar in a terminal, else with all other complaints."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage(), console if console.is_terminal else errors)


@contextmanager
def _outages_told() -> Iterator[None]:
    notes = _Notes()
    outage.log.addHandler(notes)
    try:
        yield
    finally:
        outage.log.removeHandler(notes)


def _state(platform: Platform, name: str) -> tuple[int | None, int, str]:
    """Episodes to run, or solved ones to accept; how many are; and what is going on."""
    planned = platform.rounds.get(name)
    if planned is None:
        return None, 0, "planning"
    if acceptance := platform.journal.acceptance(name):
        said = "accepted" if acceptance.missing else "essences, new tasks, dataset"
        return acceptance.target, acceptance.accepted, said
    counts = platform.rounds.task_counts(name)
    outcomes = platform.journal.outcomes(name)
    total, done = sum(counts.values()) * planned.samples, sum(outcomes.values())
    if done >= total:
        return total, done, "essences, new tasks, dataset"
    finished = {kind: sum(n for (k, _), n in outcomes.items() if k == kind) for kind in counts}
    waiting = [kind for kind, count in counts.items() if finished[kind] < count * planned.samples]
    return total, done, f"{waiting[0]} tasks" if waiting else ""
