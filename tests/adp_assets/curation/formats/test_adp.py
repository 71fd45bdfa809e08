"""The Agent Data Protocol: its tools' names, its way to tell a price, ids that are unique."""

from __future__ import annotations

from pathlib import Path

from adp_assets.curation.formats.adp import ADP
from tests.adp_assets.curation.episodes import differing, many_sided, reply, turn
from tests.adp_assets.curation.formats.atif_schema import ProtocolDocument
from tests.adp_assets.curation.formats.written import lines, recorded, written
from tests.adp_assets.curation.rows import PYTHON
from tests.adp_assets.tasks import solved


def test_every_episode_is_a_document_of_the_protocol(tmp_path: Path) -> None:
    report = written(ADP, "trajectories", recorded(*differing(), many_sided()), tmp_path)
    assert report.rows == {"train": 7}
    for line in lines(tmp_path / "train.jsonl"):
        ProtocolDocument.model_validate(line)


def test_programs_and_answers_are_calls_of_the_protocols_own_tools(tmp_path: Path) -> None:
    done = {"type": "function", "function": {"name": "complete_task", "parameters": {}}}
    episode = many_sided()
    episode.tools = [PYTHON, done]
    episode.steps[0].cost_usd = 0.5
    written(ADP, "trajectories", recorded(episode), tmp_path)
    (line,) = lines(tmp_path / "train.jsonl")
    names = [tool["function"]["name"] for tool in line["agent"]["tool_definitions"]]
    assert names == ["execute_ipython_cell", "finish"]
    assert line["steps"][2]["tool_calls"][1]["function_name"] == "execute_ipython_cell"
    assert line["steps"][2]["metrics"] == {"prompt_tokens": 0, "completion_tokens": 0, "cost": 0.5}
    (finish,) = line["steps"][-1]["tool_calls"]
    assert finish["arguments"] == {"message": "42", "task_completed": "true"}


def test_calls_that_had_the_same_id_get_ids_of_their_own(tmp_path: Path) -> None:
    again = reply(0, ("shell_executor", '{"command": "ls"}'))
    episode = solved(steps=[*turn(0, again, "a"), *turn(1, dict(again), "b"), *turn(2, dict(again), None)])
    written(ADP, "trajectories", recorded(episode), tmp_path)
    (line,) = lines(tmp_path / "train.jsonl")
    ProtocolDocument.model_validate(line)
    results = [step["observation"]["results"][0] for step in line["steps"] if "observation" in step]
    assert [result["content"] for result in results] == ["a", "b"]
    assert results[0]["source_call_id"] != results[1]["source_call_id"]
