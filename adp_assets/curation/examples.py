"""What the formats are given: plain examples of a dataset, whatever shape trainers want them in.

Selection happens before (`curate`), files after (`formats`); nothing here decides or writes.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from runtimes.contracts import Message, TaskSpec, Trajectory

Shape = Literal["sft", "steps", "preference", "rl", "trajectories"]
"""Whole conversations, single replies, pairs, prompts with verifiers, and episodes with all their steps."""

Columns = dict[str, Any]
"""What a row says beside its conversation: `rows.ABOUT`, by name."""


class Demonstration(Struct, frozen=True, kw_only=True):
    """A conversation to imitate: the whole of one, or up to one of its replies.

    `messages` are as `training_messages` gives them, call arguments as objects; `tools` are the schemas the
    model was given. In a single reply's example the last message is that reply.
    """

    id: str
    split: str
    messages: list[Message]
    tools: list[dict[str, Any]]
    about: Columns


class Preference(Struct, frozen=True, kw_only=True):
    """A verified success against a failure of the same task, both after the same prompt and tools."""

    id: str
    split: str
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    tools: list[dict[str, Any]]
    about: Columns


class Problem(Struct, frozen=True, kw_only=True):
    """A prompt to be answered anew and the task whose verifier decides."""

    id: str
    split: str
    prompt: list[Message]
    tools: list[dict[str, Any]]
    task: TaskSpec
    about: Columns


class Episode(Struct, frozen=True, kw_only=True):
    """An episode with every step as it was recorded."""

    id: str
    split: str
    trajectory: Trajectory
    task: TaskSpec
    about: Columns


Example = Demonstration | Preference | Problem | Episode
