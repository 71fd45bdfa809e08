"""Proposals as mutation leaves them in the table of candidates."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from adp_resources.database import Database
from adp_resources.tables import candidates


def verdicts(*names: str, refused_by: str = "") -> list[dict[str, Any]]:
    """Those of some gates in their order; `refused_by` is the one that said no."""
    return [{"gate": name, "passed": name != refused_by, "reason": "", "seconds": 0.0} for name in names]


def propose(
    database: Database, round: str, gate: str, accepted: bool | None, asked: list[dict[str, Any]]
) -> None:
    with database.begin() as connection:
        number = connection.execute(sa.select(sa.func.count()).select_from(candidates)).scalar_one()
        row: dict[str, Any] = {
            "round": round,
            "task_id": f"t{number}",
            "parent_id": "p",
            "operator": "parameter",
        }
        row |= {"accepted": accepted, "gate": gate, "reason": "", "verdicts": asked, "created_at": 0.0}
        connection.execute(sa.insert(candidates), row)
