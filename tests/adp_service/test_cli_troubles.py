"""What `adp run` says, and by which code it ends, when a round gives nothing or less than was asked for."""

from __future__ import annotations

from pathlib import Path

from tests.adp_service.command import adp, line, project
from tests.llm_server.process import llm_server

NEVER_RIGHT = {"verifier": {"kind": "numeric", "spec": {"expected": 42}}}


def test_a_round_below_the_bar_says_which_bar_and_goes_on_once_that_is_lowered(tmp_path: Path) -> None:
    with llm_server("steps", turns=0) as server:
        settings = {"VLLM_URL": server.url, "MUTATIONS_PER_ESSENCE": 0}
        project(tmp_path, **settings)
        (tmp_path / "tasks.jsonl").write_text("".join(line(f"t-{n}", **NEVER_RIGHT) for n in range(20)))
        failed = adp(tmp_path, "run", "tasks.jsonl")
        project(tmp_path, **settings, MIN_SUCCESS_RATE=0)
        gone_on = adp(tmp_path, "run", "tasks.jsonl")
    assert failed.code == 1
    assert "check success_rate of reasoning_trajectories: success rate 0.000 of 20 " in failed.said
    assert "is below MIN_SUCCESS_RATE 0.01" in failed.said
    assert "`adp regrade`" in failed.said
    assert "DagsterAssetCheckFailedError" not in failed.said
    assert gone_on.code == 0, gone_on.said
