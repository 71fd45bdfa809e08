"""`adp import trajectories`: what a round has is neither lost nor judged anew by what is taken in later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adp_resources.database import Database
from adp_resources.journal import Journal
from runtimes.contracts import Trajectory
from tests.adp_service.command import Ended, adp, line, project

QUESTION = "What is 6 times 7? Say a number."


def chats(path: Path, *replies: str, **message: Any) -> Path:
    """Chat lines that reply to one question, so that they are samples of one task."""
    question = {"role": "user", "content": QUESTION}
    records = [
        {"messages": [question, {"role": "assistant", "content": each, **message}]} for each in replies
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def taken_in(path: Path) -> Ended:
    ended = adp(path.parent, "import", "trajectories", path.name, "-d", "bench")
    assert ended.code == 0, ended.said
    return ended


def kept(folder: Path) -> list[Trajectory]:
    """What the round has, by sample."""
    database = Database(f"sqlite:///{folder}/output/adp.sqlite")
    return list(Journal(database, folder / "output" / "trajectories").read_round("import-bench"))


def with_verifier(path: Path) -> None:
    """A task file that has the round's task, and says what its answer is."""
    verifier = {"kind": "numeric", "spec": {"expected": 42}}
    path.write_text(line(kept(path.parent)[0].task_id, description=QUESTION, verifier=verifier))


def replies(folder: Path) -> list[str]:
    return [str(each.messages()[-1]["content"]) for each in kept(folder)]


def test_another_file_of_the_same_tasks_adds_its_episodes(tmp_path: Path) -> None:
    folder = project(tmp_path)
    first = taken_in(chats(folder / "a.jsonl", "It is 42.", "42, I think."))
    assert "2 episodes taken in." in first.output
    second = taken_in(chats(folder / "b.jsonl", "42, I think.", "I say 41."))
    assert "1 episode taken in, 1 was known." in second.output
    assert replies(folder) == ["It is 42.", "42, I think.", "I say 41."]
    assert [each.sample for each in kept(folder)] == [0, 1, 2]


def test_a_call_that_no_template_could_render_is_known_again(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "[6, 7"}}
    path = chats(project(tmp_path) / "a.jsonl", "", tool_calls=[call])
    taken_in(path)
    assert "0 episodes taken in, 1 was known." in taken_in(path).output


def test_the_same_file_again_leaves_the_verdicts_alone(tmp_path: Path) -> None:
    folder = project(tmp_path)
    taken_in(chats(folder / "a.jsonl", "It is 41.", "42"))
    with_verifier(folder / "verified.jsonl")
    regraded = adp(folder, "regrade", "import-bench", "--tasks", "verified.jsonl")
    assert regraded.code == 0, regraded.said
    judged = kept(folder)
    assert "unverified" not in {each.outcome for each in judged}

    assert "0 episodes taken in, 2 were known." in taken_in(folder / "a.jsonl").output
    assert kept(folder) == judged


def test_a_task_file_may_change_an_imported_rounds_tasks(tmp_path: Path) -> None:
    folder = project(tmp_path, TEACHER_ERROR_RATE=0, MAX_SUCCESS_RATE=1)
    taken_in(chats(folder / "a.jsonl", "It is 42."))
    with_verifier(folder / "verified.jsonl")
    ran = adp(folder, "run", "verified.jsonl", "--again", "--model", "builtin")
    assert ran.code == 0, ran.said
    assert "is not finished" not in ran.said


def test_a_file_without_any_trajectory_makes_no_round(tmp_path: Path) -> None:
    folder = project(tmp_path)
    (folder / "none.jsonl").write_text('{"messages": []}\n')
    ended = adp(folder, "import", "trajectories", "none.jsonl", "-d", "bench")
    assert ended.code == 1
    assert "No record of none.jsonl became a trajectory." in ended.said
    assert "import-bench" not in adp(folder, "status").output


def test_the_file_of_a_task_that_another_round_ran_stays(tmp_path: Path) -> None:
    """The task of a file may be one of our own, as when an export is taken in again."""
    folder = project(tmp_path)
    taken_in(chats(folder / "a.jsonl", "It is 42."))
    (path,) = (folder / "output" / "trajectories").glob("*.json")
    before = path.read_bytes()
    again = adp(
        folder, "import", "trajectories", "a.jsonl", "-d", "bench", "--round", "import-of_another_round"
    )
    assert again.code == 0, again.said
    assert path.read_bytes() == before
