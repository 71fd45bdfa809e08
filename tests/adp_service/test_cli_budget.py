"""What `adp run` tells of tokens and money, where it stops, and what it pays only once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.table import CandidateTable
from adp_resources.database import Database
from adp_resources.journal import Journal
from adp_resources.tables import candidates, journal, pool_tasks
from adp_service.driver import run_round
from adp_service.platform import Platform
from tests.adp_service.command import adp, line, project
from tests.llm_server.process import ROOT, llm_server

TASKS = "".join(line(f"t-{number}") for number in range(12))


def figures(folder: Path, *options: str) -> dict[str, Any]:
    ended = adp(folder, "run", "tasks.jsonl", "--estimate", "--json", *options)
    assert ended.code == 0, ended.said
    found: dict[str, Any] = json.loads(ended.output)
    return found


def outcomes(folder: Path) -> Counter[str]:
    database = Database(f"sqlite:///{folder}/output/adp.sqlite")
    found = Counter(t.outcome for t in Journal(database, folder).read_round("round-0001"))
    database.close()
    return found


def test_an_estimate_goes_by_assumptions_first_and_by_what_was_paid_after(tmp_path: Path) -> None:
    with llm_server("steps", turns=0) as server:
        project(tmp_path, VLLM_URL=server.url, LLM_PRICES="test-model=1/2", MUTATIONS_PER_ESSENCE=0)
        (tmp_path / "tasks.jsonl").write_text(TASKS)
        before = figures(tmp_path)
        assert not (tmp_path / "output" / "trajectories").exists()
        assert server.stats()["replies"] == {}
        assert adp(tmp_path, "run", "tasks.jsonl").code == 0
        after = figures(tmp_path, "--again")
        assert server.stats()["replies"] == {"200": 12}

    [load] = before["loads"]
    assert (load["load"]["what"], load["load"]["likely"], load["past"]) == ("reasoning", 12, 0)
    assert before["least_usd"] < before["usd"] < before["most_usd"]
    [load] = after["loads"]
    assert (load["load"]["likely"], load["past"]) == (12, 12)
    assert 0 < after["most_tokens"] < before["least_tokens"]


@pytest.mark.parametrize(("good", "code"), [(line("t"), 0), ("", 1)])
def test_an_estimate_tells_of_bad_lines_in_the_words_of_the_run(tmp_path: Path, good: str, code: int) -> None:
    bad = line("b", task_type="cooking") + "not json\n"
    project(tmp_path, CHOSEN_MODEL="builtin", FEEDBACK_ENABLED="false")
    (tmp_path / "tasks.jsonl").write_text(bad + good + good)
    told = adp(tmp_path, "run", "tasks.jsonl", "--estimate")
    ran = adp(tmp_path, "run", "tasks.jsonl")

    about = [text for text in told.said.splitlines() if "tasks.jsonl:" in text]
    assert len(about) == (4 if good else 2), told.said
    assert about == [text for text in ran.said.splitlines() if "tasks.jsonl:" in text]
    assert (told.code, ran.code) == (code, code)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the variable back that a Dagster instance in this process is named by."""
    monkeypatch.setenv("DAGSTER_HOME", "")


