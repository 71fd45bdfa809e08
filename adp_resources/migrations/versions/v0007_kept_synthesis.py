"""What synthesis keeps: undecided candidates, the versions they are of, whose trials are whose, replies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("candidates") as table:
        table.alter_column("accepted", existing_type=sa.Boolean(), nullable=True)
        table.add_column(sa.Column("prompt_version", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("gates_version", sa.String(length=32), nullable=False, server_default=""))
        table.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("trials", sa.Column("task_digest", sa.String(length=64), nullable=False, server_default=""))
    op.create_index("pool_tasks_by_age", "pool_tasks", ["added_at", "task_id"], unique=False)
    op.create_table(
        "llm_replies",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def downgrade() -> None:
    op.drop_table("llm_replies")
    op.drop_index("pool_tasks_by_age", table_name="pool_tasks")
    op.drop_column("trials", "task_digest")
    op.execute("DELETE FROM candidates WHERE accepted IS NULL")
    with op.batch_alter_table("candidates") as table:
        table.drop_column("tries")
        table.drop_column("gates_version")
        table.drop_column("prompt_version")
        table.alter_column("accepted", existing_type=sa.Boolean(), nullable=False)
