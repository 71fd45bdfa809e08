"""Which rows hold what of evaluation sets: every text of a conversation but the system's is read."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import polars as pl

from adp_assets.curation.decontamination.evaluation import EvaluationSet
from adp_assets.curation.decontamination.scanner import COLUMNS, Scanner
from adp_assets.curation.store import RowStore
from adp_assets.curation.traits import texts_of
from runtimes.contracts import Message

HITS: dict[str, pl.DataType] = {"id": pl.String(), **COLUMNS}
"""Of a row's `id` and an evaluation item: where that is, how much of it the row holds, and the passage."""


def overlap(
    store: RowStore,
    rows: pl.DataFrame,
    evaluation: EvaluationSet,
    max_coverage: float,
    stop: Callable[[], None],
) -> pl.DataFrame:
    """A line for each evaluation item that a row holds more than `max_coverage` of, with the evidence."""
    scanner = Scanner(evaluation, flagged_above=max_coverage)
    conversation = msgspec.json.Decoder(list[Message])
    found = [pl.DataFrame(schema=HITS)]
    for batch in store.batches(["messages"], rows.select("place", "id")):
        stop()
        texts = [_read(conversation.decode(messages)) for messages in batch["messages"]]
        found.append(scanner.scan(batch["id"], pl.Series(texts, dtype=pl.String)))
    return pl.concat(found)


def _read(messages: list[Message]) -> str:
    return "\n".join(texts_of([each for each in messages if each["role"] != "system"]))
