"""The platform's tables. Changing one means a new migration beside the others in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

pool_tasks = Table(
    "pool_tasks",
    metadata,
    Column("task_id", String(200), primary_key=True),
    Column("task_type", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("description_key", String(32), nullable=False),
    Column("root_id", String(200), nullable=False),
    Column("operator", String(64), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("domain", String(64), nullable=False),
    Column("novelty", Float),
    Column("expected_pass", Float),
    Column("shingles", LargeBinary),
    Column("parent_id", String(200), nullable=False, server_default=""),
    Column("draw", Integer, nullable=False, server_default="0"),
    Column("spec", JSON, nullable=False),
    Column("added_at", Float, nullable=False),
    Index(
        "pool_tasks_by_turn",
        *("status", "priority", "added_at", "task_id", "generation", "task_type", "source"),
    ),
    Index("pool_tasks_by_draw", "status", "priority", "draw", "generation", "task_type", "source"),
    Index(
        "pool_tasks_by_family",
        *("status", "priority", "task_type", "root_id", "draw", "generation", "source"),
    ),
    Index("pool_tasks_by_root", "root_id"),
    Index("pool_tasks_by_age", "added_at", "task_id"),
)
"""Every task the platform knows.

`status` is pending until a round takes the task, then planned; review while it waits for a person's approval,
rejected where that was refused. `domain` is the field that an essence named. `novelty` is one less the
likeness to the nearest task that was there before, `expected_pass` the pass rate of its trials; null for what
was never compared or tried. `shingles` is what likeness is measured by (`adp_assets/mutation/novelty`).
"""

intake_files = Table(
    "intake_files",
    metadata,
    Column("path", Text, primary_key=True),
    Column("read_bytes", Integer, nullable=False),
    Column("read_lines", Integer, nullable=False),
    Column("head_hash", String(32), nullable=False),
)
"""How far each task file has been read; `head_hash` tells an appended file from a rewritten one."""

intake_rejects = Table(
    "intake_rejects",
    metadata,
    Column("path", Text, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("rejected_at", Float, nullable=False),
)
"""Lines that are no task, kept for a person to mend."""

rounds = Table(
    "rounds",
    metadata,
    Column("round", String(100), primary_key=True),
    Column("follows", String(100), unique=True),
    Column("number", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("max_rounds", Integer, nullable=False),
    Column("driver", String(16), nullable=False),
    Column("planned_at", Float, nullable=False),
    Column("accept", Integer),
    Column("chain", String(100), nullable=False),
    Column("selection", JSON),
)
"""Planned rounds. `number` counts within a chain of rounds that `follows` links; `chain` names its first.

