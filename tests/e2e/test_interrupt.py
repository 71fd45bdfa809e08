"""Ctrl-C in the middle of a round of several types: all of it stops, and it can be gone on with."""

from __future__ import annotations

import signal

from tests.e2e.conftest import MakeProject
from tests.e2e.held_model import HeldModel
from tests.e2e.waiting import until

CODE, LATER = ["first-0", "first-1"], ["later-0", "later-1"]


def test_an_interrupt_stops_the_whole_round_not_only_the_step_it_hits(
    make_project: MakeProject, model: HeldModel
) -> None:
    project = make_project()
    file = project.write_tasks("tasks.jsonl", CODE)
    project.write_tasks("tasks.jsonl", LATER, task_type="reasoning")
    model.hold(*CODE)
    with project.start_adp("run", file) as process:
        try:
            until(lambda: model.waiting == set(CODE), "the held episodes")
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "round-0001 was stopped" in said
    assert project.episodes("round-0001") == {}
    assert not any(model.requests[task_id] for task_id in LATER)
    assert "canceled" in project.adp("status")
    model.release()

    project.adp("run", file)

    outcomes = {task_id: row.outcome for task_id, row in project.episodes("round-0001").items()}
    assert outcomes == dict.fromkeys([*CODE, *LATER], "solved")
