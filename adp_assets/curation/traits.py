"""What filters read of an episode beside its verdict: how it went, how it is written, what it gives away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from adp_assets.curation.render import compact
from runtimes.agent import CUT_OFF
from runtimes.contracts import ExecutionStep, Message, Trajectory
from runtimes.sensitive import personal_data_in, secrets_in

RUN = 5
"""Words in a row that count as said again."""
ENOUGH = 50
"""Words below which a reply repeats nothing."""


@dataclass(frozen=True)
class Traits:
    """`failed_steps` of all steps went wrong; `loops` is the most often that one call came back the same.

    `truncated`: a reply was cut off by the model's limit. `repetition` is the share of a reply's runs of five
    words that it had said before, the most of any reply. `secrets` and `personal` are kinds (`sensitive`) in
    all that a dataset may tell of it: the conversation, the last observations, its tools and its task.
    """

    failed_steps: int
    loops: int
    truncated: bool
    repetition: float
    secrets: list[str]
    personal: list[str]


class Kinds(NamedTuple):
    """Of secrets and personal data."""

    secrets: frozenset[str]
    personal: frozenset[str]


def kinds_in(*values: object) -> Kinds:
    """What all texts in JSON values seem to hold."""
    texts = [text for value in values for text in _strings(value)]
    return Kinds(
        frozenset(kind for text in texts for kind in secrets_in(text)),
        frozenset(kind for text in texts for kind in personal_data_in(text)),
    )


def traits_of(trajectory: Trajectory, messages: Sequence[Message], beside: Sequence[Kinds] = ()) -> Traits:
    """The traits of an episode whose conversation, as trainers read it, is `messages`.

    `beside` is what its tools and its task hold, which it shares with others.
    """
    last = trajectory.steps[-1].turn if trajectory.steps else 0
    unread = [step.observation for step in trajectory.steps if step.turn == last]
    held = [*beside, kinds_in(*texts_of(messages), unread, trajectory.final_result)]
    return Traits(
        failed_steps=sum(not step.success for step in trajectory.steps),
        loops=_loops(trajectory.steps),
        truncated=any(step.observation == CUT_OFF for step in trajectory.steps),
        repetition=max((_repetition(text) for text in _own_texts(messages)), default=0.0),
        secrets=sorted(frozenset().union(*(each.secrets for each in held))),
        personal=sorted(frozenset().union(*(each.personal for each in held))),
    )


def texts_of(messages: Sequence[Message]) -> Iterator[str]:
    """Every text of a conversation, what calls were given included."""
    for message in messages:
        yield from _strings(message.get("content"))
        yield from _strings(message.get("reasoning_content"))
        for call in message.get("tool_calls", ()):
            yield from _strings(call["function"]["arguments"])


def said_in(description: str, messages: Sequence[Message]) -> str:
    """What an episode is compared with others by: its task, and what the agent thought, said and called.

    Left out is what many episodes share, system prompts and tools, and what the world answered, as pages do.
    """
    said = [description]
    for message in messages:
        if message["role"] == "assistant":
            said += [message.get("reasoning_content") or "", *_strings(message.get("content"))]
            for call in message.get("tool_calls", ()):
                said += [call["function"]["name"], *_strings(call["function"]["arguments"])]
    return "\n".join(said)


def _own_texts(messages: Sequence[Message]) -> Iterator[str]:
    """What the agent thought and said, calls left out: a program may well repeat itself."""
    for message in messages:
        if message["role"] == "assistant":
            yield from _strings(message.get("reasoning_content"))
            yield from _strings(message.get("content"))


def _loops(steps: Sequence[ExecutionStep]) -> int:
    called = (step for step in steps if step.tool_name)
    times = Counter(compact([step.tool_name, step.action_params, step.observation]) for step in called)
    return max(times.values(), default=0)


def _repetition(text: str) -> float:
    words = text.split()
    if len(words) < ENOUGH:
        return 0.0
    runs = list(zip(*(words[at:] for at in range(RUN)), strict=False))
    return 1 - len(set(runs)) / len(runs)


def _strings(value: object) -> Iterator[str]:
    """All texts in a JSON value, names of fields left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