`accept` is how many solved trajectories the whole chain is to have; without it all of a round is run.
`selection` explains how its tasks were chosen; null in rounds planned before that was kept.
"""

round_tasks = Table(
    "round_tasks",
    metadata,
    Column("round", String(100), ForeignKey("rounds.round"), primary_key=True),
    Column("task_id", String(200), ForeignKey("pool_tasks.task_id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
)
"""The frozen choice of a round: materializing it again gives these tasks."""

journal = Table(
    "journal",
    metadata,
    Column("round", String(100), primary_key=True),
    Column("task_id", String(200), primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("task_type", String(64), nullable=False),
    Column("runtime_id", String(64), nullable=False),
    Column("outcome", String(24), nullable=False),
    Column("finished", Boolean, nullable=False),
    Column("error_type", String(24)),
    Column("error_message", Text),
    Column("reward", Float),
    Column("steps", Integer, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cost_usd", Float),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("surplus", Boolean, nullable=False),
    Column("withheld", String(16)),
    Index("journal_by_task", "task_id"),
    Index("journal_by_outcome", "round", "outcome", "surplus", "withheld"),
)
"""One row a round, task and sample: the trajectory itself (`document`, zlib) and what is asked of it most."""

task_stats = Table(
    "task_stats",
    metadata,
    Column("task_id", String(200), primary_key=True),
    Column("episodes", Integer, nullable=False),
    Column("verified", Integer, nullable=False),
    Column("solved", Integer, nullable=False),
    Column("pass_rate", Float),
    Column("difficulty", Float),
    Column("updated_at", Float, nullable=False),
)
"""How often each task was solved, over the fair tries of all rounds; null where no verifier ever judged."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("round", String(100), primary_key=True),
    Column("task_id", String(200), primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("task_type", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("error_type", String(24), nullable=False),
    Column("error_message", Text, nullable=False),
    Column("history", JSON, nullable=False),
    Column("died_at", Float, nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", Float),
    Column("reason", Text),
    Index("dead_letters_by_state", "state"),
)
"""Episodes that our own failures spoiled, with every failed try; `state` is dead, retry or discarded."""

tools = Table(
    "tools",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), unique=True, nullable=False),
    Column("schema", JSON, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("type", String(8), nullable=False),
    Column("config", JSON, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("permission_level", String(8), nullable=False),
)
"""MCP servers and skills that were registered, and rulings on other tools; `type` is NATIVE, SKILL or MCP."""

candidates = Table(
    "candidates",
    metadata,
    Column("round", String(100), primary_key=True),
    Column("task_id", String(200), primary_key=True),
    Column("parent_id", String(200), nullable=False),
    Column("operator", String(64), nullable=False),
    Column("accepted", Boolean),
    Column("gate", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("spec", JSON),
    Column("parents", JSON, nullable=False, server_default="[]"),
    Column("essence_id", String(64), nullable=False, server_default=""),
    Column("reference", Text, nullable=False, server_default=""),
    Column("verdicts", JSON, nullable=False, server_default="[]"),
    Column("prompt_version", Text, nullable=False, server_default=""),
    Column("gates_version", String(32), nullable=False, server_default=""),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("created_at", Float, nullable=False),
    Index("candidates_by_gate", "accepted", "gate"),
)
"""Every task that mutation proposed, with the verdict of the gate that decided; `accepted` is null before.

`verdicts` has each gate that was asked, in order: gate, passed, reason, seconds. `reference` is the answer
that a right agent would hand in, empty where only the state of the world decides; no agent is ever shown it.
`prompt_version` is of what drafted it, `gates_version` of what judged it; empty where neither was kept.
`tries` are the times that a gate itself failed at it.
"""

trials = Table(
    "trials",
    metadata,
    Column("round", String(100), primary_key=True),
    Column("task_id", String(200), primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("outcome", String(24), nullable=False),
    Column("reward", Float),
    Column("error_type", String(24)),
    Column("error_message", Text),
    Column("steps", Integer, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("task_digest", String(64), nullable=False, server_default=""),
)
"""Episodes that candidates were tried in before they were let in; they are no round's, and in no dataset.

`task_digest` says which task that was: a candidate that is drafted anew keeps its id, and not its trials.
"""

reviews = Table(
    "reviews",
    metadata,
    Column("task_id", String(200), ForeignKey("pool_tasks.task_id"), primary_key=True),
    Column("approved", Boolean, nullable=False),
    Column("decided_by", String(100), nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("reason", Text, nullable=False),
)
"""What people decided about accepted tasks that waited for them."""

diversity = Table(
    "diversity",
    metadata,
    Column("round", String(100), primary_key=True),
    Column("measures", JSON, nullable=False),
    Column("measured_at", Float, nullable=False),
)
"""How varied each round's tasks were, by measure."""

llm_calls = Table(
    "llm_calls",
    metadata,
    Column("attempt", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("round", String(100), nullable=False),
    Column("task_id", String(200), nullable=False),
    Column("sample", Integer, nullable=False),
    Column("stage", String(24), nullable=False),
    Column("user_id", String(200), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("model", String(200), nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cost_usd", Float),
    Column("at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Index("llm_calls_by_episode", "round", "task_id", "sample"),
    Index("llm_calls_by_model", "model", "stage", "at"),
    Index("llm_calls_by_user", "user_id", "at"),
)
"""Every model call that was answered and paid, replies from the cache not; money is null where it is unknown.

`attempt` is one try of an episode, or one other piece of work; `number` counts its calls from 1.
"""

llm_replies = Table(
    "llm_replies",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("reply", LargeBinary, nullable=False),
    Column("kept_at", Float, nullable=False),
)
"""What models replied to distillation and mutation, by request: a round made again comes out the same."""
