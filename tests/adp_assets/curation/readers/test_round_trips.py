"""What is written and read again says the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adp_assets.curation.examples import Shape
from adp_assets.curation.readers import read_trajectories
from adp_assets.curation.render import training_messages
from runtimes.contracts import Message, TaskSpec, Trajectory
from tests.adp_assets.curation.episodes import differing, many_sided, reply, turn
from tests.adp_assets.curation.formats.written import named, recorded, whole, written
from tests.adp_assets.tasks import solved


def read(path: Path, format: str = "") -> list[tuple[TaskSpec, Trajectory]]:
    """What a file holds, which is to have no bad record."""
    return [
        each for each in read_trajectories(path, format) if isinstance(each, tuple) or pytest.fail(str(each))
    ]


def silent(episode: Trajectory) -> Trajectory:
    for step in episode.steps:
        (step.message or {}).pop("reasoning_content", None)
    return episode


def unnamed(messages: list[Message]) -> list[Message]:
    """Messages with the ids of their calls in the order they come, for formats that have no ids."""
    text = msgspec.json.encode(messages).decode()
    ids = dict.fromkeys(re.findall(r'"id":"([^"]*)"', text))
    for number, each in enumerate(ids):
        text = text.replace(f'id":"{each}"', f'id":"call {number}"')
    renamed: list[Message] = msgspec.json.decode(text)
    return renamed


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("atif", "trajectories"),
        ("openai-jsonl", "sft"),
        ("sharegpt", "sft"),
        ("hf", "sft"),
        ("struct", "sft"),
    ],
)
def test_a_conversation_comes_back_message_by_message(name: str, shape: Shape, tmp_path: Path) -> None:
    episodes = [
        solved("untooled", tools=[], steps=turn(0, reply(0, content="42"), None)),
        *differing(),
        many_sided(),
    ]
    if name == "openai-jsonl":  # which has no place for reasoning
        episodes = [silent(episode) for episode in episodes]
    made: Any = recorded(*episodes) if shape == "trajectories" else whole(*episodes)
    report = written(named(name), shape, made, tmp_path)
    assert report.left_out == {}
    back = [trajectory for _, trajectory in read(tmp_path)]
    for original, again in zip(episodes, back, strict=True):
        wanted, found = training_messages(original), training_messages(again)
        assert (unnamed(found) if name == "sharegpt" else found) == (
            unnamed(wanted) if name == "sharegpt" else wanted
        )
        assert again.tools == original.tools


def test_the_files_word_for_its_worth_is_kept_and_not_believed(tmp_path: Path) -> None:
    written(named("atif"), "trajectories", recorded(solved("t")), tmp_path)
    ((task, trajectory),) = read(tmp_path)
    assert (trajectory.outcome, trajectory.verified, trajectory.reward) == ("unverified", False, None)
    assert trajectory.success is False
    imported = trajectory.metadata["imported"]
    assert (imported["reward"], imported["outcome"], imported["format"]) == (1.0, "solved", "atif")
    assert (task.task_id, task.task_type, task.verifier) == ("t", "code", None)


def test_atif_brings_back_task_root_teacher_model_tokens_and_times(tmp_path: Path) -> None:
    episode = many_sided()
    episode.steps[0].prompt_tokens, episode.steps[0].cost_usd, episode.steps[0].timestamp = 70, 0.25, 99.5
    (example,) = recorded(episode)
    lineage = msgspec.structs.replace(example.task.lineage, root_id="the-seed")
    example = msgspec.structs.replace(example, task=msgspec.structs.replace(example.task, lineage=lineage))
    written(named("atif"), "trajectories", [example], tmp_path)
    ((task, trajectory),) = read(tmp_path)
    assert task.lineage.root_id == "the-seed"
    assert (trajectory.teacher, trajectory.model) == ("gemini", "m-1")
    first = trajectory.steps[0]
    assert (first.prompt_tokens, first.cost_usd, first.timestamp) == (70, 0.25, 99.5)
    assert trajectory.prompt_tokens == 70
    assert first.thought == "Two at once.\nThen on.\n\n先看两个结果"


def test_replies_copied_into_a_document_stay_in_the_prompt(tmp_path: Path) -> None:
    shown = [
        {"role": "user", "content": "Like so."},
        reply(9, content="So."),
        {"role": "user", "content": "You."},
    ]
    episode = solved("t", prompt=shown)
    written(named("atif"), "trajectories", recorded(episode), tmp_path)
    ((_, trajectory),) = read(tmp_path)
    assert len(trajectory.prompt) == 3
    assert len(trajectory.steps) == 2


def test_records_of_the_same_task_are_its_samples(tmp_path: Path) -> None:
    episodes = [solved("t", answer) for answer in ("1", "2")]
    written(named("openai-jsonl"), "sft", whole(*episodes), tmp_path)
    (first, one), (second, two) = read(tmp_path)
    assert first.task_id == second.task_id
    assert (one.sample, two.sample) == (0, 1)
    assert first.description == "Do t."
