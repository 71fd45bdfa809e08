"""Who may use a tool: three levels, each of which has what those below it have."""

from __future__ import annotations

from typing import Literal, get_args

Permission = Literal["user", "trusted", "admin"]

LEVELS: tuple[Permission, ...] = get_args(Permission)
"""From the least to the most."""


def allows(level: Permission, needed: Permission) -> bool:
    """Whether `level` is enough where `needed` is asked for."""
    return LEVELS.index(level) >= LEVELS.index(needed)
