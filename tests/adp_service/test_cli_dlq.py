"""`adp dlq`: what a person sees of dead letters, and decides about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from adp_assets.intake.pool import TaskPool
from adp_assets.rounds import Plan, Rounds
from adp_resources.dead_letters import Try
from adp_resources.journal import Journal
from adp_service.cli.main import main
from adp_service.platform import Platform
from runtimes.contracts import Trajectory
from tests.adp_assets.tasks import add, solved, task
from tests.adp_service.command import project

Said = Callable[..., str]


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A round of three tasks whose episodes all died, two samples of the first."""
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")  # the command sets it; this undoes that afterwards
    platform = Platform({"project_root": str(tmp_path)})
    add(TaskPool(platform.database), *(task(name) for name in ("a", "b", "c")))
    Rounds(platform.database).plan("round-0001", Plan(samples=2, driver="command"))
    for task_id, sample in [("a", 0), ("a", 1), ("b", 0), ("c", 0)]:
        die(platform.journal, task_id, sample)
    return platform


def die(journal: Journal, task_id: str, sample: int, round: str = "round-0001") -> None:
    trajectory = Trajectory(
        task_id=task_id,
        runtime_id="sandbox-runtime",
        round=round,
        sample=sample,
        task_type="code",
        outcome="infrastructure_error",
        error_type="network_error",
        error_message=f"No server for {task_id}.",
    )
    tries = [
        Try(error_type="network_error", error_message=f"down {n}", at=float(n), where="here") for n in (1, 2)
    ]
    journal.write(trajectory, failed=tries)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """What `adp dlq ...` says, and whether it ends as it should."""

    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["adp", "dlq", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert (ended.value.code or 0) == code, captured.err
        return captured.out + captured.err

    return run


def states(platform: Platform) -> dict[str, str]:
    return {letter.name.removeprefix("round-0001/"): letter.state for letter in platform.dead_letters.all()}


def test_the_list_names_each_with_its_last_error(platform: Platform, said: Said) -> None:
    listed = said("list")
    for name in ("round-0001/a/0", "round-0001/a/1", "round-0001/b/0", "round-0001/c/0"):
        assert name in listed
    assert "No server for b." in listed
    assert listed.index("network_error, 2 of this cause: No server for a.") < listed.index("round-0001/a/0")


def test_one_is_shown_with_every_try(platform: Platform, said: Said) -> None:
    shown = said("show", "round-0001/b/0")
    assert shown.index("down 1") < shown.index("down 2")
    assert "here" in shown
    assert "waits for a decision" in shown
    assert "once the cause is mended: adp dlq retry round-0001/b/0" in shown


def test_what_is_put_back_is_named_by_letter_task_or_round(platform: Platform, said: Said) -> None:
    assert "1 put back: `adp run`" in said("retry", "round-0001/b/0")
    assert states(platform) == {"a/0": "dead", "a/1": "dead", "b/0": "retry", "c/0": "dead"}
    assert "2 put back" in said("retry", "a")
    assert "is left as it is: put back by" in said("retry", "round-0001")
    assert set(states(platform).values()) == {"retry"}


def test_what_is_discarded_keeps_who_and_why_and_is_not_put_back(platform: Platform, said: Said) -> None:
    assert "1 discarded." in said("discard", "c", "--why", "its site is gone")
    assert "discarded by" in said("show", "c")
    assert "its site is gone" in said("show", "c")
    again = said("retry", "c")
    assert "round-0001/c/0 is left as it is: discarded by" in again
    assert "0 put back" in again
    assert "3 put back" in said("retry", "--all")
    assert states(platform)["c/0"] == "discarded"
    assert "No dead letters." in said("list")
    assert "discarded" in said("list", "--all")


def test_nothing_is_put_back_into_a_round_that_wants_no_more(platform: Platform, said: Said) -> None:
    add(TaskPool(platform.database), task("d"))
    Rounds(platform.database).plan("round-0002", Plan(accept=1, driver="command"))
    platform.journal.write(solved("d", round="round-0002"))
    die(platform.journal, "d", 1, round="round-0002")
    assert "its round has all 1 that it was to have" in said("retry", "d")
    assert states(platform)["round-0002/d/1"] == "dead"


def test_a_decision_is_seen_in_the_ui_at_once(platform: Platform, said: Said) -> None:
    said("discard", "a", "b", "--why", "enough")
    frame = pl.read_parquet(platform.settings.output / "assets" / "dead_letters" / "all.parquet")
    assert sorted(frame["state"]) == ["dead", "discarded", "discarded", "discarded"]
    key = dg.AssetCheckKey(dg.AssetKey("dead_letters"), "none_waits")
    record = platform.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.status.value == "FAILED"
    said("discard", "c", "--why", "enough")
    record = platform.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.status.value == "SUCCEEDED"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["retry"], "Nothing was chosen"),
        (["retry", "a", "--all"], "Nothing was chosen"),
        (["discard", "unknown", "--why", "x"], "There is no dead letter 'unknown'"),
        (["show", "round-0001/a/7"], "There is no dead letter 'round-0001/a/7'"),
    ],
)
def test_a_wrong_choice_is_told(arguments: list[str], complaint: str, platform: Platform, said: Said) -> None:
    told = said(*arguments, code=1)
    assert complaint in told
    assert "try:" in told
    assert set(states(platform).values()) == {"dead"}


def test_discarding_needs_a_reason(platform: Platform, said: Said) -> None:
    assert "--why" in said("discard", "a", code=2)
