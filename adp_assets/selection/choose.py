"""A round's choice: people's own tasks first, then a mix of those made from them; explained as a whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from adp_assets.selection import cut
from adp_assets.selection.aim import Before, Mix, aim, went
from adp_assets.selection.cut import Allowed, Candidate
from adp_assets.selection.mix import Chosen, Mixed, mixed


@dataclass(frozen=True)
class Selection:
    """The tasks a round takes, in their order, and why these: what `rounds.selection` keeps, as JSON."""

    chosen: list[Chosen]
    explained: dict[str, Any]


def choose(
    connection: Connection,
    seed: str,
    allowed: Allowed,
    size: int,
    mix: Mix,
    *,
    again: bool = False,
    follows: str | None = None,
) -> Selection:
    """At most `size` of the tasks that wait and are allowed; the same for the same pool and seed.

    With `again` those that somebody wrote, run before or not, and none made from them. `follows` names the
    round whose pass rate says what to aim at.
    """
    written = cut.people(connection, allowed, size, again=again)
    places = size - len(written)
    found: list[Candidate] = []
    if places and not again:
        found = cut.generated(connection, seed, allowed, places, mix.root_quota(places))
    before = went(connection, follows) if follows else None
    target, why = aim(mix, before)
    records = [candidate.record for candidate in written]
    filled = mixed(found, mix=mix, aim=target, seed=seed, places=places, people=records)
    chosen = [_by_person(candidate) for candidate in written] + filled.chosen
    explained = {
        "seed": seed,
        "size": size,
        "rules": dict(Counter(each.rule for each in chosen)),
        "bounds": [mix.pass_rate_min, mix.pass_rate_max],
        "aim": round(target, 4),
        "why": why,
        "before": _numbers(before),
        **_filled(filled, found),
    }
    return Selection(chosen, explained)


def _by_person(candidate: Candidate) -> Chosen:
    reason = f"people: somebody wrote it; of these priority 10 comes first, this has {candidate.priority}"
    return Chosen(candidate.task_id, "people", reason)


def _numbers(before: Before | None) -> dict[str, Any] | None:
    if before is None:
        return None
    return {"round": before.round, "expected": before.expected, "measured": before.measured}


def _filled(filled: Mixed, looked_at: list[Candidate]) -> dict[str, Any]:
    """What came of the mix; the largest root is only told of where there are new tasks."""
    largest = filled.roots.most_common(1)
    return {
        "expected_pass": None if filled.rate is None else round(filled.rate, 4),
        "expected_of": len(filled.expected),
        "looked_at": len(looked_at),
        "left_waiting": len(filled.waiting),
        "held_back": filled.held_back,
        "root_quota": filled.root_quota,
        "roots": len(filled.roots),
        "largest_root": {"root_id": largest[0][0], "tasks": largest[0][1]} if largest else None,
    }
