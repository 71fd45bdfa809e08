"""The test LLM server as an OpenAI client sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion

from tests.llm_server.process import ROOT, RunningServer, llm_server

ANSWERS = ROOT / "tests/data/word_problems.jsonl"
PROBLEMS: dict[str, str] = {
    problem["question"]: problem["answer"].rpartition("#### ")[2]
    for problem in map(json.loads, ANSWERS.read_text(encoding="utf-8").splitlines())
}
QUESTION, NUMBER = next(iter(PROBLEMS.items()))


def client(server: RunningServer, **options: Any) -> OpenAI:
    return OpenAI(base_url=server.url, api_key="test", **{"max_retries": 0, "timeout": 10, **options})


def ask(server: RunningServer, text: str, **options: Any) -> ChatCompletion:
    with client(server, **options) as model:
        return model.chat.completions.create(
            model="test-model", messages=[{"role": "user", "content": f"Solve this.\n\n{text}"}]
        )


def final_answer(reply: ChatCompletion) -> str:
    (call,) = reply.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "complete_task"
    answer: str = json.loads(call.function.arguments)["answer"]
    return answer


def word_problems(mix: str) -> Any:
    return llm_server("gsm8k", answers=ANSWERS, mix=mix)


def test_a_right_reply_completes_the_task_with_the_number_of_the_answers_file() -> None:
    with word_problems("right=1") as server:
        replies = {question: ask(server, question) for question in PROBLEMS}
    assert {question: final_answer(reply) for question, reply in replies.items()} == PROBLEMS
    usage = replies[QUESTION].usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0
    assert replies[QUESTION].choices[0].finish_reason == "tool_calls"


def test_a_wrong_reply_completes_the_task_with_another_number() -> None:
    with word_problems("wrong=1") as server:
        answer = final_answer(ask(server, QUESTION))
    assert answer != NUMBER
    assert float(answer)


def test_the_plan_tells_the_kind_of_every_question_and_is_the_same_in_every_process() -> None:
    with word_problems("right=50,wrong=50") as first, word_problems("right=50,wrong=50") as second:
        plan = first.plan()
        assert plan == second.plan()
        got = {q: "right" if final_answer(ask(first, q)) == n else "wrong" for q, n in PROBLEMS.items()}
    assert got == plan
    assert set(plan.values()) == {"right", "wrong"}


def test_every_malformed_reply_has_the_planned_fault() -> None:
    with word_problems("malformed=1") as server:
        planned = server.malformed()
        seen = {question: fault_of(server, question) for question in PROBLEMS}
    assert seen == planned
    assert set(planned.values()) == {"not_json", "unknown_tool", "empty_message", "half_body"}


def fault_of(server: RunningServer, question: str) -> str:
    try:
        message = ask(server, question).choices[0].message
    except (json.JSONDecodeError, openai.APIError):
        return "half_body"
    if not message.tool_calls:
        assert not message.content
        return "empty_message"
    (call,) = message.tool_calls
    assert call.type == "function"
    if call.function.name != "complete_task":
        return "unknown_tool"
    with pytest.raises(json.JSONDecodeError):
        json.loads(call.function.arguments)
    return "not_json"


def test_a_rate_limited_request_is_answered_at_its_third_try() -> None:
    with word_problems("e429=1") as server:
        for _ in range(2):
            with pytest.raises(openai.RateLimitError) as refused:
                ask(server, QUESTION)
            assert refused.value.response.headers["retry-after"] == "0"
        assert final_answer(ask(server, QUESTION)) == NUMBER
        assert server.stats()["replies"] == {"429": 2, "200": 1}


def test_a_failing_question_fails_at_every_try() -> None:
    with word_problems("e500=1") as server:
        for _ in range(4):
            with pytest.raises(openai.InternalServerError):
                ask(server, QUESTION)
        assert server.stats()["replies"] == {"500": 4}


def test_a_question_that_is_not_in_the_file_is_a_bad_request() -> None:
    with word_problems("right=1") as server, pytest.raises(openai.BadRequestError, match="answers file"):
        ask(server, "What is the capital of France?")


def test_a_question_is_found_in_content_parts_too() -> None:
    with word_problems("right=1") as server, client(server) as model:
        reply = model.chat.completions.create(
            model="test-model", messages=[{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
        )
    assert final_answer(reply) == NUMBER


def test_steps_calls_python_as_often_as_asked_and_then_completes() -> None:
    messages: list[Any] = [{"role": "user", "content": 'Say "role": "assistant" and begin.'}]
    names: list[str] = []
    with llm_server("steps", turns=3) as server, client(server) as model:
        while "complete_task" not in names:
            reply = model.chat.completions.create(model="test-model", messages=messages)
            message = reply.choices[0].message
            (call,) = message.tool_calls or []
            assert call.type == "function"
            names.append(call.function.name)
            messages.append(message.model_dump(exclude_none=True))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "ok"})
            if call.function.name == "python_executor":
                compile(json.loads(call.function.arguments)["code"], "step", "exec")
    assert names == ["python_executor"] * 3 + ["complete_task"]
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_the_server_lists_its_model() -> None:
    with llm_server("steps") as server, client(server) as model:
        assert [listed.id for listed in model.models.list()] == ["test-model"]


def test_the_teacher_answers_over_http_as_it_does_in_process() -> None:
    from runtimes.llm.teacher import Teacher

    messages: list[Any] = [{"role": "user", "content": "Hello. What can you do?"}]
    direct = asyncio.run(Teacher(error_rate=0.0).complete(messages))
    with llm_server("teacher") as server, client(server) as model:
        served = model.chat.completions.create(model="test-model", messages=messages)
    assert served.choices[0].message.content == direct.message.get("content")


def test_refuse_knows_no_key() -> None:
    with llm_server("refuse") as server, client(server) as model:
        with pytest.raises(openai.AuthenticationError):
            ask(server, "Anything.")
        with pytest.raises(openai.AuthenticationError):
            model.models.list()


def test_down_closes_the_connection_without_an_answer() -> None:
    with llm_server("down") as server, client(server) as model:
        with pytest.raises(openai.APIConnectionError):
            ask(server, "Anything.")
        with pytest.raises(openai.APIConnectionError):
            model.models.list()
        assert server.stats()["replies"] == {"closed": 1}


def test_hang_never_answers_and_counts_who_gave_up() -> None:
    with llm_server("hang") as server:
        with pytest.raises(openai.APITimeoutError):
            ask(server, "Anything.", timeout=0.2)
        assert eventually(lambda: server.stats()["replies"] == {"abandoned": 1})
        assert server.stats()["in_flight"] == 0


def eventually(condition: Any, tries: int = 1000) -> bool:
    """Whether the condition comes true within so many round trips to the server."""
    return any(condition() for _ in range(tries))


@pytest.fixture
def slow_server() -> Iterator[RunningServer]:
    with llm_server("steps", delay_ms=200) as server:
        yield server


@pytest.fixture
async def slow_model(slow_server: RunningServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=slow_server.url, api_key="test", max_retries=0) as model:
        yield model


async def test_stats_tell_how_many_requests_were_in_flight_at_most(
    slow_server: RunningServer, slow_model: AsyncOpenAI
) -> None:
    ask_once = slow_model.chat.completions.create
    messages: list[Any] = [{"role": "user", "content": "Go."}]
    await asyncio.gather(*(ask_once(model="test-model", messages=messages) for _ in range(5)))
    assert slow_server.stats() == {"replies": {"200": 5}, "in_flight": 0, "max_in_flight": 5}


async def test_beyond_its_cap_the_server_answers_429_at_once() -> None:
    with llm_server("steps", delay_ms=200, cap=2, retry_after=7) as server:
        async with AsyncOpenAI(base_url=server.url, api_key="test", max_retries=0) as model:
            messages: list[Any] = [{"role": "user", "content": "Go."}]
            asked = (model.chat.completions.create(model="test-model", messages=messages) for _ in range(5))
            replies = await asyncio.gather(*asked, return_exceptions=True)
        refused = [reply for reply in replies if isinstance(reply, openai.RateLimitError)]
        assert {reply.response.headers["retry-after"] for reply in refused} == {"7"}
        assert server.stats()["replies"] == {"200": 2, "429": 3}


def test_the_server_ends_with_the_process_that_started_it() -> None:
    starter = (
        "import subprocess, sys\n"
        "server = subprocess.Popen([sys.executable, '-m', 'tests.llm_server', '--script', 'hang'],"
        " stdin=subprocess.DEVNULL, stdout=sys.stdout)\n"
        "sys.stdin.read()\n"
    )
    with start([sys.executable, "-c", starter]) as parent:
        assert json.loads(line_of(parent))["port"] > 0
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.stdout is not None
        assert parent.stdout.read() == b"", "stdout stays open for as long as the server lives"


def test_the_server_ends_when_its_stdin_closes() -> None:
    with start([sys.executable, "-m", "tests.llm_server", "--script", "hang"]) as server:
        line_of(server)
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(timeout=10) == 0


def test_the_server_ends_on_sigterm() -> None:
    with start([sys.executable, "-m", "tests.llm_server", "--script", "hang"]) as server:
        line_of(server)
        server.terminate()
        assert server.wait(timeout=10) == 0


def test_a_mix_with_an_unknown_kind_is_refused_by_name(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.llm_server", "--script", "gsm8k", "--mix", "rihgt=1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "rihgt" in ended.stderr


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def line_of(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()
