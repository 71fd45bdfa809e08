"""The asset checks: what must hold of rows before anything is made from them, and what one should know."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
import polars as pl
from dagster_shared.utils.warnings import PreviewWarning

from adp_assets.curation.rows import OF_DATASET, ROW_COLUMNS
from adp_assets.distillation.assets import COLUMNS as ESSENCE_COLUMNS
from adp_assets.diversity.alarm import falls
from adp_assets.diversity.measure import Measures
from adp_assets.diversity.store import Diversity
from adp_assets.execution.assets import asset_name
from adp_assets.execution.frames import COLUMNS as TRAJECTORY_COLUMNS
from adp_assets.execution.frames import success_rate
from adp_assets.findings import Finding
from adp_assets.intake.frames import TASK_COLUMNS
from adp_assets.mutation.assets import COLUMNS as CANDIDATE_COLUMNS
from adp_assets.rounds import ROUNDS
from adp_resources.resources import DatabaseResource
from adp_resources.settings_resource import SettingsResource

ENOUGH_TO_JUDGE = 20
"""Below this many verified episodes an odd success rate is a warning, not a reason to stop a round."""


Check = Callable[[pl.DataFrame], Finding]


def schema_is(columns: Mapping[str, Any]) -> Check:
    """The frame has exactly these columns and types."""

    def check(frame: pl.DataFrame) -> Finding:
        expected = pl.DataFrame(schema=columns).schema
        wrong = [name for name in {*expected, *frame.schema} if frame.schema.get(name) != expected.get(name)]
        return Finding(not wrong, "columns and types are as declared", tuple(sorted(wrong)))

    return check


def unique(*columns: str) -> Check:
    """No two rows share these columns."""

    def check(frame: pl.DataFrame) -> Finding:
        twice = frame.filter(pl.struct(columns).is_duplicated()).select(columns).unique().head(5)
        return Finding(
            twice.is_empty(),
            f"no two rows share {' and '.join(columns)}",
            tuple(str(row) for row in twice.rows()),
        )

    return check


def lineage_complete(frame: pl.DataFrame) -> Finding:
    """Every row names its root seed, and a root of its own only in generation 0."""
    rootless = pl.col("root_id").is_null() | (pl.col("root_id") == "")
    wrong = frame.filter(rootless | ((pl.col("generation") > 0) & (pl.col("root_id") == pl.col("task_id"))))
    return Finding(wrong.is_empty(), "every row leads to its root seed", tuple(wrong["task_id"].head(5)))


def rooted(frame: pl.DataFrame) -> Finding:
    """Every essence names its root seed."""
    wrong = frame.filter(pl.col("root_id").is_null() | (pl.col("root_id") == ""))
    return Finding(wrong.is_empty(), "every row leads to its root seed", tuple(wrong["task_id"].head(5)))


def success_within(low: float, high: float) -> Check:
    """The share of solved among verified episodes lies within bounds."""

    def check(frame: pl.DataFrame) -> Finding:
        rate = success_rate(frame)
        if rate is None:
            return Finding(True, "no episode was verified")
        verified = int(frame["verified"].sum())
        of = f"success rate {rate:.3f} of {verified} verified episodes"
        stops = verified >= ENOUGH_TO_JUDGE
        if rate < low:
            way_out = "mend the model or the verifiers (`adp regrade`), or set it lower (0: no bar)"
            return Finding(False, f"{of} is below MIN_SUCCESS_RATE {low:g}: {way_out}", stops=stops)
        if rate > high:
            way_out = "look whether the verifiers say yes to all (`adp regrade`), or set it higher"
            return Finding(False, f"{of} is above MAX_SUCCESS_RATE {high:g}: {way_out}", stops=stops)
        return Finding(True, f"{of}, bounds {low:g} to {high:g}", stops=stops)

    return check


def no_leak(frame: pl.DataFrame) -> Finding:
    """No root seed has rows in two splits."""
    straddling = frame.group_by("root_id").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1)
    return Finding(
        straddling.is_empty(), "every root seed is in one split", tuple(straddling["root_id"].head(5))
    )


def only_verified(frame: pl.DataFrame) -> Finding:
    """Every row was graded and got the full reward."""
    wrong = frame.filter((pl.col("verifier") == "") | pl.col("reward").is_null() | (pl.col("reward") < 1))
    return Finding(wrong.is_empty(), "every row is a verified success", tuple(wrong["id"].head(5)))


def all_checks(task_types: Iterable[str]) -> list[dg.AssetChecksDefinition]:
    """The checks of every asset, one step an asset."""
    with warnings.catch_warnings():
        # Partitioned checks carry a preview warning; without partitions a check would read all rounds.
        warnings.simplefilter("ignore", PreviewWarning)
        return [
            _checks(
                "seed_tasks",
                schema=schema_is(TASK_COLUMNS),
                ids=unique("task_id"),
                lineage=lineage_complete,
            ),
            _diversity_check(),
            *(_trajectory_checks(asset_name(kind)) for kind in task_types),
            _checks("essences", schema=schema_is(ESSENCE_COLUMNS), ids=unique("essence_id"), lineage=rooted),
            _checks(
                "mutated_tasks",
                schema=schema_is(CANDIDATE_COLUMNS),
                ids=unique("task_id"),
                lineage=lineage_complete,
            ),
            _checks("training_rows", schema=schema_is(ROW_COLUMNS), ids=unique("id"), lineage=rooted),
            _checks(
                "training_dataset",
                schema=schema_is(OF_DATASET),
                ids=unique("id"),
                contents=unique("content_hash"),
                lineage=rooted,
                splits=no_leak,
                verified=only_verified,
            ),
        ]


DESCRIPTIONS = {
    "schema": "Columns and types are as declared.",
    "ids": "No two rows share an id.",
    "contents": "No two rows hold the same conversation.",
    "lineage": "Every row leads to its root seed.",
    "splits": "No root seed has rows in two splits.",
    "verified": "Every row was graded and got the full reward.",
    "diversity": "Tasks that were made are about as varied as at first in the chain of rounds: neither the "
    "entropy of their domains nor their distinct word 3-grams fell by more than MAX_DIVERSITY_DROP.",
    "success_rate": "The share of solved episodes lies within MIN_SUCCESS_RATE and MAX_SUCCESS_RATE.",
}


def varied_enough(chain: Mapping[str, Measures], most: float) -> Finding:
    """The last round of a chain is about as varied as the first that can be compared.

    `most` is how much of what was there at first may be gone, from 0 to 1.
    """
    compared = falls(chain)
    if compared is None:
        return Finding(True, "there are not two rounds of enough made tasks to compare", stops=False)
    first, found = compared
    fallen = tuple(fall.what for fall in found if fall.share > most)
    return Finding(not fallen, f"against {first}: {'; '.join(map(str, found))}", fallen, stops=False)


def _checks(asset: str, **checks: Check) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{asset}_checks", specs=_specs(asset, checks), ins={"frame": dg.AssetKey(asset)}
    )
    def run(frame: pl.DataFrame) -> Iterator[dg.AssetCheckResult]:
        for name, check in checks.items():
            yield _result(asset, name, check(frame))

    return run


def _trajectory_checks(asset: str) -> dg.AssetChecksDefinition:
    fixed: dict[str, Check] = {
        "schema": schema_is(TRAJECTORY_COLUMNS),
        "ids": unique("task_id", "sample"),
        "lineage": lineage_complete,
    }

    @dg.multi_asset_check(
        name=f"{asset}_checks",
        specs=_specs(asset, [*fixed, "success_rate"]),
        ins={"frame": dg.AssetKey(asset)},
    )
    def run(frame: pl.DataFrame, settings: SettingsResource) -> Iterator[dg.AssetCheckResult]:
        values = settings.get()
        bounds = success_within(values.min_success_rate, values.max_success_rate)
        for name, check in {**fixed, "success_rate": bounds}.items():
            yield _result(asset, name, check(frame))

    return run


def _diversity_check() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="seed_tasks", name="diversity", description=DESCRIPTIONS["diversity"], partitions_def=ROUNDS
    )
    def diversity_kept(
        context: dg.AssetCheckExecutionContext, database: DatabaseResource, settings: SettingsResource
    ) -> dg.AssetCheckResult:
        """A warning, as a round of like tasks is worth less, and not wrong."""
        chain = Diversity(database.get()).chain(context.partition_key)
        return _result("seed_tasks", "diversity", varied_enough(chain, settings.get().max_diversity_drop))

    return diversity_kept


def _specs(asset: str, names: Iterable[str]) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name, asset=asset, description=DESCRIPTIONS[name], blocking=True, partitions_def=ROUNDS
        )
        for name in names
    ]


def _result(asset: str, name: str, finding: Finding) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.ERROR if finding.stops else dg.AssetCheckSeverity.WARN,
        description=finding.said,
        metadata={"offending": ", ".join(finding.faults)} if finding.faults else {},
    )
