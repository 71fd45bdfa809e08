"""What reading a task file found that keeps nothing from being run, as `adp run` tells it."""

from __future__ import annotations

from adp_assets.intake.task_files import IntakeReport
from adp_service.cli.output import counted, note

SHOWN = 20
LINES = 5


def print_intake_notes(report: IntakeReport) -> None:
    """What is odd about the file's tasks, and how its known ids stand to the pool."""
    name = report.path.name
    for number, reason in report.refused[:SHOWN]:
        note(f"{name}: line {number}: {reason}")
    if len(report.refused) > SHOWN:
        note(f"{name}: {len(report.refused) - SHOWN} more stay as the pool has them.")
    if report.replaced:
        note(f"{name}: the pool takes the file's version of {_some(report.replaced)}.")
    if report.differing:
        lines = _some([f"line {number} ({task_id})" for number, task_id in report.differing])
        differ = "differs" if len(report.differing) == 1 else "differ"
        note(
            f"{name}: {lines} {differ} from what the pool has under that id, and was not taken. "
            "--again runs the file's version, a new task_id makes it another task."
        )
    for said, numbers in list(report.notes.items())[:SHOWN]:
        lines = "line" if len(numbers) == 1 else "lines"
        note(f"{name}: {lines} {_some(list(map(str, numbers)))}: {said}")
    if len(report.notes) > SHOWN:
        note(f"{name}: {len(report.notes) - SHOWN} more such notes.")
    if report.without_verifier:
        note(
            f"{name}: {counted(report.without_verifier, 'task')} without a verifier: what comes of them "
            "stays unverified and enters no dataset."
        )


def _some(what: list[str]) -> str:
    """The first of a list, and how many more there are."""
    more = len(what) - LINES
    return ", ".join(what[:LINES]) + (f" and {more} more" if more > 0 else "")
