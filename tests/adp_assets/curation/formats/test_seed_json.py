"""What the platform reads again: trajectories as its own files, and their tasks as a task file."""

from __future__ import annotations

from pathlib import Path

from adp_assets.curation.formats.seed_json import SEED_JSON
from runtimes.contracts import task_from_json, trajectory_from_json
from tests.adp_assets.curation.episodes import many_sided
from tests.adp_assets.curation.formats.written import recorded, written
from tests.adp_assets.curation.rows import asked
from tests.adp_assets.tasks import solved


def test_trajectories_read_back_as_they_were_and_each_tasks_samples_lie_together(tmp_path: Path) -> None:
    episodes = [solved("a"), solved("a", "43", sample=5), many_sided("b")]
    written(SEED_JSON, "trajectories", recorded(*episodes), tmp_path)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")}
    assert names == {
        "train/trajectories/a.json",
        "train/trajectories/a.samples/1.json",
        "train/trajectories/b.json",
    }
    assert trajectory_from_json((tmp_path / "train" / "trajectories" / "b.json").read_bytes()) == episodes[2]
    assert (
        trajectory_from_json((tmp_path / "train/trajectories/a.samples/1.json").read_bytes()) == episodes[1]
    )


def test_the_task_file_has_each_task_once_with_its_verifier_and_lineage(tmp_path: Path) -> None:
    written(SEED_JSON, "trajectories", recorded(solved("a"), solved("a", "43"), solved("b")), tmp_path)
    lines = (tmp_path / "train" / "tasks.jsonl").read_text("utf-8").splitlines()
    assert [task_from_json(line) for line in lines] == [asked("a"), asked("b")]
    assert task_from_json(lines[0]).verifier == asked("a").verifier
