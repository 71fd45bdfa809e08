"""The agent loop, driven by a scripted model over real tools and sandboxes."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from runtimes.agent import CUT_OFF, EMPTY
from runtimes.builtin import CodeRuntime, sample_seed
from runtimes.contracts import Lineage, Message, Verifier, trajectory_from_json, trajectory_to_json
from runtimes.errors import InfrastructureError, ModelRefused, ModelUnavailable
from runtimes.llm.base import Reply
from runtimes.perform import perform
from runtimes.record import NOT_CARRIED_OUT
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from sandbox import Limits, SandboxPool, SandboxUnavailable
from sandbox.backends.base import SlotKind
from sandbox.slot import Slot
from tests.runtimes.scripted import (
    ScriptedModel,
    Turn,
    call,
    code_task,
    episode,
    error_types,
    finishes,
    reasoning_episode,
    runs,
    says,
    services,
)


def last_tool_message(model: ScriptedModel) -> str:
    """What the model was told last."""
    message = model.requests[-1][-1]
    assert message["role"] == "tool"
    return str(message["content"])


async def test_an_agent_runs_code_sees_the_output_and_answers() -> None:
    trajectory, model = await episode(
        says("First I try it.", call("python_executor", {"code": "print(6 * 7)"})), finishes("42")
    )
    first, last = trajectory.steps
    assert (first.action_type, first.action_params) == ("code_execution", {"code": "print(6 * 7)"})
    assert (first.success, first.thought, first.turn) == (True, "First I try it.", 0)
    assert first.duration > 0
    assert first.timestamp >= trajectory.created_at > 1_700_000_000
    assert "42" in first.observation == last_tool_message(model)
    assert (last.tool_name, last.observation, last.success) == ("complete_task", None, True)
    assert trajectory.final_result == "42"
    assert (trajectory.runtime_id, trajectory.round, trajectory.sample) == ("sandbox-runtime", "r", 1)
    assert trajectory.metadata["total_steps"] == 2
    assert trajectory.metadata["code_length"] == 2
    assert (trajectory.prompt_tokens, trajectory.completion_tokens, trajectory.cost_usd) == (20, 6, 1.0)


async def test_files_last_from_call_to_call_and_not_from_episode_to_episode() -> None:
    reads = runs("print(open('note.txt').read())")
    _, model = await episode(runs("open('note.txt', 'w').write('kept')"), reads, finishes())
    assert "kept" in last_tool_message(model)
    other, _ = await episode(reads, finishes())
    assert other.steps[0].error_type == "runtime_error"


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (call("magic", {"x": 1}), "no tool 'magic'"),
        (call("python_executor", '{"code": '), "not JSON"),
        (call("python_executor", '{"code": "\\ud83d"}'), "not JSON"),
        (call("python_executor", '{"code": ' + "1" * 5000 + "}"), "not JSON"),
        (call("python_executor", "[" * 100_000), "not JSON"),
        (call("python_executor", {"code": 7}), "at code"),
        (call("python_executor", {}), "'code' is a required property"),
        (call("python_executor", ""), "'code' is a required property"),
        (call("python_executor", {"code": "1", "shell": True}), "shell"),
        (call("python_executor", [1]), "not of type 'object'"),
        ({"id": "c1", "type": "function", "function": None}, "no tool 'None'"),
        (call("python_executor", {"code": "x" * (1 << 20)}), "Send at most 262144"),
        (call("python_executor", {"code": ["x" * 100_000]}), "is not of type 'string'"),
        (call("x" * 100_000), "no tool 'xxx"),
    ],
)
async def test_a_call_that_cannot_be_carried_out_is_told_to_the_agent_which_goes_on(
    bad: dict[str, Any], told: str
) -> None:
    trajectory, model = await episode(says(None, bad), finishes("mended"))
    assert told in last_tool_message(model)
    assert len(last_tool_message(model)) < 1000
    assert trajectory.final_result == "mended"
    assert error_types(trajectory) == ["runtime_error", None]
    assert trajectory.error_type is None
    assert trajectory.finished


async def test_a_tool_without_arguments_may_be_called_with_an_empty_string() -> None:
    trajectory, _ = await episode(says(None, call("file_operations", '{"operation": "list"}')), finishes())
    assert trajectory.steps[0].observation == "(empty)"


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("def f(:", "compile_error"),
        ("1 / 0", "runtime_error"),
        ("import time; time.sleep(60)", "timeout"),
        ("while True: pass", "timeout"),
        ("import socket; socket.create_connection(('1.1.1.1', 80), 1)", "runtime_error"),
        ("open('/etc/passwd', 'w')", "runtime_error"),
        ("import no_such_module", "runtime_error"),
        ("x = bytearray(10**10)", "runtime_error"),
    ],
)
async def test_what_the_code_did_wrong_has_its_error_type_and_is_no_fault_of_ours(
    code: str, error_type: str
) -> None:
    limits = Limits(wall_seconds=1)
    trajectory, model = await episode(runs(code), finishes(), limits=limits)
    assert error_types(trajectory) == [error_type, None]
    assert trajectory.steps[0].success is False
    assert f"error ({error_type})" in last_tool_message(model)
    assert trajectory.finished


async def test_plain_text_is_a_final_answer() -> None:
    trajectory, _ = await episode(says("The answer is 42."))
    assert trajectory.final_result == "The answer is 42."
    assert [step.success for step in trajectory.steps] == [True]
    assert trajectory.error_type is None


async def test_an_empty_reply_is_nudged_and_two_in_a_row_end_the_episode() -> None:
    trajectory, model = await episode(says(""), says(None), finishes())
    assert model.requests[1][-1] == {"role": "user", "content": EMPTY}
    assert len(model.requests) == 2
    assert trajectory.error_type == "runtime_error"
    assert "Your reply was empty" in str(trajectory.error_message)
    assert trajectory.metadata["ended_by"] == "unusable_replies"
    assert trajectory.finished


async def test_an_empty_reply_that_is_followed_by_a_call_costs_nothing() -> None:
    trajectory, _ = await episode(says(""), runs("1"), says("  "), finishes("done"))
    assert trajectory.final_result == "done"


async def test_text_that_was_cut_off_is_no_answer() -> None:
    model = CutOffModel(says("The answer is, to begin with"), says("After all, 42."))
    async with services(model) as opened:
        trajectory = await CodeRuntime(opened).execute(code_task())
    assert model.requests[1][-1] == {"role": "user", "content": CUT_OFF}
    assert trajectory.final_result == "After all, 42."


async def test_a_call_beside_text_that_was_cut_off_is_carried_out_where_it_is_whole() -> None:
    model = CutOffModel(runs("print(42)"), finishes("42"))
    async with services(model) as opened:
        trajectory = await CodeRuntime(opened).execute(code_task())
    assert error_types(trajectory) == [None, None]


class CutOffModel(ScriptedModel):
    """Its first reply reached the limit of its length."""

    async def complete(self, messages: list[Message], **options: Any) -> Reply:
        reply = await super().complete(messages, **options)
        reason = "length" if len(self.requests) == 1 else "stop"
        return msgspec.structs.replace(reply, finish_reason=reason)


async def test_an_agent_out_of_steps_ends_without_an_answer() -> None:
    trajectory, model = await episode(runs("1"), task=code_task(max_steps=3))
    assert len(model.requests) == 3
    assert trajectory.final_result is None
    assert trajectory.error_type == "runtime_error"
    assert "within 3 steps" in str(trajectory.error_message)
    assert trajectory.finished


async def test_the_tasks_time_limit_ends_the_episode_as_the_agents_failure_and_keeps_the_steps() -> None:
    async def slow() -> Message:
        await asyncio.sleep(1.1)
        return finishes()

    trajectory, _ = await episode(runs("1"), slow, task=code_task(timeout=1))
    assert trajectory.error_type == "timeout"
    assert "time limit of 1 s" in str(trajectory.error_message)
    assert error_types(trajectory) == [None, "timeout"]
    assert trajectory.final_result is None
    assert trajectory.outcome == "unverified"


class Elsewhere(ScriptedModel):
    """A model whose replies another gives, at a price known of the first alone."""

    model = "gemini-2.5-flash"

    async def complete(self, messages: list[Message], **options: Any) -> Reply:
        reply = await super().complete(messages, **options)
        cost = 0.5 if len(self.requests) == 1 else None
        return msgspec.structs.replace(
            reply, provider="openai", model="gpt-4", cost_usd=cost, prompt_tokens=0
        )


async def test_the_window_and_the_author_are_those_of_the_model_that_answers() -> None:
    prints = [runs(f"print('{letter}' * 8_000)") for letter in "abcd"]
    async with services(Elsewhere(*prints, finishes())) as opened:
        trajectory = await CodeRuntime(opened).execute(code_task())
    assert (trajectory.teacher, trajectory.model) == ("openai", "gpt-4")
    assert trajectory.trims, "which a window of a million tokens had not needed"


@pytest.mark.parametrize(("provider", "sent"), [("vllm", ["seed"]), ("gemini", [])])
async def test_a_parameter_that_the_provider_was_not_sent_is_not_recorded(
    provider: str, sent: list[str]
) -> None:
    model = ScriptedModel(finishes())
    model.provider = provider
    async with services(model) as opened:
        trajectory = await CodeRuntime(opened).execute(code_task())
    assert list(trajectory.sampling) == sent


async def test_a_price_that_is_not_known_of_one_reply_is_not_known_of_the_episode() -> None:
    async with services(Elsewhere(runs("1"), finishes())) as opened:
        trajectory = await CodeRuntime(opened).execute(code_task())
    assert [step.cost_usd for step in trajectory.steps] == [0.5, None]
    assert trajectory.cost_usd is None


class Kept(ScriptedModel):
    """A model whose every reply is kept waiting for `seconds`, by its provider and not by itself."""

    def __init__(self, seconds: float, *turns: Turn) -> None:
        super().__init__(*turns)
        self.seconds = seconds

    async def complete(self, messages: list[Message], **options: Any) -> Reply:
        await asyncio.sleep(self.seconds)
        return msgspec.structs.replace(await super().complete(messages, **options), waited=self.seconds)


async def test_waiting_for_the_models_provider_is_not_the_tasks_time() -> None:
    async with services(Kept(1.1, runs("1"), finishes("42"))) as opened:
        trajectory = await CodeRuntime(opened).execute(code_task(timeout=1))
    assert (trajectory.final_result, trajectory.error_type) == ("42", None)


async def test_an_outage_that_outlasts_the_tasks_time_limit_is_our_failure() -> None:
    async with services(Kept(1.1, ModelUnavailable("No reply within 600 s."))) as opened:
        trajectory = await CodeRuntime(opened).execute(code_task(timeout=1))
    assert (trajectory.outcome, trajectory.error_type) == ("infrastructure_error", "network_error")


async def test_a_step_that_the_time_limit_cut_off_says_so_and_was_never_answered() -> None:
    trajectory, _ = await episode(runs("import time; time.sleep(60)"), task=code_task(timeout=1))
    assert error_types(trajectory) == ["timeout"]
    assert trajectory.messages()[-1]["role"] == "assistant"


async def test_an_unreachable_model_is_our_failure_and_the_steps_so_far_are_kept() -> None:
    trajectory, _ = await episode(runs("print(1)"), ModelUnavailable("No server."))
    assert trajectory.outcome == "infrastructure_error"
    assert trajectory.error_type == "network_error"
    assert len(trajectory.steps) == 1
    assert not trajectory.finished


class NoJails:
    """A sandbox backend on a machine that cannot make jails."""

    name = "none"

    async def start(self, kind: SlotKind) -> Slot:
        raise SandboxUnavailable("No jail can be made.", "Install bubblewrap.")


async def test_a_sandbox_that_does_not_start_is_our_failure() -> None:
    model = ScriptedModel(runs("1"))
    async with Services(model, SandboxPool(backend=NoJails()), BrowserPool()) as opened:
        trajectory = await CodeRuntime(opened).execute(code_task())
    assert trajectory.outcome == "infrastructure_error"
    assert "No jail can be made" in str(trajectory.error_message)
    assert error_types(trajectory) == ["system_error"]


async def test_a_refused_key_is_raised_since_no_other_episode_could_go_better() -> None:
    async with services(ScriptedModel(ModelRefused("Bad key."))) as opened:
        with pytest.raises(ModelRefused):
            await perform(code_task(), CodeRuntime(opened), opened, sample=0, round="r")


async def test_a_fault_in_the_runtime_itself_is_a_row_and_no_exception() -> None:
    async with services(ScriptedModel(ZeroDivisionError("ours"))) as opened:
        trajectory = await perform(code_task(), CodeRuntime(opened), opened, sample=2, round="r")
    assert (trajectory.outcome, trajectory.error_type) == ("infrastructure_error", "system_error")
    assert (trajectory.task_type, trajectory.round, trajectory.sample) == ("code", "r", 2)
    assert "ZeroDivisionError: ours" in str(trajectory.error_message)


async def test_the_model_sees_neither_verifier_nor_lineage() -> None:
    model = ScriptedModel(finishes("41.5"))
    secret = code_task(
        verifier=Verifier("numeric", {"expected": 41.5}), lineage=Lineage(source="/secret/path.jsonl")
    )
    async with services(model) as opened:
        trajectory = await perform(secret, CodeRuntime(opened), opened, sample=0, round="r")
    assert (trajectory.outcome, trajectory.reward) == ("solved", 1.0)
    assert "41.5" not in str(model.requests)
    assert "secret" not in str(model.requests)


async def test_requests_rebuild_what_the_model_was_sent_with_every_kind_of_turn() -> None:
    trajectory, model = await episode(
        says("", reasoning_content="Let me think.", thought_signature={"opaque": "AbC="}),
        says("Two at once.", call("python_executor", {"code": "print(1)"}, "a"), call("magic", {}, "b")),
        says(None, {"type": "function", "function": {"name": "python_executor", "arguments": "{"}}),
        runs("print('数' * 3); 1 / 0"),
        runs("print('x' * 100_000)"),
        says(None, call("file_operations", {"operation": "list"}), finishes("yes")["tool_calls"][0]),
    )
    assert len(model.requests) == 6
    assert trajectory_from_json(trajectory_to_json(trajectory)).requests() == model.requests


async def test_messages_of_an_episode_end_with_the_models_last_word() -> None:
    beside = says(None, call("file_operations", {"operation": "list"}), *finishes()["tool_calls"])
    for last in (finishes("42"), says("42"), beside):
        trajectory, model = await episode(runs("print(42)"), last)
        rebuilt = trajectory_from_json(trajectory_to_json(trajectory)).messages()
        assert rebuilt == [*model.requests[-1], last]


async def test_unknown_message_keys_go_back_to_the_model_unchanged() -> None:
    first = says(None, call("file_operations", {"operation": "list"}), thought_signature={"opaque": "AbC="})
    _, model = await episode(first, finishes())
    assert model.requests[1][-2] == first


async def test_output_that_is_not_utf_8_does_not_spoil_the_record() -> None:
    trajectory, _ = await episode(
        runs("open(b'bad-\\xff.txt', 'w').close(); import os; os.write(1, b'\\xff\\n')"),
        says(None, call("file_operations", {"operation": "list"})),
        finishes(),
    )
    assert trajectory.steps[1].observation == "bad-\ufffd.txt (0 bytes)"
    assert trajectory_from_json(trajectory_to_json(trajectory)) == trajectory


async def test_long_output_is_cut_in_the_middle_and_the_cut_is_marked() -> None:
    trajectory, _ = await episode(runs("print('a' * 9000 + 'END')"), finishes())
    seen = str(trajectory.steps[0].observation)
    assert len(seen) < 9000
    assert "characters cut" in seen
    assert "END" in seen


async def test_tools_that_are_not_here_are_told_to_the_agent_and_recorded() -> None:
    trajectory, model = await episode(
        finishes(), task=code_task(expected_tools=["no_such_tool", "python_executor"])
    )
    assert model.tools[0] == ["python_executor", "complete_task"]
    assert "Not available here: no_such_tool." in model.requests[0][-1]["content"]
    assert trajectory.metadata["missing_tools"] == ["no_such_tool"]


async def test_the_prompt_holds_the_task_in_its_language_and_its_constraints() -> None:
    trajectory, model = await episode(
        finishes(), task=code_task(description="写一个函数 add(a, b)", constraints={"max_lines": 3})
    )
    user = model.requests[0][-1]["content"]
    assert "写一个函数 add(a, b)" in user
    assert '{"max_lines": 3}' in user
    again, _ = await episode(
        finishes("other"), task=code_task(description="写一个函数 add(a, b)", constraints={"max_lines": 3})
    )
    assert trajectory.prompt_hash == again.prompt_hash


async def test_llm_reasoning_asks_the_model_apart_and_feeds_the_reply_back() -> None:
    trajectory, model = await reasoning_episode(
        says(None, call("llm_reasoning", {"question": "6 times 7?"})), says("It is 42."), finishes("42")
    )
    assert model.requests[1][-1] == {"role": "user", "content": "6 times 7?"}
    assert model.tools[1] == []
    assert trajectory.steps[0].observation == "It is 42."


async def test_samples_differ_in_their_seed_and_a_rerun_has_the_same() -> None:
    _, first = await episode(finishes())
    _, second = await episode(finishes())
    assert first.samplings == second.samplings
    assert len({sample_seed(0, "t", sample) for sample in range(20)}) == 20


async def test_a_cancelled_episode_ends_at_once_and_leaves_no_sandbox() -> None:
    started = asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    async with services(ScriptedModel(runs("1"), hang)) as opened:
        going = asyncio.create_task(CodeRuntime(opened).execute(code_task()))
        await started.wait()
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        assert opened.sandboxes.slots_in_use == 0


async def test_health_names_what_is_missing() -> None:
    async with Services(ScriptedModel(finishes()), SandboxPool(backend=NoJails()), BrowserPool()) as opened:
        health = await CodeRuntime(opened).health_check()
    assert not health.healthy
    assert health.remedy == "Install bubblewrap."


async def test_a_tool_that_breaks_on_our_side_ends_the_episode() -> None:
    trajectory, _ = await reasoning_episode(
        says(None, call("llm_reasoning", {"question": "?"})),
        InfrastructureError("system_error", "Disk full."),
    )
    assert (trajectory.outcome, trajectory.error_message) == ("infrastructure_error", "Disk full.")
    assert error_types(trajectory) == ["system_error"]


async def test_calls_that_the_episodes_end_came_before_are_steps_that_were_not_carried_out() -> None:
    many = says(None, *(call("python_executor", {"code": str(n)}, f"c{n}") for n in range(5)))
    trajectory, model = await episode(many, task=code_task(max_steps=3))
    assert len(model.requests) == 1
    assert trajectory.metadata["total_steps"] == 3
    assert [step.observation is not None for step in trajectory.steps] == [True] * 3 + [False] * 2
    assert [step.tool_call_id for step in trajectory.steps] == ["c0", "c1", "c2", "c3", "c4"]
    assert {step.error_message for step in trajectory.steps[3:]} == {NOT_CARRIED_OUT}
    early = says(None, *finishes("1")["tool_calls"], call("python_executor", {"code": "1"}, "late"))
    trajectory, _ = await episode(early)
    assert [step.success for step in trajectory.steps] == [True, False]
    assert (trajectory.final_result, trajectory.metadata["ended_by"]) == ("1", "answer")


async def test_an_episode_that_did_not_come_to_its_end_is_unsolved_whatever_its_verifier_says() -> None:
    task = code_task(max_steps=1, verifier=Verifier("exact", {"expected": ""}))
    model = ScriptedModel(runs("1"))
    async with services(model) as opened:
        trajectory = await perform(task, CodeRuntime(opened), opened, sample=0, round="r")
    assert trajectory.outcome == "unsolved"
    assert trajectory.reward == 0
    assert "did not come to its end" in trajectory.grade_reason


async def test_undecodable_words_of_a_submission_do_not_reach_the_record() -> None:
    cases = [{"call": "f()", "expected": 1}]
    task = code_task(verifier=Verifier("python_tests", {"cases": cases}))
    model = ScriptedModel(finishes("def f(): raise ValueError('\\ud800')"))
    async with services(model) as opened:
        trajectory = await perform(task, CodeRuntime(opened), opened, sample=0, round="r")
    assert trajectory.outcome == "unsolved"
    assert trajectory.grade_reason.encode()


async def test_what_is_open_is_closed_where_the_next_of_the_services_does_not_open() -> None:
    class Broken(BrowserPool):
        async def __aenter__(self) -> BrowserPool:
            raise OSError("no browser")

    sandboxes = SandboxPool(slots=1)
    with pytest.raises(OSError, match="no browser"):
        async with Services(ScriptedModel(finishes()), sandboxes, Broken()):
            pass
    assert sandboxes.closed
