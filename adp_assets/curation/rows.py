"""Every trajectory of a round as one row: its conversation, rendered once, and what datasets choose by.

A row is self-contained: with its task and conversation it can become a training example without the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

import msgspec
import polars as pl

from adp_assets.curation.likeness.minhash import BANDS, band_hashes
from adp_assets.curation.render import Untrainable, compact, content_hash, prompt_key, training_messages
from adp_assets.curation.traits import Kinds, Traits, kinds_in, said_in, traits_of
from adp_assets.languages import language_of
from runtimes.contracts import Message, TaskSpec, Trajectory

ABOUT: dict[str, pl.DataType] = {
    "id": pl.String(),
    "round": pl.String(),
    "task_id": pl.String(),
    "sample": pl.Int64(),
    "task_type": pl.String(),
    "root_id": pl.String(),
    "operator": pl.String(),
    "generation": pl.Int64(),
    "source": pl.String(),
    "licence": pl.String(),
    "domain": pl.String(),
    "verifier": pl.String(),
    "judged": pl.Boolean(),
    "reward": pl.Float64(),
    "teacher": pl.String(),
    "model": pl.String(),
    "created_at": pl.Float64(),
    "steps": pl.Int64(),
    "failed_steps": pl.Int64(),
    "characters": pl.Int64(),
    "tokens": pl.Int64(),
    "prompt_tokens": pl.Int64(),
    "completion_tokens": pl.Int64(),
    "cost_usd": pl.Float64(),
    "language": pl.String(),
    "content_hash": pl.String(),
}
"""What a dataset tells of a row beside its conversation.

