"""Solved trajectories that no dataset takes, which a target of accepted ones does not count."""

from __future__ import annotations

import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("journal", sa.Column("withheld", sa.String(length=16), nullable=True))
    op.drop_index("journal_by_outcome", table_name="journal")
    op.create_index("journal_by_outcome", "journal", ["round", "outcome", "surplus", "withheld"])
    _mark_known(op.get_bind())


def downgrade() -> None:
    op.drop_index("journal_by_outcome", table_name="journal")
    op.create_index("journal_by_outcome", "journal", ["round", "outcome", "surplus"])
    op.drop_column("journal", "withheld")


def _mark_known(connection: sa.Connection) -> None:
    """As `Trajectory.withheld` says, in rounds with a target: nobody asks of others."""
    found = connection.execute(
        sa.text(
            "SELECT journal.round, task_id, sample, document FROM journal JOIN rounds"
            " ON rounds.round = journal.round WHERE accept IS NOT NULL AND outcome = 'solved'"
        )
    )
    for row in found.all():
        trajectory = json.loads(zlib.decompress(row.document))
        moved = trajectory.get("metadata", {}).get("refs_moved")
        reason = "refs_moved" if moved else "judged" if trajectory.get("judged") else None
        if reason is not None:
            connection.execute(
                sa.text(
                    "UPDATE journal SET withheld = :reason"
                    " WHERE round = :round AND task_id = :task_id AND sample = :sample"
                ),
                {"reason": reason, "round": row.round, "task_id": row.task_id, "sample": row.sample},
            )
