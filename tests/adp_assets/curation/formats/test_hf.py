"""The default format, read by the library that trainers read it with."""

from __future__ import annotations

from pathlib import Path

import pytest

from adp_assets.curation.formats.hf import HF
from adp_assets.curation.render import training_messages
from adp_assets.curation.shapes.problems import problems
from tests.adp_assets.curation.episodes import differing, many_sided
from tests.adp_assets.curation.formats.written import has_null, loaded, preferred, replies, whole, written
from tests.adp_assets.curation.rows import PYTHON, frame, row


def test_conversations_load_with_arguments_as_objects_and_no_key_without_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes = [*differing(), many_sided()]
    for number, episode in enumerate(episodes):  # each a shard of its own, with arguments of its own shape
        written(HF, "sft", whole(episode), tmp_path / str(number))
    read = loaded("parquet", tmp_path.rglob("split=train/*.parquet"), tmp_path / "cache", monkeypatch)
    assert [each["messages"] for each in read] == [training_messages(episode) for episode in episodes]
    assert all(each["tools"] == [PYTHON] for each in read)
    assert all(each["characters"] > 0 and each["tokens"] > 0 for each in read)
    asked = [each["messages"][2]["tool_calls"][0]["function"]["arguments"] for each in read]
    assert asked[:3] == [{"code": "print(1)"}, {"code": 1, "where": {"x": [1, 2]}}, {}]
    assert not any("tool_calls" in message for message in read[0]["messages"] if message["role"] == "user")


def test_a_single_reply_is_a_completion_of_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(HF, "steps", replies(many_sided()), tmp_path / "data")
    read = loaded("parquet", tmp_path.rglob("*.parquet"), tmp_path / "cache", monkeypatch)
    messages = training_messages(many_sided())
    assert [each["prompt"] + each["completion"] for each in read] == [messages[:3], messages[:6], messages]
    assert all(len(each["completion"]) == 1 for each in read)


def test_pairs_load_as_prompt_and_two_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = preferred()
    written(HF, "preference", examples, tmp_path / "data")
    read = loaded("parquet", tmp_path.rglob("*.parquet"), tmp_path / "cache", monkeypatch)
    for name in ("prompt", "chosen", "rejected"):
        assert [each[name] for each in read] == [getattr(example, name) for example in examples]
    assert not has_null([each["prompt"] for each in read])
    assert all(each["chosen_characters"] > 0 and each["rejected_tokens"] > 0 for each in read)


def test_problems_load_with_the_task_and_its_verifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = frame(*(row(each) for each in differing()))
    written(HF, "rl", problems([rows], rows), tmp_path / "data")
    read = loaded("parquet", tmp_path.rglob("*.parquet"), tmp_path / "cache", monkeypatch)
    assert read[0]["task"]["verifier"] == {"kind": "numeric", "spec": {"expected": 42}}
    assert read[0]["prompt"][-1]["role"] == "user"
    assert (read[0]["attempts"], read[0]["pass_rate"]) == (1, 1.0)
