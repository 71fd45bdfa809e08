"""What `adp doctor` says of the providers whose keys are set: whether they answer, and why they do not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.adp_service.command import adp, project
from tests.runtimes.llm.serving import gives, refuses, server

KEY = "sk-pl4nted-0123456789abcdef"


async def test_a_key_that_is_refused_is_told_with_its_cause_and_not_shown(tmp_path: Path) -> None:
    async with (
        server(refuses(401, f"Incorrect API key provided: {KEY}")) as refusing,
        server(gives(b'{"data": []}')) as answering,
    ):
        project(
            tmp_path,
            DEEPSEEK_API_KEY="sk-0ther-fedcba9876543210",
            DEEPSEEK_API_URL=answering.url,
            OPENAI_API_KEY=KEY,
            OPENAI_API_BASE=refusing.url,
        )
        ended = await asyncio.to_thread(adp, tmp_path, "doctor")
    assert ended.code == 1
    assert f"deepseek-chat (deepseek at {answering.url} answers)" in ended.output
    assert "HTTP 401: Incorrect API key provided: [redacted:OPENAI_API_KEY]" in ended.output
    assert KEY not in ended.output + ended.said
