"""Problems as verl reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adp_assets.curation.formats.verl import VERL
from adp_assets.curation.shapes.problems import problems
from runtimes.contracts import task_from_json
from tests.adp_assets.curation.episodes import differing
from tests.adp_assets.curation.formats.written import loaded, written
from tests.adp_assets.curation.rows import asked, frame, row
from tests.adp_assets.tasks import solved


def test_a_problem_has_its_prompt_its_verifier_and_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = frame(*(row(each) for each in differing()))
    report = written(VERL, "rl", problems([rows], rows), tmp_path / "data")
    assert report.rows == {"train": 6}
    read = loaded("parquet", tmp_path.rglob("*.parquet"), tmp_path / "cache", monkeypatch)
    first = read[0]
    assert first["data_source"] == "agent-data-platform/numeric"
    assert first["prompt"] == [{"role": "system", "content": "Solve."}, {"role": "user", "content": "Do t0."}]
    assert first["ability"] == "math_algorithms"
    assert first["reward_model"]["style"] == "rule"
    truth = json.loads(first["reward_model"]["ground_truth"])
    assert truth == {"kind": "numeric", "spec": {"expected": 42}}
    assert [each["extra_info"]["index"] for each in read] == list(range(6))
    assert task_from_json(first["extra_info"]["task"]) == asked("t0")
    assert first["extra_info"]["pass_rate"] == 1.0


def test_a_prompt_that_is_more_than_roles_and_texts_is_left_out(tmp_path: Path) -> None:
    named = solved("t", prompt=[{"role": "user", "content": "Do it.", "name": "ann"}])
    rows = frame(row(named))
    report = written(VERL, "rl", problems([rows], rows), tmp_path)
    assert report.left_out == {"a prompt with more than roles and texts": 1}
