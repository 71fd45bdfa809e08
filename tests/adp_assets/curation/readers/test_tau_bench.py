"""tau-bench's dialogues: their words as they are, and calls that nobody wrote down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adp_assets.curation.readers import read_trajectories
from adp_assets.curation.render import Untrainable, training_messages
from runtimes.contracts import Trajectory
from tests.adp_assets.curation.decontamination.sets import DATA


def read(path: Path) -> list[Trajectory]:
    return [each[1] for each in read_trajectories(path) if isinstance(each, tuple) or pytest.fail(str(each))]


def dialogue(folder: Path, text: str) -> Trajectory:
    path = folder / "retail.jsonl"
    path.write_text(json.dumps({"messages_display": text}) + "\n", "utf-8")
    (found,) = read(path)
    return found


def test_a_dialogue_is_read_line_by_line_with_its_paragraphs(tmp_path: Path) -> None:
    text = "user: Two things:\n\n1. this\n2. that\nassistant: First this.\nuser: Yes.\nassistant: Done."
    assert dialogue(tmp_path, text).messages() == [
        {"role": "user", "content": "Two things:\n\n1. this\n2. that"},
        {"role": "assistant", "content": "First this."},
        {"role": "user", "content": "Yes."},
        {"role": "assistant", "content": "Done."},
    ]


def test_a_call_that_was_not_written_down_keeps_the_dialogue_from_training(tmp_path: Path) -> None:
    found = dialogue(tmp_path, "user: My balance?\nassistant: None\ntool: $60\nassistant: It is $60.")
    _, call, result, answer = found.messages()
    assert (call["content"], result["content"], answer["content"]) == (None, "$60", "It is $60.")
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    with pytest.raises(Untrainable, match="without a tool's name"):
        training_messages(found)


def test_a_dialogue_without_calls_can_be_trained_on(tmp_path: Path) -> None:
    found = dialogue(tmp_path, "user: Hi.\nassistant: Hello.\nuser: Bye. ###STOP###")
    assert [message["role"] for message in training_messages(found)] == ["user", "assistant"]
    assert found.steps[-1].observation == "Bye. ###STOP###"


PUBLISHED = DATA / "tau_retail_few_shot.jsonl"


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"no {PUBLISHED}: set ADP_TEST_DATA to its folder")
def test_every_dialogue_of_the_published_file_is_read() -> None:
    found = read(PUBLISHED)
    assert len(found) == 69
    texts = [json.loads(line)["messages_display"] for line in PUBLISHED.read_text("utf-8").splitlines()]
    for trajectory, text in zip(found, texts, strict=True):
        assert trajectory.outcome == "unverified"
        assert all(str(message["content"]) in text for message in trajectory.messages())
