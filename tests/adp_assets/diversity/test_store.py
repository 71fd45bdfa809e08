"""The measures of rounds as they are kept and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from adp_assets.diversity.shown import diversity_metadata
from adp_assets.diversity.store import Diversity
from adp_assets.intake.pool import TaskPool
from adp_assets.rounds import Plan, Rounds
from adp_service.cli.status import status
from tests.adp_assets.selection.pools import made, put
from tests.adp_assets.tasks import add, task


def plan(pool: TaskPool, name: str, follows: str | None = None) -> None:
    rounds = Rounds(pool.database)
    rounds.plan(name, Plan(follows=follows))
    Diversity(pool.database).take(name, rounds.tasks(name))


def test_a_round_is_measured_once_and_against_the_seeds_it_comes_from(pool: TaskPool) -> None:
    seed = task("s", description="Add up the numbers of a long list")
    add(pool, seed)
    plan(pool, "r1")
    put(pool, [made("m", "s", description=seed.description)], tried=0.5)
    plan(pool, "r2", follows="r1")
    diversity = Diversity(pool.database)
    measures = diversity.get("r2")
    assert measures is not None
    assert (measures.from_seeds, measures.lineage.depth) == (0.0, 1)
    assert diversity.take("r2", [seed, task("other")]) == measures, "as it was when its tasks were frozen"
    assert diversity.get("r3") is None


def test_a_chain_has_its_own_rounds_up_to_the_one_asked_for(pool: TaskPool) -> None:
    for number, follows in enumerate([None, "r0", None, "r1"]):
        add(pool, task(f"t{number}"))
        plan(pool, f"r{number}", follows)
    diversity = Diversity(pool.database)
    assert list(diversity.all()) == ["r0", "r1", "r2", "r3"]
    assert list(diversity.chain("r3")) == ["r0", "r1", "r3"]
    assert list(diversity.chain("r1")) == ["r0", "r1"]


def test_the_ui_has_the_figures_a_table_and_a_chart(pool: TaskPool) -> None:
    add(pool, task("s"))
    plan(pool, "r1")
    shown = diversity_metadata(Diversity(pool.database).chain("r1"))
    assert {"distinct_3", "domain_entropy", "near_duplicate_rate", "largest_root"} <= shown.keys()
    assert "distance_to_seeds" not in shown, "nothing was made yet"
    assert "| roots | 1, the largest 100.0% |" in str(shown["diversity"].value)
    assert str(shown["diversity_chart"].value).startswith("![Diversity by round](data:image/png;base64,")
    assert diversity_metadata({}) == {}


def test_status_lists_how_varied_rounds_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from adp_service.platform import Platform

    (tmp_path / ".env").touch()
    monkeypatch.chdir(tmp_path)
    pool = Platform({}).pool
    status(None, diversity=True)
    assert "No round was measured yet" in capsys.readouterr().out
    add(pool, task("s", expected_tools=["browser"]))
    plan(pool, "r1")
    put(pool, [made("m", "s", description="Another thing")], tried=0.5)
    plan(pool, "r2", "r1")
    status(None, diversity=True)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["r1", "1", "1.00", "0.00", "0.00", "0.0%", "1", "100%", "0"] in lines
    assert ["r2", "1", "0.00", "0.00", "0.00", "0.0%", "1.00", "1", "100%", "1"] in lines
