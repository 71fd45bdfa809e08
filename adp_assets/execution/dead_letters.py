"""The asset `dead_letters`: what our own failures spoiled in all rounds, and a check that none waits."""

from collections import Counter

import dagster as dg
import polars as pl

from adp_assets.display import bar_chart, preview
from adp_assets.execution.assets import asset_name
from adp_resources.dead_letters import DeadLetter
from adp_resources.resources import DatabaseResource

COLUMNS = {
    "round": pl.String(),
    "task_id": pl.String(),
    "sample": pl.Int64(),
    "task_type": pl.String(),
    "state": pl.String(),
    "tries": pl.Int64(),
    "error_type": pl.String(),
    "error_message": pl.String(),
    "died_at": pl.Float64(),
    "decided_by": pl.String(),
    "reason": pl.String(),
}


def dead_letters_asset(task_types: tuple[str, ...]) -> dg.AssetsDefinition:
    """`dead_letters` after the trajectory assets of these types."""

    @dg.asset(
        name="dead_letters",
        deps=[asset_name(kind) for kind in task_types],
        group_name="execution",
        kinds={"polars", "parquet"},
        description="Episodes that failed by the platform's fault in every try, over all rounds, as they "
        "stand now. `adp dlq` shows what each try died of, puts them back or discards them.",
    )
    def dead_letters(context: dg.AssetExecutionContext, database: DatabaseResource) -> pl.DataFrame:
        letters = database.dead_letters().all()
        frame = pl.DataFrame([_row(letter) for letter in letters], schema=COLUMNS)
        states = Counter(letter.state for letter in letters)
        context.add_output_metadata(
            {
                "waiting": states["dead"],
                "put_back": states["retry"],
                "discarded": states["discarded"],
                "preview": preview(frame, ["round", "task_id", "state", "error_type", "error_message"]),
                "chart": bar_chart("Dead letters", _by_error(letters)),
            }
        )
        return frame

    return dead_letters


@dg.asset_check(
    asset="dead_letters", name="none_waits", description="No dead letter waits for a person's decision."
)
def none_waits(dead_letters: pl.DataFrame) -> dg.AssetCheckResult:
    """A warning, as nothing that is made of the round is wrong."""
    waiting = dead_letters.filter(pl.col("state") == "dead").height
    return dg.AssetCheckResult(
        passed=not waiting,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{waiting} wait: adp dlq list" if waiting else "none waits",
        metadata={"waiting": waiting},
    )


def _by_error(letters: list[DeadLetter]) -> dict[str, dict[str, int]]:
    """For each error type how many are in each state."""
    kinds = dict.fromkeys(letter.error_type for letter in letters)
    return {
        kind: dict(Counter(letter.state for letter in letters if letter.error_type == kind)) for kind in kinds
    }


def _row(letter: DeadLetter) -> dict[str, object]:
    row = {name: getattr(letter, name) for name in COLUMNS if name != "tries"}
    return row | {"tries": len(letter.history)}
