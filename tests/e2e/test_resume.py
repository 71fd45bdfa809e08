"""A round whose process is killed: what was finished stays, what was not is run, nothing twice."""

from __future__ import annotations

from tests.e2e.conftest import MakeProject
from tests.e2e.held_model import HeldModel
from tests.e2e.project import Project
from tests.e2e.waiting import until

TASKS = [f"killed-{number}" for number in range(8)]
FINISHED, HELD = TASKS[:5], TASKS[5:]


def test_a_killed_round_goes_on_where_it_was(make_project: MakeProject, model: HeldModel) -> None:
    project = make_project(MAX_CONCURRENT=8)
    file = project.write_tasks("killed.jsonl", TASKS)
    model.hold(*HELD)
    with project.start_adp("run", file) as process:
        try:
            until(lambda: model.waiting == set(HELD), "the held episodes")
            until(lambda: len(project.episodes("round-0001")) == len(FINISHED), "the finished episodes")
            assert state(project) == "started"
        finally:
            process.kill()
        assert state(project) == "interrupted"  # killed, and nobody has taken notice of its end yet
    assert state(project) == "interrupted"
    before = project.episodes("round-0001")
    model.release()

    said = project.adp("run")  # without a file, of which the dead process may have been the last to know

    after = project.episodes("round-0001")
    assert "Round round-0001 was interrupted" in said
    assert {task_id: row.outcome for task_id, row in after.items()} == dict.fromkeys(TASKS, "solved")
    assert {task_id: after[task_id] for task_id in FINISHED} == before
    assert [model.requests[task_id] for task_id in FINISHED] == [2] * len(FINISHED)
    assert [model.requests[task_id] for task_id in HELD] == [3] * len(HELD), "the first reply was paid for"
    assert project.frame("code_trajectories", "round-0001")["task_id"].to_list() == TASKS
    assert sorted(path.stem for path in project.folder.glob("output/trajectories/*.json")) == TASKS
    assert state(project) == "complete"
    assert project.adp("run", file).startswith("Nothing to do")


def state(project: Project) -> str:
    """What `adp status` says of the one round there is."""
    (line,) = [text for text in project.adp("status").splitlines() if text.startswith("round-0001")]
    return line.split()[-1]
