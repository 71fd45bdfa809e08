"""What synthesis knows of a task: how new, how hard, who tried and who approved it; how varied rounds are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BY_TURN = ["status", "priority", "added_at", "task_id", "generation", "task_type", "source"]
BY_DRAW = ["status", "priority", "draw", "generation", "task_type", "source"]
BY_FAMILY = ["status", "priority", "task_type", "root_id", "draw", "generation", "source"]


def upgrade() -> None:
    op.add_column("pool_tasks", sa.Column("domain", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("pool_tasks", sa.Column("novelty", sa.Float(), nullable=True))
    op.add_column("pool_tasks", sa.Column("expected_pass", sa.Float(), nullable=True))
    op.add_column("pool_tasks", sa.Column("shingles", sa.LargeBinary(), nullable=True))
    op.add_column(
        "pool_tasks", sa.Column("parent_id", sa.String(length=200), nullable=False, server_default="")
    )
    op.add_column("pool_tasks", sa.Column("draw", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE pool_tasks SET parent_id = candidates.parent_id FROM candidates"
        " WHERE candidates.task_id = pool_tasks.task_id"
    )
    op.drop_index("pool_tasks_by_turn", table_name="pool_tasks")
    op.create_index("pool_tasks_by_turn", "pool_tasks", BY_TURN, unique=False)
    op.create_index("pool_tasks_by_draw", "pool_tasks", BY_DRAW, unique=False)
    op.create_index("pool_tasks_by_family", "pool_tasks", BY_FAMILY, unique=False)
    op.add_column("rounds", sa.Column("selection", sa.JSON(), nullable=True))
    op.add_column("round_tasks", sa.Column("reason", sa.Text(), nullable=False, server_default=""))
    for column in (
        sa.Column("parents", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("essence_id", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("reference", sa.Text(), nullable=False, server_default=""),
        sa.Column("verdicts", sa.JSON(), nullable=False, server_default="[]"),
    ):
        op.add_column("candidates", column)
    op.create_index("candidates_by_gate", "candidates", ["accepted", "gate"], unique=False)
    op.create_table(
        "trials",
        sa.Column("round", sa.String(length=100), nullable=False),
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("reward", sa.Float(), nullable=True),
        sa.Column("error_type", sa.String(length=24), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("round", "task_id", "sample"),
    )
    op.create_table(
        "reviews",
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["pool_tasks.task_id"]),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_table(
        "diversity",
        sa.Column("round", sa.String(length=100), nullable=False),
        sa.Column("measures", sa.JSON(), nullable=False),
        sa.Column("measured_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("round"),
    )


def downgrade() -> None:
    op.drop_table("diversity")
    op.drop_table("reviews")
    op.drop_table("trials")
    op.drop_index("candidates_by_gate", table_name="candidates")
    op.drop_index("pool_tasks_by_family", table_name="pool_tasks")
    op.drop_index("pool_tasks_by_draw", table_name="pool_tasks")
    op.drop_index("pool_tasks_by_turn", table_name="pool_tasks")
    op.create_index("pool_tasks_by_turn", "pool_tasks", ["status", "priority", "added_at"], unique=False)
    for table, columns in (
        ("candidates", ("verdicts", "reference", "essence_id", "parents")),
        ("round_tasks", ("reason",)),
        ("rounds", ("selection",)),
        ("pool_tasks", ("draw", "parent_id", "shingles", "expected_pass", "novelty", "domain")),
    ):
        for column in columns:
            op.drop_column(table, column)
