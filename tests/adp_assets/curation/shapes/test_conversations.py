"""Whole conversations, and a reply at a time."""

from __future__ import annotations

from adp_assets.curation.render import training_messages
from adp_assets.curation.shapes.conversations import demonstrations, single_replies
from tests.adp_assets.curation.episodes import many_sided
from tests.adp_assets.curation.rows import PYTHON, frame, row
from tests.adp_assets.tasks import solved


def test_a_row_becomes_its_conversation_with_arguments_as_objects_and_what_is_known_of_it() -> None:
    episode = many_sided()
    batches = [frame(row(episode, split="test")), frame(row(solved("other")))]
    first, second = demonstrations(batches)
    assert first.messages == training_messages(episode)
    assert first.tools == [PYTHON]
    assert (first.id, first.split, second.split) == ("round-0001/sides/0", "test", "train")
    assert first.about["model"] == "m-1"
    assert first.about["characters"] > 0


def test_each_reply_is_an_example_that_ends_with_it_and_counts_itself() -> None:
    whole = row(many_sided(), tokens=200, characters=400)
    examples = list(single_replies([frame(whole)]))
    messages = training_messages(many_sided())
    assert [example.messages[-1] for example in examples] == [
        message for message in messages if message["role"] == "assistant"
    ]
    assert all(example.messages == messages[: len(example.messages)] for example in examples)
    assert [example.about["reply"] for example in examples] == [1, 2, 3]
    assert [example.id for example in examples] == [f"{whole['id']}#{number}" for number in (1, 2, 3)]
    sizes = [example.about["characters"] for example in examples]
    assert sizes == sorted(sizes)
    assert examples[0].about["tokens"] == round(sizes[0] / 2)


def test_where_no_provider_counted_tokens_none_are_told() -> None:
    (example, *_) = single_replies([frame(row(many_sided(), tokens=None))])
    assert example.about["tokens"] is None