@pytest.mark.usefixtures("home")
def test_a_finished_round_materialized_anew_pays_for_nothing_synthesis_included(tmp_path: Path) -> None:
    lines = (ROOT / "examples" / "tasks.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    with llm_server("teacher") as server:
        project(tmp_path, VLLM_URL=server.url)
        (tmp_path / "tasks.jsonl").write_text("".join(lines[:3]), encoding="utf-8")
        ran = adp(tmp_path, "run", "tasks.jsonl")
        assert ran.code == 0, ran.said
        paid = server.stats()["replies"]["200"]
        platform = Platform({"project_root": str(tmp_path)})
        calls = {taken.stage: taken.calls for taken in platform.usage.by_stage(["round-0001"])}
        assert calls.keys() == {"episode", "trial", "distillation", "mutation"}
        assert sum(calls.values()) == paid
        first = list(platform.journal.read_round("round-0001"))
        loads = [each["load"] for each in figures(tmp_path, "--again")["loads"]]
        [trials] = [load for load in loads if load["unit"] == "trials"]
        assert (trials["what"], trials["likely"], trials["most"]) == ("code", 4, 6), "two a candidate"

        with platform.database.begin() as connection:
            connection.execute(sa.delete(journal))
        again = run_round(platform, "round-0001", {"driver": "command"})
        assert again.ok, again.failure
        assert server.stats()["replies"] == {"200": paid}
    redone = list(platform.journal.read_round("round-0001"))
    assert [t.final_result for t in redone] == [t.final_result for t in first]
    assert all(t.metadata.get("cached_replies") or t.metadata["cache_hit"] for t in redone)
    assert "distillation" in ran.output
    assert "cost" in ran.output
    assert "unknown" in ran.output


def test_a_round_whose_candidates_could_not_be_judged_is_said_to_be_stopped_and_taken_up_again(
    tmp_path: Path,
) -> None:
    first = (ROOT / "examples" / "tasks.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[0]
    with llm_server("teacher") as server:
        one = {"VLLM_URL": server.url, "MUTATIONS_PER_ESSENCE": 1}
        project(tmp_path, **one, TRIAL_SAMPLES=0)
        (tmp_path / "tasks.jsonl").write_text(first, encoding="utf-8")
        assert adp(tmp_path, "run", "tasks.jsonl").code == 0
        database = Database(f"sqlite:///{tmp_path}/output/adp.sqlite")
        with database.begin() as connection:  # as an outage would have left it
            row = connection.execute(sa.select(candidates.c.task_id).where(candidates.c.accepted)).first()
            assert row is not None
            undecided = sa.update(candidates).where(candidates.c.task_id == row.task_id)
            connection.execute(undecided.values(accepted=None, reason="No server."))
            connection.execute(sa.delete(pool_tasks).where(pool_tasks.c.task_id == row.task_id))

        project(tmp_path, **one, TRIAL_SAMPLES=1, ROUND_TOKEN_LIMIT=1)
        stopped = adp(tmp_path, "run", "tasks.jsonl")
        assert stopped.code == 3, stopped.said
        assert "Going on with round round-0001" in stopped.said
        assert "1 of its candidates for new tasks are undecided: " in stopped.said
        assert "ROUND_TOKEN_LIMIT" in stopped.said
        assert "1 undecided" in stopped.output

        project(tmp_path, **one, TRIAL_SAMPLES=1)
        gone_on = adp(tmp_path, "run", "tasks.jsonl")
        assert gone_on.code == 0, gone_on.said
        assert "Going on with round round-0001" in gone_on.said
    assert CandidateTable(database).undecided() == {}
    assert TaskPool(database).get(row.task_id) is not None
    database.close()


def test_an_unknown_price_is_said_to_be_unknown(tmp_path: Path) -> None:
    project(tmp_path, OPENAI_API_KEY="none", OPENAI_MODEL="of-next-year", MAX_ROUND_COST_USD=5)
    (tmp_path / "tasks.jsonl").write_text(TASKS)
    told = adp(tmp_path, "run", "tasks.jsonl", "--estimate", "--samples", 2)
    assert told.code == 0
    assert "24 reasoning" in told.output
    assert "unknown" in told.output
    assert "LLM_PRICES" in told.said
    assert "A round stops at 5.00 US dollars" in told.said


def test_a_run_stops_at_its_limit_and_goes_on_when_it_is_raised(tmp_path: Path) -> None:
    with llm_server("steps", turns=0) as server:
        project(tmp_path, VLLM_URL=server.url, MUTATIONS_PER_ESSENCE=0, ROUND_TOKEN_LIMIT=6000)
        (tmp_path / "tasks.jsonl").write_text(TASKS)
        stopped = adp(tmp_path, "run", "tasks.jsonl", "--episodes", 2)
        assert stopped.code == 3, stopped.said
        assert "ROUND_TOKEN_LIMIT" in stopped.said
        assert set(outcomes(tmp_path)) == {"unverified", "cancelled"}
        assert f"cancelled {outcomes(tmp_path)['cancelled']}" in " ".join(stopped.output.split())
        assert stopped.said.count("round-0001") == 1, "one sentence says which round stops"
        assert "of 6,000 tokens are spent (ROUND_TOKEN_LIMIT or --max-tokens)" in stopped.said
        project(tmp_path, VLLM_URL=server.url, MUTATIONS_PER_ESSENCE=0, ROUND_TOKEN_LIMIT=10**6)
        gone_on = adp(tmp_path, "run", "tasks.jsonl")
        assert gone_on.code == 0, gone_on.said
        assert "Going on with round round-0001" in gone_on.said
        assert server.stats()["replies"] == {"200": 12}
    assert outcomes(tmp_path) == {"unverified": 12}
