"""What `adp run` says, and by which code it ends, when a round gives nothing or less than was asked for."""

from __future__ import annotations

from pathlib import Path

from tests.adp_service.command import adp, line, project
from tests.llm_server.process import ROOT, llm_server

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


def test_an_outage_ends_with_its_cause_another_exit_code_and_the_way_back(tmp_path: Path) -> None:
    problems = ROOT / "tests" / "data" / "word_problems.jsonl"
    with llm_server("gsm8k", answers=problems, mix="e500=1") as server:
        project(tmp_path, VLLM_URL=server.url)
        adp(tmp_path, "import", "gsm8k", problems, "--limit", 3, "--out", "tasks.jsonl")
        ended = adp(tmp_path, "run", "tasks.jsonl")
        again = adp(tmp_path, "run", "tasks.jsonl")
    listed = adp(tmp_path, "dlq", "list")
    status = adp(tmp_path, "status", "round-0001")
    assert ended.code == 3, ended.said
    assert "No episode of round round-0001 was finished" in ended.said
    assert "`adp dlq retry round-0001`" in ended.said
    lines = [" ".join(text.split()) for text in ended.output.splitlines()]
    assert "failed 0" in lines
    place = lines.index("infrastructure 3 (network_error: 3)")
    assert lines[place + 1].startswith(f"last: vllm model test-model at {server.url} gave no usable reply")
    assert "Nothing to do: all 3 tasks" in again.output
    assert "3 episodes are dead letters: see `adp dlq list`" in again.output
    assert "`adp dlq retry`" in again.output
    assert listed.output.count("gave no usable reply") == 1, "all three died of one cause"
    assert listed.output.count("round-0001/") == 3
    assert "run again" not in listed.output
    assert status.output.count("infrastructure_error (network_error) 1") == 3, "how each task ended"
