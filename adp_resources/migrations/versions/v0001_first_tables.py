"""The first tables: pool, intake, rounds, journal, candidates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "candidates",
        sa.Column("round", sa.String(length=100), nullable=False),
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("parent_id", sa.String(length=200), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("gate", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("round", "task_id"),
    )
    op.create_table(
        "intake_files",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("read_bytes", sa.Integer(), nullable=False),
        sa.Column("read_lines", sa.Integer(), nullable=False),
        sa.Column("head_hash", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.create_table(
        "intake_rejects",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("rejected_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("path", "line"),
    )
    op.create_table(
        "journal",
        sa.Column("round", sa.String(length=100), nullable=False),
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("task_type", sa.String(length=64), nullable=False),
        sa.Column("runtime_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("error_type", sa.String(length=24), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("reward", sa.Float(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("round", "task_id", "sample"),
    )
    op.create_index("journal_by_outcome", "journal", ["round", "outcome"], unique=False)
    op.create_index("journal_by_task", "journal", ["task_id"], unique=False)
    op.create_table(
        "pool_tasks",
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("task_type", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("description_key", sa.String(length=32), nullable=False),
        sa.Column("root_id", sa.String(length=200), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_index("pool_tasks_by_root", "pool_tasks", ["root_id"], unique=False)
    op.create_index("pool_tasks_by_turn", "pool_tasks", ["status", "priority", "added_at"], unique=False)
    op.create_table(
        "rounds",
        sa.Column("round", sa.String(length=100), nullable=False),
        sa.Column("follows", sa.String(length=100), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("max_rounds", sa.Integer(), nullable=False),
        sa.Column("driver", sa.String(length=16), nullable=False),
        sa.Column("planned_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("round"),
        sa.UniqueConstraint("follows"),
    )
    op.create_table(
        "round_tasks",
        sa.Column("round", sa.String(length=100), nullable=False),
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round"],
            ["rounds.round"],
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["pool_tasks.task_id"],
        ),
        sa.PrimaryKeyConstraint("round", "task_id"),
    )


def downgrade() -> None:
    op.drop_table("round_tasks")
    op.drop_table("rounds")
    op.drop_index("pool_tasks_by_turn", table_name="pool_tasks")
    op.drop_index("pool_tasks_by_root", table_name="pool_tasks")
    op.drop_table("pool_tasks")
    op.drop_index("journal_by_task", table_name="journal")
    op.drop_index("journal_by_outcome", table_name="journal")
    op.drop_table("journal")
    op.drop_table("intake_rejects")
    op.drop_table("intake_files")
    op.drop_table("candidates")
