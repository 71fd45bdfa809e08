"""The blocking checks: what each finds, and that a blocking one stops what comes after it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest

from adp_assets.checks import (
    ENOUGH_TO_JUDGE,
    all_checks,
    lineage_complete,
    no_leak,
    only_verified,
    rooted,
    schema_is,
    success_within,
    unique,
)
from adp_assets.curation.rows import rows_of
from adp_assets.execution.frames import trajectory_frame
from adp_assets.intake.frames import TASK_COLUMNS, task_frame, tasks_of
from runtimes.contracts import Lineage, Trajectory
from tests.adp_assets.tasks import solved, task


def tasks(*names: str, **fields: Any) -> pl.DataFrame:
    return task_frame([task(name, **fields) for name in names], samples=1)


def trajectories(found: Iterable[Trajectory]) -> pl.DataFrame:
    listed = list(found)
    return trajectory_frame(listed, {t.task_id: task(t.task_id) for t in listed})


def test_a_frame_as_declared_has_the_right_schema_though_it_is_empty() -> None:
    assert schema_is(TASK_COLUMNS)(tasks("a")).passed
    assert schema_is(TASK_COLUMNS)(tasks()).passed


def test_a_missing_a_foreign_and_a_wrongly_typed_column_are_named() -> None:
    frame = tasks("a").drop("spec").with_columns(pl.col("priority").cast(pl.String()), new=1)
    finding = schema_is(TASK_COLUMNS)(frame)
    assert not finding.passed
    assert finding.faults == ("new", "priority", "spec")


def test_repeated_keys_are_found_by_all_their_columns() -> None:
    frame = trajectories([solved("a"), solved("a", sample=1), solved("b")])
    assert unique("task_id", "sample")(frame).passed
    finding = unique("task_id")(frame)
    assert (finding.passed, finding.faults) == (False, ("('a',)",))


def test_a_row_that_leads_to_no_root_is_found() -> None:
    mutated = task("m", lineage=Lineage(root_id="a", generation=1))
    assert lineage_complete(task_frame([task("a"), mutated], 1)).passed
    for lineage in (Lineage(), Lineage(root_id="x", generation=1)):
        finding = lineage_complete(task_frame([task("a"), task("x", lineage=lineage)], 1))
        assert (finding.passed, finding.faults) == (False, ("x",))
    assert not rooted(tasks("a").with_columns(root_id=pl.lit(None, pl.String()))).passed


@pytest.mark.parametrize(("solved_count", "passes"), [(0, False), (1, True), (9, True), (10, False)])
def test_the_success_rate_is_held_against_its_bounds(solved_count: int, passes: bool) -> None:
    found = [
        solved(f"t{n}", outcome="solved" if n < solved_count else "unsolved", success=n < solved_count)
        for n in range(10)
    ]
    finding = success_within(0.01, 0.95)(trajectories(found))
    assert finding.passed is passes
    assert f"{solved_count / 10:.2f}" in finding.said


def test_unverified_episodes_and_our_failures_do_not_count_in_the_success_rate() -> None:
    others = [
        solved("u", outcome="unverified", verified=False, success=False),
        solved("o", outcome="infrastructure_error", verified=False, success=False),
    ]
    assert success_within(1.0, 1.0)(trajectories([solved("a"), *others])).passed
    finding = success_within(0.5, 1.0)(trajectories(others))
    assert (finding.passed, finding.said) == (True, "no episode was verified")


def test_an_odd_rate_of_few_episodes_warns_and_one_of_many_stops() -> None:
    few, enough = (
        [solved(f"t{n}", outcome="unsolved", success=False) for n in range(count)]
        for count in (ENOUGH_TO_JUDGE - 1, ENOUGH_TO_JUDGE)
    )
    assert success_within(0.01, 1.0)(trajectories(few)).stops is False
    assert success_within(0.01, 1.0)(trajectories(enough)).stops is True


def dataset() -> pl.DataFrame:
    rows = rows_of([solved("a"), solved("b", "43")], {"a": task("a"), "b": task("b")})
    return rows.with_columns(split=pl.lit("train"))


def test_a_root_in_two_splits_is_a_leak() -> None:
    assert no_leak(dataset()).passed
    leaky = dataset().with_columns(root_id=pl.lit("a"), split=pl.Series(["train", "test"]))
    assert (no_leak(leaky).passed, no_leak(leaky).faults) == (False, ("a",))


@pytest.mark.parametrize(("column", "value"), [("verifier", ""), ("reward", None), ("reward", 0.99)])
def test_a_row_that_is_no_verified_success_is_found(column: str, value: Any) -> None:
    assert only_verified(dataset()).passed
    dtype = dataset().schema[column]
    finding = only_verified(dataset().with_columns(pl.lit(value, dtype).alias(column)))
    assert not finding.passed
    assert "round-0001/a/0" in finding.faults


def test_no_rows_are_no_fault() -> None:
    empty = dataset().clear()
    for check in (no_leak, only_verified, rooted, unique("id"), unique("content_hash")):
        assert check(empty).passed


def test_every_asset_has_blocking_checks_of_schema_ids_and_lineage() -> None:
    names: dict[str, set[str]] = {}
    for check in all_checks(["code", "web"]):
        for spec in check.check_specs:
            assert spec.blocking or spec.name == "diversity"
            names.setdefault(spec.asset_key.to_user_string(), set()).add(spec.name)
    assert names.keys() == {
        *("seed_tasks", "code_trajectories", "web_trajectories", "essences", "mutated_tasks"),
        *("training_rows", "training_dataset"),
    }
    for found in names.values():
        assert {"schema", "ids", "lineage"} <= found
    assert {"splits", "verified", "contents"} <= names["training_dataset"]
    assert "success_rate" in names["code_trajectories"]


def test_tasks_go_into_rows_and_come_back_whole() -> None:
    written = [task("a", constraints={"x": [1]}), task("数", description="写")]
    assert list(tasks_of(task_frame(written, 2)).values()) == written
