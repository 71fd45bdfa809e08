"""What a person before the progress bar is told while a round stands still."""

from __future__ import annotations

from pathlib import Path

from tests.adp_service.command import adp, line, project
from tests.adp_service.test_cli_secrets import provider
from tests.llm_server.replies import complete_task, completion


def test_a_server_that_is_down_in_mid_run_is_told_of_at_the_terminal_and_in_the_log(tmp_path: Path) -> None:
    asked = 0

    def down_at_first(request: dict[str, object], key: str) -> tuple[int, bytes]:
        nonlocal asked
        asked += 1
        if asked < 3:
            return 503, b'{"error": {"message": "Loading."}}'
        return 200, completion(complete_task("42"), prompt_tokens=1, completion_tokens=1)

    with provider(down_at_first) as base:
        # The third try comes after 4.5 s, and one that never answered is told of after 3.
        project(
            tmp_path, OPENAI_API_KEY="sk-pl4nted-0123", OPENAI_API_BASE=base, LLM_RETRY_INITIAL_SECONDS=1.5
        )
        (tmp_path / "tasks.jsonl").write_text(
            line("t", verifier={"kind": "numeric", "spec": {"expected": 42}})
        )
        ran = adp(tmp_path, "run", "tasks.jsonl")
    assert ran.code == 0, ran.said
    written = (tmp_path / "output" / "logs" / "adp.log").read_text()
    for told in (ran.said, written):
        assert told.count(f"{base} has not answered since") == 1
        assert told.count(f"{base} answers again") == 1
    assert "HTTP 503: Loading." in ran.said
