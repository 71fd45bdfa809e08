"""The stop rule of novelty: what counts as new, from when on it is judged, and what a person is told."""

from __future__ import annotations

from adp_assets.rounds import Round, may_follow
from adp_assets.selection.drying import ENOUGH, Proposals, proposals_of
from adp_resources.database import Database
from tests.adp_assets.selection.proposed import propose, verdicts

BEFORE = Round("r1", None, 1, 1, 3, "sensor", 0.0)


def test_new_is_what_the_novelty_gate_let_pass_whatever_came_of_it_later(database: Database) -> None:
    passed = verdicts("schema", "novelty")
    propose(database, "r1", "trial", True, [*passed, *verdicts("trial")])
    propose(database, "r1", "sanity", False, [*passed, *verdicts("sanity", refused_by="sanity")])
    propose(database, "r1", "novelty", False, verdicts("schema", "novelty", refused_by="novelty"))
    propose(database, "r1", "schema", False, verdicts("schema", refused_by="schema"))
    propose(database, "r2", "novelty", False, verdicts("novelty", refused_by="novelty"))
    assert proposals_of(database, "r1") == Proposals(judged=3, new=2)
    assert proposals_of(database, "r3") == Proposals(judged=0, new=0)


def test_rounds_of_before_verdicts_were_kept_are_judged_by_the_gate_that_decided(database: Database) -> None:
    propose(database, "r1", "novelty", True, [])
    propose(database, "r1", "novelty", False, [])
    propose(database, "r1", "tools", False, [])
    assert proposals_of(database, "r1") == Proposals(judged=2, new=1)


def test_no_round_follows_one_whose_proposals_were_hardly_ever_new() -> None:
    def reason(proposals: Proposals | None, least: float = 0.05) -> str | None:
        return may_follow(
            BEFORE, pending=1, spent_usd=0.0, max_spend_usd=None, proposals=proposals, min_novelty=least
        )

    assert reason(Proposals(100, 4)) == (
        "synthesis has dried up: 4 of 100 proposals were new, less than 5% (MIN_NOVELTY)"
    )
    assert reason(Proposals(100, 5)) is None
    assert reason(Proposals(100, 0), least=0.0) is None
    assert reason(Proposals(ENOUGH - 1, 0)) is None, "too few to judge"
    assert reason(None) is None
