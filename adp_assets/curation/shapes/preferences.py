"""Preference pairs: a verified success against a failure of the same task, begun with the same prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import xxhash

from adp_assets.curation.examples import Preference
from adp_assets.curation.render import prompt_of
from adp_assets.curation.shapes.columns import (
    OF_TASK,
    about,
    conversation,
    length,
    schemas,
    side_columns,
)

LOOKED_UP = 500
"""Pairs whose messages are held at a time."""

_CONSIDERED = 4
"""Episodes of a side that are considered for each pair that a task may give: a task with thousands of
episodes has millions of pairs, of which a few are wanted."""

_KEY = ["task_id", "prompt_key"]


def pairs(chosen: pl.DataFrame, rejected: pl.DataFrame, most_per_task: int, seed: int) -> pl.DataFrame:
    """Which episodes make pairs: columns `task_id`, `chosen` and `rejected` (ids), in the order of tasks.

    Both frames are light: `id`, `task_id`, `prompt_key`, `reward`, `characters`, `content_hash`, and where
    they have them `outcome` and `judged`. Of a task, the pairs nearest in length are taken first, since a
    trainer shall not learn that longer is better; ties fall by a hash of the ids and the seed. No episode is
    in two pairs, and no pair says the same on both sides. The same frames and seed give the same pairs.

    Raises ValueError where a rejected episode is no verified failure.
    """
    _check_failures(rejected)
    joined = _considered(chosen, most_per_task, seed).join(
        _considered(rejected, most_per_task, seed), on=_KEY, suffix="_rejected"
    )
    candidates = (
        joined.filter(
            pl.col("content_hash") != pl.col("content_hash_rejected"),
            pl.col("reward").fill_null(1.0) > pl.col("reward_rejected").fill_null(0.0),
        )
        .with_columns(
            apart=(pl.col("characters").log1p() - pl.col("characters_rejected").log1p()).abs(),
            chance=pl.col("chance").xor(pl.col("chance_rejected")),
        )
        .sort("task_id", "apart", "chance", "id", "id_rejected")
    )
    taken: list[tuple[str, str, str]] = []
    used: set[str] = set()
    of_task: Counter[str] = Counter()
    for task_id, good, bad in candidates.select("task_id", "id", "id_rejected").iter_rows():
        if of_task[task_id] < most_per_task and good not in used and bad not in used:
            taken.append((task_id, good, bad))
            used |= {good, bad}
            of_task[task_id] += 1
    return pl.DataFrame(
        taken, schema={name: pl.String() for name in ("task_id", "chosen", "rejected")}, orient="row"
    )


def preferences(
    chosen_pairs: pl.DataFrame, rows_with: Callable[[list[str]], pl.DataFrame]
) -> Iterator[Preference]:
    """The examples of `pairs`, looked up in batches.

    `rows_with` gives the rows of ids, in any order, with `split` at least where they are chosen. A pair whose
    messages turn out to begin otherwise, or to be equal, is left out.
    """
    for batch in chosen_pairs.iter_slices(LOOKED_UP):
        ids = [*batch["chosen"], *batch["rejected"]]
        rows = {row["id"]: row for row in rows_with(ids).iter_rows(named=True)}
        for good, bad in batch.select("chosen", "rejected").iter_rows():
            if example := _preference(rows[good], rows[bad]):
                yield example


def _preference(good: dict[str, Any], bad: dict[str, Any]) -> Preference | None:
    won, lost = conversation(good), conversation(bad)
    begun = len(prompt_of(won))
    prompt, chosen, rejected = won[:begun], won[begun:], lost[begun:]
    if prompt != lost[:begun] or chosen == rejected or not chosen or not rejected:
        return None
    example_id = f"{good['id']}|{bad['id']}"
    return Preference(
        id=example_id,
        split=good["split"],
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        tools=schemas(good),
        about={
            "id": example_id,
            **about(good, OF_TASK),
            **side_columns(good, "chosen", chosen),
            **side_columns(bad, "rejected", rejected),
            "prompt_characters": length(prompt),
        },
    )


def _considered(side: pl.DataFrame, most_per_task: int, seed: int) -> pl.DataFrame:
    """The episodes of a side that pairs are sought among, the same few of each task in every run."""
    chance = [xxhash.xxh64_intdigest(each.encode(), seed) for each in side["id"]]
    drawn = side.with_columns(pl.Series("chance", chance, pl.UInt64())).sort("chance", "id")
    few = drawn.group_by(_KEY, maintain_order=True).head(_CONSIDERED * most_per_task)
    return few.select("id", *_KEY, "reward", "characters", "content_hash", "chance")


def _check_failures(rejected: pl.DataFrame) -> None:
    wrong = pl.lit(False)
    if "outcome" in rejected.columns:
        wrong |= pl.col("outcome") != "unsolved"
    if "judged" in rejected.columns:
        wrong |= pl.col("judged")
    found = rejected.filter(wrong)
    if found.height:
        raise ValueError(f"{found.height} rejected episodes are no verified failures: {found['id'][0]}.")
