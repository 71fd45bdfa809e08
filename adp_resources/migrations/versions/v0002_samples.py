"""Targets of accepted trajectories, how often each task was solved, and dead letters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rounds", sa.Column("accept", sa.Integer(), nullable=True))
    op.add_column("rounds", sa.Column("chain", sa.String(length=100), nullable=False, server_default=""))
    op.add_column("journal", sa.Column("surplus", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("journal_by_outcome", table_name="journal")
    op.create_index("journal_by_outcome", "journal", ["round", "outcome", "surplus"], unique=False)
    op.create_table(
        "task_stats",
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("episodes", sa.Integer(), nullable=False),
        sa.Column("verified", sa.Integer(), nullable=False),
        sa.Column("solved", sa.Integer(), nullable=False),
        sa.Column("pass_rate", sa.Float(), nullable=True),
        sa.Column("difficulty", sa.Float(), nullable=True),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("round", sa.String(length=100), nullable=False),
        sa.Column("task_id", sa.String(length=200), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("task_type", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error_type", sa.String(length=24), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("history", sa.JSON(), nullable=False),
        sa.Column("died_at", sa.Float(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("round", "task_id", "sample"),
    )
    op.create_index("dead_letters_by_state", "dead_letters", ["state"], unique=False)
    connection = op.get_bind()
    _name_chains(connection)
    _bury_known_failures(connection)
    _count_known_tries(connection)


def downgrade() -> None:
    op.drop_index("dead_letters_by_state", table_name="dead_letters")
    op.drop_table("dead_letters")
    op.drop_table("task_stats")
    op.drop_index("journal_by_outcome", table_name="journal")
    op.create_index("journal_by_outcome", "journal", ["round", "outcome"], unique=False)
    op.drop_column("journal", "surplus")
    op.drop_column("rounds", "chain")
    op.drop_column("rounds", "accept")


def _name_chains(connection: sa.Connection) -> None:
    """Each round's chain, found by going back from round to round."""
    before = {
        row.round: row.follows for row in connection.execute(sa.text("SELECT round, follows FROM rounds"))
    }
    for name in before:
        first = name
        while before.get(first):
            first = before[first]
        connection.execute(
            sa.text("UPDATE rounds SET chain = :chain WHERE round = :round"), {"chain": first, "round": name}
        )


def _bury_known_failures(connection: sa.Connection) -> None:
    """Failures of ours that earlier versions only journaled."""
    connection.execute(
        sa.text(
            "INSERT INTO dead_letters (round, task_id, sample, task_type, state, error_type, error_message,"
            " history, died_at) SELECT round, task_id, sample, task_type, 'dead',"
            " COALESCE(error_type, 'system_error'), COALESCE(error_message, ''), '[]', ended_at"
            " FROM journal WHERE outcome = 'infrastructure_error'"
        )
    )


def _count_known_tries(connection: sa.Connection) -> None:
    """What `TaskStats.refresh` would have counted."""
    connection.execute(
        sa.text(
            "INSERT INTO task_stats (task_id, episodes, verified, solved, pass_rate, difficulty, updated_at)"
            " SELECT task_id, episodes, verified, solved,"
            " CASE WHEN verified > 0 THEN 1.0 * solved / verified END,"
            " CASE WHEN verified > 0 THEN 1.0 - (solved + 1.0) / (verified + 2) END, updated_at FROM ("
            " SELECT task_id, COUNT(*) AS episodes,"
            " SUM(CASE WHEN outcome IN ('solved', 'unsolved') THEN 1 ELSE 0 END) AS verified,"
            " SUM(CASE WHEN outcome = 'solved' THEN 1 ELSE 0 END) AS solved, MAX(ended_at) AS updated_at"
            " FROM journal WHERE finished GROUP BY task_id) AS tries"
        )
    )
