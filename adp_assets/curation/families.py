"""Which rows must stay in one split: root seeds whose rows are near copies are one family."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

import polars as pl


def families(rows: pl.DataFrame) -> pl.Series:
    """The family of each row, named by the first root seed in it; rows have `root_id` and `kin`.

    Two root seeds with rows that are kin are of one family, and so on through all of them.
    """
    linked = rows.select("root_id", "kin").unique().group_by("kin").agg(pl.col("root_id").unique())
    groups = Groups()
    for roots in linked["root_id"].to_list():
        for other in roots:
            groups.join(roots[0], other)
    names = {root: groups.first(root) for root in rows["root_id"].unique().to_list()}
    return rows["root_id"].replace_strict(names, return_dtype=pl.String).alias("family")


class Groups:
    """Names joined into groups; the first of a group's names in their order stands for it."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def first(self, name: str) -> str:
        while (above := self._above.get(name, name)) != name:
            self._above[name] = self._above.get(above, above)
            name = above
        return name

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self.first(one), self.first(other)))
        self._above[second] = first


def splits_of(names: Iterable[str], shares: Mapping[str, float]) -> dict[str, str]:
    """The split of each family, by its name alone: the same in every dataset of these shares, as long as the
    family has the same first root seed.

    Where that leaves a split empty, and there are families enough, it gets the family that lies nearest to
    it, from a split that keeps another; `train` comes before all others.
    """
    places = {name: _place(name) for name in sorted(names)}
    bounds: dict[str, tuple[float, float]] = {}
    start = 0.0
    for split, share in sorted(shares.items(), key=lambda item: item[0] == "train"):
        bounds[split] = (start, start + share)
        start += share
    found = {name: _of(place, bounds) for name, place in places.items()}
    for split in ["train", *bounds]:
        if split in found.values():
            continue
        low, high = bounds[split]
        sizes = Counter(found.values())
        spare = [name for name in found if sizes[found[name]] > 1 or split == "train"]
        if spare:
            middle = (low + high) / 2
            found[min(spare, key=lambda name: (abs(places[name] - middle), name))] = split
    return found


def _of(place: float, bounds: Mapping[str, tuple[float, float]]) -> str:
    return next((split for split, (_, high) in bounds.items() if place < high), "train")


def _place(name: str) -> float:
    """Where a family lies between 0 and 1."""
    digest = hashlib.sha256(f"split\0{name}".encode("utf-8", "surrogatepass")).hexdigest()
    return int(digest[:8], 16) / 0x1_0000_0000
