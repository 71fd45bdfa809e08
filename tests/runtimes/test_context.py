"""What of a conversation is cut, in which order, and what is said where that is not enough."""

from __future__ import annotations

import pytest

from runtimes.context import KEPT_CHARACTERS, UNKNOWN_WINDOW, Conversation, shortened, window_of
from runtimes.contracts import Message
from runtimes.errors import ToolError
from runtimes.prompts import CURRENT_PAGE
from tests.llm_server.replies import error
from tests.runtimes.recording_server import recording_server, refusal
from tests.runtimes.scripted import code_task, episode, runs

PAGE = "a page " * 100


def conversation(window: int, *, page: str = "") -> Conversation:
    task = f"The task.{CURRENT_PAGE}{page}" if page else "The task."
    return Conversation([{"role": "user", "content": task}], [], window)


def turn(conversation: Conversation, step_id: int, observation: str) -> None:
    """A reply with one call, and what came of it."""
    conversation.reply({"role": "assistant", "content": None})
    conversation.observe(step_id, {"role": "tool", "tool_call_id": "c", "content": observation})


def cut_steps(conversation: Conversation) -> list[int | str]:
    return [trim.step_id for trim in conversation.trims]


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("gpt-4o-mini", 128_000),
        ("gpt-4-turbo-2024", 128_000),
        ("gpt-4-0613", 8_192),
        ("gemini-2.5-flash", 1_048_576),
        ("models/gemini-2.5-pro", 1_048_576),
        ("Qwen/Qwen2.5-7B-Instruct", 32_768),
        ("somebody/else", UNKNOWN_WINDOW),
    ],
)
def test_a_window_is_known_by_the_beginning_of_the_models_name(model: str, window: int) -> None:
    assert window_of(model) == window


def test_what_fits_is_left_alone() -> None:
    talk = conversation(8000, page=PAGE)
    for step in range(1, 5):
        turn(talk, step, "x" * 2000)
        talk.fit(step)
    assert talk.trims == []


def test_the_oldest_observations_are_cut_first_and_the_newest_stays_whole() -> None:
    talk = conversation(8000, page=PAGE)
    for step in range(1, 9):
        turn(talk, step, f"{step}" * 3000)
        talk.fit(step)
    cut = cut_steps(talk)
    assert cut == sorted(cut) == list(range(len(cut)))
    assert talk.tokens <= 6000
    assert talk.messages[-1]["content"] == "8" * 3000
    assert talk.messages[0]["content"].startswith(f"The task.{CURRENT_PAGE}a page")


def test_a_cut_goes_further_than_it_has_to_so_that_the_next_turns_need_none() -> None:
    talk = conversation(8000)
    for step in range(1, 30):
        turn(talk, step, "x" * 3000)
        talk.fit(step)
    turns = [trim.turn for trim in talk.trims]
    assert len(set(turns)) < len(turns) / 1.5


def test_an_observation_too_long_by_itself_is_cut_to_what_there_is_room_for() -> None:
    talk = conversation(8000)
    turn(talk, 1, "head" + "数" * 50_000 + "tail")
    talk.fit(1)
    seen = talk.messages[-1]["content"]
    assert 2000 < len(seen) < 10_000
    assert (seen[:4], seen[-4:]) == ("head", "tail")
    assert talk.tokens <= 6000


def test_calls_of_one_reply_share_what_there_is_room_for() -> None:
    talk = conversation(8000)
    talk.reply({"role": "assistant", "content": None})
    for step in (1, 2):
        talk.observe(step, {"role": "tool", "tool_call_id": "c", "content": "x" * 40_000})
    talk.fit(1)
    lengths = [len(message["content"]) for message in talk.messages[-2:]]
    assert lengths[0] == lengths[1] > 3000


def test_where_cutting_is_not_enough_the_error_says_so() -> None:
    talk = conversation(2000)
    talk.reply({"role": "assistant", "content": "y" * 20_000})
    with pytest.raises(ToolError, match="does not fit the model's window of 2000 tokens") as raised:
        talk.fit(1)
    assert raised.value.error_class == "context_length"


def test_the_providers_count_of_tokens_is_learned_from() -> None:
    talk = conversation(8000)
    turn(talk, 1, "x" * 8000)
    believed = talk.tokens
    talk.counted(believed * 2)
    assert talk.tokens == pytest.approx(believed * 2, rel=0.01)
    talk.counted(0)
    assert talk.tokens == pytest.approx(believed * 2, rel=0.01)


def test_after_a_refusal_half_is_left_and_less_is_taken_for_granted() -> None:
    talk = conversation(100_000)
    for step in range(1, 9):
        turn(talk, step, f"{step}" * 3000)
        talk.fit(step)
    assert talk.trims == []
    before = talk.tokens
    talk.shrink(8)
    assert talk.tokens <= before / 2
    for step in range(9, 17):
        turn(talk, step, "x" * 3000)
        talk.fit(step)
        assert talk.tokens <= before * 0.75


async def test_a_refusal_with_nothing_left_to_cut_is_the_end() -> None:
    too_long = ToolError("runtime_error", "Too long, says the provider.", error_class="context_length")
    trajectory, model = await episode(runs("print(1)"), too_long)
    assert len(model.requests) == 2
    assert trajectory.error_message == "Too long, says the provider."


def test_an_observation_is_cut_anew_from_the_whole_of_it() -> None:
    talk = conversation(100_000)
    turn(talk, 1, "a" * 5000 + "b" * 5000)
    talk.shrink(1)
    talk.shrink(1)
    assert talk.messages[-1]["content"].count("characters cut") == 1


def test_a_short_text_is_not_made_longer_by_a_mark() -> None:
    assert shortened("short", KEPT_CHARACTERS) == "short"


async def test_an_episode_that_a_model_refuses_twice_ends_with_that() -> None:
    refused: list[Message] = [runs("print('x' * 3000)")]
    too_long = ToolError("runtime_error", "Too long, says the provider.", error_class="context_length")
    trajectory, model = await episode(*refused, too_long, task=code_task())
    assert len(model.requests) == 3
    assert len(str(model.requests[2])) < len(str(model.requests[1])) * 0.6
    assert (trajectory.error_type, trajectory.metadata["ended_by"]) == ("runtime_error", "context_length")
    assert trajectory.finished


async def test_a_refusal_for_another_reason_is_not_tried_again() -> None:
    blocked = ToolError("runtime_error", "Caught by a content filter.")
    trajectory, model = await episode(runs("print(1)"), blocked)
    assert len(model.requests) == 2
    assert trajectory.error_message == "Caught by a content filter."


async def test_the_client_tells_a_conversation_too_long_from_one_it_will_not_have() -> None:
    blocked = error(400, "content_filter", "Blocked by our content management policy.")
    async with recording_server(refusal(), blocked) as server:
        client = server.client()
        classes = []
        for _ in range(2):
            with pytest.raises(ToolError) as raised:
                await client.complete([{"role": "user", "content": "x"}])
            classes.append(raised.value.error_class)
        await client.aclose()
    assert classes == ["context_length", ""]
