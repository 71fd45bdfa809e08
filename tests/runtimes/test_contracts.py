"""The shapes other tools rely on: field names, and reading and writing that lose nothing."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from runtimes.contracts import (
    ActionType,
    ExecutionStep,
    Grade,
    Lineage,
    TaskSpec,
    Trajectory,
    Trim,
    Verifier,
    check_task_id,
    task_from_json,
    trajectory_from_json,
    trajectory_to_json,
)
from runtimes.errors import ErrorType, InvalidTask

TASK_FIELDS = {
    "task_id": "",
    "expected_tools": [],
    "constraints": {},
    "max_steps": 10,
    "timeout": 300,
    "priority": 1,
}
TRAJECTORY_FIELDS = (
    *("task_id", "runtime_id", "success", "steps", "final_result", "error_type", "error_message"),
    *("total_duration", "metadata", "created_at"),
)
STEP_FIELDS = (
    *("step_id", "action_type", "action_params", "observation", "success", "error_type", "error_message"),
    *("timestamp", "duration", "thought"),
)
FOREIGN = {
    "task_id": "old-1",
    "runtime_id": "sandbox-runtime",
    "success": True,
    "steps": [
        {
            "step_id": "s1",
            "action_type": "browser_action",
            "action_params": {"action": "goto", "url": "http://shop.test/"},
            "observation": {"title": "商店"},
            "success": True,
            "error_type": None,
            "error_message": None,
            "timestamp": 1700000000.5,
            "duration": 0.25,
            "screenshot": "a.png",
        }
    ],
    "final_result": {"total": 3},
    "error_type": None,
    "error_message": None,
    "total_duration": 1.5,
    "metadata": {"cache_hit": True},
    "created_at": 1700000000.0,
    "cluster": {"node": 7},
    "extra": "kept, though we have a field of that name",
}


def task(**fields: Any) -> TaskSpec:
    return TaskSpec(**{"task_type": "code", "description": "Write add.", **fields})


def line(**fields: Any) -> str:
    return json.dumps({"task_type": "code", "description": "Write add.", **fields})


def test_a_line_with_only_the_required_fields_gets_the_documented_defaults() -> None:
    plain = msgspec.to_builtins(task_from_json(line()))
    assert {name: plain[name] for name in TASK_FIELDS} == TASK_FIELDS | {"task_id": plain["task_id"]}


@pytest.mark.parametrize("missing", ["task_type", "description"])
def test_a_line_without_a_required_field_is_refused_by_the_fields_name(missing: str) -> None:
    plain = json.loads(line())
    del plain[missing]
    with pytest.raises(InvalidTask, match=missing):
        task_from_json(json.dumps(plain))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", 0),
        ("priority", 11),
        ("priority", "high"),
        ("max_steps", 0),
        ("timeout", -5),
        ("expected_tools", "browser"),
        ("constraints", []),
        ("description", ""),
        ("task_type", None),
        ("task_id", 7),
    ],
)
def test_a_field_of_the_wrong_type_or_out_of_bounds_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidTask, match=rf"\$\.{field}"):
        task_from_json(line(**{field: value}))


def test_a_line_that_is_no_object_is_refused() -> None:
    for text in (
        "[]",
        "7",
        "{",
        "null",
        '{"task_type": "code"} trailing',
        b'{"task_id": "\xe9"}',
        "[" * 100_000,
    ):
        with pytest.raises(InvalidTask, match="not a task"):
            task_from_json(text)


def test_unknown_task_fields_are_kept_in_the_metadata() -> None:
    read = task_from_json(line(owner="ann", metadata={"team": 3}))
    assert read.metadata == {"owner": "ann", "team": 3}


def test_a_task_without_an_id_gets_the_same_uuid_at_every_reading() -> None:
    first, second, other = (task_from_json(text) for text in (line(), line(), line(description="Other")))
    assert first.task_id == second.task_id != other.task_id
    assert len(first.task_id) == 36


def test_a_seed_is_its_own_root_and_a_mutation_keeps_its_root() -> None:
    assert task(task_id="a").named().lineage == Lineage(root_id="a")
    assert task(task_id="b", lineage=Lineage(root_id="a", generation=1)).named().lineage.root_id == "a"


@pytest.mark.parametrize(
    "task_id",
    [
        "a/b",
        "..\\b",
        "../x",
        ".",
        "..",
        ".hidden",
        " x",
        "x ",
        "a\nb",
        "\0",
        "x" * 201,
        "数" * 67,
    ],
)
def test_an_id_that_cannot_name_a_file_is_refused_with_what_may_be_used(task_id: str) -> None:
    with pytest.raises(InvalidTask) as refused:
        check_task_id(task_id)
    assert refused.value.remedy


@pytest.mark.parametrize("task_id", ["demo-1", "任务_7", "v1.2", "web:7", "x" * 200, "数" * 66])
def test_ordinary_ids_in_any_script_are_taken(task_id: str) -> None:
    check_task_id(task_id)


def test_an_agent_sees_no_verifier_lineage_or_metadata() -> None:
    secret = task(
        task_id="t",
        verifier=Verifier("numeric", {"expected": 41.5}),
        lineage=Lineage(root_id="seed-secret", source="/secret/path"),
        metadata={"answer": "secret"},
    )
    shown = secret.for_agent()
    assert (shown.verifier, shown.lineage, shown.metadata) == (None, Lineage(), {})
    assert (
        msgspec.structs.replace(
            shown, verifier=secret.verifier, lineage=secret.lineage, metadata=secret.metadata
        )
        == secret
    )


def test_a_written_trajectory_has_every_field_that_other_tools_read() -> None:
    step = ExecutionStep(step_id=1, action_type="tool_call", success=True)
    written = json.loads(trajectory_to_json(Trajectory(task_id="t", runtime_id="r", steps=[step])))
    assert set(TRAJECTORY_FIELDS) <= written.keys()
    assert set(STEP_FIELDS) <= written["steps"][0].keys()
    assert list(written)[:10] == list(TRAJECTORY_FIELDS)


def test_the_closed_sets_of_words_are_those_of_the_contract() -> None:
    assert set(get_args(ActionType)) == {"code_execution", "browser_action", "tool_call"}
    assert set(get_args(ErrorType)) == {
        *("timeout", "network_error", "compile_error", "runtime_error", "browser_error", "system_error")
    }


def test_a_foreign_file_with_base_fields_and_unknown_keys_loses_nothing() -> None:
    written = json.loads(trajectory_to_json(trajectory_from_json(json.dumps(FOREIGN))))
    step, foreign_step = written.pop("steps")[0], FOREIGN["steps"][0]  # type: ignore[index]
    assert {key: step[key] for key in foreign_step} == foreign_step
    assert {key: written[key] for key in FOREIGN if key != "steps"} == {
        key: value for key, value in FOREIGN.items() if key != "steps"
    }


def test_reading_what_was_written_gives_the_same_trajectory() -> None:
    once = trajectory_from_json(json.dumps(FOREIGN))
    assert trajectory_from_json(trajectory_to_json(once)) == once


def test_trajectories_are_written_as_utf_8_and_not_escaped() -> None:
    assert "商店".encode() in trajectory_to_json(trajectory_from_json(json.dumps(FOREIGN)))


def acted(number: int, observation: str | None, **fields: Any) -> ExecutionStep:
    """A step of a turn of its own, unless `fields` say otherwise."""
    said = {"role": "assistant", "content": f"turn {number}"}
    given = {"turn": number - 1, "message": said, "tool_call_id": f"c{number}", **fields}
    return ExecutionStep(
        step_id=number, action_type="tool_call", observation=observation, success=True, **given
    )


def contents(messages: list[dict[str, Any]]) -> list[str]:
    return [message["content"] for message in messages]


def test_a_conversation_ends_with_the_last_reply_and_answers_every_call_before_it() -> None:
    steps = [
        acted(1, "one"),
        acted(2, "two", turn=0, message=None),
        acted(3, "three", turn=1),
        acted(4, None, turn=1, message=None),
    ]
    trajectory = Trajectory(task_id="t", runtime_id="r", steps=steps)
    assert contents(trajectory.messages()) == ["turn 1", "one", "two", "turn 3"]


def test_requests_have_the_cuts_of_their_turn_and_messages_have_none() -> None:
    trajectory = Trajectory(
        task_id="t",
        runtime_id="r",
        prompt=[{"role": "system", "content": "s"}, {"role": "user", "content": "task and page"}],
        steps=[
            acted(1, "one whole", echo={"role": "assistant", "content": "mended"}),
            acted(2, "two whole"),
            acted(3, "three", message=None),
            acted(4, "four"),
        ],
        trims=[
            Trim(turn=1, step_id=0, content="task"),
            Trim(turn=3, step_id=1, content="one"),
            Trim(turn=3, step_id=3, content="t"),
            Trim(turn=4, step_id=2, content="of a request without a reply"),
        ],
    )
    read = trajectory_from_json(trajectory_to_json(trajectory))
    assert [contents(request) for request in read.requests()] == [
        ["s", "task and page"],
        ["s", "task", "mended", "one whole"],
        ["s", "task", "mended", "one", "turn 2", "two whole", "t"],
    ]
    assert contents(read.messages()) == [
        *("s", "task and page", "turn 1", "one whole", "turn 2", "two whole", "three", "turn 4")
    ]


def test_a_trajectory_with_a_wrong_field_is_refused_by_the_fields_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="total_duration"):
        trajectory_from_json(json.dumps(FOREIGN | {"total_duration": "long"}))
    with pytest.raises(msgspec.ValidationError, match="steps"):
        trajectory_from_json(json.dumps(FOREIGN | {"steps": [7]}))
    for text in (b"{", b'{"task_id": "\xe9"}', b'{"steps": ' + b"[" * 100_000):
        with pytest.raises(msgspec.DecodeError):
            trajectory_from_json(text)


def test_success_means_a_full_reward_and_nothing_else() -> None:
    finished = Trajectory(task_id="t", runtime_id="r")
    solved = finished.graded(Grade(verifier="numeric", reward=1.0))
    partly = finished.graded(Grade(verifier="numeric", reward=0.99))
    assert (solved.outcome, solved.success, solved.verified) == ("solved", True, True)
    assert (partly.outcome, partly.success, partly.verified) == ("unsolved", False, True)


def test_a_task_without_a_verdict_is_unverified_and_no_success() -> None:
    ungraded = Trajectory(task_id="t", runtime_id="r", success=True).graded(None)
    assert (ungraded.outcome, ungraded.success, ungraded.verified) == ("unverified", False, False)


def test_an_infrastructure_failure_takes_no_grade() -> None:
    failed = Trajectory(task_id="t", runtime_id="r", outcome="infrastructure_error")
    assert failed.graded(Grade(verifier="numeric", reward=1.0)) is failed
    assert not failed.finished


@pytest.mark.parametrize("user", ["u" * 201, "a\0b"])
def test_a_user_whose_calls_could_not_be_counted_is_refused(user: str) -> None:
    line = json.dumps({"task_type": "code", "description": "d", "metadata": {"user_id": user}})
    with pytest.raises(InvalidTask, match="user_id"):
        task_from_json(line.encode())