`characters` are those of the conversation as JSON, `tokens` what the provider counted of it with its last
request, null where it counted none; `prompt_tokens` and `completion_tokens` are sums over all requests.
"""

CHOSEN_BY: dict[str, pl.DataType] = {
    "user": pl.String(),
    "outcome": pl.String(),
    "verified": pl.Boolean(),
    "surplus": pl.Boolean(),
    "withheld": pl.String(),
    "error_type": pl.String(),
    "loops": pl.Int64(),
    "truncated": pl.Boolean(),
    "repetition": pl.Float64(),
    "secrets": pl.List(pl.String()),
    "personal": pl.List(pl.String()),
    "unrenderable": pl.String(),
    "prompt_key": pl.String(),
}
"""What else filters read (`traits`); `unrenderable` says why no chat template could render it, else empty."""

CONVERSATION: dict[str, pl.DataType] = {
    "messages": pl.String(),
    "tools": pl.String(),
}
"""As JSON. `messages` are `training_messages`, call arguments as objects; both empty where unrenderable."""

LIGHT: dict[str, pl.DataType] = {**ABOUT, **CHOSEN_BY}
ROW_COLUMNS: dict[str, pl.DataType] = {
    **LIGHT,
    "bands": pl.Array(pl.UInt64(), BANDS),
    "task": pl.String(),
    **CONVERSATION,
}
"""Of the asset `training_rows`. `bands` is what near duplicates are found by (`likeness`), `task` the whole
TaskSpec as JSON."""

TOLD: dict[str, pl.DataType] = {**ABOUT, "family": pl.String(), "difficulty": pl.Float64()}
"""`ABOUT`, and what `curate` adds: `family` names the root seeds whose rows share a split."""

OF_DATASET: dict[str, pl.DataType] = {"split": pl.String(), **TOLD, **CONVERSATION}
"""Of the asset `training_dataset`: the rows that were kept, with what `curate` says of them."""

NO_LICENCE = "unknown"


def rows_of(trajectories: Iterable[Trajectory], tasks: Mapping[str, TaskSpec]) -> pl.DataFrame:
    """One row a trajectory, in their order."""
    shared = _Shared()
    rows, said = [], []
    for trajectory in trajectories:
        task = tasks[trajectory.task_id]
        row, text = _row(trajectory, task, shared)
        rows.append({**row, "language": shared.language(task)})
        said.append(text)
    bands = pl.Series("bands", band_hashes(pl.Series(said, dtype=pl.String)), ROW_COLUMNS["bands"])
    without = {name: kind for name, kind in ROW_COLUMNS.items() if name != "bands"}
    return pl.DataFrame(rows, schema=without).with_columns(bands).select(list(ROW_COLUMNS))


class _Shared:
    """What is found out of a task, or of tools, once for all their episodes."""

    def __init__(self) -> None:
        self._languages: dict[str, str] = {}
        self._kinds: dict[str, Kinds] = {}

    def language(self, task: TaskSpec) -> str:
        if task.task_id not in self._languages:
            self._languages[task.task_id] = language_of(task.description) or ""
        return self._languages[task.task_id]

    def kinds(self, name: str, value: object) -> Kinds:
        if name not in self._kinds:
            self._kinds[name] = kinds_in(msgspec.to_builtins(value))
        return self._kinds[name]


def _row(trajectory: Trajectory, task: TaskSpec, shared: _Shared) -> tuple[dict[str, Any], str]:
    """A row without language and bands, and the text that the bands are of."""
    row = {
        "id": f"{trajectory.round}/{trajectory.task_id}/{trajectory.sample}",
        **_of_task(task),
        **_of_episode(trajectory),
    }
    try:
        messages = training_messages(trajectory)
        text = compact(messages)
        text.encode()
    except (Untrainable, UnicodeEncodeError, RecursionError) as error:
        return {**row, **_UNRENDERED, "unrenderable": str(error) or type(error).__name__}, ""
    tools = compact(trajectory.tools)
    beside = [shared.kinds(tools, trajectory.tools), shared.kinds(f"task {task.task_id}", task)]
    told = _of_conversation(trajectory, messages, traits_of(trajectory, messages, beside))
    return {**row, **told, "characters": len(text), "messages": text}, said_in(task.description, messages)


def _of_task(task: TaskSpec) -> dict[str, Any]:
    about = task.metadata
    return {
        "task_id": task.task_id,
        "root_id": task.lineage.root_id,
        "operator": task.lineage.operator,
        "generation": task.lineage.generation,
        "source": str(about.get("dataset") or PurePath(task.lineage.source).name),
        "licence": str(about.get("licence") or NO_LICENCE),
        "domain": str(about.get("domain") or ""),
        "user": task.user,
        "task": msgspec.json.encode(_without_path(task)).decode(),
    }


def _without_path(task: TaskSpec) -> TaskSpec:
    """The task with its file's name alone: in which folder it was is nobody else's matter."""
    lineage = msgspec.structs.replace(task.lineage, source=PurePath(task.lineage.source).name)
    return msgspec.structs.replace(task, lineage=lineage)


def _of_episode(trajectory: Trajectory) -> dict[str, Any]:
    names = (
        *("round", "sample", "task_type", "outcome", "verified", "verifier", "judged", "surplus", "withheld"),
        *("reward", "error_type", "teacher", "model", "created_at", "prompt_tokens", "completion_tokens"),
        "cost_usd",
    )
    replies = [step for step in trajectory.steps if step.message is not None]
    last = replies[-1].prompt_tokens + replies[-1].completion_tokens if replies else 0
    return {
        **{name: getattr(trajectory, name) for name in names},
        "steps": len(trajectory.steps),
        "tokens": last or None,
    }


def _of_conversation(trajectory: Trajectory, messages: list[Message], traits: Traits) -> dict[str, Any]:
    return {
        **{name: getattr(traits, name) for name in traits.__dataclass_fields__},
        "unrenderable": "",
        "content_hash": content_hash(messages),
        "prompt_key": prompt_key(messages, trajectory.tools),
        "tools": compact(trajectory.tools),
    }


_UNRENDERED: dict[str, Any] = {
    "failed_steps": 0,
    "loops": 0,
    "truncated": False,
    "repetition": 0.0,
    "secrets": [],
    "personal": [],
    "characters": 0,
    "content_hash": "",
    "prompt_key": "",
    "messages": "",
    "tools": "",
}
