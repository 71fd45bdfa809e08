"""Conversations to imitate: the whole of each row, or one example for each of its replies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from adp_assets.curation.examples import Demonstration
from adp_assets.curation.rows import TOLD
from adp_assets.curation.shapes.columns import REPLIES, about, conversation, each_row, schemas, sizes


def demonstrations(rows: Iterable[pl.DataFrame]) -> Iterator[Demonstration]:
    """The whole conversation of each row."""
    for row in each_row(rows):
        yield Demonstration(
            id=row["id"],
            split=row["split"],
            messages=conversation(row),
            tools=schemas(row),
            about=about(row, TOLD),
        )


def single_replies(rows: Iterable[pl.DataFrame]) -> Iterator[Demonstration]:
    """Each reply of each row, after all that was said before it.

    Where a request had observations cut to fit the model's window, here they are whole: the row holds no
    requests (`Trajectory.requests()` of the episode gives them).
    """
    for row in each_row(rows):
        messages, tools = conversation(row), schemas(row)
        replies = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
        for number, at in enumerate(replies, start=1):
            told = messages[: at + 1]
            example_id = f"{row['id']}#{number}"
            own = {"id": example_id, "row_id": row["id"], "reply": number, **sizes(row, told)}
            yield Demonstration(
                id=example_id, split=row["split"], messages=told, tools=tools, about=about(row, REPLIES) | own
            )
