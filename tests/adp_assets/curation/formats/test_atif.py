"""ATIF: every episode a document that the specification's models take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adp_assets.curation.formats.atif import ATIF
from runtimes.contracts import Trajectory
from tests.adp_assets.curation.episodes import differing, many_sided, reply, turn
from tests.adp_assets.curation.formats.atif_schema import Document
from tests.adp_assets.curation.formats.written import has_null, lines, recorded, written
from tests.adp_assets.curation.rows import PYTHON
from tests.adp_assets.tasks import solved, step


def document(trajectory: Trajectory, folder: Path) -> dict[str, Any]:
    report = written(ATIF, "trajectories", recorded(trajectory), folder)
    assert report.left_out == {}
    (line,) = lines(folder / "train.jsonl")
    Document.model_validate(line)
    return line


@pytest.mark.parametrize("trajectory", [*differing(4), many_sided(), solved()])
def test_every_episode_is_a_document_of_the_specification(trajectory: Trajectory, tmp_path: Path) -> None:
    document(trajectory, tmp_path)


def test_a_reply_has_its_calls_its_results_its_reasoning_and_what_it_cost(tmp_path: Path) -> None:
    episode = many_sided()
    episode.steps[0].prompt_tokens, episode.steps[0].cost_usd = 70, 0.25
    episode.steps[0].timestamp = 1_760_000_000.5
    line = document(episode, tmp_path)
    assert [each["source"] for each in line["steps"]] == ["system", "user", "agent", "agent", "user", "agent"]
    first = line["steps"][2]
    assert first["message"] == "先看两个结果"
    assert first["reasoning_content"] == "Two at once.\nThen on."
    assert first["timestamp"] == "2025-10-09T08:53:20.500000+00:00"
    assert first["metrics"] == {"prompt_tokens": 70, "completion_tokens": 0, "cost_usd": 0.25}
    assert first["tool_calls"][0]["arguments"]["deep"] == {"a": [1, 2.5, None]}
    assert first["tool_calls"][0]["extra"] == {"success": True, "duration": 0.0}
    assert first["observation"]["results"] == [
        {"source_call_id": "c0_0", "content": "status: ok\n</tool_call>"},
        {"source_call_id": "c0_1", "content": ""},
    ]
    assert line["agent"]["tool_definitions"] == [PYTHON]
    assert line["final_metrics"]["total_cost_usd"] == 0.25


def test_the_verdict_and_the_task_are_told_and_how_it_was_verified_is_not(tmp_path: Path) -> None:
    extra = document(solved(error_type=None), tmp_path)["extra"]
    assert (extra["outcome"], extra["reward"], extra["verifier"]) == ("solved", 1.0, "numeric")
    assert extra["task"]["description"] == "Write the function of t."
    told = {"task_id", "task_type", "description", "expected_tools", "constraints", "root_id"}
    assert extra["task"].keys() == told
    assert not has_null(extra)


def test_examples_of_replies_in_a_prompt_are_marked_as_copied(tmp_path: Path) -> None:
    example = [
        reply(9, ("f", "{}")),
        {"role": "tool", "tool_call_id": "c9_0", "content": "shown"},
        {"role": "user", "content": "Now you."},
    ]
    line = document(solved(prompt=[{"role": "user", "content": "Like so."}, *example]), tmp_path)
    assert [each.get("is_copied_context", False) for each in line["steps"]] == [False, True, *[False] * 3]
    assert line["steps"][1]["observation"]["results"][0]["content"] == "shown"


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([step(1, "f", "{not json", "error")], "a call whose arguments are no JSON"),
        ([step(1, "f", "[1]", "error")], "a call without a name, or whose arguments are no object"),
        ([], "no reply of a model is recorded"),
    ],
)
def test_what_the_format_cannot_hold_is_left_out_and_counted(
    steps: list[Any], reason: str, tmp_path: Path
) -> None:
    odd = recorded(*differing(1))[0]
    odd.trajectory.steps = steps
    report = written(ATIF, "trajectories", [odd, *recorded(solved("good"))], tmp_path)
    assert report.left_out == {reason: 1}
    assert report.rows == {"train": 1}


def test_what_the_last_reply_came_to_is_in_the_document(tmp_path: Path) -> None:
    ended = solved(steps=turn(0, reply(0, ("complete_task", "{}")), "The answer was taken."))
    line = document(ended, tmp_path)
    assert line["steps"][-1]["observation"]["results"][0]["content"] == "The answer was taken."
